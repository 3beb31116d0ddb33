// How connections are made: never more than allowed, never a storm, and a half-made one is never wasted.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConnectTimeoutError, MaxClientsError } from '../../src/base/errors.js'
import { ConnectionPoolTimeoutError } from '../../src/pool/exhaustion.js'
import { World } from '../support/pool-harness.js'

describe('the number of connections', () => {
  it('never exceeds maxConnections, those being dialed included', async () => {
    const world = new World({ maxConnections: 3, maxConnecting: 100 })
    world.server.dialDelay = 30
    for (let index = 0; index < 20; index++) {
      world.lease()
      world.send('GET', `k${index}`)
    }
    await world.run(100)
    assert.equal(world.stats.connections.total, 3)
    assert.equal(world.server.dials.length, 3)
    world.assertBooks()
  })

  it('is dialed at most maxConnecting at a time', async () => {
    const world = new World({ maxConnections: 10, maxConnecting: 2 })
    world.server.dialDelay = 30
    for (let index = 0; index < 9; index++) world.lease()
    await world.run(20)
    assert.equal(world.stats.connections.connecting, 2)
    await world.run(200)
    assert.equal(world.stats.connections.leased, 9)
  })

  it('counts a connection until the server has let go of it too', async () => {
    const world = new World({ maxConnections: 1 })
    const loan = await world.leased()
    world.sendOn(loan, 'CLIENT', 'TRACKING', 'ON')
    await world.run(5)
    world.server.connections[0]!.latency = 20
    loan.release()
    const next = world.lease()
    await world.run(10)
    assert.deepEqual([next.state, world.server.dials.length], ['waiting', 1])
    await world.run(30)
    assert.deepEqual([next.state, world.server.dials.length], ['held', 2])
    world.assertBooks()
  })
})

describe('a server that is back', () => {
  it('is dialed for all who wait as soon as it has answered one of them', async () => {
    const world = new World({ maxConnections: 6, maxConnecting: 4, backoffMax: 10 })
    world.server.welcome = 'refuse'
    const loans = Array.from({ length: 5 }, () => world.lease())
    await world.run(100)
    world.server.welcome = 'accept'
    world.server.dialDelay = 50
    while (loans[0]!.state === 'waiting') await world.run(1)
    assert.equal(world.stats.connections.connecting, 1, 'one prober at a time')
    const call = world.sendOn(loans[0]!, 'PING')
    while (call.state === 'pending') await world.run(1)
    assert.equal(world.stats.connections.connecting, 4)
    await world.run(60)
    assert.deepEqual(new Set(loans.map(({ state }) => state)), new Set(['held']))
    world.assertBooks()
  })
})

describe('a server that ends all connections at once', () => {
  it('is dialed for them without a pause, though one had served nobody and ended after the dials began', async () => {
    const world = new World({ minConnections: 2, backoffMin: 60_000, backoffMax: 60_000 })
    void world.pool.connect()
    await world.run(20)
    await world.warm()
    world.server.dialDelay = 5
    const [lane, spare] = world.server.open.sort((a, b) => b.written - a.written)
    lane?.cut('fin')
    await world.run(1)
    spare?.cut('fin')
    const call = world.send('GET', 'k')
    await world.run(30)
    assert.equal(call.state, 'answered')
    assert.equal(world.stats.connections.total, 2)
    assert.equal(world.stats.lastConnectError, undefined)
    world.assertBooks()
  })
})

