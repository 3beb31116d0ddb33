// How a pool ends: what was accepted goes on, then nothing is left, neither timers nor transports nor callers.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PoolClosedError } from '../../src/base/errors.js'
import { World } from '../support/pool-harness.js'

function closing(world: World, timeout = 0): { done: boolean } {
  const state = { done: false }
  void world.pool.close(timeout).then(() => {
    state.done = true
  })
  return state
}

/** A pool with everything in it: lanes, a late one, leases, waiters, a blocking command, a dial. */
async function busy(): Promise<World> {
  const world = new World({ maxConnections: 5, leakThreshold: 1_000 })
  for (let index = 0; index < 10; index++) world.send('INCR', `k${index}`)
  await world.run(20)
  world.lease()
  const { signal } = new AbortController()
  world.sendWith({ signal, timeout: 800 }, 'BLPOP', 'q', '0')
  await world.run(10)
  world.server.open[0]!.hold()
  for (let index = 0; index < 10; index++) world.sendWith({ timeout: 700 }, 'INCR', `k${index}`)
  await world.run(20)
  world.server.dialDelay = 100
  for (let index = 0; index < 5; index++) world.lease({ timeout: 900 })
  await world.run(5)
  return world
}

describe('close()', () => {
  it('ends an unused pool at once', async () => {
    const world = new World()
    const { pool } = world
    const state = closing(world)
    await world.settle()
    assert.ok(state.done)
    assert.equal(pool.phase, 'closed')
    await world.assertNothingLeft()
  })

  it('refuses what is new and lets finish what was accepted: in flight, waiting, leased', async () => {
    const world = new World({ maxConnections: 2 })
    const call = world.send('INCR', 'k')
    const loan = await world.leased()
    const waiting = world.lease()
    const state = closing(world)
    const refused = [world.send('GET', 'k'), world.lease()]
    await world.run(10)
    for (const { error } of refused) assert.ok(error instanceof PoolClosedError)
    assert.deepEqual([call.state, state.done, world.pool.phase], ['answered', false, 'closing'])
    const late = world.sendOn(loan, 'SET', 'k', 'v')
    await world.run(5)
    assert.equal(late.state, 'answered')
    loan.release()
    await world.run(20)
    assert.deepEqual([waiting.state, state.done], ['held', false])
    waiting.release()
    await world.run(5)
    assert.ok(state.done)
    await world.assertNothingLeft()
  })

  it('waits for replies of lanes, late ones included', async () => {
    const world = new World()
    await world.warm()
    world.server.open[0]!.hold()
    const call = world.send('GET', 'k')
    await world.run(50)
    const state = closing(world)
    await world.run(50)
    assert.equal(state.done, false)
    world.server.open[0]!.resume()
    await world.run(5)
    assert.deepEqual([call.state, state.done], ['answered', true])
    await world.assertNothingLeft()
  })

  it('dials nothing more when the last thing it waited for is a late lane that is no longer needed', async () => {
    const world = new World({ maxConnections: 3, minConnections: 3, lanes: 1 })
    await world.warm()
    world.server.open[0]!.hold()
    const call = world.send('GET', 'k')
    await world.run(1_100)
    // Another lane has taken its place.
    world.send('PING')
    await world.run(10)
    assert.deepEqual([world.stats.connections.late, world.stats.connections.shared], [1, 1])
    const state = closing(world)
    const { length } = world.server.dials
    world.server.open[0]!.resume()
    await world.settle()
    assert.deepEqual([call.state, state.done, world.server.dials.length], ['answered', true, length])
    await world.assertNothingLeft()
  })

  it('waits for what was refused and is sent again', async () => {
    const world = new World()
    await world.warm()
    world.server.mood = 'readonly'
    const call = world.send('SET', 'k', 'v')
    const state = closing(world)
    await world.run(1)
    world.server.mood = 'ready'
    await world.run(50)
    assert.deepEqual([call.state, state.done], ['answered', true])
    await world.assertNothingLeft()
  })

  it('leaves no timer of a blocking command that nobody could unblock', async () => {
    const world = new World({ maxConnections: 1 })
    const controller = new AbortController()
    const pop = world.sendWith({ signal: controller.signal }, 'BLPOP', 'q', '0')
    await world.run(20)
    const state = closing(world)
    controller.abort()
    await world.settle()
    assert.deepEqual([pop.outcome, state.done], ['ambiguous', true])
    await world.assertNothingLeft()
  })

  it('ends when the last who waited gives up', async () => {
    const world = new World({ acquireTimeout: 200, connectTimeout: 10_000 })
    world.server.welcome = 'silent'
    const call = world.send('GET', 'k')
    const loan = world.lease()
    await world.run(10)
    const state = closing(world)
    await world.run(500)
    assert.deepEqual([call.state, loan.state], ['failed', 'failed'])
    assert.ok(state.done, 'nobody needs the dial any more')
    await world.assertNothingLeft()
  })

  it('does not wait for a handshake that nobody needs', async () => {
    const world = new World()
    world.server.welcome = 'silent'
    const controller = new AbortController()
    world.sendWith({ signal: controller.signal }, 'GET', 'k')
    await world.run(10)
    controller.abort()
    const state = closing(world)
    await world.settle()
    assert.ok(state.done)
    await world.assertNothingLeft()
  })

  it('rejects after its timeout what still runs', async () => {
    const world = await busy()
    const state = closing(world, 50)
    await world.run(49)
    assert.equal(state.done, false)
    await world.run(2)
    assert.ok(state.done)
    await world.assertNothingLeft()
  })

  it('may be called again with a limit, of which the first to pass counts', async () => {
    for (const [first, second] of [
      [0, 100],
      [500, 100],
      [100, 500],
      [100, 0],
    ] as const) {
      const world = new World({ maxConnections: 3 })
      const loan = await world.leased()
      const states = [closing(world, first), closing(world, second)]
      await world.run(99)
      assert.deepEqual(
        states.map(({ done }) => done),
        [false, false],
      )
      await world.run(2)
      assert.deepEqual(
        states.map(({ done }) => done),
        [true, true],
        `${first}, then ${second}`,
      )
      loan.release()
      await world.assertNothingLeft()
    }
  })

  it('may be called twice and beside destroy()', async () => {
    const world = await busy()
    const states = [closing(world), closing(world)]
    await world.settle()
    world.pool.destroy('destroyed')
    states.push(closing(world))
    await world.settle()
    assert.ok(states.every(({ done }) => done))
    await world.assertNothingLeft()
  })
})

