// How callers wait: first come first served, each with a deadline and a signal, bounded in number, gone without trace.

import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import { CommandTimeoutError, PoolFullError } from '../../src/base/errors.js'
import { ConnectionPoolTimeoutError } from '../../src/pool/exhaustion.js'
import { type Caller, Waiter, Waiters } from '../../src/pool/waiters.js'
import { type Loan, World } from '../support/pool-harness.js'

const caller: Caller = { label: 'test', timeout: 0, deadline: Number.POSITIVE_INFINITY, turnAway: () => {} }
const keeper = { left: () => {} }

function queueOf(count: number): { queue: Waiters<Caller>; all: Waiter<Caller>[] } {
  const queue = new Waiters<Caller>()
  const all = Array.from({ length: count }, (_, order) => new Waiter(caller, order, 0, 1, keeper))
  for (const waiter of all) queue.push(waiter)
  return { queue, all }
}

describe('a queue of waiters', () => {
  it('keeps the order of arrival whoever leaves', () => {
    const { queue, all } = queueOf(5)
    for (const index of [2, 0, 4]) all[index]?.leave()
    assert.deepEqual(
      [...queue].map(({ order }) => order),
      [1, 3],
    )
    assert.equal(queue.length, 2)
    assert.equal(queue.first, all[1])
  })

  it('lets one leave in constant time, wherever it stands', () => {
    const time = (count: number): number => {
      const { all } = queueOf(count)
      // From the middle outwards: a queue that searches would walk half of itself each time.
      const middle = count / 2
      const start = performance.now()
      for (let step = 0; step < 1_000; step++) all[middle + (step % 2 === 0 ? step : -step)]?.leave()
      return performance.now() - start
    }
    time(10_000)
    const best = (count: number): number => Math.min(time(count), time(count), time(count))
    const [small, large] = [best(10_000), best(200_000)]
    assert.ok(large < Math.max(2, small * 10), `${small} ms among 10 000, ${large} ms among 200 000`)
  })

  it('tells its keeper once that somebody left', () => {
    let left = 0
    const queue = new Waiters<Caller>()
    const waiter = new Waiter(caller, 0, 0, 1, { left: () => left++ })
    queue.push(waiter)
    waiter.leave()
    waiter.leave()
    assert.equal(left, 1)
    assert.equal(queue.length, 0)
  })
})

describe('who waits for a lease', () => {
  it('is served in order of arrival', async () => {
    const world = new World({ maxConnections: 2 })
    const holder = await world.leased()
    const waiting = Array.from({ length: 6 }, () => world.lease())
    await world.run(20)
    assert.ok(waiting.every(({ state }) => state === 'waiting'))
    holder.release()
    for (const loan of waiting) {
      await world.run(20)
      assert.equal(loan.state, 'held')
      loan.release()
    }
    assert.deepEqual(world.granted, [holder, ...waiting])
  })

  it('keeps its place when others in front give up', async () => {
    const world = new World({ maxConnections: 1 })
    const holder = await world.leased()
    const controller = new AbortController()
    const [first, second, third] = [
      world.lease({ timeout: 30 }),
      world.lease({ signal: controller.signal }),
      world.lease(),
    ]
    await world.run(40)
    controller.abort(new Error('enough'))
    holder.release()
    await world.run(5)
    assert.deepEqual(
      [first, second, third].map(({ state }) => state),
      ['failed', 'failed', 'held'],
    )
    assert.equal(String(second.error), 'Error: enough')
  })

  it('is told at its own deadline, in the same millisecond', async () => {
    const world = new World({ maxConnections: 1, acquireTimeout: 500 })
    await world.leased()
    const loans = [world.lease(), world.lease({ timeout: 123 }), world.lease({ timeout: 250 })]
    await world.run(600)
    assert.deepEqual(
      loans.map(({ took }) => took),
      [500, 123, 250],
    )
    for (const { error } of loans) assert.ok(error instanceof ConnectionPoolTimeoutError)
  })

  it('gets a connection that came free while the event loop stood still, though its deadline passed', async () => {
    const world = new World({ maxConnections: 1, acquireTimeout: 100 })
    await world.warm()
    const call = world.send('GET', 'k')
    await world.settle()
    const loan = world.lease()
    await world.settle()
    for (const connection of world.server.open) connection.latency = 1
    await world.clock.stall(3_000)
    assert.equal(call.state, 'answered')
    assert.equal(loan.state, 'held', String(loan.error))
  })

  it('leaves no listener on its signal, however the wait ends', async () => {
    const world = new World({ maxConnections: 1 })
    const holder = await world.leased()
    const controllers = Array.from({ length: 5 }, () => new AbortController())
    const signals = controllers.map(({ signal }) => signal)
    const loans = signals.map((signal, index) => world.lease({ signal, timeout: index === 1 ? 20 : 5_000 }))
    controllers[0]?.abort()
    await world.run(30)
    holder.release()
    await world.run(5)
    assert.deepEqual(
      loans.map(({ state }) => state),
      ['failed', 'failed', 'held', 'waiting', 'waiting'],
    )
    world.pool.destroy('destroyed')
    await world.assertNothingLeft()
    for (const signal of signals) assert.deepEqual(getEventListeners(signal, 'abort'), [])
  })

  it('leaves no listener when a hopeless error turns everybody away', async () => {
    const world = new World()
    world.server.helloError = 'WRONGPASS invalid username-password pair or user is disabled.'
    const { signal } = new AbortController()
    const loan = world.lease({ signal })
    const call = world.sendWith({ signal }, 'GET', 'k')
    await world.run(20)
    assert.deepEqual([loan.state, call.state], ['failed', 'failed'])
    assert.deepEqual(getEventListeners(signal, 'abort'), [])
  })

  it('is refused at once when its signal was aborted before', async () => {
    const world = new World()
    const loan = world.lease({ signal: AbortSignal.abort(new Error('no')) })
    await world.settle()
    assert.equal(String(loan.error), 'Error: no')
    assert.equal(world.server.dials.length, 0)
  })
})

