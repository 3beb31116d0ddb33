// The handle: commands, raw ones, views with other settings, its state and its end, on a real server.

import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import {
  CommandTimeoutError,
  ConnectionError,
  ConnectionPool,
  OptionError,
  RESP_TYPES,
  Redis,
  ReplyError,
} from '../../src/index.js'
import { FakeServer } from '../support/fake-server.js'
import { liveRedis } from '../support/live-redis.js'
import { NOISE } from '../support/noise.js'
import { liveSkip, type RedisProcess } from '../support/redis-process.js'

describe('a handle', { skip: liveSkip }, () => {
  let server: RedisProcess
  let redis: Redis
  liveRedis({}, (started) => {
    server = started.server
    redis = started.redis
  })

  it('says what to do instead of what concerns one connection, in untyped code too', async () => {
    for (const name of ['watch', 'WATCH', 'unwatch', 'select']) {
      const method: unknown = Reflect.get(redis, name)
      assert.ok(typeof method === 'function', name)
      await assert.rejects(Promise.resolve(method.call(redis, 'argument')), {
        code: 'ERR_ARGUMENT',
        outcome: 'not-sent',
        message: new RegExp(`^${name.toUpperCase()} concerns one connection`),
      })
    }
  })

  it('fails at once when its database does not exist', async () => {
    const lost = new Redis(server.url, { database: 99 })
    const started = performance.now()
    await assert.rejects(lost.get('key'), { name: 'ConnectionError', message: /DB index is out of range/ })
    assert.ok(performance.now() - started < 1_000)
    lost.destroy()
  })

  it('has every command under both its names', async () => {
    assert.equal(await redis.SET('r:a', 'x'), 'OK')
    assert.equal(await redis.get('r:a'), 'x')
    assert.equal(await redis.hSet('r:h', { a: '1', b: '2' }), 2)
    assert.deepEqual({ ...(await redis.HGETALL('r:h')) }, { a: '1', b: '2' })
    assert.deepEqual(await redis.mGet(['r:a', 'r:none']), ['x', null])
    assert.equal(await redis.set('r:nx', 'y', { condition: 'NX', expiration: { type: 'EX', value: 60 } }), 'OK')
    assert.equal(await redis.zAdd('r:z', { score: 1.5, value: 'one' }), 1)
    assert.deepEqual(await redis.zRangeWithScores('r:z', 0, -1), [{ value: 'one', score: 1.5 }])
  })

  it('speaks RESP2 where it is told to, with replies of the same shapes', async () => {
    await using two = new Redis(server.url, { protocol: 2 })
    await two.hSet('r:two', 'field', 'value')
    assert.deepEqual({ ...(await two.hGetAll('r:two')) }, { field: 'value' })
    await two.zAdd('r:z2', { score: 0.5, value: 'x' })
    assert.equal(await two.zScore('r:z2', 'x'), 0.5)
    assert.match(String(await two.sendCommand(['CLIENT', 'INFO'])), / resp=2/)
  })

  it('sends raw commands and gives raw replies, bytes included', async () => {
    const binary = Buffer.from([0, 13, 10, 255])
    assert.equal(await redis.sendCommand(['SET', Buffer.from('r:raw'), binary]), 'OK')
    const bytes = redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    assert.deepEqual(await bytes.sendCommand(['GET', 'r:raw']), binary)
    assert.deepEqual(await bytes.get('r:raw'), binary)
  })

  it('keeps what a user stores under awkward names', async () => {
    for (const field of ['__proto__', 'constructor', 'toString', 'length', '', '€ 😀']) {
      await redis.hSet(`r:odd:${field}`, field, 'kept')
      assert.deepEqual(Object.entries(await redis.hGetAll(`r:odd:${field}`)), [[field, 'kept']])
    }
  })

  it('makes views that share the pool and leave the handle as it was', async () => {
    await redis.set('r:view', 'x')
    const bytes = redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    const both = bytes.withAbortSignal(new AbortController().signal)
    assert.equal(both.pool, redis.pool)
    assert.deepEqual(await both.get('r:view'), Buffer.from('x'))
    assert.equal(await redis.get('r:view'), 'x')
    assert.equal(await bytes.withTypeMapping({}).get('r:view'), 'x')
    const options = redis.withCommandOptions({ typeMapping: { [RESP_TYPES.NUMBER]: String }, timeout: 1_000 })
    assert.equal(String(await options.incr('r:number')), '1')
    assert.equal(typeof (await options.incr('r:number')), 'string')
  })

  it('takes a type mapping as an option', async () => {
    await using mapped = new Redis(server.url, { typeMapping: { [RESP_TYPES.MAP]: Map } })
    await mapped.hSet('r:map', 'field', 'value')
    const reply: unknown = await mapped.hGetAll('r:map')
    assert.deepEqual(reply, new Map([['field', 'value']]))
  })

  it('rejects with the reason of its signal, and what was written may still be applied', async () => {
    const controller = new AbortController()
    const reason = new Error('no longer wanted')
    const call = redis.withAbortSignal(controller.signal).set('r:abort', 'x')
    controller.abort(reason)
    await assert.rejects(call, (error) => error === reason)
    assert.equal(await redis.ping(), 'PONG')
  })

  it('leaves no listener on a signal that outlives its calls, and warns of none', async () => {
    const { signal } = new AbortController()
    const warnings: Error[] = []
    const listener = (warning: Error): void => {
      warnings.push(warning)
    }
    process.on('warning', listener)
    const view = redis.withAbortSignal(signal)
    await Promise.all(Array.from({ length: 100 }, (_, index) => view.set(`r:s${index}`, index)))
    await Promise.all(Array.from({ length: 20 }, () => view.blPop('r:none', 0.01)))
    await view.multi().incr('r:m').exec()
    await view.lease((connection) => connection.ping())
    await assert.rejects(view.lPush('r:m', 'x'), ReplyError)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', listener)
    assert.deepEqual(getEventListeners(signal, 'abort'), [])
    assert.deepEqual(warnings, [])
  })

  it('shares with others what it does not need alone', async () => {
    await using own = new Redis(server.url)
    const started = performance.now()
    const blocked = own.blPop('r:blocked', 5)
    assert.equal(await own.set('r:free', 'x'), 'OK')
    await own.rPush('r:blocked', 'element')
    assert.equal((await blocked)?.element, 'element')
    assert.ok(performance.now() - started < 1_000)
    const streams = await own.xRead({ key: 'r:stream', id: '$' })
    assert.equal(streams, null)
  })

  it('says whether it is open and ready, and connects when told to', async () => {
    const own = new Redis(server.url)
    assert.deepEqual([own.isOpen, own.isReady], [false, false])
    assert.equal(await own.connect(), own)
    assert.deepEqual([own.isOpen, own.isReady], [true, true])
    const closing = own.close()
    assert.deepEqual([own.isOpen, own.isReady], [false, false])
    await closing
  })

  it('finishes what it accepted before it closes', async () => {
    const own = new Redis(server.url)
    const calls = Array.from({ length: 500 }, (_, index) => own.echo(`e${index}`))
    const lease = await own.lease()
    const closing = own.close()
    assert.equal(await lease.echo('still mine'), 'still mine')
    lease.release()
    await closing
    assert.deepEqual(
      await Promise.all(calls),
      Array.from({ length: 500 }, (_, index) => `e${index}`),
    )
  })

  it('closes at its end of scope, and rejects what remains after the timeout of close', async () => {
    let kept: Redis
    {
      await using scoped = new Redis(server.url)
      kept = scoped
      await scoped.ping()
    }
    assert.equal(kept.isOpen, false)
    const own = new Redis(server.url)
    const blocked = own.blPop('r:never', 0).catch((error: unknown) => error)
    await own.ping()
    const started = performance.now()
    await own.close({ timeout: 100 })
    const took = performance.now() - started
    assert.ok(took >= 98 && took < 250, `it took ${took} ms`)
    assert.ok((await blocked) instanceof ConnectionError)
  })

  it('reads REDIS_URL only when asked to', () => {
    const before = process.env.REDIS_URL
    try {
      process.env.REDIS_URL = 'redis://127.0.0.1:7001?maxConnections=7'
      const fromEnv = Redis.fromEnv({ minConnections: 1 })
      assert.deepEqual([fromEnv.pool.options.maxConnections, fromEnv.pool.options.minConnections], [7, 1])
      assert.match(fromEnv.pool.stats().address, /:7001$/)
      assert.match(new Redis().pool.stats().address, /^localhost:6379$/)
      delete process.env.REDIS_URL
      assert.throws(() => Redis.fromEnv(), OptionError)
    } finally {
      if (before === undefined) delete process.env.REDIS_URL
      else process.env.REDIS_URL = before
    }
  })

  it('has nothing that other libraries take for a cluster or another client', () => {
    for (const name of ['masters', 'slots', 'status', 'defineCommand']) assert.equal(name in redis, false, name)
    assert.equal('then' in redis, false)
  })

  it('shares a pool with other handles', async () => {
    const pool = new ConnectionPool(server.url, { maxConnections: 2 })
    const first = new Redis({ pool })
    const second = new Redis({ pool, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } })
    await first.set('r:shared', 'x')
    assert.deepEqual(await second.get('r:shared'), Buffer.from('x'))
    assert.ok(pool.stats().connections.total <= 2)
    await first.close()
    await assert.rejects(second.get('r:shared'), { code: 'ERR_POOL_CLOSED' })
  })
})

describe('a handle with a deadline of its own', () => {
  it('takes it over the one of the pool, in both directions', async () => {
    await using server = await FakeServer.start()
    server.expect('GET').always().stall()
    const redis = new Redis(server.url, { commandTimeout: 100 })
    await redis.connect()
    const time = async (call: Promise<unknown>): Promise<number> => {
      const started = performance.now()
      await assert.rejects(call, CommandTimeoutError)
      return performance.now() - started
    }
    const [short, standard, long] = await Promise.all([
      time(redis.withCommandOptions({ timeout: 40 }).get('a')),
      time(redis.get('b')),
      time(redis.withCommandOptions({ timeout: 200 }).get('c')),
    ])
    assert.ok(short >= 39 && short < 90 + NOISE, `${short} ms`)
    assert.ok(standard >= 99 && standard < 150 + NOISE, `${standard} ms`)
    assert.ok(short < standard && standard < long)
    assert.ok(long >= 199 && long < 250 + NOISE, `${long} ms`)
    redis.destroy()
  })
})
