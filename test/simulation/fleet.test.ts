// The model behind `respool simulate`, held against two truths: the formulas of queueing theory, and the real pool in
// virtual time, which must give every single caller the very same wait.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type ArrivalPattern,
  type Arrivals,
  Dice,
  DrawnArrivals,
  drawerOf,
  type HoldTimes,
  meanOf,
  WIDEST,
} from '../../src/tools/simulate-draws.js'
import { type FleetModel, type FleetOutcome, type Observer, simulate } from '../../src/tools/simulate-model.js'
import { World } from '../support/pool-harness.js'
import { between, seeded as chance } from '../support/random.js'

const FOR_EVER = Number.POSITIVE_INFINITY

/** What became of one caller. */
interface Fate {
  readonly process: number
  readonly at: number
  readonly waited: number
  readonly response: number | undefined
}

function runToEnd(model: FleetModel): { fates: Fate[]; outcome: FleetOutcome } {
  const fates: Fate[] = []
  const observer: Observer = {
    served: (process, at, waited, response) => fates.push({ process, at, waited, response }),
    timedOut: (process, at, waited) => fates.push({ process, at, waited, response: undefined }),
  }
  const run = simulate(model, observer)
  for (let step = run.next(); ; step = run.next()) if (step.done) return { fates, outcome: step.value }
}

/** The waits alone, for many callers. */
function waitsOf(model: FleetModel): number[] {
  const waits: number[] = []
  const note = (_process: number, _at: number, waited: number): number => waits.push(waited)
  const run = simulate(model, { served: note, timedOut: note })
  while (!run.next().done);
  return waits
}

const basic = {
  processes: 1,
  traffic: { kind: 'leases', kept: 0 },
  acquireTimeout: FOR_EVER,
  maxClients: FOR_EVER,
} as const

function drawn(
  arrivalsPerSecond: number,
  hold: HoldTimes,
  count: number,
  pattern: ArrivalPattern = { kind: 'poisson' },
) {
  const duration = (count / arrivalsPerSecond) * 1_000
  return (process: number): Arrivals => new DrawnArrivals([{ duration, arrivalsPerSecond, hold }], pattern, 7, process)
}

/** Those given, by process. */
function scripted(lists: readonly (readonly { readonly at: number; readonly hold: number }[])[]) {
  return (process: number): Arrivals => {
    const list = lists[process] ?? []
    let index = -1
    return {
      get at() {
        return list[index]?.at ?? 0
      },
      get hold() {
        return list[index]?.hold ?? 0
      },
      next: () => ++index < list.length,
    }
  }
}

/** The probability that somebody must wait, of M/M/c, for an offered load in connections. */
function erlangC(servers: number, load: number): number {
  let blocking = 1
  for (let n = 1; n <= servers; n++) blocking = (load * blocking) / (n + load * blocking)
  return blocking / (1 - (load / servers) * (1 - blocking))
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN
}

function assertClose(actual: number, expected: number, tolerance: number, what: string): void {
  const error = Math.abs(actual / expected - 1)
  assert.ok(error <= tolerance, `${what}: ${actual}, expected ${expected}: ${(error * 100).toFixed(1)} % off`)
}

