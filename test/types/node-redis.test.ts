// What the compiler sees beside node-redis's own types: parameters and replies of commands, iterators, modules, scripts,
// functions and transactions are the same. Single methods are compared, never whole clients, which would take minutes.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type bloom from '@redis/bloom'
import type { RedisClientType as NodeClient } from '@redis/client'
import type json from '@redis/json'
import type search from '@redis/search'
import type timeSeries from '@redis/time-series'
import { expectTypeOf } from 'expect-type'
import type {
  CommandParser,
  defineScript,
  Lease,
  NoExtensions,
  RESP_TYPES,
  Redis,
  RedisArgument,
  RedisClientType,
  RedisLease,
} from '../../src/index.js'

type Node<RESP extends 2 | 3 = 3, TM extends object = NoExtensions> = NodeClient<
  NoExtensions,
  NoExtensions,
  NoExtensions,
  RESP,
  TM
>

/** Sixty commands whose types differ in kind: options, overloads by RESP version, maps, sets, doubles, nulls, tuples. */
const NAMES = [
  'ACL_GETUSER',
  'aclLog',
  'append',
  'bitCount',
  'bitField',
  'blmPop',
  'blPop',
  'bzPopMin',
  'clientKill',
  'clientList',
  'configGet',
  'copy',
  'decrBy',
  'del',
  'eval',
  'evalSha',
  'exists',
  'expire',
  'fCall',
  'functionList',
  'geoAdd',
  'geoPos',
  'geoSearchWith',
  'get',
  'getEx',
  'hExpire',
  'hGetAll',
  'hmGet',
  'hRandFieldCountWithValues',
  'hScan',
  'hSet',
  'incrByFloat',
  'info',
  'lcsIdx',
  'lMove',
  'lmPop',
  'lPos',
  'lRange',
  'memoryStats',
  'mGet',
  'mSet',
  'objectEncoding',
  'pubSubNumSub',
  'scan',
  'set',
  'sInter',
  'sMembers',
  'sort',
  'sPopCount',
  'time',
  'xAdd',
  'xAutoClaim',
  'xInfoStream',
  'xRange',
  'xRead',
  'xReadGroup',
  'zAdd',
  'zmPop',
  'zRangeWithScores',
  'zScan',
  'zScore',
] as const

const ITERATORS = [
  'scanIterator',
  'hScanIterator',
  'hScanValuesIterator',
  'hScanNoValuesIterator',
  'sScanIterator',
  'zScanIterator',
] as const

type Names = (typeof NAMES)[number]
type Iterators = (typeof ITERATORS)[number]

/** By name, what a method takes and gives. */
type Shapes<CLIENT, NAME extends keyof CLIENT> = {
  [KEY in NAME]: CLIENT[KEY] extends (...args: infer ARGS) => infer REPLY ? [args: ARGS, reply: REPLY] : never
}

/** All methods of a namespace. */
type Namespace<MODULE> = Shapes<MODULE, keyof MODULE>

type Bytes = { [RESP_TYPES.BLOB_STRING]: typeof Buffer }
type Maps = { [RESP_TYPES.MAP]: typeof Map; [RESP_TYPES.NUMBER]: typeof String; [RESP_TYPES.ARRAY]: ArrayConstructor }

type Modules = (typeof bloom)['default'] & {
  json: (typeof json)['default']
  ft: (typeof search)['default']
  ts: (typeof timeSeries)['default']
}

interface Push {
  SCRIPT: string
  NUMBER_OF_KEYS: 1
  parseCommand: (this: void, parser: CommandParser, key: RedisArgument, value: number) => void
  transformReply: (this: void, length: number) => { length: number }
}
type Scripts = { push: ReturnType<typeof defineScript<Push>> }
type Functions = { lib: { push: Omit<Push, 'SCRIPT'> } }

type Ours<RESP extends 2 | 3 = 3, TM extends object = NoExtensions> = RedisClientType<
  Modules,
  Functions,
  Scripts,
  RESP,
  TM
>
type Theirs<RESP extends 2 | 3 = 3, TM extends object = NoExtensions> = NodeClient<
  Modules,
  Functions,
  Scripts,
  RESP,
  TM
>

// Never called: only their types matter.
const ours = {
  typed: (client: Ours) =>
    client
      .multi()
      .get('a')
      .push('key', 1)
      .json.get('doc')
      .lib.push('key', 2)
      .bf.exists('f', 'x')
      .hGetAll('h')
      .execTyped(),
  mapped: (client: Ours<3, Bytes>) => client.multi().get('a').topK.list('top').push('key', 1).execAsPipelineTyped(),
  old: (client: Ours<2>) => client.multi().hGetAll('a').ts.range('series', '-', '+').zScore('z', 'm').execTyped(),
  added: (client: Ours) =>
    client
      .multi()
      .get('a')
      .addCommand(['GET', 'a'], (reply: string) => reply)
      .incr('b')
      .execTyped(),
  views: (client: Ours, mapping: Bytes, signal: AbortSignal) =>
    client.withAbortSignal(signal).withTypeMapping(mapping).topK.list('top'),
}
const theirs = {
  typed: (client: Theirs) =>
    client
      .multi()
      .get('a')
      .push('key', 1)
      .json.get('doc')
      .lib.push('key', 2)
      .bf.exists('f', 'x')
      .hGetAll('h')
      .execTyped(),
  mapped: (client: Theirs<3, Bytes>) => client.multi().get('a').topK.list('top').push('key', 1).execAsPipelineTyped(),
  old: (client: Theirs<2>) => client.multi().hGetAll('a').ts.range('series', '-', '+').zScore('z', 'm').execTyped(),
  added: (client: Theirs) =>
    client
      .multi()
      .get('a')
      .addCommand(['GET', 'a'], (reply: string) => reply)
      .incr('b')
      .execTyped(),
  views: (client: Theirs, mapping: Bytes, signal: AbortSignal) =>
    client.withAbortSignal(signal).withTypeMapping(mapping).topK.list('top'),
}
type Results<CALLS extends Record<string, (...args: never) => unknown>> = {
  [NAME in keyof CALLS]: Awaited<ReturnType<CALLS[NAME]>>
}

