// Owns durations as percentiles: thin over node:perf_hooks, which records in about 20 ns. Unit inside: microseconds.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** Percentiles of a duration, all in milliseconds. */
export interface DurationSummary {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** Durations of 1 µs to an hour with three significant digits. */
export class DurationHistogram {
  #histogram: RecordableHistogram | undefined

  record(milliseconds: number): void {
    // Created at the first value: most histograms of a short program stay empty.
    this.#histogram ??= createHistogram({ lowest: 1, highest: 3_600_000_000, figures: 3 })
    this.#histogram.record(Math.min(3_600_000_000, Math.max(1, Math.round(milliseconds * 1000))))
  }

  summary(): DurationSummary {
    const histogram = this.#histogram
    if (histogram === undefined) return { count: 0, p50: 0, p90: 0, p99: 0, max: 0 }
    const at = (percent: number): number => histogram.percentile(percent) / 1000
    return { count: histogram.count, p50: at(50), p90: at(90), p99: at(99), max: histogram.max / 1000 }
  }
}
