// A pool that sizes itself, in virtual time: quickly up, slowly down, steady under noise, within its bounds.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { OptionError } from '../../src/base/errors.js'
import { readPoolOptions } from '../../src/pool/options.js'
import { World, type WorldOptions } from '../support/pool-harness.js'
import { type Random, seeded } from '../support/random.js'

const exponential = (random: Random, mean: number): number => -Math.log(1 - random()) * mean

/** Leases come at random for so long, on average a pause apart, each held for that long on average. */
async function load(world: World, { for: ms, pause, hold, seed = 5 }: Load): Promise<void> {
  const random = seeded(seed)
  const end = world.clock.now() + ms
  while (world.clock.now() < end) {
    const held = exponential(random, hold)
    world.pool.acquire().then(
      (lease) => world.clock.setTimeout(() => lease.release(), held),
      () => {},
    )
    await world.run(exponential(random, pause))
  }
}

interface Load {
  readonly for: number
  readonly pause: number
  readonly hold: number
  readonly seed?: number
}

/** Six connections in use on average. */
const STEADY = { pause: 50, hold: 300 } as const

const sizing = (autosize: WorldOptions['autosize'], options: WorldOptions = {}): World =>
  new World({ maxConnections: 30, autosize, acquireTimeout: 60_000, ...options })

