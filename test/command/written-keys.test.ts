// Which keys a command may change: judged from its arguments, and held against what a real server says of them.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandArguments } from '../../src/command/arguments.js'
import { CATALOG } from '../../src/command/catalog.js'
import { definitionOf, type RedisArgument } from '../../src/command/definitions.js'
import { blockingTimeoutOf, sessionEffectOf } from '../../src/command/routing.js'
import { writtenKeysOf } from '../../src/command/written-keys.js'
import { versionAtLeast } from '../support/redis-binary.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { SAMPLES } from './samples.js'

const CALLS: readonly [method: string, calls: readonly (readonly unknown[])[]][] = Object.entries(SAMPLES)

const SAMPLE_COMMANDS = CALLS.flatMap(([method, calls]) =>
  calls.map((call) => {
    const parser = new CommandArguments()
    definitionOf(method).parseCommand(parser, ...call)
    return { method, args: [...parser.redisArgs], keys: parser.keys.map(String) }
  }),
)

const cacheable = new Set(CATALOG.filter((entry) => entry.cacheable).map(({ methods }) => methods[0]))

function written(line: string): string {
  const keys = writtenKeysOf(line.split(' '))
  return typeof keys === 'string' ? keys : keys.join(' ')
}

describe('the keys that a command may change', () => {
  it('are found where they are', () => {
    const expected: Readonly<Record<string, string>> = {
      'SET k v': 'k',
      'set k v GET': 'k',
      'DEL a b c': 'a b c',
      'MSET a 1 b 2': 'a b',
      'RENAME a b': 'a b',
      'COPY a b': 'b',
      'BITOP AND dest a b': 'dest',
      'BLPOP a b 0': 'a b',
      'LMPOP 2 a b LEFT': 'a b',
      'BLMPOP 0 2 a b LEFT': 'a b',
      'EVAL script 2 a b arg': 'a b',
      'XGROUP CREATE s g $': 's',
      'XREADGROUP GROUP g c BLOCK 0 STREAMS a b > >': 'a b',
      'XREADGROUP GROUP STREAMS STREAMS STREAMS a >': 'a',
      'ZUNIONSTORE dest 2 a b': 'dest',
    }
    for (const [line, keys] of Object.entries(expected)) assert.equal(written(line), keys, line)
  })

  it('are none for what reads, and for what is about no key', () => {
    for (const line of [
      'GET k',
      'MGET a b',
      'SORT k',
      'EVAL_RO s 1 k',
      'PUBLISH c m',
      'MULTI',
      'CLIENT ID',
      'WAIT 1 0',
    ])
      assert.equal(written(line), 'none', line)
  })

  it('are any for what nobody can tell', () => {
    const lines = ['FLUSHALL', 'SWAPDB 0 1', 'EXEC', 'EVAL script 0', 'EVAL script', 'SORT k STORE dest', 'NOT.KNOWN k']
    for (const line of [...lines, 'GEORADIUS k 1 2 3 m STOREDIST d', 'DEBUG RELOAD'])
      assert.equal(written(line), 'any', line)
  })

  it('are known for what may block: nothing would be kept for as long as it waits', () => {
    const blocking = SAMPLE_COMMANDS.filter(({ args }) => blockingTimeoutOf(args) !== undefined)
    assert.ok(blocking.length > 10)
    for (const { args } of blocking) assert.notEqual(writtenKeysOf(args), 'any', String(args[0]))
  })

  it('are among those that the definition of the command names', () => {
    const unknown = new Set<string>()
    for (const { method, args, keys } of SAMPLE_COMMANDS) {
      const found = writtenKeysOf(args)
      if (found === 'any' && sessionEffectOf(args) === 'none') unknown.add(method)
      if (typeof found === 'string') continue
      assert.ok(found.length > 0, method)
      for (const key of found) assert.ok(keys.includes(String(key)), `${method}: ${String(key)}`)
    }
    const expected =
      /^(CLUSTER_|EVAL|FCALL|FLUSH|GEORADIUS|MODULE_|SORT)|^(MIGRATE|MSETEX|REPLICAOF|RESTORE-ASKING|SWAPDB)$/
    assert.deepEqual(
      [...unknown].filter((method) => !expected.test(method)),
      [],
    )
  })
})

describe('a real server', { skip: liveSkip, timeout: 60_000 }, () => {
  const ask = async (command: string, args: readonly RedisArgument[]): Promise<unknown> => {
    try {
      return await shared.cli('COMMAND', command, ...args.map(String))
    } catch {
      // It does not know the command, or not these arguments.
      return undefined
    }
  }
  let shared: RedisProcess

  it('names the same keys for each read whose reply is kept', async () => {
    await using server = await RedisProcess.start()
    shared = server
    let asked = 0
    for (const { method, args, keys } of SAMPLE_COMMANDS.filter((sample) => cacheable.has(sample.method))) {
      const named = await ask('GETKEYS', args)
      if (!Array.isArray(named)) continue
      asked++
      assert.deepEqual(new Set(keys), new Set(named.map(String)), method)
    }
    assert.ok(asked > 60, `asked for ${asked}`)
  })

  it('changes no other keys', { skip: versionAtLeast(7, 0) ? false : 'needs COMMAND GETKEYSANDFLAGS' }, async () => {
    await using server = await RedisProcess.start()
    shared = server
    let asked = 0
    for (const { method, args } of SAMPLE_COMMANDS) {
      const found = writtenKeysOf(args)
      const named = await ask('GETKEYSANDFLAGS', args)
      if (found === 'any' || !Array.isArray(named)) continue
      asked++
      const ours = new Set(typeof found === 'string' ? [] : found.map(String))
      for (const entry of named) {
        const [key, flags] = Array.isArray(entry) ? entry : []
        const changes = Array.isArray(flags) && flags.some((flag) => ['RW', 'OW', 'RM'].includes(String(flag)))
        // A count of distinct elements is remembered in its own key, which changes no reply.
        if (changes && method !== 'PFCOUNT') assert.ok(ours.has(String(key)), `${method} may change ${String(key)}`)
      }
    }
    assert.ok(asked > 100, `asked for ${asked}`)
  })
})
