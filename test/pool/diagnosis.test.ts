// What is wrong with a pool before anybody has waited in vain: each cause planted, and what only looks like one.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Diagnosis, diagnose } from '../../src/pool/diagnosis.js'
import { World } from '../support/pool-harness.js'

/** What two snapshots a second apart tell. */
async function watched(world: World): Promise<Diagnosis> {
  const before = world.stats
  await world.run(1_000)
  return diagnose(world.stats, before)
}

describe('diagnose()', () => {
  it('finds nothing wrong with a pool that is new, busy or closed', async () => {
    const world = new World({ maxConnections: 3 })
    assert.deepEqual(diagnose(world.stats), {
      cause: 'healthy',
      because: 'nobody waits; 0 of 3 connections are in use',
    })
    await world.leased()
    for (let index = 0; index < 50; index++) world.send('GET', `k${index}`)
    assert.equal((await watched(world)).cause, 'healthy')
    world.pool.destroy('destroyed')
    assert.deepEqual(diagnose(world.stats), { cause: 'healthy', because: 'the pool is closed' })
  })

  it('names a leak that was reported, though nobody waits', async () => {
    const world = new World({ maxConnections: 4, leakThreshold: 200 })
    await world.leased({ label: 'forgot' })
    assert.equal(diagnose(world.stats).cause, 'healthy')
    const found = await watched(world)
    assert.equal(found.cause, 'leak')
    assert.match(found.because, /the lease 'forgot' is held for 1\d\d\d ms/)
  })

  it('names a leak by its age alone, when leases of this pool are short', async () => {
    const world = new World({ maxConnections: 4 })
    await world.leased({ label: 'forgot' })
    await world.leased({ label: 'too' })
    await world.run(29_000)
    assert.equal(diagnose(world.stats).cause, 'healthy')
    await world.run(2_000)
    assert.match(diagnose(world.stats).because, /2 of 2 leases are held for up to 31\d\d\d ms/)
    const long = { ...world.stats.durations.use, p99: 20_000 }
    const usual = { ...world.stats, durations: { ...world.stats.durations, use: long } }
    assert.equal(diagnose(usual).cause, 'healthy', 'leases of this pool are long')
  })

  it('names a leak while others wait, though nobody was turned away yet', async () => {
    const world = new World({ maxConnections: 2 })
    await world.leased({ label: 'forgot' })
    await world.run(5_000)
    world.lease()
    assert.equal((await watched(world)).cause, 'leak')
  })

  it('names a pool that is too small, with a size, but not a wait of a moment', async () => {
    const world = new World({ maxConnections: 2, acquireTimeout: 400 })
    const first = await world.leased()
    world.lease()
    world.lease()
    await world.run(20)
    assert.equal(diagnose(world.stats).cause, 'healthy')
    await world.run(200)
    const found = diagnose(world.stats)
    assert.equal(found.cause, 'too-small')
    assert.equal(found.maxConnections, 4)
    assert.match(found.because, /maxConnections: 4/)
    // Both are gone in the second that is looked at, and have told their story.
    const later = await watched(world)
    assert.equal(later.cause, 'too-small')
    first.release()
    await world.run(1_000)
    assert.equal((await watched(world)).cause, 'healthy')
  })

  it('names dials that fail, with what the last one said', async () => {
    const world = new World({})
    world.server.welcome = 'refuse'
    world.send('GET', 'k')
    const found = await watched(world)
    assert.equal(found.cause, 'failing-dials')
    assert.match(found.because, /connections cannot be made: .*ECONNREFUSED/)
  })

  it('names a server that accepts and does not answer', async () => {
    const world = new World({ connectTimeout: 60_000 })
    world.server.welcome = 'silent'
    world.send('GET', 'k')
    await world.run(500)
    assert.equal(diagnose(world.stats).cause, 'healthy')
    assert.equal((await watched(world)).cause, 'slow-server')
  })

  it('names a server that owes replies on every shared connection, but not one that was slow for a moment', async () => {
    const world = new World({ maxConnections: 2, socketTimeout: 60_000 })
    for (let index = 0; index < 10; index++) world.send('PING')
    await world.run(20)
    for (const connection of world.server.open) connection.hold()
    const before = world.stats
    for (let index = 0; index < 10; index++) world.send('GET', `k${index}`)
    await world.run(100)
    assert.equal(world.stats.connections.shared, 0)
    assert.equal(diagnose(world.stats).cause, 'slow-server', 'the moment is all there is to judge by')
    assert.equal((await watched(world)).cause, 'slow-server')
    const calm = { ...before, connectionTime: { ...before.connectionTime, shared: before.connectionTime.shared - 1e6 } }
    assert.equal(diagnose(world.stats, calm).cause, 'healthy', 'late for a moment of a long time')
  })

  it('names a server that does not answer where every command has a connection of its own', async () => {
    const world = new World({ maxConnections: 2, pipelining: 1, socketTimeout: 60_000 })
    await world.warm()
    for (const connection of world.server.open) connection.hold()
    world.send('GET', 'a')
    world.send('GET', 'b')
    await world.run(2_000)
    const found = diagnose(world.stats)
    assert.equal(found.cause, 'slow-server')
    assert.match(found.because, /has not answered \d of \d commands for up to \d+ ms/)
  })

  it('does not take a consumer that waits for a leak or for a slow server', async () => {
    const world = new World({ maxConnections: 3 })
    world.send('BLPOP', 'jobs', '0')
    await world.run(40_000)
    assert.equal(world.stats.holders[0]?.kind, 'blocking')
    assert.equal((await watched(world)).cause, 'healthy')
  })

  it('names a blocked loop, by the pool’s own measure or by another, and forgets a delay of long ago', async () => {
    const world = new World({})
    await world.warm()
    const { stats } = world
    assert.equal(diagnose(stats, undefined, { loopDelay: 300 }).cause, 'blocked-loop')
    assert.equal(diagnose(stats, undefined, { loopDelay: 90 }).cause, 'healthy')
    const delayed = { ...stats, loopDelay: 2_500.5 }
    assert.match(diagnose(delayed, stats).because, /did not run its event loop for 250[01] ms/)
    assert.equal(diagnose(delayed, delayed).cause, 'healthy')
  })

  it('reads the point of a recording as it reads an earlier snapshot', async () => {
    const world = new World({ maxConnections: 1 })
    await world.leased()
    const { stats } = world
    const { wait, use, reply, connect } = stats.durations
    const point = {
      ...{ at: stats.takenAt, span: 1_000, connections: stats.connections, maxConnections: 1, waiting: 0, inFlight: 0 },
      ...{ mean: stats.connectionTime, peaks: stats.peaks, wait, use, reply, connect },
      ...{ counters: stats.counters, loopDelay: 0 },
    }
    assert.equal(diagnose(stats, point).cause, 'healthy')
    assert.equal(diagnose(stats, { ...point, loopDelay: 400 }).cause, 'blocked-loop')
    assert.equal(diagnose(stats, { ...point, wait: { ...wait, mean: 80 } }).cause, 'too-small')
    assert.equal(diagnose(stats, { ...point, counters: { ...stats.counters, timedOut: 1 } }).cause, 'too-small')
  })
})