describe('a pool that sizes itself', () => {
  it('lets in at once who has waited for too long, as many as want in', async () => {
    const world = sizing({ min: 2, max: 30 }, { maxConnections: 4 })
    await world.warm()
    const loans = Array.from({ length: 12 }, () => world.lease())
    await world.run(300)
    assert.ok(loans.every(({ state }) => state === 'held'))
    assert.deepEqual(
      world.resizes.map(({ from, to }) => [from, to]),
      [[4, 13]],
    )
    assert.match(world.resizes[0]?.because ?? '', /^9 callers wait for a connection, up to 1\d\d ms by now$/)
    world.assertBooks()
  })

  it('grows when a calculation says so, before anybody waits for that long', async () => {
    const world = sizing({ max: 30 }, { maxConnections: 9 })
    await load(world, { for: 20_000, ...STEADY })
    assert.ok(world.pool.limits.maxConnections > 9)
    assert.match(world.resizes.at(-1)?.because ?? '', /^\d+ are needed for 99 % of the borrowers to wait at most 5 ms$/)
  })

  it('shrinks after a minute in which all calculations were lower, and not before', async () => {
    const world = sizing(true)
    await load(world, { for: 55_000, ...STEADY })
    assert.equal(world.resizes.length, 0)
    await load(world, { for: 30_000, ...STEADY, seed: 6 })
    const { from = 0, to = 0, because = '' } = world.resizes[0] ?? {}
    assert.ok(from === 30 && to < 20 && to > 8, JSON.stringify(world.resizes))
    assert.match(because, /^for a minute no more than \d+ were needed for 99 %/)
  })

  it('does not change all the time under a load that goes up and down a little', async () => {
    const world = sizing(true)
    await load(world, { for: 600_000, ...STEADY })
    const after = world.resizes.slice(1)
    assert.ok(after.length <= 4, JSON.stringify(world.resizes))
    for (const { from, to } of after) assert.ok(Math.abs(from - to) <= 4, JSON.stringify(world.resizes))
  })

  it('goes up in a burst and comes down after it', async () => {
    const world = sizing(true)
    await load(world, { for: 90_000, ...STEADY })
    const before = world.pool.limits.maxConnections
    await load(world, { for: 3_000, pause: 12, hold: 300 })
    const burst = world.pool.limits.maxConnections
    assert.ok(burst > before, `${before} → ${burst}`)
    await load(world, { for: 400_000, ...STEADY })
    assert.ok(world.pool.limits.maxConnections < burst, JSON.stringify(world.resizes))
  })

  it('forgets nobody who holds a connection for longer than it looks back', async () => {
    const world = sizing({ min: 1, max: 30 }, { maxConnections: 12 })
    await world.warm()
    const stream = world.lease({ kind: 'stream' })
    const consumers = Array.from({ length: 6 }, (_, index) => world.send('BLPOP', `k${index}`, '0'))
    for (let round = 0; round < 5_600; round++) {
      // From here on a minute passes, and another one in which it may shrink.
      if (round === 4_200) world.pool.resize({ maxConnections: 14, minConnections: 0 })
      const loan = world.lease()
      await world.run(20)
      if (loan.state === 'held') loan.release()
      await world.run(80)
    }
    assert.equal(stream.state, 'held')
    assert.ok(consumers.every(({ state }) => state === 'pending'))
    assert.deepEqual(world.stats.counters.closed.surplus ?? 0, 0)
    // Seven for good, one for who comes and goes, and one for commands.
    assert.equal(world.pool.limits.maxConnections, 9, JSON.stringify(world.resizes))
    assert.ok(world.loans.every(({ took }) => took < 10))
  })

  it('does not shrink under those who hold a connection, also where these are too few to count', async () => {
    const world = sizing({ min: 1, max: 30 })
    await load(world, { for: 59_950, pause: 10, hold: 3 })
    for (let index = 0; index < 15; index++) world.lease()
    await world.run(6_000)
    assert.ok(world.loans.every(({ state }) => state === 'held'))
    assert.deepEqual(
      world.resizes.map(({ from, to }) => [from, to]),
      [[30, 16]],
    )
  })

  it('keeps a connection for commands where only leases came up to now', async () => {
    const world = sizing({ min: 1, max: 30 }, { maxConnections: 10 })
    for (let index = 0; index < 1_000; index++) {
      const loan = world.lease()
      await world.run(20)
      loan.release()
      await world.run(80)
    }
    assert.equal(world.pool.limits.maxConnections, 2)
    const loan = await world.leased()
    const call = world.send('PING')
    await world.run(50)
    assert.equal(call.state, 'answered', 'a command inside a lease is answered')
    loan.release()
  })

  it('makes a connection for commands that wait because its only one is lent', async () => {
    const world = sizing({ min: 1, max: 30 }, { maxConnections: 1 })
    await world.leased()
    const calls = [world.send('PING'), world.send('INCR', 'k')]
    await world.run(300)
    assert.ok(calls.every(({ state }) => state === 'answered'))
    assert.deepEqual(
      world.resizes.map(({ from, to }) => [from, to]),
      [[1, 2]],
    )
    assert.match(world.resizes[0]?.because ?? '', /^2 callers wait for a connection, up to 1\d\d ms by now$/)
  })

  it('does not grow because the server lets nobody in', async () => {
    for (const welcome of ['blackhole', 'refuse', 'silent'] as const) {
      const world = sizing({ min: 1, max: 30 }, { maxConnections: 4, acquireTimeout: 3_000, connectTimeout: 1_000 })
      await world.warm()
      world.server.welcome = welcome
      const loans = Array.from({ length: 12 }, () => world.lease())
      await world.run(10_000)
      assert.ok(loans.every(({ state }) => state === 'failed'))
      assert.deepEqual(world.resizes, [], welcome)
    }
    const world = sizing({ min: 1, max: 30 }, { maxConnections: 4, lanes: 1, connectTimeout: 1_000 })
    await world.warm()
    const lane = world.server.open[0]
    for (let index = 0; index < 3; index++) await world.leased()
    world.server.welcome = 'blackhole'
    lane?.cut()
    world.send('PING')
    for (let index = 0; index < 8; index++) world.lease()
    await world.run(5_000)
    assert.deepEqual(world.resizes, [], 'all that may be lent is, and a dial hangs')
  })

  it('meets a server that answers no command with no more connections, and grows where it answers', async () => {
    const classic = (): World => sizing({ min: 1, max: 30 }, { maxConnections: 4, pipelining: 1 })
    const stuck = classic()
    await stuck.warm()
    for (let index = 0; index < 200; index++) stuck.send('INCR', `k${index}`)
    await stuck.run(200)
    const before = stuck.pool.limits.maxConnections
    const hold = (): void => {
      for (const connection of stuck.server.open) connection.hold()
    }
    stuck.on.opened = hold
    hold()
    for (let index = 0; index < 600; index++) {
      stuck.send('INCR', `k${index}`)
      await stuck.run(50)
    }
    assert.equal(stuck.pool.limits.maxConnections, before)
    const slow = classic()
    slow.server.latency = 80
    for (let index = 0; index < 100; index++) {
      slow.send('INCR', `k${index}`)
      await slow.run(10)
    }
    assert.ok(slow.pool.limits.maxConnections > 4)
  })

  it('keeps within its bounds', async () => {
    const world = sizing({ min: 5, max: 8 }, { maxConnections: 6 })
    for (let index = 0; index < 40; index++) world.lease()
    await world.run(1_000)
    assert.equal(world.pool.limits.maxConnections, 8)
    const quiet = sizing({ min: 5, max: 8 }, { maxConnections: 8 })
    await load(quiet, { for: 90_000, pause: 50, hold: 10 })
    assert.equal(quiet.pool.limits.maxConnections, 5)
  })

  it('takes no more than the server has room for', async () => {
    const world = sizing({ max: 30 }, { maxConnections: 4 })
    world.server.clients = { max: 100, others: 91 }
    await load(world, { for: 6_000, pause: 50, hold: 10 })
    for (let index = 0; index < 40; index++) world.lease()
    await world.run(1_000)
    assert.equal(world.pool.limits.maxConnections, 9)
  })

  it('leaves a resize() by hand as it is until there is a reason', async () => {
    const world = sizing(true)
    await world.warm()
    world.pool.resize({ maxConnections: 12, minConnections: 0 })
    await world.run(200_000)
    assert.deepEqual(
      world.resizes.map(({ from, to, because }) => [from, to, because]),
      [[30, 12, 'resize() was called']],
    )
  })

  it('does not undo a resize() by hand for a minute, and then only for a reason of its own', async () => {
    const world = sizing({ min: 1, max: 30 }, { maxConnections: 12, acquireTimeout: 120_000 })
    await load(world, { for: 180_000, ...STEADY })
    const { length } = world.resizes
    world.pool.resize({ maxConnections: 25, minConnections: 0 })
    await load(world, { for: 115_000, ...STEADY, seed: 8 })
    assert.equal(world.resizes.length, length + 1, JSON.stringify(world.resizes))
    await load(world, { for: 30_000, ...STEADY, seed: 9 })
    assert.match(world.resizes.at(-1)?.because ?? '', /^for a minute no more than/)
    assert.ok(world.pool.limits.maxConnections < 25)
    world.pool.resize({ maxConnections: 1, minConnections: 0 })
    const loans = Array.from({ length: 5 }, () => world.lease())
    await world.run(59_000)
    assert.equal(world.pool.limits.maxConnections, 1)
    await world.run(2_000)
    assert.ok(world.pool.limits.maxConnections > 1)
    assert.ok(loans.every(({ state }) => state !== 'waiting'))
  })

  it('tells why where somebody set less than it ever sets', async () => {
    const world = sizing({ min: 8, max: 30 }, { maxConnections: 8 })
    await load(world, { for: 30_000, pause: 50, hold: 10 })
    world.pool.resize({ maxConnections: 6, minConnections: 0 })
    await load(world, { for: 90_000, pause: 50, hold: 10, seed: 6 })
    assert.deepEqual(
      world.resizes.map(({ from, to, because }) => [from, to, because]),
      [
        [8, 6, 'resize() was called'],
        [6, 8, '8 is the least that autosize sets'],
      ],
    )
  })

  it('stops at the end, and with the last connection', async () => {
    const world = sizing(true, { idleTimeout: 1_000 })
    await world.warm()
    assert.ok(world.poolTimers > 0)
    await world.run(10_000)
    assert.equal(world.stats.connections.total, 0)
    assert.equal(world.poolTimers, 0)
    await world.warm()
    world.pool.close(0)
    await world.run(10)
    await world.assertNothingLeft()
  })

  it('is off by default', async () => {
    const world = new World({ maxConnections: 3 })
    await world.warm()
    for (let index = 0; index < 40; index++) world.lease()
    await world.run(2_000)
    assert.deepEqual(world.resizes, [])
  })
})

