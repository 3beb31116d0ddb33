// Exclusive connections: how many, who gets one next, in what state they come back.

import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import { CommandTimeoutError, LeaseReleasedError } from '../../src/base/errors.js'
import { Session } from '../../src/pool/session.js'
import { type Loan, World } from '../support/pool-harness.js'

describe('leases', () => {
  it('leave one connection for sharing, so that leases never starve a command', async () => {
    const world = new World({ maxConnections: 3 })
    await world.warm()
    const loans = Array.from({ length: 5 }, () => world.lease())
    const parked = world.send('BLPOP', 'nothing', '0')
    await world.run(20)
    assert.deepEqual(
      loans.map(({ state }) => state),
      ['held', 'held', 'waiting', 'waiting', 'waiting'],
    )
    const get = world.send('GET', 'k')
    await world.run(5)
    assert.deepEqual([get.state, parked.state], ['answered', 'pending'])
    world.assertBooks()
  })

  it('get all connections of a classic pool and the only one of a pool of one', async () => {
    for (const [options, count] of [
      [{ maxConnections: 3, pipelining: 1 }, 3],
      [{ maxConnections: 1 }, 1],
    ] as const) {
      const world = new World(options)
      assert.equal(world.stats.lendable, count)
      const loans = Array.from({ length: count }, () => world.lease())
      await world.run(20)
      assert.ok(loans.every(({ state }) => state === 'held'))
      const get = world.send('GET', 'k')
      await world.run(20)
      assert.equal(get.state, 'pending')
      loans[0]?.release()
      await world.run(20)
      assert.equal(get.state, 'answered')
      world.assertBooks()
    }
  })

  it('get the lane that drains, under constant load on all lanes', async () => {
    for (const maxConnections of [1, 2, 3]) {
      const world = new World({ maxConnections, lanes: Math.min(3, maxConnections) })
      let sent = 0
      const load = async (ms: number): Promise<void> => {
        for (let left = ms; left > 0; left--) {
          for (let index = 0; index < 20; index++) world.send('INCR', `k${index}`)
          sent += 20
          await world.run(1)
        }
      }
      await load(50)
      const loan = world.lease()
      await load(20)
      assert.equal(loan.state, 'held', `with ${maxConnections} connections`)
      loan.release()
      await load(20)
      const again = world.lease()
      await load(20)
      assert.equal(again.state, 'held')
      again.release()
      await world.run(20)
      assert.equal(world.calls.filter(({ state }) => state === 'answered').length, sent)
      world.assertBooks()
    }
  })

  it('take a lane that nobody uses at once, even with an acquireTimeout of 0', async () => {
    const world = new World({ maxConnections: 1, acquireTimeout: 0 })
    await world.warm()
    const loan = world.lease()
    await world.settle()
    assert.equal(loan.state, 'held')
    loan.release()
    const call = world.send('GET', 'k')
    await world.run(5)
    assert.equal(call.state, 'answered')
  })

  it('have the connection to themselves', async () => {
    const world = new World({ maxConnections: 2 })
    await world.warm()
    const loan = await world.leased()
    for (let index = 0; index < 50; index++) world.send('SET', `k${index}`, 'shared')
    world.sendOn(loan, 'SET', 'mine', 'x')
    await world.run(10)
    const own = world.server.applied.filter(({ connection }) => connection === loan.connection)
    assert.ok(own.every(({ args }) => !args[1]?.startsWith('k')))
    assert.ok(own.some(({ args }) => args[1] === 'mine'))
  })

  it('refuse everything after release, and a second release does nothing', async () => {
    const world = new World()
    const loan = await world.leased()
    const { held } = loan
    loan.release()
    held.release()
    assert.equal(held.released, true)
    assert.equal(held.connectionId, 0)
    loan.state = 'held'
    const call = world.sendOn(loan, 'GET', 'k')
    assert.ok(call.error instanceof LeaseReleasedError)
    assert.equal(call.outcome, 'not-sent')
    const other = await world.leased()
    held.release()
    assert.equal(other.held.released, false)
    assert.equal(world.stats.connections.leased, 1)
  })

  it('fail their commands as not sent when their connection is gone, and free the place', async () => {
    const world = new World({ maxConnections: 1 })
    const loan = await world.leased()
    const waiting = world.lease()
    world.server.open[0]!.cut()
    await world.run(10)
    const call = world.sendOn(loan, 'GET', 'k')
    assert.deepEqual([call.state, call.outcome], ['failed', 'not-sent'])
    assert.equal(waiting.state, 'held')
    loan.release()
    world.assertBooks()
  })

  it('keep the deadline of a command behind a blocking one', async () => {
    const world = new World()
    const loan = await world.leased()
    world.sendOn(loan, 'BLPOP', 'q', '10')
    const call = world.sendOnWith({ timeout: 20 }, loan, 'PING')
    await world.run(100)
    assert.deepEqual([call.state, call.outcome], ['failed', 'ambiguous'])
    assert.ok(call.took <= 30, `it took ${call.took} ms`)
  })

  it('come back only when what their holder sent is answered', async () => {
    const world = new World({ maxConnections: 1 })
    const loan = await world.leased()
    world.server.open[0]!.hold()
    const call = world.sendOn(loan, 'GET', 'k')
    loan.release()
    const next = world.lease()
    await world.run(50)
    assert.equal(next.state, 'waiting')
    world.server.open[0]!.resume()
    await world.run(5)
    assert.deepEqual([call.state, next.state], ['answered', 'held'])
  })
})

