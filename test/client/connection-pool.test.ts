// The pool as its user sees it: events, snapshot, sizes and end.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConnectionError, ConnectionPool, Redis } from '../../src/index.js'
import { FakeServer } from '../support/fake-server.js'
import { leakCheck } from '../support/leak-check.js'
import { catchUncaught } from '../support/uncaught.js'

describe('the events of a pool', () => {
  it('tell of connections that come and go, and of its end', async () => {
    await using server = await FakeServer.start()
    const pool = new ConnectionPool(server.url)
    const redis = new Redis({ pool })
    const seen: unknown[] = []
    redis
      .on('connect', ({ address, id }) => seen.push(['connect', address, id]))
      .on('close', ({ id }, error) => seen.push(['close', id, error instanceof ConnectionError && error.reason]))
      .on('end', () => seen.push('end'))
      .once('release', () => seen.push('release'))
    await pool.connect()
    const lease = await redis.lease()
    lease.release()
    server.connections[0]?.fin()
    while (pool.stats().connections.total > 0) await new Promise((resolve) => setImmediate(resolve))
    await pool.close()
    await pool.close()
    const address = `127.0.0.1:${server.port}`
    assert.deepEqual(seen, [['connect', address, 1], 'release', ['close', 1, 'server-closed'], 'end'])
  })

  it('tell of dials that fail, and need no listener', async () => {
    await using server = await FakeServer.start()
    server.refuse()
    const pool = new ConnectionPool(server.url)
    await assert.rejects(pool.connect(), ConnectionError)
    const errors: Error[] = []
    const listener = (error: Error): void => {
      errors.push(error)
    }
    pool.on('connectError', listener)
    await assert.rejects(pool.connect(), (error) => error === errors[0])
    pool.off('connectError', listener)
    await assert.rejects(pool.connect(), ConnectionError)
    assert.equal(errors.length, 1)
    pool.destroy()
  })

  it('tell of a lease that is held for too long, with the place that took it', async () => {
    await using server = await FakeServer.start()
    await using redis = new Redis(server.url, { leakThreshold: 60 })
    const leak = new Promise<{ label: string; heldFor: number; stack?: string }>((resolve) => redis.on('leak', resolve))
    const lease = await redis.lease({ label: 'forgotten' })
    const { label, heldFor, stack } = await leak
    assert.equal(label, 'forgotten')
    assert.ok(heldFor >= 60 && heldFor < 260, `${heldFor} ms`)
    assert.match(stack ?? '', /connection-pool\.test\.js/)
    assert.equal(redis.pool.stats().counters.leaksReported, 1)
    lease.release()
  })

  it('may have listeners that throw: the pool goes on, and the error is an uncaught one', async () => {
    await using server = await FakeServer.start()
    server.expect('GET').always().reply('value')
    const uncaught = catchUncaught()
    try {
      const redis = new Redis(server.url, { maxConnections: 2 })
      const thrown = new Error('of a listener')
      for (const event of ['connect', 'release', 'close', 'end'] as const) {
        redis.on(event, () => {
          throw thrown
        })
      }
      assert.equal(await redis.get('key'), 'value')
      for (let round = 0; round < 3; round++) {
        const lease = await redis.lease()
        lease.release()
      }
      server.connections[0]?.rst()
      while (redis.pool.stats().counters.closed['network-error'] !== 1)
        await new Promise((resolve) => setImmediate(resolve))
      assert.equal(await redis.get('key'), 'value')
      redis.destroy()
      await new Promise((resolve) => setImmediate(resolve))
      assert.ok(uncaught.errors.length >= 6)
      assert.ok(uncaught.errors.every((error) => error === thrown))
    } finally {
      uncaught.end()
    }
  })
})

describe('a pool', () => {
  it('connects to nothing until it is used', async () => {
    const leaks = leakCheck()
    {
      await using server = await FakeServer.start()
      const pool = new ConnectionPool(server.url, { minConnections: 3 })
      await new Promise((resolve) => setTimeout(resolve, 20))
      assert.equal(server.connections.length, 0)
      await pool.connect()
      assert.equal(server.connections.length, 3)
      await pool.close()
    }
    await leaks.assertNone()
  })

  it('gives a snapshot that is plain and adds up', async () => {
    await using server = await FakeServer.start()
    server.expect('GET').always().reply('value')
    const pool = new ConnectionPool(server.url, { name: 'orders', maxConnections: 4 })
    const redis = new Redis({ pool })
    await Promise.all(Array.from({ length: 20 }, (_, index) => redis.get(`key:${index}`)))
    const lease = await redis.lease({ label: 'mine' })
    const stats = pool.stats()
    lease.release()
    const { lastConnectError, ...plain } = stats
    assert.deepEqual([lastConnectError, JSON.parse(JSON.stringify(stats))], [undefined, plain])
    const { total, ...places } = stats.connections
    assert.equal(
      Object.values(places).reduce((sum, count) => sum + count, 0),
      total,
    )
    assert.deepEqual([stats.name, stats.state, stats.maxConnections], ['orders', 'open', 4])
    assert.deepEqual(
      stats.holders.map(({ label, kind }) => [label, kind]),
      [['mine', 'lease']],
    )
    assert.equal(
      stats.counters.opened - Object.values(stats.counters.closed).reduce((sum, count) => sum + count, 0),
      total - places.connecting,
    )
    // Another lane may be shaking hands.
    assert.equal(stats.counters.sent, stats.counters.replies + stats.inFlight)
    assert.ok(stats.counters.replies >= 20)
    assert.deepEqual([pool.stats().counters.acquired, pool.stats().counters.released], [1, 1])
    await pool.close()
  })

  it('shows its options, with the name that serverless helpers look for', () => {
    const pool = new ConnectionPool({ idleTimeout: 1_234, maxConnections: 3 })
    assert.equal(pool.options.idleTimeoutMillis, 1_234)
    pool.resize({ maxConnections: 6, minConnections: 1 })
    assert.deepEqual([pool.options.maxConnections, pool.options.minConnections], [6, 1])
    assert.deepEqual([pool.stats().maxConnections, pool.stats().minConnections], [6, 1])
    pool.destroy()
  })

  it('replaces its connections when it is told to retire them', async () => {
    await using server = await FakeServer.start()
    server.expect('GET').always().reply('value')
    await using redis = new Redis(server.url)
    await redis.get('key')
    const lease = await redis.lease()
    const before = server.open.map(({ id }) => id)
    redis.pool.retire()
    assert.equal(await redis.get('key'), 'value')
    assert.equal(await lease.echo('still mine'), 'still mine')
    lease.release()
    while (server.open.some(({ id }) => before.includes(id))) await new Promise((resolve) => setImmediate(resolve))
    assert.ok((redis.pool.stats().counters.closed.retired ?? 0) >= before.length)
  })

  it('does not let pings of its own keep unused connections alive', async () => {
    await using server = await FakeServer.start()
    server.expect('GET').reply('value')
    await using redis = new Redis(server.url, { pingInterval: 40, idleTimeout: 200 })
    await redis.get('key')
    const end = performance.now() + 1_500
    while (redis.pool.stats().connections.total > 0 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.equal(redis.pool.stats().connections.total, 0)
    assert.ok(server.received.filter(([name, nonce]) => name === 'PING' && nonce === undefined).length >= 2)
  })
})