describe('the options of a pool that sizes itself', () => {
  it('begin at maxConnections, which bounds it unless a larger maximum is given', () => {
    const read = (options: object): object => {
      const { maxConnections, autosize } = readPoolOptions(options)
      return [maxConnections, autosize?.min, autosize?.max]
    }
    assert.deepEqual(read({}), [10, undefined, undefined])
    assert.deepEqual(read({ autosize: false }), [10, undefined, undefined])
    assert.deepEqual(read({ autosize: true }), [10, 1, 10])
    assert.deepEqual(read({ autosize: true, maxConnections: 40, minConnections: 4 }), [40, 4, 40])
    assert.deepEqual(read({ autosize: { min: 3, max: 50 } }), [10, 3, 50])
    assert.deepEqual(read({ autosize: { min: 20, max: 50 } }), [20, 20, 50])
    assert.deepEqual(read({ autosize: { max: 5 } }), [5, 1, 5])
  })

  it('are refused where they contradict each other', () => {
    const refused = (options: object, message: RegExp): void =>
      assert.throws(() => readPoolOptions(options), { name: 'OptionError', message })
    refused({ autosize: { min: 8, max: 5 } }, /^min in autosize: expected at most max, which is 5, got 8$/)
    refused({ autosize: { max: 5 }, maxConnections: 6 }, /^maxConnections: expected 1 to 5, .* autosize, got 6$/)
    refused({ autosize: { maximum: 5 } }, /^maximum is not an option in autosize; did you mean max\?$/)
    refused({ autosize: 'yes' }, /^autosize: expected true, false or an object/)
    refused({ autosize: { percentile: 99 } }, /^percentile: expected a number between 0 and 1/)
    assert.throws(() => readPoolOptions({ autosize: { max: -1 } }), OptionError)
  })
})