describe('a dial', () => {
  it('replaces a connection that refused while it still owes replies', async () => {
    const world = new World({ maxConnections: 1, pipelining: 2, retry: 'none' })
    await world.warm()
    const [connection] = world.server.open
    connection!.hold()
    for (let index = 0; index < 4; index++) world.send('SET', `k${index}`, 'v')
    world.pool.resize({ maxConnections: 2, minConnections: 0 })
    world.server.mood = 'readonly'
    await world.run(2)
    connection!.step()
    await world.settle()
    assert.deepEqual([world.stats.waiting.commands, world.stats.connections.draining], [2, 1])
    assert.equal(world.server.dials.length, 2)
    world.assertBooks()
  })

  it('replaces a connection that refused while the server has not let go of that one', async () => {
    const world = new World({ maxConnections: 2 })
    await world.warm()
    world.server.mood = 'readonly'
    const call = world.send('SET', 'k', 'v')
    world.server.open[0]!.latency = 100
    await world.run(1)
    assert.deepEqual([world.stats.connections.closing, world.server.dials.length], [1, 2])
    world.server.mood = 'ready'
    await world.run(10)
    assert.equal(call.state, 'answered')
    assert.equal(world.stats.connections.closing, 1)
    world.assertBooks()
  })

  it('survives the caller who gave up, and serves the next', async () => {
    const world = new World()
    world.server.dialDelay = 50
    const controller = new AbortController()
    const gone = world.lease({ signal: controller.signal })
    await world.run(20)
    controller.abort()
    await world.run(20)
    const next = world.lease()
    await world.run(30)
    assert.deepEqual([gone.state, next.state], ['failed', 'held'])
    assert.equal(world.server.dials.length, 1)
  })

  it('that answers nothing ends after connectTimeout and says so', async () => {
    for (const welcome of ['blackhole', 'silent'] as const) {
      const world = new World({ connectTimeout: 300, acquireTimeout: 1_000 })
      world.server.welcome = welcome
      const call = world.send('GET', 'k')
      await world.run(301)
      assert.ok(world.connectErrors[0] instanceof ConnectTimeoutError)
      await world.run(1_000)
      assert.ok(call.error instanceof ConnectionPoolTimeoutError && call.error.cause instanceof ConnectTimeoutError)
      world.assertBooks()
    }
  })

  it('that meets a full server fails with an error of its own', async () => {
    const world = new World({ acquireTimeout: 100 })
    world.server.helloError = 'ERR max number of clients reached'
    const call = world.send('GET', 'k')
    await world.run(200)
    assert.ok(call.error instanceof ConnectionPoolTimeoutError)
    assert.ok(call.error.cause instanceof MaxClientsError)
  })
})

describe('while dials fail', () => {
  it('there is one prober at a time and a few attempts a second, and then the pool recovers by itself', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = new World({ seed, acquireTimeout: 600_000, maxConnections: 10 })
      world.server.welcome = 'refuse'
      const calls = Array.from({ length: 50 }, (_, index) => world.send('SET', `k${index}`, 'v'))
      for (let index = 0; index < 5; index++) world.lease()
      await world.run(3_000)
      const before = world.server.dials.length
      for (let second = 0; second < 60; second++) {
        await world.run(1_000)
        assert.ok(world.stats.connections.connecting <= 1, 'one prober')
      }
      const perSecond = (world.server.dials.length - before) / 60
      assert.ok(perSecond <= 4 && perSecond >= 0.5, `${perSecond} attempts a second`)
      world.server.welcome = 'accept'
      await world.run(3_000)
      assert.ok(calls.every(({ state }) => state === 'answered'))
      assert.equal(world.stats.lastConnectError, undefined)
      world.assertBooks()
    }
  })

  it('a server that accepts and hangs up meets no storm either', async () => {
    const world = new World({ minConnections: 2, maxConnections: 4 })
    let hangsUp = true
    world.on.opened = () => {
      const newest = world.server.connections.at(-1)
      if (hangsUp) world.server.later(1, () => newest?.cut('fin'))
    }
    world.pool.connect().catch(() => {})
    await world.run(3_000)
    const before = world.server.dials.length
    await world.run(20_000)
    const perSecond = (world.server.dials.length - before) / 20
    assert.ok(perSecond <= 6, `${perSecond} dials a second`)
    hangsUp = false
    const call = world.send('GET', 'k')
    await world.run(3_000)
    assert.equal(call.state, 'answered')
    assert.ok(world.stats.connections.total >= 2)
    world.assertBooks()
  })

  it('who waits in vain learns the last connect error as the cause', async () => {
    const world = new World({ acquireTimeout: 200 })
    world.server.welcome = 'refuse'
    const call = world.send('GET', 'k')
    const loan = world.lease()
    await world.run(250)
    for (const error of [call.error, loan.error]) {
      assert.ok(error instanceof ConnectionPoolTimeoutError)
      assert.match(String(error.cause), /ECONNREFUSED/)
      assert.equal(error.verdict.cause, 'failing-dials')
      assert.match(error.message, /ECONNREFUSED/)
    }
  })

  it('a connection that works still serves', async () => {
    const world = new World({ maxConnections: 4, acquireTimeout: 100 })
    await world.warm()
    world.server.welcome = 'refuse'
    const loans = [world.lease(), world.lease()]
    for (let index = 0; index < 10; index++) {
      const call = world.send('GET', 'k')
      await world.run(5)
      assert.equal(call.state, 'answered')
    }
    await world.run(100)
    assert.deepEqual(
      loans.map(({ state }) => state),
      ['failed', 'failed'],
    )
  })

  it('a hopeless error fails everybody at once, and the next caller gets a fresh attempt', async () => {
    for (const text of ['WRONGPASS invalid username-password pair', 'NOAUTH Authentication required.', 'NOPERM no']) {
      const world = new World()
      world.server.helloError = text
      const failed = [world.send('GET', 'k'), world.lease(), world.send('BLPOP', 'q', '0')]
      await world.run(10)
      for (const each of failed) {
        assert.equal(each.state, 'failed')
        assert.ok(each.took < 10)
        assert.match(String(each.error), /did not accept the connection/)
      }
      world.server.helloError = undefined
      const call = world.send('GET', 'k')
      await world.run(1_100)
      assert.equal(call.state, 'answered')
    }
  })

  it('a hopeless error is met again after backoffMax and no sooner, however many callers ask', async () => {
    const world = new World({ backoffMin: 10, backoffMax: 1_000 })
    world.server.helloError = 'WRONGPASS invalid username-password pair'
    for (let step = 0; step < 1_000; step++) {
      world.send('GET', 'k')
      await world.run(10)
    }
    assert.equal(world.server.dials.length, 10)
    assert.ok(world.calls.every(({ took }) => !(took > 1_010)))
  })
})

