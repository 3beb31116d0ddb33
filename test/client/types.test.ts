// What the compiler sees: methods and replies have exactly node-redis's types. Single methods are compared, never
// whole clients, which would take the compiler minutes.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RedisClientType } from '@redis/client'
import type { Lease, NoMapping, RESP_TYPES, Redis } from '../../src/index.js'

type Node<RESP extends 2 | 3 = 3, MAPPING extends object = NoMapping> = RedisClientType<
  NoMapping,
  NoMapping,
  NoMapping,
  RESP,
  MAPPING
>

/** Whether two types are the same, not only assignable both ways. */
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Fails to compile unless its type argument is `true`. */
function holds<_Claim extends true>(): void {}

type Buffers = { [RESP_TYPES.BLOB_STRING]: typeof Buffer }
type Maps = { [RESP_TYPES.MAP]: typeof Map; [RESP_TYPES.NUMBER]: typeof String }

// Never called: only their types matter.
const ours = {
  get: (redis: Redis) => redis.get('key'),
  bytes: (redis: Redis, mapping: Buffers) => redis.withTypeMapping(mapping).get('key'),
  maps: (redis: Redis, mapping: Maps) => redis.withTypeMapping(mapping).hGetAll('key'),
  typed: (redis: Redis) => redis.multi().get('key').incr('count').hGetAll('hash').execTyped(),
  typedPipeline: (redis: Redis) => redis.multi().set('key', 'value').lRange('list', 0, -1).execAsPipelineTyped(),
  typedBytes: (redis: Redis, mapping: Buffers) => redis.withTypeMapping(mapping).multi().get('key').execTyped(),
  empty: (redis: Redis) => redis.multi().execTyped(),
  lease: (redis: Redis) => redis.lease((connection) => connection.multi().get('key').incr('count').execTyped()),
  result: (redis: Redis) => redis.lease(async (connection) => ({ id: connection.connectionId })),
  plain: (redis: Redis) => redis.lease(() => 5),
  itself: (redis: Redis) => redis.lease(),
  signal: (redis: Redis, signal: AbortSignal) => redis.withAbortSignal(signal).get('key'),
  raw: (redis: Redis) => redis.sendCommand<string>(['GET', 'key']),
  unknown: (redis: Redis) => redis.sendCommand(['GET', 'key']),
}
const theirs = {
  get: (client: Node) => client.get('key'),
  bytes: (client: Node, mapping: Buffers) => client.withTypeMapping(mapping).get('key'),
  maps: (client: Node, mapping: Maps) => client.withTypeMapping(mapping).hGetAll('key'),
  typed: (client: Node) => client.multi().get('key').incr('count').hGetAll('hash').execTyped(),
  typedPipeline: (client: Node) => client.multi().set('key', 'value').lRange('list', 0, -1).execAsPipelineTyped(),
  typedBytes: (client: Node, mapping: Buffers) => client.withTypeMapping(mapping).multi().get('key').execTyped(),
}

type Ours = { [NAME in keyof typeof ours]: Awaited<ReturnType<(typeof ours)[NAME]>> }
type Theirs = { [NAME in keyof typeof theirs]: Awaited<ReturnType<(typeof theirs)[NAME]>> }

describe('types', () => {
  it('of methods are those of node-redis', () => {
    holds<Equal<Redis['get'], Node['get']>>()
    holds<Equal<Redis['GET'], Node['GET']>>()
    holds<Equal<Redis['set'], Node['set']>>()
    holds<Equal<Redis['hGetAll'], Node['hGetAll']>>()
    holds<Equal<Redis['hSet'], Node['hSet']>>()
    holds<Equal<Redis['mGet'], Node['mGet']>>()
    holds<Equal<Redis['xRead'], Node['xRead']>>()
    holds<Equal<Redis['xReadGroup'], Node['xReadGroup']>>()
    holds<Equal<Redis['zRangeWithScores'], Node['zRangeWithScores']>>()
    holds<Equal<Redis['blPop'], Node['blPop']>>()
    holds<Equal<Redis['eval'], Node['eval']>>()
    holds<Equal<Redis['geoSearchWith'], Node['geoSearchWith']>>()
    holds<Equal<Redis['scan'], Node['scan']>>()
    holds<Equal<Redis['ACL_GETUSER'], Node['ACL_GETUSER']>>()
    holds<Equal<Lease['get'], Node['get']>>()
  })

  it('follow the version of RESP and the type mapping', () => {
    holds<Equal<Redis<2>['hGetAll'], Node<2>['hGetAll']>>()
    holds<Equal<Redis<2>['zRangeWithScores'], Node<2>['zRangeWithScores']>>()
    holds<Equal<Redis<3, Buffers>['get'], Node<3, Buffers>['get']>>()
    holds<Equal<Redis<3, Maps>['hGetAll'], Node<3, Maps>['hGetAll']>>()
    holds<Equal<Redis<2, Maps>['incr'], Node<2, Maps>['incr']>>()
    holds<Equal<Ours['bytes'], Theirs['bytes']>>()
    holds<Equal<Ours['bytes'], Buffer | null>>()
    holds<Equal<Ours['maps'], Theirs['maps']>>()
    holds<Equal<Equal<Redis['get'], Redis<3, Buffers>['get']>, false>>()
  })

  it('of replies are plain ones', () => {
    holds<Equal<Ours['get'], string | null>>()
    holds<Equal<Ours['get'], Theirs['get']>>()
    holds<Equal<Ours['signal'], string | null>>()
    holds<Equal<Ours['raw'], string>>()
    holds<Equal<Ours['unknown'], unknown>>()
  })

  it('of transactions grow with each command', () => {
    holds<Equal<Ours['typed'], Theirs['typed']>>()
    holds<Equal<Ours['typed'][0], string | null>>()
    holds<Equal<Ours['typed'][1], number>>()
    holds<Equal<Ours['typed']['length'], 3>>()
    holds<Equal<Ours['typedPipeline'], Theirs['typedPipeline']>>()
    holds<Equal<Ours['typedBytes'], Theirs['typedBytes']>>()
    holds<Equal<Ours['empty'], []>>()
    holds<Equal<Ours['lease'], [string | null, number]>>()
  })

  it('of leases are those of what their function gives', () => {
    holds<Equal<Ours['result'], { id: number }>>()
    holds<Equal<Ours['plain'], number>>()
    holds<Equal<Ours['itself'] extends Lease ? true : false, true>>()
  })

  it('are there at run time as far as they are values', () => {
    for (const call of [...Object.values(ours), ...Object.values(theirs)]) assert.equal(typeof call, 'function')
  })
})
