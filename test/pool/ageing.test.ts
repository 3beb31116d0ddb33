// What happens by the passing of time alone: idle connections, lifetimes, pings, leaks.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { World } from '../support/pool-harness.js'

/** Leases so many connections at once and gives them back. */
async function burst(world: World, count: number): Promise<void> {
  const loans = Array.from({ length: count }, () => world.lease())
  await world.run(20)
  for (const loan of loans) loan.release()
  await world.run(5)
  assert.ok(world.stats.connections.total >= count)
}

describe('idleTimeout', () => {
  it('closes what a burst left behind, though a trickle of work goes on', async () => {
    const world = new World({ maxConnections: 10, idleTimeout: 1_000 })
    await world.warm()
    await burst(world, 8)
    for (let step = 0; step < 40; step++) {
      const loan = world.lease()
      world.send('GET', `k${step}`)
      await world.run(50)
      loan.release()
    }
    assert.ok(world.stats.connections.total <= 2, `${world.stats.connections.total} are left`)
    world.assertBooks()
  })

  it('closes all connections of a pool that nobody uses, though it pings them', async () => {
    const world = new World({ idleTimeout: 2_000, pingInterval: 500 })
    await world.warm()
    await burst(world, 3)
    await world.run(10_000)
    assert.equal(world.stats.connections.total, 0)
    assert.equal(world.poolTimers, 0, 'an empty pool keeps no timer')
    const { idle = 0 } = world.stats.counters.closed
    assert.equal(idle, world.stats.counters.opened)
  })

  it('keeps minConnections', async () => {
    const world = new World({ idleTimeout: 500, minConnections: 3 })
    await burst(world, 6)
    await world.run(5_000)
    assert.equal(world.stats.connections.total, 3)
  })

  it('of 0 closes nothing', async () => {
    const world = new World({ idleTimeout: 0, maxLifetime: 0 })
    await burst(world, 4)
    await world.run(300_000)
    assert.equal(world.stats.connections.total, 4)
  })
})

describe('minConnections', () => {
  it('is filled up again when connections are lost', async () => {
    const world = new World({ minConnections: 3 })
    void world.pool.connect()
    await world.run(20)
    for (const connection of world.server.open) connection.cut('fin')
    await world.run(2_000)
    assert.equal(world.stats.connections.total, 3)
    world.assertBooks()
  })
})

describe('maxLifetime', () => {
  it('replaces connections at different times, up to a tenth early and never late', async () => {
    const world = new World({ maxLifetime: 10_000, idleTimeout: 0, minConnections: 8, maxConnections: 8 })
    void world.pool.connect()
    await world.run(50)
    const born = world.clock.now()
    const ends: number[] = []
    world.on.closed = () => ends.push(world.clock.now() - born)
    await world.run(11_000)
    const first = ends.slice(0, 8)
    assert.ok(Math.min(...first) >= 8_900 && Math.max(...first) <= 10_010, first.join(' '))
    assert.ok(new Set(first).size > 1, 'they do not all end at once')
    assert.equal(world.stats.connections.total, 8)
    assert.ok((world.stats.counters.closed.lifetime ?? 0) >= 8)
  })

  it('is over on time for those, too, that came between two looks at them', async () => {
    const world = new World({ maxLifetime: 1_000, idleTimeout: 0, maxConnections: 2, minConnections: 1, lanes: 1 })
    await world.warm()
    await world.run(100)
    const loan = await world.leased()
    loan.release()
    const born = world.clock.now()
    const ends: number[] = []
    world.on.closed = () => ends.push(world.clock.now() - born)
    await world.run(1_100)
    assert.equal(ends.length, 2)
    assert.ok(Math.max(...ends) <= 1_000, ends.join(' '))
  })

  it('does not cut a command or a lease short', async () => {
    const world = new World({ maxLifetime: 1_000, idleTimeout: 0 })
    const loan = await world.leased()
    await world.run(3_000)
    const call = world.sendOn(loan, 'GET', 'k')
    await world.run(5)
    assert.equal(call.state, 'answered')
    loan.release()
    await world.run(5)
    assert.equal(world.stats.counters.closed.lifetime, 1)
  })
})

