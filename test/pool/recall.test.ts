// What is sent again after a loss or a refusal, what never is, and which connections a refusal replaces: against a
// scripted server that counts what reached it.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConnectionError, type NoMapping, Redis, type RedisOptions, ReplyError, RespoolError } from '../../src/index.js'
import { type FakeConnection, FakeServer } from '../support/fake-server.js'
import { Simple } from '../support/resp.js'

const LOADING = new Error('LOADING Redis is loading the dataset in memory')
const READONLY = new Error("READONLY You can't write against a read only replica.")

function open(server: FakeServer, options: RedisOptions<3, NoMapping> = {}): Redis & Disposable {
  const redis = new Redis(server.url, { lanes: 1, backoffMin: 1, backoffMax: 20, acquireTimeout: 2_000, ...options })
  return Object.assign(redis, { [Symbol.dispose]: () => redis.destroy() })
}

/** Commands of these names that reached the server, in order. */
function received(server: FakeServer, ...names: string[]): string[] {
  return server.received.filter(([name = '']) => names.includes(name)).map((args) => args.join(' '))
}

async function failureOf(promise: Promise<unknown>): Promise<RespoolError> {
  const error: unknown = await promise.then(
    (value) => assert.fail(`it gave ${String(value)}`),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof RespoolError, String(error))
  return error
}

const ends = [
  ['resets it', (connection: FakeConnection) => connection.rst()],
  ['closes it', (connection: FakeConnection) => connection.fin()],
] as const

for (const [how, end] of ends) {
  describe(`when the server has read a command and ${how}`, () => {
    it('sends a read again, and its caller does not notice', async () => {
      await using server = await FakeServer.start()
      server.expect('GET', 'key').do(end)
      server.expect('GET', 'key').reply('value')
      using redis = open(server)
      assert.equal(await redis.get('key'), 'value')
      assert.deepEqual(received(server, 'GET'), ['GET key', 'GET key'])
      assert.equal(redis.pool.stats().counters.retried, 1)
    })

    it('never sends a write again', async () => {
      await using server = await FakeServer.start()
      server.expect('INCR', 'key').do(end)
      server.expect('INCR', 'key').reply(2)
      using redis = open(server)
      const error = await failureOf(redis.incr('key'))
      assert.equal(error.outcome, 'ambiguous')
      assert.deepEqual(received(server, 'INCR'), ['INCR key'])
      assert.equal(redis.pool.stats().counters.retried, 0)
    })
  })
}

describe('the modes of retry', () => {
  const lost = async (retry: 'none' | 'safe' | 'idempotent' | 'at-least-once', ...args: [string, ...string[]]) => {
    await using server = await FakeServer.start()
    server.expect(args[0]).do((connection) => connection.rst())
    server.expect(args[0]).reply(new Simple('OK'))
    using redis = open(server, { retry })
    await redis.sendCommand(args).catch((error: unknown) => assert.ok(error instanceof ConnectionError))
    return received(server, args[0]).length
  }

  it('send reads again, but for none', async () => {
    assert.equal(await lost('none', 'GET', 'key'), 1)
    for (const mode of ['safe', 'idempotent', 'at-least-once'] as const) assert.equal(await lost(mode, 'GET', 'key'), 2)
  })

  it('send writes whose last one wins again where asked for', async () => {
    assert.equal(await lost('safe', 'SET', 'key', 'value'), 1)
    assert.equal(await lost('idempotent', 'SET', 'key', 'value'), 2)
    assert.equal(await lost('idempotent', 'SET', 'key', 'value', 'NX'), 1)
    assert.equal(await lost('idempotent', 'INCR', 'key'), 1)
  })

  it('send everything again only where asked for', async () => {
    assert.equal(await lost('at-least-once', 'INCR', 'key'), 2)
    assert.equal(await lost('at-least-once', 'BLPOP', 'key', '1'), 1)
  })

  it('can be chosen per handle', async () => {
    await using server = await FakeServer.start()
    server
      .expect('GET')
      .times(2)
      .do((connection) => connection.rst())
    server.expect('GET').reply('value')
    using redis = open(server)
    assert.equal((await failureOf(redis.withCommandOptions({ retry: 'none' }).get('key'))).outcome, 'ambiguous')
    assert.equal(await redis.get('key'), 'value')
  })
})

