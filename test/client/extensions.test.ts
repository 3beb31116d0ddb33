// What openRedis() takes beside options: functions, and the names and shapes of all extensions.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type CommandParser,
  defineScript,
  type Lease,
  OptionError,
  openRedis,
  RESP_TYPES,
  Redis,
  type RedisArgument,
} from '../../src/index.js'
import { FakeServer } from '../support/fake-server.js'
import { liveRedis } from '../support/live-redis.js'
import { liveSkip } from '../support/redis-process.js'

const LIBRARY = `#!lua name=counters
redis.register_function('add', function(keys, args) return redis.call('incrby', keys[1], args[1]) end)
redis.register_function{ function_name = 'read', callback = function(keys) return redis.call('get', keys[1]) end, flags = { 'no-writes' } }
redis.register_function('count', function(keys) return #keys end)`

const FUNCTIONS = {
  counters: {
    add: {
      NUMBER_OF_KEYS: 1,
      parseCommand(parser: CommandParser, key: RedisArgument, by: number) {
        parser.pushKey(key)
        parser.push(by.toString())
      },
      transformReply: (value: number) => value,
    },
    read: {
      NUMBER_OF_KEYS: 1,
      IS_READ_ONLY: true,
      parseCommand(parser: CommandParser, key: RedisArgument) {
        parser.pushKey(key)
      },
      transformReply: (value: string | null) => value,
    },
    count: {
      parseCommand(parser: CommandParser, keys: RedisArgument[]) {
        parser.pushKeysLength(keys)
      },
      transformReply: (value: number) => value,
    },
  },
}

const ANY = { parseCommand: (parser: CommandParser) => parser.push('PING'), transformReply: (reply: string) => reply }
const SCRIPT = defineScript({ ...ANY, SCRIPT: 'return 1' })
const THENABLE = Object.fromEntries([['then', SCRIPT]])

describe('functions', { skip: liveSkip }, () => {
  let shared: Redis
  liveRedis({}, (started) => {
    shared = started.redis
  })

  it('are called by library and name, on handles, leases and in transactions', async () => {
    await shared.functionLoad(LIBRARY, { REPLACE: true })
    const redis = openRedis({ pool: shared.pool }, { functions: FUNCTIONS })
    assert.equal(await redis.counters.add('n', 5), 5)
    assert.equal(await redis.counters.read('n'), '5')
    assert.equal(await redis.counters.count(['a', 'b', 'c']), 3)
    assert.equal(await redis.counters.count([]), 0)
    assert.equal(await redis.lease((lease) => lease.counters.add('n', 1)), 6)
    assert.deepEqual(await redis.multi().counters.add('n', 1).get('n').counters.read('n').execTyped(), [7, '7', '7'])
    const stats = await redis.info('commandstats')
    assert.match(stats, /cmdstat_fcall:calls=/)
    assert.match(stats, /cmdstat_fcall_ro:calls=/)
  })
})

