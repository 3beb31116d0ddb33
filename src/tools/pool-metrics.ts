// Owns the taking of metrics: snapshots of pools → points, one for each set of attributes. Pools of one name are one
// pool to whoever looks at metrics, so theirs are added up. Knows no exporter.

import { OptionError, type PoolStats, type StatsOptions } from '../index.js'
import {
  type Attributes,
  DEFAULT_BOUNDS,
  HISTOGRAMS,
  type HistogramMetric,
  POOL_NAME,
  SCALARS,
  type ScalarMetric,
} from './metric-table.js'

/** A `ConnectionPool`, or whatever has its `stats()`. */
export interface PoolSource {
  /** As messages of `node:diagnostics_channel` have it; what has none is told by its name. */
  readonly clientId?: string | undefined
  stats(options?: StatsOptions): PoolStats
}

/** A pool, or a handle on one. */
export type Measured = PoolSource | { readonly pool: PoolSource }

/** One pool or several; a Set may change later on. */
export type Pools = Measured | Iterable<Measured>

export interface BoundsOption {
  /** Ascending bounds of the buckets of all durations, in ms. Default 0.1 to 10 000. */
  readonly bounds?: readonly number[] | undefined
}

export interface Histogram {
  readonly count: number
  /** Seconds, as the bounds and `max`. */
  readonly sum: number
  /** undefined where it is not known. */
  readonly max: number | undefined
  readonly bounds: readonly number[]
  /** For each bound, and beyond the last: not cumulative. */
  readonly counts: readonly number[]
}

export interface Point<Value> {
  readonly attributes: Attributes
  /** Since when it counts, in ms since 1970. */
  readonly since: number
  readonly value: Value
}

export type Taken =
  | { readonly kind: 'scalar'; readonly metric: ScalarMetric; readonly points: readonly Point<number>[] }
  | { readonly kind: 'histogram'; readonly metric: HistogramMetric; readonly points: readonly Point<Histogram>[] }

interface Snapshot {
  readonly since: number
  readonly stats: PoolStats
}

/** When pools were made. Kept, because it is a difference of two clocks, and a start that moves looks like a restart. */
const births = new WeakMap<PoolSource, number>()

export const poolsOf = (pools: Pools): PoolSource[] =>
  (Symbol.iterator in pools ? [...pools] : [pools]).map((one) => (isObject(one) && 'pool' in one ? one.pool : one))

/** Refuses what is no pool, and options by names that there are not. @throws OptionError */
export function checkGiven(pools: Pools, options: object, names: readonly string[]): void {
  const isGiven = isObject(pools) && [...(Symbol.iterator in pools ? pools : [pools])].every(isMeasured)
  if (!isGiven) throw new OptionError('pools: expected a ConnectionPool, a handle on one, or several')
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown !== undefined) throw new OptionError(`${unknown}: is no option here; there are ${names.join(', ')}`)
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
export const isPool = (value: unknown): boolean =>
  isObject(value) && 'stats' in value && typeof value.stats === 'function'

const isMeasured = (value: unknown): boolean =>
  isPool(value) || (isObject(value) && 'pool' in value && isPool(value.pool))

/** @throws OptionError for bounds that are none */
export function readBounds({ bounds = DEFAULT_BOUNDS }: BoundsOption): readonly number[] {
  const given: unknown = bounds
  const isAscending =
    Array.isArray(given) &&
    given.length > 0 &&
    given.every((bound, index) => Number.isFinite(bound) && bound > (given[index - 1] ?? 0))
  if (!isAscending) throw new OptionError('bounds: expected an array of ascending numbers of milliseconds')
  return [...bounds]
}

/**
 * Reads pools again and again. A pool that is not among them any more leaves what it has counted to its name, so that no
 * counter falls.
 */
export class PoolReadings {
  readonly #pools: Pools
  readonly #bounds: readonly number[] | undefined
  readonly #scalars = SCALARS.map((metric) => ({ metric, series: scalarSeries(metric) }))
  readonly #histograms = HISTOGRAMS.map((metric) => ({ metric, series: histogramSeries(metric) }))
  #present: ReadonlySet<PoolSource> = new Set()
  /** What pools left behind, for when one comes back. */
  readonly #left = new WeakMap<PoolSource, Snapshot>()

  /** @param bounds undefined where no histograms are taken */
  constructor(pools: Pools, bounds: readonly number[] | undefined) {
    this.#pools = pools
    this.#bounds = bounds
  }

  /** All metrics of all pools, now. */
  all(): Taken[] {
    const snapshots = this.#read()
    const histograms = this.#histograms.map(
      ({ metric, series }) => ({ kind: 'histogram', metric, points: series.take(snapshots) }) as const,
    )
    return [...this.#scalarsOf(snapshots), ...histograms]
  }

  /** Those that are read when metrics are collected, without durations. */
  scalars(): Extract<Taken, { kind: 'scalar' }>[] {
    return this.#scalarsOf(this.#read())
  }

