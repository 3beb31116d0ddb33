// Owns the course of a simulation: one run for each size, or the search for the smallest that will do. Prints nothing.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { DrawnArrivals, meanOf } from './simulate-draws.js'
import { type FleetModel, type FleetOutcome, type Observer, simulate } from './simulate-model.js'
import type { SimulationPlan } from './simulate-plan.js'

/** Of durations in milliseconds. */
export interface Spread {
  readonly mean: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** What became of the callers with pools of one size. */
export interface SizeResult {
  readonly maxConnections: number
  /** Those that came after the warm-up. */
  readonly callers: number
  /** Of them: left after `acquireTimeout` without a connection, with ConnectionPoolTimeoutError. */
  readonly timedOut: number
  /** For a connection; who left in vain waited too. */
  readonly wait: Spread
  /** The wait at the percentile that the target is for. */
  readonly targetedWait: number
  readonly meetsTarget: boolean
  /** From the arrival until the connection was given back, or the reply came; of those who were served. */
  readonly response: Spread
  /** Share of the time that connections which may be lent were; with shared traffic, commands owed per lane. */
  readonly use: number
  /** Share of the time that the server worked; null without one. */
  readonly serverUse: number | null
  /** The most connections that all processes may have, and those they had at the end. */
  readonly connectionsWanted: number
  readonly connections: number
  /** Times that the server was full when a connection was wanted. */
  readonly refused: number
}

export type Progress = (text: string, detail: string) => void

/** Ascending by size; those that were done when the signal came. */
export async function sweep(plan: SimulationPlan, signal: AbortSignal, progress: Progress): Promise<SizeResult[]> {
  const results = new Map<number, SizeResult>()
  const run = async (size: number): Promise<SizeResult | undefined> => {
    const known = results.get(size)
    if (known !== undefined) return known
    const result = await runSize(plan, size, signal, progress)
    if (result !== undefined) results.set(size, result)
    return result
  }
  if (plan.sizes === undefined) await search(plan, run)
  else for (const size of plan.sizes) if ((await run(size)) === undefined) break
  return [...results.values()].sort((a, b) => a.maxConnections - b.maxConnections)
}

/** Connections that are held on average in one process, at the busiest time: less can never be enough. */
export function offeredLoad({ phases }: SimulationPlan): number {
  return Math.max(...phases.map(({ arrivalsPerSecond, hold }) => (arrivalsPerSecond / 1_000) * meanOf(hold)))
}

const FARTHEST = 65_535
/** Doublings from the offered load: beyond them it is not the size that makes callers wait. */
const DOUBLINGS = 7

/** From the offered load up by doubling, then by halves down to the smallest; waits never grow with the size. */
async function search(plan: SimulationPlan, run: (size: number) => Promise<SizeResult | undefined>): Promise<void> {
  let low = 0
  let high = Math.min(FARTHEST, plan.traffic === 'shared' ? 1 : Math.max(1, Math.ceil(offeredLoad(plan))))
  for (let doubled = 0; ; doubled++) {
    const result = await run(high)
    if (result === undefined) return
    if (result.meetsTarget) break
    if (doubled === DOUBLINGS || high === FARTHEST) return
    low = high
    high = Math.min(FARTHEST, high * 2)
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    const result = await run(middle)
    if (result === undefined) return
    if (result.meetsTarget) high = middle
    else low = middle
  }
}

async function runSize(
  plan: SimulationPlan,
  size: number,
  signal: AbortSignal,
  progress: Progress,
): Promise<SizeResult | undefined> {
  const books = new Books(plan.warmUp)
  const run = simulate(modelOf(plan, size), books)
  const whole = plan.processes * spanOf(plan)
  progress(`simulating maxConnections ${size}`, '')
  for (let done = 0; ; ) {
    if (signal.aborted) return undefined
    const step = run.next()
    if (step.done) return books.result(plan, size, step.value)
    done += step.value
    if (!books.isDue()) continue
    progress(`simulating maxConnections ${size}`, `· ${Math.min(100, Math.round((done / whole) * 100))} %`)
    // Signals are only heard between two turns of the event loop.
    await setImmediate()
  }
}

function modelOf(plan: SimulationPlan, maxConnections: number): FleetModel {
  const { processes, phases, pattern, seed, traffic, lanes, pipelining, acquireTimeout, server, maxClients } = plan
  const kept = keptBeside(plan, maxConnections)
  return {
    processes,
    maxConnections,
    traffic: traffic === 'leases' ? { kind: 'leases', kept } : { kind: 'shared', lanes, pipelining },
    acquireTimeout,
    server,
    maxClients,
    arrivalsOf: (process) => new DrawnArrivals(phases, pattern, seed, process),
  }
}

/** As the pool does: one connection stays for commands that share, if they do and there is another one. */
export function keptBeside({ pipelining, traffic }: SimulationPlan, maxConnections: number): number {
  return traffic === 'shared' || pipelining === 1 || maxConnections === 1 ? 0 : 1
}

export const spanOf = ({ phases }: SimulationPlan): number => phases.reduce((sum, { duration }) => sum + duration, 0)

/** Milliseconds of real time between two looks at the event loop. */
const PATIENCE = 20
/** Nanoseconds. Longer waits count as that: more than an hour. */
const LONGEST = 2 ** 42

/** What is written down of all callers of a run. */
class Books implements Observer {
  #inVain = 0
  readonly #warmUp: number
  readonly #waits: RecordableHistogram = createHistogram({ lowest: 1, highest: LONGEST, figures: 3 })
  readonly #responses: RecordableHistogram = createHistogram({ lowest: 1, highest: LONGEST, figures: 3 })
  #looked = performance.now()