describe('destroy()', () => {
  it('rejects everything now and leaves nothing behind', async () => {
    const world = await busy()
    const now = world.clock.now()
    world.pool.destroy('destroyed')
    await world.assertNothingLeft()
    const open = world.calls.filter(({ settledAt }) => settledAt === now)
    assert.ok(open.length > 5)
    assert.ok(open.every(({ state }) => state === 'failed'))
    for (const loan of world.loans) if (loan.state === 'held') loan.release()
    await world.run(60_000)
    await world.assertNothingLeft()
    world.assertBooks()
  })

  it('by a listener of the end that sends a command again turns that command away', async () => {
    const world = new World()
    await world.warm()
    world.server.mood = 'readonly'
    const call = world.send('SET', 'k', 'v')
    world.on.closed = () => world.pool.destroy('destroyed')
    await world.run(1)
    assert.deepEqual([call.outcome, world.pool.phase], ['not-sent', 'closed'])
    await world.assertNothingLeft()
  })

  it('during a blocking command that is being unblocked leaves no timer', async () => {
    const world = new World()
    await world.warm()
    const controller = new AbortController()
    const pop = world.sendWith({ signal: controller.signal }, 'BLPOP', 'q', '0')
    await world.run(20)
    controller.abort()
    await world.settle()
    world.pool.destroy('destroyed')
    await world.assertNothingLeft()
    assert.equal(pop.state, 'failed')
  })

  it('may be called from any listener', async () => {
    for (const event of ['opened', 'closed', 'connectFailed', 'released'] as const) {
      const world = new World({ pipelining: 2, lanes: 1, maxConnections: 2, socketTimeout: 100 })
      if (event === 'connectFailed') world.server.welcome = 'refuse'
      for (let index = 0; index < 6; index++) world.send('INCR', 'k')
      const loan = world.lease()
      world.lease()
      if (event !== 'opened') await world.run(20)
      world.on[event] = () => world.pool.destroy('destroyed')
      if (event === 'released') loan.release()
      for (let index = 0; index < 6; index++) world.send('INCR', 'k')
      await world.settle()
      if (event === 'closed') world.server.open[0]!.cut()
      await world.run(2_000)
      assert.equal(world.pool.phase, 'closed', event)
      await world.assertNothingLeft()
    }
  })

  it('when the keeper finds a silent connection, from its listener, stops the keeper too', async () => {
    const world = new World({ socketTimeout: 100, maxConnections: 3 })
    for (let index = 0; index < 10; index++) world.send('INCR', `k${index}`)
    await world.run(20)
    for (const connection of world.server.open) connection.hold()
    for (let index = 0; index < 10; index++) world.send('INCR', `k${index}`)
    world.on.closed = () => world.pool.destroy('destroyed')
    await world.run(150)
    await world.assertNothingLeft()
  })
})