describe('the model of a fleet agrees with theory:', () => {
  const HOLD = 10
  for (const servers of [1, 2, 5, 20]) {
    for (const use of [0.5, 0.8, 0.9]) {
      it(`M/M/${servers} at ${use * 100} % (Erlang C): who waits, the mean wait, its 99th percentile`, () => {
        const load = servers * use
        const arrivalsOf = drawn((load / HOLD) * 1_000, { kind: 'exponential', mean: HOLD }, 750_000)
        const waits = waitsOf({ ...basic, processes: 2, maxConnections: servers, arrivalsOf })
        const mustWait = erlangC(servers, load)
        const drainRate = (servers - load) / HOLD
        const waited = waits.filter((wait) => wait > 0).length / waits.length
        // Of what hardly ever happens there is too little to compare.
        if (mustWait < 0.02) return assert.ok(waited < 2 * mustWait && waited > mustWait / 2)
        // The busier, the longer a crowd lasts, and the fewer of them a run has.
        const tolerance = use > 0.8 ? 0.08 : 0.05
        assertClose(waited, mustWait, 0.03, 'who waits')
        assertClose(mean(waits), mustWait / drainRate, tolerance, 'the mean wait')
        assertClose(percentile(waits, 0.99), Math.log(mustWait / 0.01) / drainRate, tolerance, 'the 99th percentile')
      })
    }
  }

  for (const use of [0.5, 0.8, 0.9]) {
    it(`M/D/1 at ${use * 100} %: the mean wait`, () => {
      const arrivalsOf = drawn((use / HOLD) * 1_000, { kind: 'constant', mean: HOLD }, 1_000_000)
      const waits = waitsOf({ ...basic, maxConnections: 1, arrivalsOf })
      assertClose(mean(waits), (use * HOLD) / (2 * (1 - use)), 0.03, 'the mean wait')
    })
  }

  it('M/G/1 with lognormal holds (Pollaczek and Khinchine): the mean wait', () => {
    const p99 = 40
    const arrivalsOf = drawn(70, { kind: 'lognormal', mean: HOLD, p99 }, 2_000_000)
    const waits = waitsOf({ ...basic, maxConnections: 1, arrivalsOf })
    const z = 2.326_347_874
    const sigma = z - Math.sqrt(z ** 2 - 2 * Math.log(p99 / HOLD))
    const secondMoment = HOLD ** 2 * Math.exp(sigma ** 2)
    assertClose(mean(waits), (0.07 * secondMoment) / (2 * 0.3), 0.05, 'the mean wait')
  })

  it('a server that does one command at a time is M/D/1 for all connections of all processes together', () => {
    const use = 0.8
    const commandTime = 0.05
    const processes = 20
    const perProcess = (use / commandTime / processes) * 1_000
    for (const maxConnections of [100, 400]) {
      const arrivalsOf = drawn(perProcess, { kind: 'constant', mean: 0 }, 20_000)
      const server = { commandTime, commands: 1 }
      const { fates, outcome } = runToEnd({ ...basic, processes, maxConnections, server, arrivalsOf })
      const response = mean(fates.map((fate) => fate.response ?? Number.NaN))
      assertClose(response, commandTime + (use * commandTime) / (2 * (1 - use)), 0.03, 'the response')
      assertClose(outcome.serverBusy / outcome.ended, use, 0.01, 'the use of the server')
    }
  })
})

