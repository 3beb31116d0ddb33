// A lease as its holder sees it: exclusive, clean when it comes and when it goes, and over once released.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  ArgumentError,
  ConnectionError,
  ConnectionPoolTimeoutError,
  Lease,
  LeaseReleasedError,
  OptionError,
  RESP_TYPES,
  Redis,
} from '../../src/index.js'
import { FakeServer } from '../support/fake-server.js'
import { liveRedis } from '../support/live-redis.js'
import { NOISE } from '../support/noise.js'
import { liveSkip, type RedisProcess } from '../support/redis-process.js'
import { OK } from '../support/resp.js'

describe('a lease that imports hashes', () => {
  it('prepares a fieldset where it uses it, and ends its connection; a handle says to do so', async () => {
    await using server = await FakeServer.start()
    server.expect('HIMPORT').always().reply(OK)
    await using redis = new Redis(server.url)
    await redis.lease(async (connection) => {
      await connection.hImportPrepare('user', ['name', 'age'])
      await connection.hImportSet('user:1', 'user', ['ann', '7'])
    })
    const imports = server.received.filter(([name]) => name === 'HIMPORT')
    assert.deepEqual(imports, [
      ['HIMPORT', 'PREPARE', 'user', 'name', 'age'],
      ['HIMPORT', 'SET', 'user:1', 'user', 'ann', '7'],
    ])
    assert.equal(redis.pool.stats().counters.closed.dirty, 1)
    const calls: [() => Promise<unknown>, RegExp][] = [
      [() => redis.hImportPrepare('user', ['name']), /^HIMPORT PREPARE concerns one connection.* lease\(\)/],
      [() => redis.hImportSet('user:2', 'user', ['bob']), /^HIMPORT SET .* a fieldset .* lease\(\)$/],
      [() => redis.hImportDiscard('user'), /^HIMPORT DISCARD .* lease\(\)/],
      [() => redis.hImportDiscardAll(), /^HIMPORT DISCARDALL .* lease\(\)/],
    ]
    for (const [call, message] of calls)
      await assert.rejects(call, { name: 'ArgumentError', outcome: 'not-sent', message })
  })
})