describe('pings', () => {
  it('keep idle connections warm at pingInterval and count as no one’s work', async () => {
    const world = new World({ pingInterval: 1_000, idleTimeout: 0, maxLifetime: 0 })
    await burst(world, 2)
    const from = world.server.applied.length
    await world.run(10_000)
    const pings = world.server.applied.slice(from).filter(({ args }) => args[0] === 'PING')
    assert.ok(pings.length >= 12 && pings.length <= 20, `${pings.length} pings of two connections in 10 s`)
  })

  it('come at pingInterval after the last byte, not at the next look of the keeper', async () => {
    const world = new World({ pingInterval: 1_000, idleTimeout: 0, maxLifetime: 0, minConnections: 1 })
    await world.warm()
    await world.run(1_700)
    const call = world.send('GET', 'key')
    await world.run(1_020)
    const last = world.server.applied.at(-1)
    assert.equal(last?.args[0], 'PING')
    assert.ok(last.at - call.settledAt >= 990, `after ${last.at - call.settledAt} ms`)
  })

  it('come at half of the timeout that the server itself has, so that it never closes first', async () => {
    const world = new World({ pingInterval: 30_000, idleTimeout: 0, maxLifetime: 0 })
    world.server.timeout = 4
    await world.warm()
    await burst(world, 2)
    await world.run(20_000)
    for (const { id } of world.server.open) {
      const times = world.server.applied.filter(({ connection }) => connection === id).map(({ at }) => at)
      const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at))
      assert.ok(Math.max(...gaps) < 4_000, `connection ${id} was silent for ${Math.max(...gaps)} ms`)
    }
  })

  it('find out that an idle connection is dead', async () => {
    const world = new World({ pingInterval: 1_000, socketTimeout: 500, idleTimeout: 0, minConnections: 1 })
    void world.pool.connect()
    await world.run(700)
    world.server.open[0]!.hold()
    await world.run(3_000)
    assert.equal(world.stats.counters.closed.stalled, 1)
    assert.equal(world.stats.connections.total, 1)
  })
})

describe('a lease held for too long', () => {
  it('is reported once, with its label and who took it; a blocking command is not', async () => {
    const world = new World({ leakThreshold: 1_000 })
    const loan = await world.leased({ label: 'import job' })
    world.send('BLPOP', 'q', '0')
    await world.run(900)
    assert.equal(world.leaks.length, 0)
    await world.run(5_000)
    assert.equal(world.leaks.length, 1)
    const [leak] = world.leaks
    assert.equal(leak?.label, 'import job')
    assert.match(leak?.stack ?? '', /ageing\.test/)
    assert.equal(world.stats.counters.leaksReported, 1)
    loan.release()
  })

  it('is reported at the threshold, however long that is', async () => {
    for (const leakThreshold of [100, 1_000, 60_000]) {
      const world = new World({ leakThreshold, maxConnections: 4 })
      await world.leased()
      await world.run(leakThreshold / 3)
      await world.leased()
      await world.run((leakThreshold * 2) / 3 + 10)
      assert.equal(world.leaks.length, 1, `the first of ${leakThreshold} ms`)
      await world.run(leakThreshold / 3)
      assert.equal(world.leaks.length, 2, `the second of ${leakThreshold} ms`)
      for (const { heldFor } of world.leaks) assert.ok(heldFor >= leakThreshold && heldFor <= leakThreshold + 11)
    }
  })

  it('carries no stack unless leaks are tracked', async () => {
    const world = new World()
    await world.leased()
    assert.equal(world.stats.holders[0]?.stack, undefined)
    const tracked = new World({ leakTracking: true })
    await tracked.leased()
    assert.match(tracked.stats.holders[0]?.stack ?? '', /pool-harness/)
  })
})