/** What a lease does, and what the next holder finds. */
async function afterwards(...commands: string[][]) {
  const world = new World({ maxConnections: 1, database: 3 })
  const loan = await world.leased()
  for (const args of commands) world.sendOn(loan, ...args)
  await world.run(5)
  const from = world.server.applied.length
  loan.release()
  await world.run(5)
  const cleanup = world.server.applied.slice(from).map(({ args }) => args.join(' '))
  const next = await world.leased()
  const connection = world.server.connections[next.connection - 1]!
  const { session, database } = connection
  world.sendOn(next, 'SET', 'k', 'v')
  await world.run(5)
  world.assertBooks()
  return { cleanup, kept: next.connection === loan.connection, session, database }
}

const CLEAN = { session: { watched: 0, multi: false }, database: 3 }

describe('a released connection', () => {
  it('costs no round trip when its session is clean', async () => {
    for (const commands of [
      [['SET', 'a', 'b']],
      [['WATCH', 'a'], ['UNWATCH']],
      [['WATCH', 'a'], ['MULTI'], ['SET', 'a', 'b'], ['EXEC']],
      [['MULTI'], ['SET', 'a', 'b'], ['DISCARD']],
      [['BLPOP', 'q', '0.001']],
    ]) {
      assert.deepEqual(await afterwards(...commands), { cleanup: [], kept: true, ...CLEAN })
    }
  })

  it('is cleaned by the cheapest commands after WATCH, SELECT or an open MULTI', async () => {
    assert.deepEqual(await afterwards(['WATCH', 'a']), { cleanup: ['UNWATCH'], kept: true, ...CLEAN })
    assert.deepEqual(await afterwards(['SELECT', '5']), { cleanup: ['SELECT 3'], kept: true, ...CLEAN })
    assert.deepEqual(await afterwards(['WATCH', 'a'], ['SELECT', '5']), {
      cleanup: ['UNWATCH', 'SELECT 3'],
      kept: true,
      ...CLEAN,
    })
    const open = await afterwards(['WATCH', 'a'], ['MULTI'], ['SET', 'a', 'b'])
    assert.deepEqual([open.kept, open.session], [true, CLEAN.session])
  })

  it('ends when its session is changed in any other way', async () => {
    for (const args of [['SUBSCRIBE', 'news'], ['CLIENT', 'TRACKING', 'ON'], ['AUTH', 'x'], ['MONITOR'], ['RESET']]) {
      const { kept } = await afterwards(args)
      assert.equal(kept, false, `${args[0]} leaves a trace`)
    }
  })

  it('ends when the cleanup is refused', async () => {
    const world = new World({ maxConnections: 1 })
    const loan = await world.leased()
    world.sendOn(loan, 'WATCH', 'a')
    await world.run(5)
    world.server.open[0]!.hold()
    loan.release()
    await world.settle()
    world.server.open[0]!.inject('-ERR no\r\n')
    await world.settle()
    assert.equal(world.stats.counters.closed.dirty, 1)
  })

  it('is noticed dirty when nobody cleans it', async () => {
    const { cleanup } = Session.prototype
    Session.prototype.cleanup = () => []
    try {
      const watched = await afterwards(['WATCH', 'a'])
      const selected = await afterwards(['SELECT', '5'])
      assert.notDeepEqual({ ...watched, cleanup: [] }, { cleanup: [], kept: true, ...CLEAN })
      assert.equal(selected.database, 5)
    } finally {
      Session.prototype.cleanup = cleanup
    }
  })
})