describe('what is sent again', () => {
  it('is sent four times at most', async () => {
    await using server = await FakeServer.start()
    server
      .expect('GET')
      .always()
      .do((connection) => connection.rst())
    using redis = open(server)
    const error = await failureOf(redis.get('key'))
    assert.deepEqual([error.code, error.outcome], ['ERR_CONNECTION', 'ambiguous'])
    assert.equal(received(server, 'GET').length, 4)
  })

  it('goes in front of what waits, so that a key keeps its order', async () => {
    await using server = await FakeServer.start()
    server.expect('GET', 'key').do(() => {})
    server.expect('GET', 'other').do((connection) => connection.rst())
    server.expect('GET', 'key').reply('old')
    server.expect('GET', 'other').reply('else')
    server.expect('SET').reply(new Simple('OK'))
    server.expect('GET', 'key').reply('new')
    using redis = open(server, { maxConnections: 1, pipelining: 2 })
    const calls = [redis.get('key'), redis.get('other'), redis.set('key', 'new'), redis.get('key')]
    assert.deepEqual(await Promise.all(calls), ['old', 'else', 'OK', 'new'])
    assert.deepEqual(received(server, 'GET', 'SET').slice(2), ['GET key', 'GET other', 'SET key new', 'GET key'])
  })

  it('ends with its signal, and is not sent after that', async () => {
    await using server = await FakeServer.start()
    const controller = new AbortController()
    server.expect('GET').do((connection) => {
      server.refuse()
      connection.rst()
    })
    using redis = open(server)
    const call = redis.withAbortSignal(controller.signal).get('key')
    await new Promise((resolve) => redis.once('connectError', resolve))
    controller.abort(new Error('enough'))
    await assert.rejects(call, /enough/)
    await server.listen()
    await redis.connect()
    assert.equal(received(server, 'GET').length, 1)
  })

  it('ends within its deadline', async () => {
    await using server = await FakeServer.start()
    server.expect('GET').do((connection) => {
      server.refuse()
      connection.rst()
    })
    using redis = open(server, { commandTimeout: 150 })
    assert.equal((await failureOf(redis.get('key'))).code, 'ERR_COMMAND_TIMEOUT')
  })

  it('stays in doubt when its last attempt was not even sent', async () => {
    await using server = await FakeServer.start()
    server.expect('SET').do((connection) => {
      server.refuse()
      connection.rst()
    })
    using redis = open(server, { retry: 'idempotent', acquireTimeout: 100 })
    const error = await failureOf(redis.set('key', 'value'))
    assert.equal(error.outcome, 'ambiguous')
    assert.match(error.message, /may have been applied; sent again, it failed/)
  })

  it('is not what broke the protocol, but is what stood behind it', async () => {
    await using server = await FakeServer.start()
    server.expect('GET', 'poison').raw('?what\r\n')
    server.expect('GET', 'behind').stall()
    server.expect('GET', 'behind').reply('value')
    using redis = open(server)
    await redis.connect()
    const poison = failureOf(redis.get('poison'))
    const behind = redis.get('behind')
    assert.equal((await poison).outcome, 'ambiguous')
    assert.equal(await behind, 'value')
    assert.equal(received(server, 'GET').filter((line) => line === 'GET poison').length, 1)
  })

  it('is nothing on a lease', async () => {
    await using server = await FakeServer.start()
    server.expect('GET').do((connection) => connection.rst())
    using redis = open(server)
    const lease = await redis.lease()
    assert.equal((await failureOf(lease.get('key'))).outcome, 'ambiguous')
    assert.equal((await failureOf(lease.get('key'))).outcome, 'not-sent')
    lease.release()
  })

  it('is nothing of a lease that was released meanwhile', async () => {
    await using server = await FakeServer.start()
    let holding: FakeConnection | undefined
    server.expect('GET').do((connection) => {
      holding = connection
    })
    using redis = open(server)
    const lease = await redis.lease()
    const lost = failureOf(lease.get('key'))
    lease.release()
    await server.until('GET')
    holding?.rst()
    assert.equal((await lost).outcome, 'ambiguous')
  })

  it('is a pipeline that only reads, and no other', async () => {
    await using server = await FakeServer.start()
    server.expect('GET', 'a').do((connection) => connection.rst())
    server.expect('GET').always().reply('value')
    using redis = open(server)
    assert.deepEqual(await redis.multi().get('a').get('b').execAsPipeline(), ['value', 'value'])
    server.expect('INCR').do((connection) => connection.rst())
    assert.equal((await failureOf(redis.multi().get('c').incr('d').execAsPipeline())).outcome, 'ambiguous')
    assert.equal(received(server, 'INCR').length, 1)
  })

  it('goes in front of what waits in a classic pool as well', async () => {
    await using server = await FakeServer.start()
    server.expect('INCR', 'a').reply(LOADING)
    server.expect('INCR').always().reply(1)
    using redis = open(server, { pipelining: 1, maxConnections: 1 })
    await Promise.all([redis.incr('a'), redis.incr('b'), redis.incr('c')])
    assert.deepEqual(received(server, 'INCR'), ['INCR a', 'INCR a', 'INCR b', 'INCR c'])
  })

  it('is also what a classic pool reads', async () => {
    await using server = await FakeServer.start()
    server.expect('GET').do((connection) => connection.rst())
    server.expect('GET').reply('value')
    using redis = open(server, { pipelining: 1 })
    assert.equal(await redis.get('key'), 'value')
  })

  it('is a transaction only when EXEC tells that nothing of it was applied', async () => {
    await using server = await FakeServer.start()
    server.expect('MULTI').always().reply(new Simple('OK'))
    server.expect('INCR').reply(READONLY)
    server.expect('EXEC').reply(new Error('EXECABORT Transaction discarded because of previous errors.'))
    server.expect('INCR').always().reply(new Simple('QUEUED'))
    server.expect('EXEC').reply([1])
    server.expect('EXEC').do((connection) => connection.rst())
    using redis = open(server)
    assert.deepEqual(await redis.multi().incr('key').exec(), [1])
    assert.equal((await failureOf(redis.multi().incr('key').exec())).outcome, 'ambiguous')
    assert.deepEqual(received(server, 'EXEC').length, 3)
  })
})

