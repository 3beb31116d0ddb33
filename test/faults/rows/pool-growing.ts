// Rows F6 and F7: many callers at once meet few connections, and many pools at once a server that is back.

import { Redis } from '../../../src/index.js'
import { pause, until } from '../../live/support-live.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { between, seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import { p99 } from '../recovery.js'
import type { Context, Outcome } from '../row.js'
import { CLEAN } from '../verdict.js'

const CALLERS = 500
const IDLE = 5
/** Milliseconds that connecting takes. */
export const CONNECTING = 150
/** Milliseconds for which each caller keeps its connection. */
const HOLD = 3
/** Callers beyond the idle connections in a spike so small that each of them may have a dial to itself. */
const FEW = 3
const MOST_OF_IDEAL = 2

interface Spike {
  readonly maxConnections: number
  /** Connections that leases may have. */
  readonly capacity: number
  readonly callers: number
  readonly hold: number
}

interface Found {
  readonly served: number
  readonly disordered: number
  readonly dials: number
  /** Dials beyond one for each caller that had to wait. */
  readonly tooManyDials: number
  /** Connections above the maximum, as the network saw them. */
  readonly above: number
  readonly shareOfIdeal: number
}

export async function spikes(context: Context): Promise<Outcome> {
  const random = seeded(context.seed)
  const found: Found[] = []
  const few: Found[] = []
  for (let round = 0; round < context.scale(2, 20); round++) {
    const maxConnections = between(random, 16, 32)
    // Where commands share, one connection is kept for them.
    const capacity = round % 2 === 0 ? maxConnections - 1 : maxConnections
    found.push(await spike(context, { maxConnections, capacity, callers: CALLERS, hold: HOLD }))
    few.push(await spike(context, { maxConnections, capacity, callers: IDLE + FEW, hold: 2 * CONNECTING }))
  }
  const all = [...found, ...few]
  const sum = (count: (one: Found) => number): number => all.reduce((total, one) => total + count(one), 0)
  const callers = found.length * CALLERS + few.length * (IDLE + FEW)
  const dials = sum((one) => one.dials)
  return {
    operations: callers,
    faults: all.length,
    verdict: { ...CLEAN, disordered: sum((one) => one.disordered), unsettled: callers - sum((one) => one.served) },
    checks: [
      { what: 'callers served', value: sum((one) => one.served), is: 'exactly', limit: callers },
      { what: 'served out of turn', value: sum((one) => one.disordered), is: 'exactly', limit: 0 },
      { what: 'dials', value: dials, is: 'at least', limit: all.length * FEW },
      { what: 'dials beyond one for each that waited', value: sum((one) => one.tooManyDials), is: 'exactly', limit: 0 },
      { what: 'connections above the maximum', value: sum((one) => one.above), is: 'exactly', limit: 0 },
      {
        what: 'wait, p99, as a multiple of the ideal',
        value: Math.max(...found.map((one) => one.shareOfIdeal)),
        is: 'at most',
        limit: MOST_OF_IDEAL,
      },
    ],
  }
}

async function spike(context: Context, plan: Spike): Promise<Found> {
  const { maxConnections, capacity, callers, hold } = plan
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed: context.seed })
  context.trace(proxy.log)
  const pipelining = capacity === maxConnections ? 1 : 1_000
  const redis = new Redis(proxy.url, { maxConnections, pipelining, minConnections: IDLE, acquireTimeout: 10_000 })
  const releases: NodeJS.Timeout[] = []
  try {
    await redis.connect()
    await until('five are idle', () => redis.pool.stats().connections.idle === IDLE)
    let most = proxy.links.length
    proxy.meet((link) => {
      most = Math.max(most, proxy.links.length)
      link.hold('down')
      releases.push(setTimeout(() => link.release('down'), CONNECTING))
    })
    const { waits, holds, order } = await burst(redis, callers, hold)
    const dials = proxy.total - IDLE
    const mean = holds.reduce((sum, ms) => sum + ms, 0) / holds.length
    const ideal = p99(idealWaits({ ...plan, hold: mean }))
    return {
      served: waits.length,
      disordered: order.filter((caller, place) => caller !== place).length,
      dials,
      tooManyDials: Math.max(0, dials - (callers - IDLE)),
      above: Math.max(0, most - maxConnections),
      shareOfIdeal: p99(waits) / ideal,
    }
  } finally {
    for (const timer of releases) clearTimeout(timer)
    redis.destroy()
  }
}