describe('the model of a fleet is the real pool:', () => {
  const SIZES = [1, 2, 3, 7]

  for (const maxConnections of SIZES) {
    for (const pipelining of [1, 1_000]) {
      const kept = pipelining === 1 || maxConnections === 1 ? 0 : 1
      it(`${maxConnections} connections, ${kept} of them kept for sharing: every caller waits as long`, async () => {
        const lends = maxConnections - kept
        // All happens on a grid of 10 ms, and callers give up in the middle of it: what comes first is never left open,
        // and the pool, which judges deadlines within 5 ms of each other together, judges each by itself.
        const script = draw(maxConnections * 10 + pipelining, lends, 600)
        const acquireTimeout = 305
        const traffic = { kind: 'leases', kept } as const
        const arrivalsOf = scripted([script])
        const { fates } = runToEnd({ ...basic, maxConnections, traffic, acquireTimeout, arrivalsOf })
        const modelled = fates
          .sort((a, b) => a.at - b.at)
          .map(({ waited, response }) => ({ waited, served: response !== undefined }))

        const real = await realWaits({ maxConnections, pipelining, acquireTimeout }, script)
        assert.deepEqual(modelled, real)
        assert.ok(
          real.some(({ served, waited }) => served && waited > 0),
          'nobody had to wait',
        )
        assert.ok(
          real.some(({ served }) => !served),
          'nobody gave up',
        )
      })
    }
  }

  for (const pipelining of [2, 5]) {
    it(`commands that share a lane, ${pipelining} of them in flight: every reply takes as long`, async () => {
      const latency = 30 * pipelining
      const script = draw(pipelining, pipelining, 300).map(({ at }) => ({ at, hold: latency }))
      const traffic = { kind: 'shared', lanes: 1, pipelining } as const
      const { fates } = runToEnd({ ...basic, maxConnections: 1, traffic, arrivalsOf: scripted([script]) })

      const world = new World({ maxConnections: 1, pipelining, acquireTimeout: 100_000, pingInterval: 0 })
      world.server.latency = latency
      const warm = world.send('PING')
      await world.run(1_000)
      assert.equal(warm.state, 'answered')
      for (const { at } of script) world.clock.setTimeout(() => world.send('GET', 'k'), at)
      await world.run((script.at(-1)?.at ?? 0) + 20_000)
      const [, ...calls] = world.calls
      assert.deepEqual(
        fates.sort((a, b) => a.at - b.at).map(({ response }) => response),
        calls.map(({ took }) => took),
      )
      assert.ok(
        calls.some(({ took }) => took > latency),
        'nobody had to wait',
      )
      world.pool.destroy('destroyed')
      await world.assertNothingLeft()
    })
  }

  it('and the comparison bites: one connection more gives other waits', async () => {
    const script = draw(5, 2, 300)
    const { fates } = runToEnd({ ...basic, maxConnections: 3, acquireTimeout: 305, arrivalsOf: scripted([script]) })
    const real = await realWaits({ maxConnections: 2, pipelining: 1, acquireTimeout: 305 }, script)
    assert.notDeepEqual(
      fates.sort((a, b) => a.at - b.at).map(({ waited }) => waited),
      real.map(({ waited }) => waited),
    )
  })

  /** Loads of rather more than can be lent, at moments that are all different. */
  function draw(seed: number, lends: number, count: number): { at: number; hold: number }[] {
    const random = chance(seed)
    let at = 0
    return Array.from({ length: count }, () => {
      at += 10 * between(random, 1, Math.max(1, Math.round((lends === 1 ? 30 : 20) / lends)))
      const hold = 10 * (random() < 0.3 ? between(random, 20, 60) : between(random, 1, 10))
      return { at, hold }
    })
  }

  async function realWaits(
    options: { maxConnections: number; pipelining: number; acquireTimeout: number },
    script: readonly { readonly at: number; readonly hold: number }[],
  ): Promise<{ waited: number; served: boolean }[]> {
    const world = new World({ ...options, minConnections: options.maxConnections, idleTimeout: 0, pingInterval: 0 })
    void world.pool.connect()
    await world.run(50)
    assert.equal(world.stats.connections.idle, options.maxConnections, 'all connections are there')
    const fates = script.map(() => ({ waited: Number.NaN, served: false }))
    for (const [index, { at, hold }] of script.entries()) {
      world.clock.setTimeout(() => {
        const since = world.clock.now()
        const settle = (served: boolean): void => {
          fates[index] = { waited: world.clock.now() - since, served }
        }
        world.pool.acquire({}).then(
          (lease) => {
            settle(true)
            world.clock.setTimeout(() => lease.release(), hold)
          },
          () => settle(false),
        )
      }, at)
    }
    await world.run((script.at(-1)?.at ?? 0) + 2_000)
    world.pool.destroy('destroyed')
    await world.assertNothingLeft()
    return fates
  }
})

