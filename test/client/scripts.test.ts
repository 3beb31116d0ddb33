// Lua scripts: by hash where the server has them, by source where not, never twice, and in order.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  ArgumentError,
  type CommandParser,
  CommandTimeoutError,
  defineScript,
  type NoExtensions,
  openRedis,
  type RedisArgument,
  type RedisClient,
  ReplyError,
} from '../../src/index.js'
import { FakeServer } from '../support/fake-server.js'
import { liveRedis } from '../support/live-redis.js'
import { liveSkip } from '../support/redis-process.js'
import { OK, Simple } from '../support/resp.js'

const SCRIPTS = {
  push: defineScript({
    SCRIPT: "return redis.call('rpush', KEYS[1], ARGV[1])",
    NUMBER_OF_KEYS: 1,
    parseCommand(parser: CommandParser, key: RedisArgument, value: number) {
      parser.pushKey(key)
      parser.push(value.toString())
    },
    transformReply: (length: number) => ({ length }),
  }),
  last: defineScript({
    SCRIPT: "return redis.call('lindex', KEYS[1], -1)",
    NUMBER_OF_KEYS: 1,
    IS_READ_ONLY: true,
    parseCommand(parser: CommandParser, key: RedisArgument) {
      parser.pushKey(key)
    },
    transformReply: (value: string | null) => value,
  }),
  sum: defineScript({
    SCRIPT: "local sum = 0 for _, key in ipairs(KEYS) do sum = sum + (redis.call('llen', key)) end return sum",
    parseCommand(parser: CommandParser, keys: RedisArgument[]) {
      parser.pushKeysLength(keys)
    },
    transformReply: (sum: number) => sum,
  }),
}
const NOSCRIPT = new Error('NOSCRIPT No matching script. Please use EVAL.')
const { SCRIPT: PUSH, SHA1: PUSH_HASH } = SCRIPTS.push

type Scripted = RedisClient<NoExtensions, NoExtensions, typeof SCRIPTS>

describe('defineScript', () => {
  it('adds the hash that the server knows the script by', () => {
    assert.match(PUSH_HASH, /^[0-9a-f]{40}$/)
    assert.equal(defineScript({ ...SCRIPTS.push, SCRIPT: Buffer.from(PUSH) }).SHA1, PUSH_HASH)
    assert.equal(SCRIPTS.push.NUMBER_OF_KEYS, 1)
  })
})