async function burst(redis: Redis, callers: number, hold: number) {
  const [waits, holds, order]: [number[], number[], number[]] = [[], [], []]
  const since = performance.now()
  const caller = (index: number): Promise<void> =>
    redis.lease(async () => {
      const granted = performance.now()
      order.push(index)
      waits.push(granted - since)
      await pause(hold)
      holds.push(performance.now() - granted)
    })
  await Promise.all(Array.from({ length: callers }, (_, index) => caller(index)))
  return { waits, holds, order }
}

/** The waits if all connections that may be lent had been dialed in the moment of the spike. */
function idealWaits({ capacity, callers, hold }: Spike): number[] {
  const free = Array.from({ length: capacity }, (_, index): number => (index < IDLE ? 0 : CONNECTING))
  return Array.from({ length: callers }, () => {
    const first = Math.min(...free)
    free[free.indexOf(first)] = first + hold
    return first
  })
}

export const POOLS = 50
const EACH = 4
export const DOWN = 5_000
const WINDOW = 100
const BACK_WITHIN = 5_000

/** Chance decides how many of 50 pools come in the same moment: the losses are looked at one upon the other. */
const LOSSES = 8

export async function herd(context: Context): Promise<Outcome> {
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed: context.seed })
  context.trace(proxy.log)
  // All that concerns dialing is as it comes.
  const options = { maxConnections: EACH, minConnections: EACH, acquireTimeout: 20_000 }
  const pools = Array.from({ length: POOLS }, () => new Redis(proxy.url, options))
  const isWhole = (): boolean =>
    pools.every(({ pool }) => pool.stats().connections.total === EACH && ready(pool.stats()))
  const herds: number[] = []
  let attempts = 0
  for (const redis of pools) redis.on('connectError', () => attempts++)
  const work = new Work(pools)
  try {
    await Promise.all(pools.map((redis) => redis.connect()))
    for (let loss = 1; loss <= LOSSES; loss++) {
      context.note(`loss ${loss} of ${LOSSES}`)
      await until('all pools are whole', isWhole, BACK_WITHIN)
      proxy.refuse()
      proxy.killAll()
      await pause(DOWN)
      const since = performance.now()
      proxy.meet(() => herds.push(performance.now() - since))
      await proxy.accept()
      await until('all pools are back', isWhole, BACK_WITHIN)
      proxy.meet(undefined)
    }
  } finally {
    await work.end()
    for (const redis of pools) redis.destroy()
  }
  const connections = POOLS * EACH
  const peak = (100 * Math.max(...windows(herds))) / (LOSSES * connections)
  return {
    operations: work.done + work.failed,
    faults: LOSSES,
    verdict: CLEAN,
    checks: [
      { what: 'connections that came back', value: herds.length, is: 'at least', limit: LOSSES * connections },
      { what: 'attempts while the server was away', value: attempts, is: 'at least', limit: LOSSES * POOLS },
      { what: `connects in ${WINDOW} ms, at the peak`, value: peak, is: 'at most', limit: 30, unit: '% of all' },
      { what: 'calls answered', value: work.done, is: 'at least', limit: LOSSES * POOLS },
    ],
  }
}

function ready({ connections: { connecting, closing } }: ReturnType<Redis['pool']['stats']>): boolean {
  return connecting + closing === 0
}

/** How many came in each window, however it lies. */
function windows(times: readonly number[]): number[] {
  const sorted = [...times].sort((a, b) => a - b)
  return sorted.map((start, index) => sorted.findLastIndex((time) => time < start + WINDOW) - index + 1)
}

/** One caller for each pool, which asks for something all the time. */
class Work {
  done = 0
  failed = 0
  #isOver = false
  readonly #all: Promise<unknown>

  constructor(pools: readonly Redis[]) {
    this.#all = Promise.all(pools.map((redis) => this.#ask(redis)))
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#all
  }

  async #ask(redis: Redis): Promise<void> {
    while (!this.#isOver) {
      await redis.ping().then(
        () => this.done++,
        () => this.failed++,
      )
      await pause(10)
    }
  }
}
