// A pool tells while somebody waits for it, and stops telling soon after: what decides whether a process may end.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PoolClosedError } from '../../src/base/errors.js'
import { World } from '../support/pool-harness.js'

/** Longer than what is watched is judged apart. */
const SOON = 10

describe('a pool that somebody waits for', () => {
  it('says so while a reply is owed, and no longer', async () => {
    const world = new World({ pingInterval: 0 })
    assert.equal(world.isAwaited, false)
    await world.warm()
    await world.run(SOON)
    assert.equal(world.isAwaited, false)
    world.server.open[0]!.hold()
    world.send('GET', 'k')
    assert.equal(world.isAwaited, true)
    await world.run(2_000)
    assert.equal(world.isAwaited, true)
    world.server.open[0]!.resume()
    await world.run(SOON)
    assert.equal(world.isAwaited, false)
    world.pool.destroy('destroyed')
  })

  it('says so during a blocking command, and not for a lease that is only held', async () => {
    const world = new World({ leakThreshold: 0, pingInterval: 0 })
    const pop = world.send('BLPOP', 'q', '3')
    await world.run(2_500)
    assert.deepEqual([pop.state, world.isAwaited], ['pending', true])
    await world.run(1_000)
    assert.deepEqual([pop.state, world.isAwaited], ['answered', false])
    const loan = await world.leased()
    await world.run(1_000)
    assert.equal(world.isAwaited, false)
    world.sendOn(loan, 'BLPOP', 'q', '1')
    assert.equal(world.isAwaited, true)
    await world.run(500)
    assert.equal(world.isAwaited, true)
    await world.run(1_100)
    assert.equal(world.isAwaited, false)
    world.pool.destroy('destroyed')
  })

  it('says so while a caller waits for a connection, and not for who waits without end', async () => {
    const world = new World({ maxConnections: 2, leakThreshold: 0, pingInterval: 0 })
    await world.leased()
    await world.run(SOON)
    const forEver = new AbortController()
    world.lease({ kind: 'stream', timeout: Number.POSITIVE_INFINITY, signal: forEver.signal })
    await world.run(SOON)
    assert.equal(world.isAwaited, false)
    const vain = world.lease({ timeout: 200 })
    assert.equal(world.isAwaited, true)
    await world.run(150)
    assert.equal(world.isAwaited, true)
    // Somebody else still stands in line, so that it is found where connections are looked after.
    await world.run(600)
    assert.deepEqual([vain.state, world.isAwaited], ['failed', false])
    world.pool.destroy('destroyed')
  })

  it('says so until its end has come, and while somebody waits to be connected', async () => {
    const world = new World({ leakThreshold: 0, pingInterval: 0 })
    const connected = world.pool.connect()
    assert.equal(world.isAwaited, true)
    await world.run(20)
    await connected
    assert.equal(world.isAwaited, false)
    await world.leased()
    void world.pool.close(300)
    await world.run(250)
    assert.equal(world.isAwaited, true)
    await world.run(100)
    assert.equal(world.isAwaited, false)
    await world.assertNothingLeft()
  })

  it('says nothing of a connection that is only made again', async () => {
    const world = new World({ pingInterval: 0 })
    world.server.dialDelay = 500
    const connected = assert.rejects(world.pool.connect(false), PoolClosedError)
    await world.run(100)
    assert.deepEqual([world.stats.connections.connecting, world.isAwaited], [1, false])
    world.pool.destroy('destroyed')
    await connected
  })
})
