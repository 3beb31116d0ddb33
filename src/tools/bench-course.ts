// Owns the course of a benchmark: rounds in which clients take turns, and what is made of their samples. Prints nothing.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { BenchKeys } from './bench-keys.js'
import { milliseconds, runTurn, type Sample } from './bench-load.js'
import type { Subject } from './bench-peers.js'
import { type BenchPlan, type Scenario, scenarioName } from './bench-plan.js'

/** One client in one scenario. Durations in milliseconds. */
export interface Cell {
  readonly client: string
  readonly scenario: Scenario
  /** The median of the rounds. */
  readonly perSecond: number
  /** Of the replies of all rounds together. */
  readonly latency: {
    readonly p50: number
    readonly p95: number
    readonly p99: number
    readonly p999: number
    readonly max: number
  }
  /** Half the distance between the extreme rounds, as a part of the median. */
  readonly noise: number
  /**
   * Round by round, the median of: closed loop, respool's operations per second over those of this client; open loop,
   * where all have the same, this client's p99 over respool's. Null for respool.
   */
  readonly ratio: number | null
  readonly errors: number
  /** The median of how busy the event loop was. */
  readonly loopUse: number
  /** The worst round's p99 of how late calls were made; closed loops make none late. */
  readonly lateP99: number
  readonly rounds: readonly Sample[]
  /** Latencies at the shares that a chart shows. */
  readonly curve: readonly { readonly share: number; readonly latency: number }[]
}

export interface Course {
  readonly cells: readonly Cell[]
  /** What the first call that failed said. */
  readonly firstError: string | null
}

export type Progress = (text: string, detail?: string) => void

interface Entry {
  readonly subject: Subject
  readonly scenario: Scenario
  readonly latencies: RecordableHistogram
  readonly rounds: Sample[]
}

/** Up to the signal: rounds that were begun count for the clients that have had their turn. */
export async function runCourse(
  plan: BenchPlan,
  subjects: readonly Subject[],
  keys: BenchKeys,
  signal: AbortSignal,
  progress: Progress,
): Promise<Course> {
  let firstError: string | null = null
  const failed = (error: unknown): void => {
    firstError ??= error instanceof Error ? error.message : String(error)
  }
  const entries = plan.scenarios.map((scenario) => subjects.map((subject) => newEntry(subject, scenario)))
  for (let round = 0; round < plan.rounds; round++) {
    for (const row of entries) {
      for (const { subject, scenario, latencies, rounds } of inTurn(row, round)) {
        progress(`round ${round + 1} of ${plan.rounds}`, `· ${scenarioName(scenario)} · ${nameOf(subject)}`)
        const sample = await runTurn({ subject, scenario, plan, keys, signal, latencies, failed })
        if (sample === undefined) return { cells: entries.flatMap(cellsOf), firstError }
        rounds.push(sample)
      }
    }
  }
  return { cells: entries.flatMap(cellsOf), firstError }
}

export function nameOf({ name, version, settings }: Subject): string {
  return `${name} ${version}${name === 'respool' || settings === '' ? '' : `, ${settings}`}`
}

function newEntry(subject: Subject, scenario: Scenario): Entry {
  return { subject, scenario, latencies: createHistogram(), rounds: [] }
}

/** From another one in each round, and backwards in every second. */
function inTurn<T>(row: readonly T[], round: number): T[] {
  const start = Math.floor(round / 2) % row.length
  const turned = [...row.slice(start), ...row.slice(0, start)]
  return round % 2 === 0 ? turned : turned.reverse()
}

/** Percentiles of the chart, close together where the tail is. */
const SHARES = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999]

function cellsOf(row: readonly Entry[]): Cell[] {
  const base = row.find(({ subject }) => subject.name === 'respool')
  return row.filter(({ rounds }) => rounds.length > 0).map((entry) => cellOf(entry, base))
}

function cellOf({ subject, scenario, latencies, rounds }: Entry, base: Entry | undefined): Cell {
  const speeds = rounds.map(({ perSecond }) => perSecond)
  const at = (percentile: number): number => milliseconds(latencies.percentile(percentile))
  const middle = median(speeds)
  const ratios = rounds.flatMap((theirs, round) => {
    const own = base?.rounds[round]
    if (own === undefined) return []
    const [above, below] = scenario.loop === 'closed' ? [own.perSecond, theirs.perSecond] : [theirs.p99, own.p99]
    return below > 0 ? [above / below] : []
  })
  const isBase = subject.name === 'respool' || ratios.length === 0
  const hasReplies = latencies.count > 0
  return {
    client: nameOf(subject),
    scenario,
    perSecond: middle,
    latency: hasReplies
      ? { p50: at(50), p95: at(95), p99: at(99), p999: at(99.9), max: milliseconds(latencies.max) }
      : { p50: 0, p95: 0, p99: 0, p999: 0, max: 0 },
    noise: middle === 0 ? 0 : Number(((Math.max(...speeds) - Math.min(...speeds)) / 2 / middle).toFixed(3)),
    ratio: isBase ? null : Number(median(ratios).toFixed(2)),
    errors: rounds.reduce((sum, { errors }) => sum + errors, 0),
    loopUse: median(rounds.map(({ loopUse }) => loopUse)),
    lateP99: Math.max(...rounds.map(({ lateP99 }) => lateP99)),
    rounds,
    curve: hasReplies
      ? SHARES.map((share) => ({ share, latency: share === 0 ? milliseconds(latencies.min) : at(share * 100) }))
      : [],
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2
}
