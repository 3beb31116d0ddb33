// MULTI … EXEC and pipelines on a real server: replies, failures, and what becomes of a lost one.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  ArgumentError,
  ConnectionError,
  MultiErrorReply,
  RESP_TYPES,
  Redis,
  ReplyError,
  WatchError,
} from '../../src/index.js'
import { FakeServer } from '../support/fake-server.js'
import { liveRedis } from '../support/live-redis.js'
import { liveSkip, type RedisProcess } from '../support/redis-process.js'
import { OK, Simple } from '../support/resp.js'

describe('a transaction', { skip: liveSkip }, () => {
  let server: RedisProcess
  let redis: Redis
  liveRedis({}, (started) => {
    server = started.server
    redis = started.redis
  })

  it('gives the replies in order, as the commands give them one by one', async () => {
    const multi = redis.multi().set('t:a', 1).incr('t:a').hSet('t:h', { field: 'value' }).hGetAll('t:h').get('t:none')
    const replies = await multi.exec()
    assert.deepEqual(replies.slice(0, 3), ['OK', 2, 1])
    assert.deepEqual({ ...Object(replies[3]) }, { field: 'value' })
    assert.equal(replies[4], null)
  })

  it('gives typed replies, with types that compile', async () => {
    const [set, count, text]: ['OK' | string | null, number, string | null] = await redis
      .multi()
      .set('t:typed', 'x')
      .incr('t:count')
      .get('t:typed')
      .execTyped()
    assert.deepEqual([set, count, text], ['OK', 1, 'x'])
  })

  it('applies a type mapping inside', async () => {
    const mapped = redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.MAP]: Map })
    const replies = await mapped.multi().set('t:m', 'x').get('t:m').hSet('t:mh', 'f', 'v').hGetAll('t:mh').execTyped()
    assert.deepEqual(replies[1], Buffer.from('x'))
    const hash: unknown = replies[3]
    assert.ok(hash instanceof Map)
    assert.deepEqual([...hash.values()], [Buffer.from('v')])
  })

  it('of no commands sends nothing', async () => {
    const before = await commandCount(server, 'multi')
    assert.deepEqual(await redis.multi().exec(), [])
    assert.deepEqual(await redis.multi().execAsPipeline(), [])
    assert.equal(await commandCount(server, 'multi'), before)
  })

  it('is one call in the numbers of its pool, and a pipeline is as many as it has commands', async () => {
    const { calls } = redis.pool.stats().counters
    await redis.multi().set('t:n', 1).incr('t:n').exec()
    assert.equal(redis.pool.stats().counters.calls, calls + 1)
    await redis.multi().set('t:n', 1).incr('t:n').execAsPipeline()
    const { counters } = redis.pool.stats()
    assert.equal(counters.calls, calls + 3)
    assert.equal(counters.calls, counters.succeeded + counters.failed)
  })

  it('runs again when told to', async () => {
    const multi = redis.multi().incr('t:again')
    assert.deepEqual(await multi.exec(), [1])
    assert.deepEqual(await multi.exec(), [2])
  })

  it('says which commands failed, and gives all replies', async () => {
    await redis.set('t:text', 'x')
    for (const exec of ['exec', 'execTyped', 'execAsPipeline', 'execAsPipelineTyped'] as const) {
      const multi = redis.multi().set('t:ok', 'x').incr('t:text').get('t:ok').lPush('t:text', 'y')
      await assert.rejects(multi[exec](), (error) => {
        assert.ok(error instanceof MultiErrorReply)
        assert.deepEqual(error.errorIndexes, [1, 3])
        assert.deepEqual([error.replies[0], error.replies[2]], ['OK', 'x'])
        assert.ok(error.replies[1] instanceof ReplyError && error.replies[3] instanceof ReplyError)
        assert.equal(error.replies[3].kind, 'WRONGTYPE')
        assert.equal(error.cause, error.replies[1])
        assert.equal(error.outcome, undefined, 'what became of each command is known')
        assert.match(error.message, /^2 of 4 commands failed.*not an integer/)
        return true
      })
    }
  })

  it('that the server refuses to queue is not applied, and the cause says why', async () => {
    const multi = redis.multi().set('t:refused', 'x').sendCommand(['NOSUCH', 'argument'])
    await assert.rejects(multi.exec(), (error) => {
      assert.ok(error instanceof ReplyError)
      assert.deepEqual([error.kind, error.outcome, error.command], ['EXECABORT', 'rejected', 'EXEC'])
      assert.ok(error.cause instanceof ReplyError)
      assert.match(error.cause.message, /unknown command/)
      return true
    })
    assert.equal(await redis.get('t:refused'), null)
    assert.equal(await redis.ping(), 'PONG')
  })

  it('takes raw commands', async () => {
    assert.deepEqual(await redis.multi().sendCommand(['SET', 't:raw', 'x']).sendCommand(['GET', 't:raw']).exec(), [
      'OK',
      'x',
    ])
  })

  it('takes raw commands with what makes their values, as a transaction and as a pipeline', async () => {
    await redis.set('t:text', 'x')
    const mapping = { [RESP_TYPES.BLOB_STRING]: Buffer }
    const args = Object.assign(['GET', 't:text'], { preserve: 'kept' })
    for (const asPipeline of [false, true]) {
      const called: unknown[] = []
      const multi = redis
        .withTypeMapping(mapping)
        .multi()
        .addCommand(args, (...given: unknown[]) => {
          called.push(given)
          return 'made of it'
        })
        .addCommand(['GET', 't:text'])
        .addCommand(['INCR', 't:added'], (count: number) => count * 10)
      args.push('changed later')
      assert.deepEqual(await multi.exec(asPipeline), ['made of it', Buffer.from('x'), asPipeline ? 20 : 10])
      assert.deepEqual(called, [[Buffer.from('x'), 'kept', mapping]])
      args.pop()
    }
    const failing = redis.multi().addCommand(['INCR', 't:text'], () => assert.fail('an error is no reply'))
    await assert.rejects(failing.exec(), { name: 'MultiErrorReply' })
    const wrong: [unknown[], RegExp][] = [
      [[], /expected an array of strings and Buffers/],
      [['GET'], /expected an array of strings and Buffers/],
      [[['GET', 5]], /^GET cannot send a number as argument 1/],
      [[['GET', 'a'], 5], /a function that transforms the reply/],
    ]
    for (const [given, message] of wrong) {
      const add = (): unknown => Reflect.apply(redis.multi().addCommand, redis.multi(), given)
      assert.throws(add, { name: 'ArgumentError', outcome: 'not-sent', message })
    }
  })

  it('changes the database of a lease, and of nobody else', async () => {
    assert.throws(() => redis.multi().select(1), { name: 'ArgumentError', message: /`database` option, or use lease/ })
    assert.throws(() => redis.multi().SELECT(1), { name: 'ArgumentError' })
    const replies = await redis.lease((connection) => connection.multi().select(3).set('t:in 3', 'x').EXEC())
    assert.deepEqual(replies, ['OK', 'OK'])
    assert.equal(await redis.exists('t:in 3'), 0)
    await redis.lease(async (connection) => {
      assert.equal(await connection.get('t:in 3'), null)
      await connection.select(3)
      assert.equal(await connection.get('t:in 3'), 'x')
    })
  })

  it('refuses session commands and bad arguments before anything is sent', async () => {
    const session = (): unknown => redis.multi().sendCommand(['WATCH', 't:a'])
    assert.throws(session, (error) => error instanceof ArgumentError && /WATCH.*lease\(\)/s.test(error.message))
    const bad: unknown = undefined
    assert.throws(() => Reflect.apply(redis.multi().get, redis.multi(), [bad]), ArgumentError)
    assert.deepEqual(await redis.multi().incr('t:fine').exec(), [1])
  })

  it('may hold blocking commands, which do not block inside; a pipeline may not', async () => {
    const started = performance.now()
    assert.deepEqual(await redis.multi().blPop('t:empty', 0).incr('t:b').exec(), [null, 1])
    assert.ok(performance.now() - started < 500)
    const pipeline = redis.multi().incr('t:b').blPop('t:empty', 0)
    await assert.rejects(pipeline.execAsPipeline(), (error) => {
      assert.ok(error instanceof ArgumentError)
      assert.deepEqual([error.outcome, error.command], ['not-sent', 'BLPOP'])
      return true
    })
    assert.equal(await redis.get('t:b'), '1')
  })

  it('is never mixed with the commands of others', async () => {
    const rounds = Array.from({ length: 200 }, async (_, index) => {
      const own = `t:own:${index % 5}`
      const [before, , after] = await redis.multi().incr(own).set('t:noise', index).incr(own).execTyped()
      assert.equal(after, before + 1)
      await redis.incr(own)
    })
    await Promise.all(rounds)
  })

  it('is aborted by a signal, and settles once', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const call = redis.withAbortSignal(controller.signal).multi().incr('t:abort').incr('t:abort').exec()
    controller.abort(reason)
    await assert.rejects(call, (error) => error === reason)
    await assert.rejects(
      redis.withAbortSignal(controller.signal).multi().incr('t:never').exec(),
      (error) => error === reason,
    )
    await assert.rejects(redis.withAbortSignal(controller.signal).multi().incr('t:never').execAsPipeline())
    assert.equal(await redis.get('t:never'), null)
  })

  it('on a lease fails with a WatchError when a watched key was changed, and not otherwise', async () => {
    await redis.set('t:balance', '10')
    const spend = async (interfere: boolean): Promise<unknown> =>
      redis.lease(async (connection) => {
        await connection.watch('t:balance')
        const balance = Number(await connection.get('t:balance'))
        if (interfere) await redis.set('t:balance', '99')
        return connection
          .multi()
          .set('t:balance', balance - 1)
          .get('t:balance')
          .exec()
      })
    assert.deepEqual(await spend(false), ['OK', '9'])
    await assert.rejects(spend(true), (error) => {
      assert.ok(error instanceof WatchError)
      assert.equal(error.outcome, 'rejected')
      return true
    })
    assert.equal(await redis.get('t:balance'), '99')
    await redis.lease(async (connection) => {
      await connection.watch(['t:x', 't:y'])
      await redis.set('t:y', 'changed')
      await connection.unwatch()
      assert.deepEqual(await connection.multi().set('t:x', 1).exec(), ['OK'])
    })
  })
})

