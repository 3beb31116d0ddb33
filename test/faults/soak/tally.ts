// Owns what the rounds of a soak add up to, and the figures that decide it. Runs nothing.

import { p99 } from '../recovery.js'
import type { Check, Outcome } from '../row.js'
import { CLEAN, sumOf, type Verdict } from '../verdict.js'
import type { Report } from '../workload.js'
import { median, type Sample, slope } from './trend.js'

/** Calls a minute that make ten million in half an hour. */
const PACE = 10_000_000 / 30
/** How much of the end is held against as much of the beginning. */
const SHARE = 1 / 6
/** What a process needs to warm up, in minutes; without as much again behind it there is no trend. */
const WARM_UP = 5
/** MB a minute. */
const GROWTH = 0.1
const DRIFT = 0.2
const MB = 2 ** 20
const EXAMPLES = 12

/** What a soak was meant to do. */
export interface Plan {
  readonly minutes: number
  readonly kinds: number
  readonly maxConnections: number
}

export class Tally {
  readonly #recoveries: number[] = []
  readonly #troubles = new Map<string, number>()
  readonly #heap: Sample[] = []
  readonly #outside: Sample[] = []
  readonly #quiet: Sample[] = []
  readonly #examples: string[] = []
  #operations = 0
  #verdict: Verdict = CLEAN
  #most = 0
  #unaccounted = 0

  get samples(): number {
    return this.#heap.length
  }

  judged({ operations, verdict, examples }: Pick<Report, 'operations' | 'verdict' | 'examples'>): void {
    this.#operations += operations
    this.#verdict = sumOf([this.#verdict, verdict])
    this.#examples.push(...examples.slice(0, Math.max(0, EXAMPLES - this.#examples.length)))
  }

  /** Replies that belonged to others, in words. */
  crossed(examples: readonly string[]): void {
    this.judged({ operations: 0, verdict: { ...CLEAN, crossed: examples.length }, examples })
  }

  struck(trouble: string, recovery: number): void {
    this.#troubles.set(trouble, (this.#troubles.get(trouble) ?? 0) + 1)
    this.#recoveries.push(recovery)
  }

  /** How long calls took while nothing was wrong, in ms. */
  quiet(at: number, took: readonly number[]): void {
    this.#quiet.push({ at, value: p99(took) })
  }

  weighed(at: number, { heapUsed, external }: NodeJS.MemoryUsage): void {
    this.#heap.push({ at, value: heapUsed / MB })
    this.#outside.push({ at, value: external / MB })
  }

  /** Connections that one pool has at this moment. */
  counted(connections: number): void {
    this.#most = Math.max(this.#most, connections)
  }

  /** Connections, commands and callers of which a pool's books say after a round that they should not be. */
  unaccounted(count: number): void {
    this.#unaccounted += count
  }

  progress(at: number): string {
    const heap = this.#heap.at(-1)?.value.toFixed(1) ?? '–'
    const quiet = this.#quiet.at(-1)?.value.toFixed(1) ?? '–'
    const parts = [`${at.toFixed(1)} min`, `${this.#operations} calls`, `${this.#faults} faults`]
    return [...parts, `heap ${heap} MB`, `p99 in quiet ${quiet} ms`].join(', ')
  }

  outcome(plan: Plan): Outcome {
    return {
      operations: this.#operations,
      faults: this.#faults,
      verdict: this.#verdict,
      examples: this.#examples,
      recovery: this.#recoveries,
      checks: this.#checks(plan),
    }
  }

  get #faults(): number {
    return this.#recoveries.length
  }

  #checks({ minutes, kinds, maxConnections }: Plan): Check[] {
    const growth = (what: string, samples: readonly Sample[]): Check[] => {
      const value = slope(samples.filter(({ at }) => at >= WARM_UP))
      return minutes < 2 * WARM_UP ? [] : [{ what, value, is: 'at most', limit: GROWTH, unit: 'MB/min' }]
    }
    const drift = this.#drift(minutes)
    return [
      { what: 'calls made', value: this.#operations, is: 'at least', limit: Math.round(PACE * minutes) },
      { what: 'kinds of faults', value: this.#troubles.size, is: 'exactly', limit: kinds },
      ...growth('growth of the heap after gc', this.#heap),
      ...growth('growth of memory beside the heap', this.#outside),
      { what: 'p99 in quiet, end against beginning', value: drift, is: 'at most', limit: 1 + DRIFT },
      { what: 'p99 in quiet, end against beginning', value: drift, is: 'at least', limit: 1 - DRIFT },
      { what: 'connections of one pool', value: this.#most, is: 'at most', limit: maxConnections },
      { what: 'connections, commands, callers unaccounted for', value: this.#unaccounted, is: 'exactly', limit: 0 },
    ]
  }

  #drift(minutes: number): number {
    const first = this.#quiet.filter(({ at }) => at < minutes * SHARE)
    const last = this.#quiet.filter(({ at }) => at >= minutes * (1 - SHARE))
    return median(last.map(({ value }) => value)) / median(first.map(({ value }) => value))
  }
}