describe('a classic pool (pipelining 1)', () => {
  it('lends every command a whole connection, and serves commands and leases in order of arrival', async () => {
    const world = new World({ pipelining: 1, maxConnections: 2 })
    const [first, second] = [await world.leased(), await world.leased()]
    const order: string[] = []
    const note = async (name: string, done: Promise<void>): Promise<void> => {
      await done
      order.push(name)
    }
    const waiting: Loan[] = []
    for (let index = 0; index < 3; index++) {
      void note(`command ${index}`, world.send('INCR', 'k').done)
      waiting.push(world.lease())
    }
    first.release()
    await world.run(10)
    assert.deepEqual(order, ['command 0'])
    assert.equal(waiting[0]?.state, 'held')
    waiting[0]?.release()
    await world.run(10)
    assert.deepEqual(order, ['command 0', 'command 1'])
    second.release()
    await world.run(10)
    assert.deepEqual(order, ['command 0', 'command 1', 'command 2'])
    world.assertBooks()
  })

  it('never has two commands in flight on one connection', async () => {
    const world = new World({ pipelining: 1, maxConnections: 3 })
    for (let index = 0; index < 60; index++) world.send('INCR', `k${index}`)
    let most = 0
    for (let step = 0; step < 100; step++) {
      await world.run(1)
      most = Math.max(most, world.stats.inFlight)
      assert.ok(world.stats.inFlight <= 3 + world.stats.connections.connecting)
    }
    assert.ok(most > 1)
    assert.ok(world.calls.every(({ state }) => state === 'answered'))
    assert.equal(world.stats.counters.acquired, 60)
    world.assertBooks()
  })
})