describe('connect()', () => {
  it('opens one connection, or minConnections, and then resolves', async () => {
    for (const minConnections of [0, 1, 4]) {
      const world = new World({ minConnections })
      let done = false
      void world.pool.connect().then(() => {
        done = true
      })
      await world.run(20)
      assert.ok(done)
      assert.equal(world.stats.connections.total, Math.max(1, minConnections))
    }
  })

  it('rejects with the first failed dial', async () => {
    const world = new World()
    world.server.welcome = 'refuse'
    const failure = assert.rejects(world.pool.connect(), /ECONNREFUSED/)
    await world.run(20)
    await failure
  })
})

describe('a backoff strategy', () => {
  it('says how long to wait after each failed dial, with the failures in a row', async () => {
    const asked: number[] = []
    const backoff = (failures: number): number => {
      asked.push(failures)
      return 50
    }
    const world = new World({ backoff, acquireTimeout: 60_000 })
    world.server.welcome = 'refuse'
    const call = world.send('GET', 'k')
    await world.run(220)
    assert.deepEqual(asked, [1, 2, 3, 4, 5])
    assert.equal(world.server.dials.length, 5)
    world.server.welcome = 'accept'
    await world.run(60)
    assert.equal(call.state, 'answered')
    world.assertBooks()
  })

  it('turns away who waits when it says false, and the next caller is served', async () => {
    const world = new World({ backoff: () => false, backoffMax: 100 })
    world.server.welcome = 'refuse'
    const call = world.send('GET', 'k')
    const loan = world.lease()
    await world.run(10)
    assert.deepEqual([call.state, loan.state], ['failed', 'failed'])
    world.server.welcome = 'accept'
    const next = world.send('GET', 'k')
    await world.run(120)
    assert.equal(next.state, 'answered')
    world.assertBooks()
  })

  it('leaves the pause to the pool when it says nothing', async () => {
    const world = new World({ backoff: () => undefined, backoffMin: 10, backoffMax: 10 })
    world.server.welcome = 'refuse'
    world.send('GET', 'k')
    await world.run(200)
    assert.ok(world.server.dials.length > 10)
    world.assertBooks()
  })
})

describe('a dial that was retired while it was made', () => {
  it('turns nobody away when it fails, for it may have had the credentials of before', async () => {
    const world = new World({ maxConnecting: 1, backoff: () => false })
    world.server.dialDelay = 20
    world.server.welcome = 'refuse'
    const call = world.send('GET', 'k')
    await world.run(5)
    world.pool.retire()
    await world.run(16)
    world.server.welcome = 'accept'
    await world.run(60)
    assert.equal(call.state, 'answered')
    world.assertBooks()
  })
})