describe('a transaction that is lost', () => {
  it('is ambiguous as a whole once it was written', async () => {
    await using server = await FakeServer.start()
    server.expect('MULTI').always().reply(OK)
    server.expect('SET').always().reply(new Simple('QUEUED'))
    server.expect('EXEC').raw('*1\r\n+O').rst()
    await using redis = new Redis(server.url, { backoffMin: 1, backoffMax: 5 })
    await assert.rejects(redis.multi().set('key', 'value').exec(), (error) => {
      assert.ok(error instanceof ConnectionError)
      assert.equal(error.outcome, 'ambiguous')
      return true
    })
  })

  it('is not-sent when no connection could be made', async () => {
    await using server = await FakeServer.start()
    server.refuse()
    const redis = new Redis(server.url, { acquireTimeout: 50 })
    for (const exec of ['exec', 'execAsPipeline'] as const) {
      await assert.rejects(redis.multi().set('key', 'value').incr('n')[exec](), (error) => {
        assert.equal(Reflect.get(Object(error), 'outcome'), 'not-sent')
        return true
      })
    }
    redis.destroy()
  })

  it('goes out in one piece', async () => {
    await using server = await FakeServer.start()
    server.expect('MULTI').always().reply(OK)
    server.expect('INCR').always().reply(new Simple('QUEUED'))
    server.expect('EXEC').always().reply([1])
    server.expect('GET').always().reply('value')
    await using redis = new Redis(server.url, { lanes: 1 })
    await redis.connect()
    await Promise.all([redis.get('a'), redis.multi().incr('n').exec(), redis.get('b'), redis.multi().incr('m').exec()])
    const names = server.received.map(([name]) => name).filter((name) => /GET|MULTI|INCR|EXEC/.test(name ?? ''))
    assert.deepEqual(names, ['GET', 'MULTI', 'INCR', 'EXEC', 'GET', 'MULTI', 'INCR', 'EXEC'])
  })
})

async function commandCount(server: RedisProcess, command: string): Promise<number> {
  const stats = await server.info('commandstats')
  return Number(/calls=(\d+)/.exec(stats[`cmdstat_${command}`] ?? '')?.[1] ?? 0)
}
