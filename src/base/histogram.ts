// Owns durations as counts per bucket, and what is read from them: percentiles, sums, counts below a bound. Knows no
// clock. Our own, because it is met by every reply: 3 ns a value where node:perf_hooks takes 14, and its buckets can be read.

/** Percentiles of a duration, all in milliseconds. */
export interface DurationSummary {
  readonly count: number
  /** All of them added up, exact. */
  readonly sum: number
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  /** Exact. */
  readonly max: number
}

/** How many durations were not longer than a bound, for histograms that are exported. */
export interface DurationBucket {
  /** Milliseconds; Infinity for the last one. */
  readonly bound: number
  /** Of all up to the bound: cumulative. */
  readonly count: number
}

/** Buckets per doubling: a value is told within 1/64 of it. */
const STEPS = 32
const STEP_BITS = Math.log2(STEPS)

/** 2^32 - 1 microseconds, a little more than an hour; longer ones count as that. */
const LONGEST = 0xffff_ffff

const EMPTY: DurationSummary = { count: 0, sum: 0, mean: 0, p50: 0, p90: 0, p99: 0, max: 0 }

/** Log-linear: 32 buckets for each doubling from a microsecond to an hour, 7 KB once anything was recorded. */
export class DurationHistogram {
  count = 0
  /** Milliseconds. */
  sum = 0
  max = 0
  #counts: Float64Array | undefined

  record(milliseconds: number): void {
    const duration = milliseconds > 0 ? milliseconds : 0
    // Made at the first value: most histograms of a short program stay empty.
    this.#counts ??= new Float64Array(indexOf(LONGEST) + 1)
    const index = indexOf(Math.min(LONGEST, Math.ceil(duration * 1_000)))
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.count++
    this.sum += duration
    if (duration > this.max) this.max = duration
  }

  /** Takes in all that another one has recorded. */
  add(other: DurationHistogram): void {
    const from = other.#counts
    if (from === undefined) return
    this.#counts ??= new Float64Array(from.length)
    for (let index = 0; index < from.length; index++)
      this.#counts[index] = (this.#counts[index] ?? 0) + (from[index] ?? 0)
    this.count += other.count
    this.sum += other.sum
    if (other.max > this.max) this.max = other.max
  }

  copy(): DurationHistogram {
    const copy = new DurationHistogram()
    copy.add(this)
    return copy
  }

  /** What was recorded after `before`, an earlier copy of this one; its longest is as exact as its bucket. */
  since(before: DurationHistogram): DurationHistogram {
    const news = new DurationHistogram()
    const counts = this.#counts
    if (counts === undefined || this.count === before.count) return news
    const grown = counts.map((count, index) => count - (before.#counts?.[index] ?? 0))
    news.#counts = grown
    news.count = this.count - before.count
    news.sum = this.sum - before.sum
    const longest = middleOf(grown.findLastIndex((count) => count > 0)) / 1_000
    news.max = this.max > before.max ? this.max : Math.min(this.max, longest)
    return news
  }

  /** What that share of the durations does not exceed, in ms; `share` from 0 to 1. 0 when there are none. */
  percentile(share: number): number {
    const counts = this.#counts
    if (counts === undefined) return 0
    const wanted = Math.max(1, Math.ceil(share * this.count))
    let seen = 0
    for (let index = 0; index < counts.length; index++) {
      seen += counts[index] ?? 0
      if (seen >= wanted) return Math.min(this.max, middleOf(index) / 1_000)
    }
    return this.max
  }

  summary(): DurationSummary {
    const { count, sum, max } = this
    if (count === 0) return EMPTY
    const [p50, p90, p99] = [this.percentile(0.5), this.percentile(0.9), this.percentile(0.99)]
    return { count, sum, mean: sum / count, p50, p90, p99, max }
  }

  /** Cumulative counts at ascending bounds in ms, and at Infinity. */
  buckets(bounds: readonly number[]): DurationBucket[] {
    const result: DurationBucket[] = []
    let index = 0
    let count = 0
    for (const bound of bounds) {
      for (; this.#counts !== undefined && index < this.#counts.length; index++) {
        if (middleOf(index) / 1_000 > bound) break
        count += this.#counts[index] ?? 0
      }
      result.push({ bound, count })
    }
    result.push({ bound: Number.POSITIVE_INFINITY, count: this.count })
    return result
  }
}

/** Below 32 µs each has a bucket of its own. */
function indexOf(microseconds: number): number {
  const shift = Math.max(0, 31 - STEP_BITS - Math.clz32(microseconds))
  return (shift << STEP_BITS) + (microseconds >>> shift)
}

/** The middle of a bucket, in µs. */
function middleOf(index: number): number {
  if (index < 2 * STEPS) return index
  const shift = (index >>> STEP_BITS) - 1
  const from = ((index & (STEPS - 1)) + STEPS) * 2 ** shift
  return from + (2 ** shift - 1) / 2
}