describe('a refusal', () => {
  for (const text of [
    LOADING.message,
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  ]) {
    it(`that says ${text.split(' ')[0]} has the command sent again on a new connection, write or not`, async () => {
      await using server = await FakeServer.start()
      server.expect('INCR').reply(new Error(text))
      server.expect('INCR').reply(1)
      using redis = open(server)
      assert.equal(await redis.incr('key'), 1)
      assert.deepEqual(redis.pool.stats().counters.closed, { refused: 1 })
    })
  }

  it('that says READONLY replaces all connections, since the name may lead elsewhere now', async () => {
    await using server = await FakeServer.start()
    server.expect('SET').reply(READONLY)
    server.expect('SET').reply(new Simple('OK'))
    using redis = open(server, { maxConnections: 4 })
    const leases = await Promise.all([redis.lease(), redis.lease()])
    for (const lease of leases) lease.release()
    assert.equal(await redis.set('key', 'value'), 'OK')
    assert.deepEqual(redis.pool.stats().counters.closed, { refused: 2 })
  })

  it('that says NOAUTH replaces its connection: it is not logged in any more', async () => {
    await using server = await FakeServer.start()
    server.expect('GET').reply(new Error('NOAUTH Authentication required.'))
    server.expect('GET').reply('value')
    using redis = open(server)
    assert.equal(await redis.get('key'), 'value')
    assert.equal(redis.pool.stats().counters.closed.refused, 1)
  })

  it('that does not pass is told, and met by few new connections', async () => {
    await using server = await FakeServer.start()
    server.expect('SET').always().reply(READONLY)
    server.expect('GET').always().reply('value')
    using redis = open(server, { backoffMin: 10, backoffMax: 1_000 })
    const started = performance.now()
    let refused = 0
    while (performance.now() - started < 500) {
      const error = await failureOf(redis.set('key', 'value'))
      assert.ok(error instanceof ReplyError)
      assert.deepEqual([error.kind, error.outcome], ['READONLY', 'rejected'])
      assert.equal(await redis.get('key'), 'value')
      refused++
    }
    assert.ok(refused > 50, `${refused} calls`)
    // Seven replacements; beside a lane that is late another one may be in the making, and is replaced as well.
    assert.ok(server.connections.length <= 16, `${server.connections.length} connections`)
  })

  it('is told when something later on its key was not refused', async () => {
    await using server = await FakeServer.start()
    server.expect('APPEND', 'key', 'a').reply(LOADING)
    server.expect('APPEND', 'key', 'b').reply(1)
    using redis = open(server)
    await redis.connect()
    const first = failureOf(redis.append('key', 'a'))
    const second = redis.append('key', 'b')
    assert.equal((await first).outcome, 'rejected')
    assert.equal(await second, 1)
    assert.deepEqual(received(server, 'APPEND'), ['APPEND key a', 'APPEND key b'])
  })

  it('by a script counts only in the own words of the server', async () => {
    await using server = await FakeServer.start()
    server.expect('EVAL').reply(new Error('READONLY is what this script says after it wrote'))
    server.expect('EVAL').reply(LOADING)
    server.expect('EVAL').reply(1)
    using redis = open(server)
    assert.equal((await failureOf(redis.eval('script'))).outcome, 'ambiguous')
    await redis.pool.connect()
    assert.equal(received(server, 'EVAL').length, 1)
  })

  it('of a blocking command is one like any other; a loss is not', async () => {
    await using server = await FakeServer.start()
    server.expect('BLPOP').reply(LOADING)
    server.expect('BLPOP').reply(['key', 'element'])
    server.expect('BLPOP').do((connection) => connection.rst())
    using redis = open(server)
    assert.deepEqual(await redis.blPop('key', 1), { key: 'key', element: 'element' })
    assert.equal((await failureOf(redis.blPop('key', 1))).outcome, 'ambiguous')
    assert.equal(received(server, 'BLPOP').length, 3)
  })

  for (const kind of ['BUSY', 'OOM', 'MISCONF', 'NOREPLICAS', 'NOPERM']) {
    it(`that says ${kind} is the caller's to know, and ends no connection`, async () => {
      await using server = await FakeServer.start()
      server.expect('SET').reply(new Error(`${kind} for a reason`))
      using redis = open(server)
      const error = await failureOf(redis.set('key', 'value'))
      assert.ok(error instanceof ReplyError)
      assert.deepEqual([error.kind, error.outcome], [kind, 'rejected'])
      assert.equal(redis.pool.stats().connections.total, 1)
      assert.equal(received(server, 'SET').length, 1)
    })
  }
})