describe('the model of a fleet', () => {
  const hold = { kind: 'lognormal', mean: 5, p99: 40 } as const

  it('gives the same for the same seed, whatever the order of processes', () => {
    const one = runToEnd({ ...basic, processes: 3, maxConnections: 2, arrivalsOf: drawn(200, hold, 500) })
    const again = runToEnd({ ...basic, processes: 3, maxConnections: 2, arrivalsOf: drawn(200, hold, 500) })
    assert.deepEqual(one, again)
    // Where the limit of the server makes processes meet, each still has the callers it had alone.
    const met = runToEnd({
      ...basic,
      processes: 3,
      maxConnections: 2,
      maxClients: 6,
      arrivalsOf: drawn(200, hold, 500),
    })
    assert.deepEqual(met.outcome, one.outcome)
  })

  it('never makes anybody wait longer with more connections', () => {
    const waits = (maxConnections: number): number[] => {
      const { fates } = runToEnd({ ...basic, maxConnections, arrivalsOf: drawn(500, hold, 5_000) })
      return fates.sort((a, b) => a.at - b.at).map(({ waited }) => waited)
    }
    const [few, more] = [waits(3), waits(4)]
    assert.ok(few.every((wait, index) => wait >= (more[index] ?? Number.NaN)))
    assert.ok(mean(few) > mean(more))
  })

  it('lets no more connections in than the server does, and tells of those it refused', () => {
    const arrivalsOf = drawn(500, hold, 2_000)
    const model = { ...basic, processes: 10, maxConnections: 5, acquireTimeout: 100, arrivalsOf }
    const free = runToEnd(model)
    assert.deepEqual([free.outcome.connections, free.outcome.refused], [50, 0])
    const tight = runToEnd({ ...model, maxClients: 30 })
    assert.equal(tight.outcome.connections, 30)
    assert.ok(tight.outcome.refused > 0)
    const lost = (fates: readonly Fate[]): number => fates.filter(({ response }) => response === undefined).length
    assert.ok(lost(tight.fates) > lost(free.fates))
    assert.equal(tight.fates.length, free.fates.length, 'everybody is told of once')
    // Who has no connection at all waits in vain.
    const none = runToEnd({ ...model, maxClients: 0 })
    assert.equal(lost(none.fates), none.fates.length)
  })

  it('is not made faster by connections where one server does all the work', () => {
    const p99 = (maxConnections: number): number => {
      const server = { commandTime: 0.1, commands: 5 }
      const arrivalsOf = drawn(190, { kind: 'constant', mean: 1 }, 2_000)
      const { fates } = runToEnd({ ...basic, processes: 10, maxConnections, server, arrivalsOf })
      return percentile(
        fates.map((fate) => fate.response ?? Number.NaN),
        0.99,
      )
    }
    assertClose(p99(200), p99(50), 0.02, 'the response with four times the connections')
  })

  it('has commands that share a lane answered in the order in which they were sent', () => {
    const script = [
      { at: 0, hold: 100 },
      { at: 1, hold: 1 },
      { at: 2, hold: 1 },
    ]
    const traffic = { kind: 'shared', lanes: 1, pipelining: 2 } as const
    const { fates } = runToEnd({ ...basic, maxConnections: 1, traffic, arrivalsOf: scripted([script]) })
    assert.deepEqual(
      fates.map(({ waited, response }) => ({ waited, response })),
      [
        { waited: 0, response: 100 },
        { waited: 0, response: 99 },
        { waited: 98, response: 99 },
      ],
    )
    // With room for another lane, what finds its lane full has one opened.
    const wider = runToEnd({ ...basic, maxConnections: 2, traffic, arrivalsOf: scripted([script]) })
    assert.equal(wider.outcome.connections, 2)
    assert.deepEqual(
      wider.fates.map(({ waited }) => waited),
      [0, 0, 0],
    )
  })

  it('draws what was asked for', () => {
    const holds: HoldTimes[] = [
      { kind: 'constant', mean: 5 },
      { kind: 'exponential', mean: 5 },
      { kind: 'lognormal', mean: 5, p99: 40 },
      { kind: 'two-point', usual: 1, slow: 200, share: 0.02 },
    ]
    for (const each of holds) {
      const dice = new Dice(3)
      const drawer = drawerOf(each)
      const values = Array.from({ length: 300_000 }, () => drawer(dice))
      assertClose(mean(values), meanOf(each), 0.02, each.kind)
      if (each.kind === 'lognormal') assertClose(percentile(values, 0.99), each.p99, 0.03, 'p99')
    }
    assert.throws(() => drawerOf({ kind: 'lognormal', mean: 1, p99: WIDEST + 1 }), /at most 15\.0 times/)
    for (const pattern of [{ kind: 'poisson' }, { kind: 'periodic' }, { kind: 'bursty', size: 20 }] as const) {
      const arrivals = drawn(1_000, hold, 100_000, pattern)(0)
      let count = 0
      while (arrivals.next()) count++
      assertClose(count, 100_000, 0.03, pattern.kind)
    }
  })
})
