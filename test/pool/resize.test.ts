// Changing a pool while it works: other bounds, and new connections for old ones.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { World } from '../support/pool-harness.js'

describe('resize', () => {
  it('lets those who wait in at once when the pool may grow', async () => {
    const world = new World({ maxConnections: 2 })
    await world.warm()
    const loans = Array.from({ length: 5 }, () => world.lease())
    await world.run(20)
    assert.equal(world.stats.connections.leased, 1)
    world.pool.resize({ maxConnections: 6, minConnections: 0 })
    await world.run(20)
    assert.ok(loans.every(({ state }) => state === 'held'))
    world.assertBooks()
  })

  it('shrinks as connections come free, under load, and loses nothing', async () => {
    const world = new World({ maxConnections: 8, lanes: 4 })
    const loans = Array.from({ length: 4 }, () => world.lease())
    for (let step = 0; step < 60; step++) {
      for (let index = 0; index < 20; index++) world.send('INCR', `k${index}`)
      if (step === 20) world.pool.resize({ maxConnections: 2, minConnections: 0 })
      if (step >= 30 && step < 34) loans[step - 30]?.release()
      await world.run(1)
    }
    await world.run(300)
    assert.ok(world.calls.every(({ state }) => state === 'answered'))
    assert.equal(world.stats.connections.total, 2)
    assert.ok((world.stats.counters.closed.surplus ?? 0) >= 4)
    world.assertBooks()
  })

  it('keeps a lane for sharing when leases fill the smaller pool', async () => {
    const world = new World({ maxConnections: 3, lanes: 1 })
    await world.warm()
    const loans = [await world.leased(), await world.leased()]
    world.pool.resize({ maxConnections: 2, minConnections: 0 })
    await world.run(10)
    const get = world.send('GET', 'k')
    await world.run(10)
    assert.equal(get.state, 'answered')
    for (const loan of loans) loan.release()
    await world.run(300)
    assert.equal(world.stats.connections.total, 2)
  })

  it('goes down to one connection and up again', async () => {
    const world = new World({ maxConnections: 5 })
    for (const maxConnections of [1, 5, 1, 2]) {
      world.pool.resize({ maxConnections, minConnections: 0 })
      for (let index = 0; index < 30; index++) world.send('INCR', `k${index}`)
      const loan = world.lease()
      await world.run(50)
      assert.equal(loan.state, 'held')
      loan.release()
      await world.run(300)
      assert.ok(world.stats.connections.total <= maxConnections)
    }
    assert.ok(world.calls.every(({ state }) => state === 'answered'))
    world.assertBooks()
  })

  it('opens what minConnections asks for', async () => {
    const world = new World()
    await world.warm()
    world.pool.resize({ maxConnections: 6, minConnections: 5 })
    await world.run(20)
    assert.equal(world.stats.connections.total, 5)
  })
})

describe('retire', () => {
  it('replaces all connections, each when it is free, and fails no command', async () => {
    const world = new World({ maxConnections: 6 })
    const loan = world.lease()
    for (let step = 0; step < 50; step++) {
      for (let index = 0; index < 10; index++) world.send('INCR', `k${index}`)
      if (step === 20) world.pool.retire()
      if (step === 30) loan.release()
      await world.run(1)
    }
    await world.run(300)
    assert.ok(world.calls.every(({ state }) => state === 'answered'))
    const old = world.opened.filter((id) => id <= (world.stats.counters.closed.retired ?? 0))
    assert.ok(old.length >= 3)
    assert.ok(world.server.open.every(({ id }) => !old.includes(id)))
    world.assertBooks()
  })

  it('does not make new commands wait for the last reply of an old connection', async () => {
    const world = new World({ lanes: 1 })
    await world.warm()
    world.server.open[0]!.hold()
    const slow = world.send('GET', 'a')
    await world.run(2)
    world.pool.retire()
    const next = world.send('GET', 'b')
    await world.run(10)
    assert.deepEqual([slow.state, next.state], ['pending', 'answered'])
  })
})