  #scalarsOf(snapshots: readonly Snapshot[]): Extract<Taken, { kind: 'scalar' }>[] {
    return this.#scalars.map(({ metric, series }) => ({ kind: 'scalar', metric, points: series.take(snapshots) }))
  }

  #read(): Snapshot[] {
    const before = this.#present
    const present = new Set(poolsOf(this.#pools))
    this.#present = present
    for (const pool of before) if (!present.has(pool)) this.#leave(pool)
    for (const pool of present) this.#comeBack(pool)
    return [...present].map((pool) => snapshotOf(pool, this.#bounds))
  }

  #leave(pool: PoolSource): void {
    const snapshot = snapshotOf(pool, this.#bounds)
    this.#left.set(pool, snapshot)
    for (const { metric, series } of this.#scalars) if (metric.kind === 'counter') series.keep(snapshot)
    for (const { series } of this.#histograms) series.keep(snapshot)
  }

  #comeBack(pool: PoolSource): void {
    const snapshot = this.#left.get(pool)
    if (snapshot === undefined) return
    this.#left.delete(pool)
    for (const { metric, series } of this.#scalars) if (metric.kind === 'counter') series.giveBack(snapshot)
    for (const { series } of this.#histograms) series.giveBack(snapshot)
  }
}

/** The name that all points of the pool have. */
const nameOf = ({ name }: PoolStats): Attributes => ({ [POOL_NAME]: name })

/** The same for equal attributes. */
export const keyOf = (attributes: Attributes): string => JSON.stringify(Object.entries(attributes).sort(byName))

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1)

function snapshotOf(pool: PoolSource, bounds?: readonly number[]): Snapshot {
  const stats = pool.stats({ bounds })
  const since = births.get(pool) ?? stats.takenAt - stats.age
  births.set(pool, since)
  return { since, stats }
}

type Read<Value> = (stats: PoolStats) => readonly (readonly [value: Value, attributes?: Attributes | undefined])[]
type Combine<Value> = (a: Value, b: Value) => Value

/** Names of pools whose past is kept; those that were not seen for the longest time are forgotten first. */
const MOST_NAMES = 1_000

/** One metric of pools that come and go. */
class Series<Value> {
  readonly #read: Read<Value>
  readonly #add: Combine<Value>
  readonly #subtract: Combine<Value>
  /** Of pools that have left, by name. */
  readonly #past = new Map<string, readonly Point<Value>[]>()

  constructor(read: Read<Value>, add: Combine<Value>, subtract: Combine<Value>) {
    this.#read = read
    this.#add = add
    this.#subtract = subtract
  }

  /** Names without a pool are left out. */
  take(snapshots: readonly Snapshot[]): Point<Value>[] {
    const names = new Set(snapshots.map(({ stats }) => stats.name))
    const past = [...names].flatMap((name) => this.#pastOf(name))
    return gathered([...past, ...snapshots.flatMap((snapshot) => this.#pointsOf(snapshot))], this.#add)
  }

  keep(snapshot: Snapshot): void {
    const { name } = snapshot.stats
    this.#past.set(name, gathered([...this.#pastOf(name), ...this.#pointsOf(snapshot)], this.#add))
    const [oldest] = this.#past.keys()
    if (this.#past.size > MOST_NAMES && oldest !== undefined) this.#past.delete(oldest)
  }

  giveBack(snapshot: Snapshot): void {
    const { name } = snapshot.stats
    const taken = new Map(this.#pointsOf(snapshot).map((point) => [keyOf(point.attributes), point.value]))
    const rest = this.#pastOf(name).map((point) => {
      const value = taken.get(keyOf(point.attributes))
      return value === undefined ? point : { ...point, value: this.#subtract(point.value, value) }
    })
    if (rest.length > 0) this.#past.set(name, rest)
  }

  #pastOf(name: string): readonly Point<Value>[] {
    const past = this.#past.get(name)
    if (past === undefined) return []
    this.#past.delete(name)
    this.#past.set(name, past)
    return past
  }

  #pointsOf({ stats, since }: Snapshot): Point<Value>[] {
    return this.#read(stats).map(([value, own]) => ({ attributes: { ...nameOf(stats), ...own }, since, value }))
  }
}

function scalarSeries(metric: ScalarMetric): Series<number> {
  const add: Combine<number> = metric.kind === 'gauge' ? Math.max : (a, b) => a + b
  return new Series(
    (stats) => metric.read(stats),
    add,
    (a, b) => a - b,
  )
}

function histogramSeries(metric: HistogramMetric): Series<Histogram> {
  const read: Read<Histogram> = (stats) =>
    metric.read(stats).map(([durations, attributes]) => [histogramOf(durations), attributes] as const)
  return new Series(read, addHistograms, subtractHistograms)
}

/** One point for each set of attributes. */
function gathered<Value>(all: readonly Point<Value>[], add: Combine<Value>): Point<Value>[] {
  const points = new Map<string, Point<Value>>()
  for (const point of all) {
    const key = keyOf(point.attributes)
    const before = points.get(key)
    const { attributes, since, value } = point
    points.set(
      key,
      before === undefined
        ? point
        : { attributes, since: Math.min(since, before.since), value: add(before.value, value) },
    )
  }
  return [...points.values()]
}

type Durations = PoolStats['durations']['wait']

function histogramOf({ count, sum, max, buckets = [] }: Durations): Histogram {
  const upTo = buckets.map((bucket) => bucket.count)
  return {
    count,
    sum: sum / 1_000,
    max: max / 1_000,
    bounds: buckets.slice(0, -1).map(({ bound }) => bound / 1_000),
    counts: upTo.map((all, index) => all - (upTo[index - 1] ?? 0)),
  }
}

function addHistograms(a: Histogram, b: Histogram): Histogram {
  return {
    count: a.count + b.count,
    sum: a.sum + b.sum,
    max: Math.max(a.max ?? 0, b.max ?? 0),
    bounds: a.bounds,
    counts: a.counts.map((count, index) => count + (b.counts[index] ?? 0)),
  }
}

/** The longest stays: it was there. */
function subtractHistograms(a: Histogram, b: Histogram): Histogram {
  return {
    ...a,
    count: a.count - b.count,
    sum: a.sum - b.sum,
    counts: a.counts.map((count, index) => count - (b.counts[index] ?? 0)),
  }
}