describe("types, beside node-redis's", () => {
  it('are the same for commands', () => {
    expectTypeOf<Shapes<Redis, Names>>().toEqualTypeOf<Shapes<Node, Names>>()
    expectTypeOf<Shapes<Redis<2>, Names>>().toEqualTypeOf<Shapes<Node<2>, Names>>()
    expectTypeOf<Shapes<Lease, Names>>().toEqualTypeOf<Shapes<Node, Names>>()
    expectTypeOf<Shapes<Ours, Names>>().toEqualTypeOf<Shapes<Node, Names>>()
    assert.equal(new Set(NAMES).size, NAMES.length)
    assert.ok(NAMES.length >= 60)
  })

  it('are the same under type mappings', () => {
    expectTypeOf<Shapes<Redis<3, Bytes>, Names>>().toEqualTypeOf<Shapes<Node<3, Bytes>, Names>>()
    expectTypeOf<Shapes<Redis<3, Maps>, Names>>().toEqualTypeOf<Shapes<Node<3, Maps>, Names>>()
    expectTypeOf<Shapes<Redis<2, Maps>, Names>>().toEqualTypeOf<Shapes<Node<2, Maps>, Names>>()
  })

  it('are the same for iterators', () => {
    expectTypeOf<Shapes<Redis, Iterators>>().toEqualTypeOf<Shapes<Node, Iterators>>()
    expectTypeOf<Shapes<Lease, Iterators>>().toEqualTypeOf<Shapes<Node, Iterators>>()
    expectTypeOf<Shapes<Redis<3, Bytes>, Iterators>>().toEqualTypeOf<Shapes<Node<3, Bytes>, Iterators>>()
    assert.equal(ITERATORS.length, 6)
  })

  it('are the same for all methods of modules', () => {
    expectTypeOf<Namespace<Ours['json']>>().toEqualTypeOf<Namespace<Theirs['json']>>()
    expectTypeOf<Namespace<Ours['ft']>>().toEqualTypeOf<Namespace<Theirs['ft']>>()
    expectTypeOf<Namespace<Ours['ts']>>().toEqualTypeOf<Namespace<Theirs['ts']>>()
    expectTypeOf<Namespace<Ours['bf']>>().toEqualTypeOf<Namespace<Theirs['bf']>>()
    expectTypeOf<Namespace<Ours<2, Bytes>['ts']>>().toEqualTypeOf<Namespace<Theirs<2, Bytes>['ts']>>()
    expectTypeOf<Namespace<RedisLease<Modules>['json']>>().toEqualTypeOf<Namespace<Theirs['json']>>()
  })

  it('are the same for scripts and functions', () => {
    expectTypeOf<Shapes<Ours, 'push'>>().toEqualTypeOf<Shapes<Theirs, 'push'>>()
    expectTypeOf<Namespace<Ours['lib']>>().toEqualTypeOf<Namespace<Theirs['lib']>>()
    expectTypeOf<Awaited<ReturnType<Ours['push']>>>().toEqualTypeOf<{ length: number }>()
    expectTypeOf<Parameters<Ours['push']>>().toEqualTypeOf<[key: RedisArgument, value: number]>()
  })

  it('are the same for the replies of transactions', () => {
    expectTypeOf<Results<typeof ours>>().toEqualTypeOf<Results<typeof theirs>>()
    expectTypeOf<Results<typeof ours>['typed'][0]>().toEqualTypeOf<string | null>()
    expectTypeOf<Results<typeof ours>['mapped'][0]>().toEqualTypeOf<Buffer | null>()
    assert.deepEqual(Object.keys(ours), Object.keys(theirs))
  })

  it('are the same for what is added to transactions raw', () => {
    // Never called: only its type matters.
    const multiOf = (client: Node) => client.multi()
    type Taken = Parameters<ReturnType<typeof multiOf>['addCommand']>
    expectTypeOf<Taken>().toExtend<Parameters<ReturnType<Redis['multi']>['addCommand']>>()
    expectTypeOf<Taken[1]>().toEqualTypeOf<Parameters<ReturnType<Redis['multi']>['addCommand']>[1]>()
    expectTypeOf<Parameters<ReturnType<typeof multiOf>['select']>>().toEqualTypeOf<
      Parameters<ReturnType<Redis['multi']>['select']>
    >()
    expectTypeOf<Results<typeof ours>['added']>().toEqualTypeOf<[string | null, number]>()
    assert.equal(multiOf.length, 1)
  })

  it('let a handle with extensions stand where a plain one is asked for', () => {
    // As arguments, since a question about whole clients would have them compared.
    const plain = {
      handle: (client: Ours): Redis => client,
      lease: (lease: RedisLease<Modules, Functions, Scripts>): Lease => lease,
      alias: (client: RedisClientType): Redis => client,
      back: (client: Redis): RedisClientType => client,
    }
    assert.equal(Object.keys(plain).length, 4)
  })
})