describe('who waits with a command', () => {
  it('is told after commandTimeout or acquireTimeout, whichever is shorter, and that nothing was sent', async () => {
    const world = new World({ acquireTimeout: 300 })
    world.server.welcome = 'blackhole'
    const short = world.sendWith({ timeout: 100 }, 'GET', 'a')
    const long = world.sendWith({ timeout: 900 }, 'GET', 'b')
    const none = world.send('GET', 'c')
    await world.run(1_000)
    assert.ok(short.error instanceof CommandTimeoutError)
    assert.ok(long.error instanceof ConnectionPoolTimeoutError)
    assert.ok(none.error instanceof ConnectionPoolTimeoutError)
    assert.deepEqual(
      [short, long, none].map(({ took }) => took),
      [100, 300, 300],
    )
    assert.deepEqual(
      [short, long, none].map(({ outcome }) => outcome),
      ['not-sent', 'not-sent', 'not-sent'],
    )
  })

  it('is watched like any other once it was sent', async () => {
    const world = new World({ socketTimeout: 100 })
    world.server.dialDelay = 20
    const call = world.sendWith({ timeout: 50 }, 'GET', 'k')
    world.on.opened = () => world.server.connections[0]?.hold()
    await world.run(300)
    assert.ok(call.error instanceof CommandTimeoutError)
    assert.ok(call.took >= 50 && call.took <= 56, `it took ${call.took} ms`)
    assert.equal(world.closed[0]?.error.reason, 'stalled')
  })

  it('leaves the queue when it is aborted, and is never sent', async () => {
    const world = new World()
    const controller = new AbortController()
    const call = world.sendWith({ signal: controller.signal }, 'SET', 'k', 'v')
    const other = world.send('SET', 'other', 'v')
    controller.abort(new Error('changed my mind'))
    assert.equal(world.stats.waiting.total, 1)
    await world.run(20)
    assert.equal(String(call.error), 'Error: changed my mind')
    assert.equal(other.state, 'answered')
    assert.deepEqual(world.server.appliedTo('k', 'SET'), [])
    assert.deepEqual(getEventListeners(controller.signal, 'abort'), [])
  })
})

describe('maxWaiting', () => {
  it('turns the next caller away at once, lease or command, and lets it in when there is room again', async () => {
    const world = new World({ maxConnections: 1, maxWaiting: 2 })
    const holder = await world.leased()
    const controller = new AbortController()
    const lease = world.lease({ signal: controller.signal })
    const command = world.send('GET', 'k')
    const tooMany = [world.send('GET', 'k'), world.lease()]
    await world.settle()
    for (const { error } of tooMany) assert.ok(error instanceof PoolFullError)
    assert.deepEqual(
      tooMany.map(({ settledAt }) => settledAt),
      [world.clock.now(), world.clock.now()],
    )
    assert.equal(world.stats.counters.turnedAway, 2)
    controller.abort()
    const again = world.send('GET', 'k')
    await world.settle()
    assert.equal(again.state, 'pending')
    holder.release()
    await world.run(10)
    assert.deepEqual([lease.state, command.state, again.state], ['failed', 'answered', 'answered'])
  })
})

describe('acquireTimeout 0', () => {
  it('fails at once when all connections are taken', async () => {
    const world = new World({ maxConnections: 2, acquireTimeout: 0 })
    const holder = await world.leased()
    const loan = world.lease()
    await world.settle()
    assert.ok(loan.error instanceof ConnectionPoolTimeoutError)
    assert.equal(loan.took, 0)
    holder.release()
  })

  it('waits for a connection that can still be made, as long as connecting may take', async () => {
    const world = new World({ maxConnections: 2, acquireTimeout: 0, connectTimeout: 200 })
    const loan = world.lease()
    await world.run(10)
    assert.equal(loan.state, 'held')
    world.server.welcome = 'blackhole'
    const call = world.send('GET', 'k')
    await world.run(300)
    assert.equal(call.state, 'failed')
    assert.equal(call.took, 200)
  })
})

describe('a queue that is not first come first served', () => {
  it('is noticed', async () => {
    const push = Waiters.prototype.push
    // Broken on purpose: the newest goes to the front.
    Waiters.prototype.push = function <T extends Caller>(this: Waiters<T>, waiter: Waiter<T>): void {
      const others = this.takeAll()
      push.call(this, waiter)
      for (const other of others) push.call(this, other)
    }
    try {
      const world = new World({ maxConnections: 1 })
      const holder = await world.leased()
      const waiting: Loan[] = [world.lease(), world.lease()]
      holder.release()
      await world.settle()
      assert.notEqual(world.granted[1], waiting[0])
    } finally {
      Waiters.prototype.push = push
    }
  })
})
