// The snapshot: plain, consistent with itself and with what the server saw, through everything that may happen.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { World } from '../support/pool-harness.js'
import { seeded } from '../support/random.js'

describe('stats()', () => {
  it('is plain JSON', async () => {
    const world = new World({ name: 'main' })
    await world.warm()
    await world.leased({ label: 'x' })
    const { stats } = world
    assert.deepEqual(JSON.parse(JSON.stringify({ ...stats, lastConnectError: null })), {
      ...stats,
      lastConnectError: null,
    })
    assert.equal(stats.name, 'main')
    assert.equal(stats.address, 'model:1')
  })

  it('tells who waits and for how long', async () => {
    const world = new World({ maxConnections: 1 })
    await world.leased()
    world.lease()
    await world.run(70)
    world.send('GET', 'k')
    const { waiting } = world.stats
    assert.deepEqual(waiting, { total: 2, leases: 1, commands: 1, longest: 70 })
  })

  it('measures waits, use, replies and connecting in milliseconds', async () => {
    const world = new World({ maxConnections: 1 })
    world.server.dialDelay = 40
    world.server.latency = 8
    const loan = world.lease()
    await world.run(100)
    world.sendOn(loan, 'GET', 'k')
    await world.run(30)
    loan.release()
    const { durations } = world.stats
    assert.equal(durations.connect.count, 1)
    const near = (found: number, wanted: number) => assert.ok(Math.abs(found - wanted) <= 1, `${found}, not ${wanted}`)
    near(durations.connect.max, 56)
    near(durations.wait.max, 56)
    near(durations.use.max, 74)
    near(durations.reply.p50, 8)
  })

  it('tells what each command does: calls, how long their replies took, how they failed', async () => {
    const world = new World({ maxConnections: 1 })
    world.server.latency = 8
    world.send('PING')
    await world.run(100)
    world.send('SET', 'k', 'v')
    world.send('GET', 'k')
    world.send('get', 'k')
    world.send('RPUSH', 'k', 'x')
    await world.run(20)
    world.server.open[0]?.hold()
    world.sendWith({ timeout: 30 }, 'GET', 'k')
    await world.run(100)
    const { commands, counters } = world.stats
    const { GET: get, SET: set, RPUSH: push } = commands
    assert.deepEqual([get?.calls, get?.replies.count, set?.replies.count], [3, 2, 1])
    const near = (found: number | undefined, wanted: number) =>
      assert.ok(Math.abs((found ?? 0) - wanted) <= 6, `${found}, not ${wanted}`)
    near(get?.replies.max, 8)
    near(get?.failures.ERR_COMMAND_TIMEOUT?.max, 30)
    assert.deepEqual(Object.keys(push?.failures ?? {}), ['WRONGTYPE'])
    near(push?.failures.WRONGTYPE?.max, 8)
    // With the PING that has opened the lane.
    assert.deepEqual([counters.calls, counters.succeeded, counters.failed], [6, 4, 2])
  })

  it('adds up how long connections were in each place, and remembers the most there were', async () => {
    const world = new World({ maxConnections: 3 })
    const first = await world.leased()
    const second = await world.leased()
    const third = world.lease()
    const before = world.stats
    await world.run(100)
    first.release()
    await world.run(50)
    second.release()
    third.release()
    await world.run(10)
    const { age, connectionTime, peaks } = world.stats
    assert.equal(age - before.age, 160)
    assert.equal(connectionTime.leased - before.connectionTime.leased, 100 * 2 + 50 * 2)
    assert.deepEqual([peaks.leased, peaks.demand, peaks.waiting], [2, 3, 1])
  })

  it('remembers the most that a classic pool was asked for', async () => {
    const world = new World({ maxConnections: 2, pipelining: 1 })
    for (let count = 0; count < 9; count++) world.send('GET', `k${count}`)
    await world.run(50)
    const { peaks } = world.stats
    assert.deepEqual([peaks.leased, peaks.demand, peaks.waiting], [2, 9, 9])
  })

  it('counts no traffic twice while a connection closes', async () => {
    const world = new World({ maxConnections: 1 })
    await world.warm()
    for (let count = 0; count < 50; count++) world.send('GET', 'k')
    await world.run(20)
    const { sent, bytesRead } = world.stats.counters
    world.pool.retire()
    const { connections, counters } = world.stats
    assert.equal(connections.closing, 1)
    assert.deepEqual([counters.sent, counters.bytesRead], [sent, bytesRead])
  })

  it('counts waits that end by the timeout of a command among the waits', async () => {
    const world = new World({ maxConnections: 1, pipelining: 1 })
    await world.leased()
    world.sendWith({ timeout: 40 }, 'GET', 'k')
    await world.run(100)
    const { counters, durations } = world.stats
    assert.equal(counters.expired, 1)
    assert.ok(durations.wait.max >= 40)
  })

  it('shows no word of a raw command that is no name', async () => {
    const world = new World({ maxConnections: 1, pipelining: 1 })
    world.server.latency = 50
    world.send('PING')
    await world.run(300)
    world.send('SET user:1 s3cret')
    await world.run(10)
    assert.equal(world.stats.holders[0]?.label, 'other')
    assert.ok(!JSON.stringify(world.stats).includes('s3cret'))
  })

  it('tells how late the event loop ran, and soon after no more', async () => {
    const world = new World()
    await world.warm()
    world.server.open[0]?.hold()
    world.send('GET', 'k')
    await world.run(10)
    await world.clock.stall(900)
    await world.run(2)
    assert.ok(world.stats.loopDelay > 800, `${world.stats.loopDelay}`)
    world.server.open[0]?.resume()
    await world.run(3_000)
    assert.equal(world.stats.loopDelay, 0)
  })

  it('has buckets for whoever asks', async () => {
    const world = new World()
    world.server.latency = 8
    world.send('PING')
    await world.run(100)
    world.send('GET', 'k')
    await world.run(20)
    const { durations, commands } = world.pool.stats({ bounds: [1, 100] })
    assert.deepEqual(
      commands.GET?.replies.buckets?.map(({ count }) => count),
      [0, 1, 1],
    )
    assert.equal(durations.reply.buckets?.length, 3)
    assert.equal(world.stats.durations.reply.buckets, undefined)
  })

  it('balances whatever happens: opened, closed, acquired, released, sent, answered', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = seeded(seed)
      const pick = (count: number): number => Math.floor(random() * count)
      const world = new World({
        seed,
        maxConnections: 1 + pick(6),
        socketTimeout: 150,
        connectTimeout: 60,
        acquireTimeout: 120,
      })
      const acts = [
        () => world.send('INCR', `k${pick(9)}`),
        () => world.send('INCR', `k${pick(9)}`),
        () => world.sendWith({ timeout: 10 }, 'GET', `k${pick(9)}`),
        () => world.send('BLPOP', 'q', '0.05'),
        () => world.send('RPUSH', 'q', 'x'),
        () => world.lease(),
        () => world.loans.find(({ state }) => state === 'held')?.release(),
        () => world.server.open[pick(6)]?.cut(pick(2) === 0 ? 'rst' : 'fin'),
        () => world.server.open[pick(6)]?.hold(),
        () => world.server.open[pick(6)]?.resume(),
        () => {
          world.server.welcome = (['accept', 'accept', 'refuse', 'silent'] as const)[pick(4)] ?? 'accept'
        },
        () => world.pool.retire(),
      ]
      for (let step = 0; step < 300; step++) {
        acts[pick(acts.length)]?.()
        if (pick(2) === 0) await world.run(pick(12))
        else await world.settle()
        world.assertBooks()
      }
      world.pool.destroy('destroyed')
      await world.assertNothingLeft()
      world.assertBooks()
      const { sent, replies, errorReplies, calls, succeeded, failed } = world.stats.counters
      assert.equal(calls, succeeded + failed, 'every call has ended')
      const lost = world.calls.filter(({ outcome }) => outcome === 'ambiguous').length
      assert.ok(sent >= replies && replies >= errorReplies)
      // Handshakes, pings and tombstones are sent as well, so this is a bound and no equation.
      assert.ok(sent - replies <= lost + world.server.connections.length * 4 + 40, `${sent} sent, ${replies} answered`)
    }
  })
})