describe('a lease', { skip: liveSkip }, () => {
  let server: RedisProcess
  let redis: Redis
  liveRedis({ maxConnections: 3 }, (started) => {
    server = started.server
    redis = started.redis
  })

  it('gives what its function gives, and its connection back, whether it throws or not', async () => {
    assert.equal(await redis.lease((connection) => connection.echo('hello')), 'hello')
    assert.equal(await redis.lease(() => 'at once'), 'at once')
    const reason = new Error('of the user')
    await assert.rejects(
      redis.lease(async () => {
        throw reason
      }),
      (error) => error === reason,
    )
    await assert.rejects(
      redis.lease(() => {
        throw reason
      }),
      (error) => error === reason,
    )
    assert.equal(redis.pool.stats().connections.leased, 0)
  })

  it('ends with the block of await using', async () => {
    let kept: Lease
    {
      await using lease = await redis.lease()
      kept = lease
      assert.ok(lease instanceof Lease)
      assert.ok(lease.connectionId > 0)
      assert.equal(Number(await lease.sendCommand(['CLIENT', 'ID'])), lease.connectionId)
      assert.equal(lease.released, false)
      assert.equal(redis.pool.stats().connections.leased, 1)
    }
    assert.deepEqual([kept.released, kept.connectionId], [true, 0])
    assert.equal(redis.pool.stats().connections.leased, 0)
  })

  it('is refused after its release, in every way to use it, and nothing reaches the wire', async () => {
    const lease = await redis.lease()
    lease.release()
    const calls = [
      () => lease.get('key'),
      () => lease.sendCommand(['SET', 'l:late', 'x']),
      () => lease.multi().set('l:late', 'x').exec(),
      () => lease.multi().set('l:late', 'x').execAsPipeline(),
      () => lease.watch('key'),
      () => lease.blPop('l:list', 0),
    ]
    for (const call of calls) {
      await assert.rejects(call(), (error) => {
        assert.ok(error instanceof LeaseReleasedError, String(error))
        assert.equal(error.outcome, 'not-sent')
        assert.match(error.message, /released/)
        return true
      })
    }
    assert.equal(await redis.get('l:late'), null)
  })

  it('may be released twice, and never harms the next holder by it', async () => {
    const first = await redis.lease()
    first.release()
    const second = await redis.lease()
    assert.equal(second.connectionId > 0, true)
    first.release()
    await first[Symbol.asyncDispose]()
    assert.equal(second.released, false)
    assert.equal(await second.ping(), 'PONG')
    assert.equal(redis.pool.stats().connections.leased, 1)
    second.release()
  })

  it('leaves no trace for the next holder', async () => {
    await redis.set('l:watched', '1')
    await redis.lease(async (connection) => {
      await connection.select(5)
      await connection.watch('l:watched')
      await connection.sendCommand(['CLIENT', 'SETNAME', 'dirty'])
    })
    await redis.lease((connection) => connection.select(3))
    await redis.lease((connection) => connection.sendCommand(['MULTI']))
    for (let round = 0; round < 4; round++) {
      await redis.lease(async (connection) => {
        const info = String(await connection.sendCommand(['CLIENT', 'INFO']))
        assert.match(info, / db=0 /)
        assert.match(info, / multi=-1 /)
        assert.doesNotMatch(info, /name=dirty/)
        await redis.incr('l:watched')
        assert.deepEqual(await connection.multi().get('l:none').exec(), [null])
      })
    }
  })

  it('answers commands that its holder did not wait for before another gets the connection', async () => {
    const lease = await redis.lease()
    const replies = Array.from({ length: 100 }, (_, index) => lease.echo(`e${index}`))
    lease.release()
    assert.deepEqual(
      await Promise.all(replies),
      Array.from({ length: 100 }, (_, index) => `e${index}`),
    )
    assert.equal(await redis.lease((connection) => connection.echo('own')), 'own')
  })

  it('keeps the handle usable inside, even with one connection', async () => {
    await using single = new Redis(server.url, { maxConnections: 2 })
    await single.lease(async (connection) => {
      await connection.set('l:in', 'x')
      assert.equal(await single.get('l:in'), 'x')
    })
  })

  it('refuses commands that end the rule of one reply each', async () => {
    await redis.lease(async (connection) => {
      for (const args of [['MONITOR'], ['CLIENT', 'REPLY', 'OFF'], ['client', 'reply', 'skip'], ['SYNC']]) {
        await assert.rejects(connection.sendCommand(args), (error) => {
          assert.ok(error instanceof ArgumentError)
          assert.equal(error.outcome, 'not-sent')
          return true
        })
      }
      assert.equal(await connection.ping(), 'PONG')
    })
  })

  it('waits no longer than its timeout and names the holders; an abort ends the wait', async () => {
    const held = await Promise.all([redis.lease({ label: 'import' }), redis.lease({ label: 'report' })])
    const started = performance.now()
    await assert.rejects(redis.lease({ timeout: 100, label: 'late' }), (error) => {
      assert.ok(error instanceof ConnectionPoolTimeoutError)
      assert.deepEqual(error.holders.map(({ label }) => label).toSorted(), ['import', 'report'])
      assert.match(error.message, /^late waited 1\d\d ms/)
      assert.equal(error.outcome, 'not-sent')
      return true
    })
    const took = performance.now() - started
    assert.ok(took >= 99 && took < 150 + NOISE, `it took ${took} ms`)
    const reason = new Error('given up')
    const controller = new AbortController()
    const waiting = redis.lease(() => assert.fail('it was aborted'), { signal: controller.signal })
    controller.abort(reason)
    await assert.rejects(waiting, (error) => error === reason)
    await assert.rejects(redis.lease({ signal: AbortSignal.abort(reason) }), (error) => error === reason)
    await assert.rejects(redis.withAbortSignal(AbortSignal.abort(reason)).lease(), (error) => error === reason)
    for (const lease of held) lease.release()
    const { leased } = redis.pool.stats().connections
    assert.deepEqual([leased, redis.pool.stats().waiting.total], [0, 0])
  })

  it('tells of bad options by name', async () => {
    const bad: [object, RegExp][] = [
      [{ timeOut: 5 }, /timeOut is not an option in lease\(\); did you mean timeout\?/],
      [{ timeout: 'soon' }, /timeout: expected a whole number of milliseconds/],
      [{ timeout: -1 }, /timeout/],
      [{ label: 5 }, /label: expected a string, got 5/],
      [{ signal: {} }, /signal: expected an AbortSignal/],
    ]
    for (const [options, message] of bad) {
      await assert.rejects(redis.lease(options), (error) => error instanceof OptionError && message.test(error.message))
      await assert.rejects(
        redis.lease(() => assert.fail('called'), options),
        OptionError,
      )
    }
    assert.equal(redis.pool.stats().connections.leased, 0)
  })

  it('uses the type mapping of the handle it came from', async () => {
    const bytes = redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    await bytes.lease(async (connection) => {
      await connection.set('l:bytes', 'x')
      assert.deepEqual(await connection.get('l:bytes'), Buffer.from('x'))
    })
  })

  it('says OK to watch, unwatch and select whatever its type mapping is, by both their names', async () => {
    const bytes = redis.withTypeMapping({ [RESP_TYPES.SIMPLE_STRING]: Buffer })
    await bytes.lease(async (connection) => {
      const replies: 'OK'[] = [
        await connection.watch('l:ok'),
        await connection.unwatch(),
        await connection.select(1),
        await connection.WATCH(['l:ok', 'l:other']),
        await connection.UNWATCH(),
        await connection.SELECT(2),
      ]
      assert.deepEqual(replies, Array(6).fill('OK'))
      assert.match(String(await connection.sendCommand(['CLIENT', 'INFO'])), / db=2 /)
      assert.deepEqual(await connection.sendCommand(['UNWATCH']), Buffer.from('OK'))
      assert.deepEqual(await connection.ping(), Buffer.from('PONG'))
    })
  })

  it('does not come back to life after its connection was lost', async () => {
    const lease = await redis.lease()
    const gone = new Promise((resolve) => redis.once('close', resolve))
    await server.cli('CLIENT', 'KILL', 'ID', String(lease.connectionId))
    await gone
    await assert.rejects(lease.get('key'), (error) => {
      assert.ok(error instanceof ConnectionError)
      assert.deepEqual([error.outcome, error.command, error.reason], ['not-sent', 'GET', 'server-closed'])
      return true
    })
    lease.release()
    assert.equal(await redis.lease((connection) => connection.ping()), 'PONG')
  })
})