describe('scripts on a real server', { skip: liveSkip }, () => {
  let redis: Scripted
  let url: string
  liveRedis({}, (started) => {
    url = started.server.url
    redis = openRedis({ pool: started.redis.pool }, { scripts: SCRIPTS })
  })

  it('run, take their keys, and transform their replies', async () => {
    await redis.flushAll()
    assert.deepEqual(await redis.push('list', 1), { length: 1 })
    assert.deepEqual(await redis.push('list', 2), { length: 2 })
    assert.equal(await redis.last('list'), '2')
    assert.equal(await redis.last('none'), null)
    assert.equal(await redis.sum(['list', 'none']), 2)
  })

  it('are sent by hash once the server has them', async () => {
    await redis.configResetStat()
    await Promise.all(Array.from({ length: 20 }, (_, index) => redis.push('list', index)))
    const stats = await redis.info('commandstats')
    assert.match(stats, /cmdstat_evalsha:calls=20/)
    assert.doesNotMatch(stats, /cmdstat_eval:/)
  })

  it('run although the server has forgotten them, whatever `retry` says', async () => {
    for (const retry of ['safe', 'none'] as const) {
      await redis.scriptFlush()
      assert.deepEqual(await redis.withCommandOptions({ retry }).push(`forgotten:${retry}`, 1), { length: 1 })
    }
  })

  it('in transactions, pipelines and leases run although the server has forgotten them', async () => {
    await redis.flushAll()
    for (const asPipeline of [false, true]) {
      await redis.scriptFlush()
      const key = `list:${asPipeline}`
      const multi = redis.multi().push(key, 1).sendCommand(['SCRIPT', 'FLUSH']).push(key, 2).last(key)
      assert.deepEqual(await multi.exec(asPipeline), [{ length: 1 }, 'OK', { length: 2 }, '2'])
    }
    await redis.lease(async (lease) => {
      await lease.scriptFlush()
      const [first, , second] = await Promise.all([
        lease.push('leased', 1),
        lease.scriptFlush(),
        lease.push('leased', 2),
      ])
      assert.deepEqual([first, second], [{ length: 1 }, { length: 2 }])
      assert.deepEqual(await lease.multi().push('leased', 3).execTyped(), [{ length: 3 }])
    })
  })

  for (const options of [{}, { maxConnections: 1 }, { lanes: 4 }]) {
    it(`keep the order of a key when the server forgets them under load, ${JSON.stringify(options)}`, async () => {
      const own = openRedis({ url, ...options }, { scripts: SCRIPTS })
      try {
        await own.flushAll()
        const total = 2_000
        const calls: Promise<unknown>[] = []
        for (let value = 0; value < total; value++) {
          calls.push(own.push('ordered', value))
          if (value % 7 === 0) calls.push(own.lLen('ordered'))
          if (value % 97 === 0) calls.push(redis.scriptFlush())
          if (value % 31 === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        await Promise.all(calls)
        const values = await own.lRange('ordered', 0, -1)
        assert.deepEqual(
          values.map(Number),
          Array.from({ length: total }, (_, value) => value),
        )
      } finally {
        own.destroy()
      }
    })
  }

  it('of a classic pool run too', async () => {
    const own = openRedis({ url, pipelining: 1, maxConnections: 3 }, { scripts: SCRIPTS })
    try {
      await own.push('classic', 0)
      await own.scriptFlush()
      await Promise.all(Array.from({ length: 20 }, (_, index) => own.push('classic', index)))
      assert.equal(await own.lLen('classic'), 21)
    } finally {
      own.destroy()
    }
  })

  it('that fail say so, and are not run again', async () => {
    const failing = {
      fails: defineScript({
        SCRIPT: "redis.call('rpush', KEYS[1], 'x') return redis.error_reply('NOSCRIPT but it ran')",
        NUMBER_OF_KEYS: 1,
        parseCommand(parser: CommandParser, key: RedisArgument) {
          parser.pushKey(key)
        },
        transformReply: (reply: unknown) => reply,
      }),
    }
    const own = openRedis({ url }, { scripts: failing })
    try {
      for (let round = 1; round <= 3; round++) {
        await assert.rejects(own.fails('failing'), (error) => error instanceof ReplyError && error.kind === 'NOSCRIPT')
        assert.equal(await own.lLen('failing'), round)
      }
    } finally {
      own.destroy()
    }
  })
})

/** A handle whose pool has run the script once. */
async function practised(server: FakeServer, options: object = {}): Promise<Scripted> {
  server.expect('EVAL', PUSH, '1', 'first', '0').reply(1)
  const redis = openRedis({ url: server.url, ...options }, { scripts: SCRIPTS })
  assert.deepEqual(await redis.push('first', 0), { length: 1 })
  return redis
}

describe('a script on the wire', () => {
  it('goes by source first, then by hash, and read-only ones as such', async () => {
    await using server = await FakeServer.start()
    const redis = await practised(server)
    try {
      server.expect('EVALSHA', PUSH_HASH, '1', 'list', '5').times(2).reply(7)
      server.expect('EVAL_RO', SCRIPTS.last.SCRIPT, '1', 'list').reply('x')
      server.expect('EVALSHA_RO', SCRIPTS.last.SHA1, '1', 'list').reply('x')
      assert.deepEqual(await redis.push('list', 5), { length: 7 })
      assert.deepEqual(await redis.withCommandOptions({ timeout: 1_000 }).push('list', 5), { length: 7 })
      assert.deepEqual([await redis.last('list'), await redis.last('list')], ['x', 'x'])
      server.verify()
    } finally {
      redis.destroy()
    }
  })

  it('that the server does not know is sent once more, by its source', async () => {
    await using server = await FakeServer.start()
    const redis = await practised(server)
    try {
      server.expect('EVALSHA').reply(NOSCRIPT)
      server.expect('EVAL', PUSH, '1', 'list', '5').reply(3)
      server.expect('EVALSHA', PUSH_HASH, '1', 'list', '6').reply(4)
      assert.deepEqual(await redis.push('list', 5), { length: 3 })
      assert.deepEqual(await redis.push('list', 6), { length: 4 })
      server.verify()
    } finally {
      redis.destroy()
    }
  })

  it('is not sent a third time', async () => {
    await using server = await FakeServer.start()
    const redis = await practised(server)
    try {
      server.expect('EVALSHA').reply(NOSCRIPT)
      server.expect('EVAL').reply(NOSCRIPT)
      await assert.rejects(redis.push('list', 5), (error) => {
        assert.ok(error instanceof ReplyError)
        assert.deepEqual([error.kind, error.outcome, error.command], ['NOSCRIPT', 'rejected', 'EVAL'])
        return true
      })
    } finally {
      redis.destroy()
    }
  })

  it('keeps its signal and its deadline', async () => {
    await using server = await FakeServer.start()
    const redis = await practised(server, { commandTimeout: 300 })
    try {
      server.expect('EVALSHA').times(2).reply(NOSCRIPT)
      server.expect('EVAL').stall()
      const controller = new AbortController()
      const aborted = redis.withAbortSignal(controller.signal).push('list', 1)
      await server.until('EVAL', 2)
      controller.abort(new Error('enough'))
      await assert.rejects(aborted, /enough/)
      await assert.rejects(redis.push('other', 2), CommandTimeoutError)
    } finally {
      redis.destroy()
    }
  })

  it('is not applied after a write that was called later', async () => {
    await using server = await FakeServer.start()
    const redis = await practised(server)
    try {
      server.expect('EVALSHA').reply(NOSCRIPT)
      server.expect('DEL', 'list').reply(1)
      const [script, later] = await Promise.allSettled([redis.push('list', 5), redis.del('list')])
      assert.ok(script.status === 'rejected' && script.reason instanceof ReplyError)
      assert.deepEqual([script.reason.kind, script.reason.outcome], ['NOSCRIPT', 'rejected'])
      assert.deepEqual(later, { status: 'fulfilled', value: 1 })
      assert.equal(server.received.filter(([name]) => name === 'EVAL').length, 1)
    } finally {
      redis.destroy()
    }
  })

  it('whose reply was lost is not sent again, unless it only reads', async () => {
    await using server = await FakeServer.start()
    const redis = openRedis({ url: server.url }, { scripts: SCRIPTS })
    try {
      server.expect('EVAL').rst()
      await assert.rejects(redis.push('list', 5), { outcome: 'ambiguous' })
      server.expect('EVAL_RO').rst()
      server.expect('EVAL_RO').reply('x')
      assert.equal(await redis.last('list'), 'x')
      server.verify()
    } finally {
      redis.destroy()
    }
  })

  it('is refused for arguments that cannot be sent, before anything is', async () => {
    await using server = await FakeServer.start()
    const redis = openRedis({ url: server.url }, { scripts: SCRIPTS })
    try {
      const call = (...values: unknown[]): unknown => Reflect.apply(redis.push, redis, values)
      await assert.rejects(Promise.resolve(call('list', undefined)), (error) => {
        assert.ok(error instanceof ArgumentError)
        assert.match(error.message, /^push cannot be called with undefined as argument 2/)
        return true
      })
      assert.throws(() => Reflect.apply(redis.multi().push, redis.multi(), ['list', undefined]), ArgumentError)
      assert.deepEqual(server.received, [])
    } finally {
      redis.destroy()
    }
  })

  it('goes by source throughout a transaction and a pipeline', async () => {
    await using server = await FakeServer.start()
    const redis = await practised(server)
    try {
      server.expect('EVAL', PUSH, '1', 'list', '1').reply(1)
      server.expect('EVAL', PUSH, '1', 'list', '2').reply(2)
      assert.deepEqual(await redis.multi().push('list', 1).push('list', 2).execAsPipeline(), [
        { length: 1 },
        { length: 2 },
      ])
      server.expect('MULTI').reply(OK)
      server.expect('EVAL', PUSH, '1', 'list', '3').reply(new Simple('QUEUED'))
      server.expect('EVAL', PUSH, '1', 'list', '4').reply(new Simple('QUEUED'))
      server.expect('EXEC').reply([3, 4])
      assert.deepEqual(await redis.multi().push('list', 3).push('list', 4).exec(), [{ length: 3 }, { length: 4 }])
      server.verify()
    } finally {
      redis.destroy()
    }
  })
})