  constructor(warmUp: number) {
    this.#warmUp = warmUp
  }

  served(_process: number, arrivedAt: number, waited: number, response: number): void {
    if (arrivedAt < this.#warmUp) return
    record(this.#waits, waited)
    record(this.#responses, response)
  }

  timedOut(_process: number, arrivedAt: number, waited: number): void {
    if (arrivedAt < this.#warmUp) return
    record(this.#waits, waited)
    this.#inVain++
  }

  isDue(): boolean {
    const now = performance.now()
    if (now - this.#looked < PATIENCE) return false
    this.#looked = now
    return true
  }

  result(plan: SimulationPlan, maxConnections: number, outcome: FleetOutcome): SizeResult {
    const targetedWait = milliseconds(this.#waits.percentile(plan.percentile * 100))
    const lent = plan.processes * Math.max(1, maxConnections - keptBeside(plan, maxConnections))
    const lanes = Math.max(1, outcome.connections)
    const { ended, busy, serverBusy, connections, refused } = outcome
    return {
      maxConnections,
      callers: this.#waits.count,
      timedOut: this.#inVain,
      wait: spreadOf(this.#waits),
      targetedWait,
      meetsTarget: targetedWait <= plan.targetWait,
      response: spreadOf(this.#responses),
      use: share(busy, ended * (plan.traffic === 'leases' ? lent : lanes)),
      serverUse: plan.server === undefined ? null : share(serverBusy, ended),
      connectionsWanted: plan.processes * maxConnections,
      connections,
      refused,
    }
  }
}

function record(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.min(LONGEST, Math.max(1, Math.round(ms * 1e6))))
}

function spreadOf(histogram: RecordableHistogram): Spread {
  if (histogram.count === 0) return { mean: 0, p50: 0, p95: 0, p99: 0, max: 0 }
  const at = (percentile: number): number => milliseconds(histogram.percentile(percentile))
  return { mean: milliseconds(histogram.mean), p50: at(50), p95: at(95), p99: at(99), max: milliseconds(histogram.max) }
}

/** Rounded to a microsecond. */
const milliseconds = (nanoseconds: number): number => Math.round(nanoseconds / 1e3) / 1e3

const share = (part: number, whole: number): number => (whole > 0 ? Number((part / whole).toFixed(4)) : 0)