describe('a handle with extensions', () => {
  it('sends FCALL and FCALL_RO with the number of keys', async () => {
    await using server = await FakeServer.start()
    server.expect('FCALL', 'add', '1', 'n', '5').reply(5)
    server.expect('FCALL_RO', 'read', '1', 'n').reply('5')
    server.expect('FCALL', 'count', '2', 'a', 'b').reply(2)
    const redis = openRedis({ url: server.url }, { functions: FUNCTIONS })
    try {
      assert.equal(await redis.counters.add('n', 5), 5)
      assert.equal(await redis.counters.read('n'), '5')
      assert.equal(await redis.counters.count(['a', 'b']), 2)
      server.verify()
    } finally {
      redis.destroy()
    }
  })

  it('has them on every handle it makes, and each of these sends as it was told to', async () => {
    await using server = await FakeServer.start({ fallback: ([name]) => (name === 'FCALL_RO' ? '5' : undefined) })
    const redis = openRedis({ url: server.url }, { functions: FUNCTIONS, scripts: { one: SCRIPT } })
    try {
      const controller = new AbortController()
      const aborting = redis.withAbortSignal(controller.signal)
      const nested = redis.withCommandOptions({ timeout: 500 }).withAbortSignal(controller.signal)
      const mapped = aborting.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
      const read = (): Promise<unknown>[] => [
        aborting.counters.read('n'),
        nested.counters.read('n'),
        mapped.counters.read('n'),
      ]
      assert.deepEqual(await Promise.all(read()), ['5', '5', Buffer.from('5')])
      controller.abort(new Error('enough'))
      for (const call of read()) await assert.rejects(call, /enough/)
      assert.equal(await redis.counters.read('n'), '5')
      assert.equal(typeof nested.multi().one, 'function')
    } finally {
      redis.destroy()
    }
  })

  it('is a Redis, and its leases are leases', async () => {
    await using server = await FakeServer.start()
    const redis = openRedis({ url: server.url }, { functions: FUNCTIONS })
    try {
      assert.ok(redis instanceof Redis)
      assert.equal(redis.counters, redis.counters)
      assert.notEqual(redis.counters, redis.withCommandOptions({}).counters)
      assert.equal('counters' in new Redis({ pool: redis.pool }), false)
      const plain: Lease = await redis.lease()
      plain.release()
      await assert.rejects(Promise.resolve(Reflect.apply(Reflect.get(plain, 'get'), plain, ['key'])), /released/)
    } finally {
      redis.destroy()
    }
  })

  it('without any is an ordinary one', () => {
    for (const extensions of [{}, { modules: {}, functions: undefined, scripts: {} }]) {
      const redis = openRedis({}, Object(extensions))
      assert.equal(Object.getPrototypeOf(redis), Redis.prototype)
      redis.destroy()
    }
  })
})

describe('extensions that do not fit', () => {
  const broken: readonly (readonly [what: string, extensions: unknown, says: RegExp])[] = [
    ['no object', { modules: 5 }, /^modules: expected an object/],
    ['a list', { functions: [] }, /^functions: expected an object/],
    ['a module that is none', { modules: { json: null } }, /^modules\.json: expected an object/],
    ['a command without a definition', { modules: { json: { get: {} } } }, /^modules\.json\.get: expected a command/],
    ['what import makes of a module', { modules: { json: { default: { get: ANY } } } }, /^modules\.json: .* default/],
    ['a method that makes a promise of it', { modules: { json: THENABLE } }, /^modules\.json\.then: not a name/],
    ['the name of a command', { scripts: { get: SCRIPT } }, /^scripts\.get: the name of a method/],
    ['the name of a method', { modules: { close: { get: ANY } } }, /^modules\.close: the name of a method/],
    ['the name of a method of leases', { scripts: { release: SCRIPT } }, /^scripts\.release: the name of a method/],
    ['the name of a method of transactions', { scripts: { exec: SCRIPT } }, /^scripts\.exec: the name of a method/],
    ['the name of the pool', { functions: { pool: {} } }, /^functions\.pool: the name of a method/],
    ['a name of every object', { scripts: { toString: SCRIPT } }, /^scripts\.toString: the name of a method/],
    ['a promise', { scripts: THENABLE }, /^scripts\.then: the name of a method/],
    ['one name twice', { modules: { one: {} }, scripts: { one: SCRIPT } }, /^scripts\.one: the name of another/],
    [
      'a script without its hash',
      { scripts: { one: { ...ANY, SCRIPT: 'return 1' } } },
      /^scripts\.one: .*defineScript/,
    ],
    [
      'the hash of another',
      { scripts: { one: { ...SCRIPT, SCRIPT: 'return 2' } } },
      /^scripts\.one\.SHA1: is not that/,
    ],
    ['a script of no text', { scripts: { one: { ...SCRIPT, SCRIPT: 1 } } }, /^scripts\.one\.SCRIPT: expected a string/],
    [
      'half a key',
      { functions: { lib: { f: { ...ANY, NUMBER_OF_KEYS: 0.5 } } } },
      /^functions\.lib\.f\.NUMBER_OF_KEYS/,
    ],
    ['less than no key', { scripts: { one: { ...SCRIPT, NUMBER_OF_KEYS: -1 } } }, /^scripts\.one\.NUMBER_OF_KEYS/],
  ]
  for (const [what, extensions, says] of broken) {
    it(`are refused with words that name them: ${what}`, () => {
      assert.throws(
        () => openRedis({}, Object(extensions)),
        (error) => error instanceof OptionError && says.test(error.message),
      )
    })
  }
})