describe('a blocking command', () => {
  it('gets a connection to itself and gives it back', async () => {
    const world = new World({ maxConnections: 2 })
    const pop = world.send('BLPOP', 'q', '0')
    await world.run(20)
    assert.equal(world.stats.holders[0]?.kind, 'blocking')
    world.send('RPUSH', 'q', 'element')
    await world.run(20)
    assert.deepEqual(pop.value, ['q', 'element'])
    assert.equal(world.stats.connections.leased, 0)
    world.assertBooks()
  })

  it('does not wait for ever on a connection whose other end is gone', async () => {
    const world = new World({ maxConnections: 2, socketTimeout: 300 })
    const loan = await world.leased()
    loan.release()
    await world.run(1_000)
    for (const connection of world.server.open) connection.hold()
    const pop = world.send('BLPOP', 'q', '0')
    await world.run(320)
    assert.equal(pop.outcome, 'ambiguous')
    assert.deepEqual(world.stats.counters.closed, { stalled: 1 })
  })

  it('that is aborted is unblocked, and its connection serves on', async () => {
    const world = new World({ maxConnections: 2 })
    await world.warm()
    const controller = new AbortController()
    const pop = world.sendWith({ signal: controller.signal }, 'BLPOP', 'q', '0')
    await world.run(20)
    controller.abort(new Error('enough'))
    await world.run(20)
    assert.equal(String(pop.error), 'Error: enough')
    assert.equal(world.stats.connections.leased, 0)
    assert.deepEqual(world.stats.counters.closed, {})
    assert.deepEqual(getEventListeners(controller.signal, 'abort'), [])
    world.send('RPUSH', 'q', 'later')
    const next = world.send('BLPOP', 'q', '1')
    await world.run(20)
    assert.deepEqual(next.value, ['q', 'later'])
  })

  it('that is aborted delivers an element which was already popped', async () => {
    const world = new World({ maxConnections: 2 })
    await world.warm()
    const controller = new AbortController()
    const pop = world.sendWith({ signal: controller.signal }, 'BLPOP', 'q', '0')
    await world.run(20)
    const blocked = world.server.open.find(({ id }) => id !== world.server.applied.at(-1)?.connection)
    world.send('RPUSH', 'q', 'element')
    for (const connection of world.server.open) connection.latency = 3
    await world.settle()
    controller.abort()
    await world.run(50)
    assert.ok(blocked !== undefined)
    assert.deepEqual(pop.value, ['q', 'element'])
  })

  it('that is aborted before the server has read it is unblocked all the same', async () => {
    const world = new World({ maxConnections: 3 })
    await world.warm()
    const loan = await world.leased()
    loan.release()
    for (const connection of world.server.open) connection.latency = 20
    const controller = new AbortController()
    const pop = world.sendWith({ signal: controller.signal }, 'BLPOP', 'q', '0')
    await world.run(1)
    for (const connection of world.server.open) if (connection.id === 1) connection.latency = 1
    controller.abort(new Error('enough'))
    await world.run(100)
    assert.equal(String(pop.error), 'Error: enough')
    assert.equal(world.stats.connections.leased, 0)
  })

  it('that is let go in front of an open transaction costs its connection, for nothing could be proven there', async () => {
    const world = new World({ maxConnections: 3 })
    await world.warm()
    const loan = await world.leased()
    const controller = new AbortController()
    const pop = world.sendOnWith({ signal: controller.signal }, loan, 'BLPOP', 'q', '0')
    await world.run(20)
    const behind = [world.sendOn(loan, 'MULTI'), world.sendOn(loan, 'INCR', 'k')]
    controller.abort(new Error('enough'))
    await world.run(20)
    assert.deepEqual([pop.outcome, ...behind.map(({ outcome }) => outcome)], ['ambiguous', 'ambiguous', 'ambiguous'])
    assert.deepEqual(world.stats.counters.closed, { aborted: 1 })
  })

  it('inside of a transaction is the only thing that is sent there', async () => {
    const world = new World({ maxConnections: 2 })
    const loan = await world.leased()
    world.sendOn(loan, 'MULTI')
    // Silence after which a connection has to prove that it is alive before a command blocks on it.
    await world.run(600)
    const pop = world.sendOn(loan, 'BLPOP', 'q', '0')
    const end = world.sendOn(loan, 'EXEC')
    await world.run(20)
    assert.equal(pop.value, 'QUEUED')
    assert.deepEqual([end.state, Array.isArray(end.value) && end.value.length], ['answered', 1])
  })

  it('that the server does not let go of costs its connection after a second', async () => {
    const world = new World({ maxConnections: 3 })
    await world.warm()
    const controller = new AbortController()
    const pop = world.sendWith({ signal: controller.signal }, 'BLPOP', 'q', '0')
    await world.run(20)
    const held = world.server.open.at(-1)!
    held.hold('replies')
    controller.abort(new Error('enough'))
    await world.run(1_300)
    assert.equal(pop.state, 'failed')
    assert.equal(world.stats.counters.closed.aborted, 1)
    world.assertBooks()
  })

  it('ends by its own timeout plus commandTimeout when the server forgets it', async () => {
    const world = new World({ maxConnections: 3 })
    await world.warm()
    const forgotten = world.sendWith({ timeout: 50 }, 'BLPOP', 'q', '0.2')
    world.server.later(6, () => world.server.open.at(-1)?.hold('replies'))
    await world.run(245)
    assert.equal(forgotten.state, 'pending')
    await world.run(1_100)
    assert.equal(forgotten.state, 'failed')
    const answered = world.sendWith({ timeout: 50 }, 'BLPOP', 'q', '0.2')
    await world.run(600)
    assert.deepEqual([answered.state, answered.value], ['answered', null], String(answered.error))
  })
})

describe('a command on a lane', () => {
  it('leaves a tombstone when it is aborted or too late: the next caller gets its own reply', async () => {
    const world = new World({ lanes: 1, maxConnections: 1 })
    await world.warm()
    world.server.open[0]!.hold()
    const controller = new AbortController()
    const aborted = world.sendWith({ signal: controller.signal }, 'ECHO', 'aborted')
    const timedOut = world.sendWith({ timeout: 20 }, 'ECHO', 'timed out')
    await world.run(2)
    controller.abort(new Error('enough'))
    await world.run(30)
    const next = world.send('ECHO', 'next')
    await world.run(5)
    world.server.open[0]!.resume()
    await world.run(10)
    assert.equal(String(aborted.error), 'Error: enough')
    assert.ok(timedOut.error instanceof CommandTimeoutError)
    assert.equal(timedOut.outcome, 'ambiguous')
    assert.equal(next.value, 'next')
    assert.deepEqual(
      [aborted, timedOut, next].map(({ settlements }) => settlements),
      [1, 1, 1],
    )
  })
})
