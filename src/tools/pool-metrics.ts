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
  stats(options?: StatsOptions): PoolStats
}

/** One pool or several; a Set may change later on. */
export type Pools = PoolSource | Iterable<PoolSource>

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

export const poolsOf = (pools: Pools): PoolSource[] => (Symbol.iterator in pools ? [...pools] : [pools])

/** Refuses what is no pool, and options by names that there are not. @throws OptionError */
export function checkGiven(pools: Pools, options: object, names: readonly string[]): void {
  const isGiven = isObject(pools) && poolsOf(pools).every(isPool)
  if (!isGiven) throw new OptionError('pools: expected a ConnectionPool, such as redis.pool, or several')
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown !== undefined) throw new OptionError(`${unknown}: is no option here; there are ${names.join(', ')}`)
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
const isPool = (value: unknown): boolean => isObject(value) && 'stats' in value && typeof value.stats === 'function'

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

/** All metrics of all pools, now. */
export function takeMetrics(pools: Pools, bounds: readonly number[]): Taken[] {
  const snapshots = poolsOf(pools).map((pool) => snapshotOf(pool, bounds))
  return [
    ...SCALARS.map((metric) => ({ kind: 'scalar', metric, points: scalarPoints(metric, snapshots) }) as const),
    ...HISTOGRAMS.map((metric) => ({ kind: 'histogram', metric, points: histogramPoints(metric, snapshots) }) as const),
  ]
}

/** Those that are read when metrics are collected, without durations. */
export function takeScalars(pools: Pools): Extract<Taken, { kind: 'scalar' }>[] {
  const snapshots = poolsOf(pools).map((pool) => snapshotOf(pool))
  return SCALARS.map((metric) => ({ kind: 'scalar', metric, points: scalarPoints(metric, snapshots) }))
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

function scalarPoints(metric: ScalarMetric, snapshots: readonly Snapshot[]): Point<number>[] {
  const add = metric.kind === 'gauge' ? Math.max : (a: number, b: number) => a + b
  return gathered(snapshots, (stats) => metric.read(stats), add)
}

function histogramPoints(metric: HistogramMetric, snapshots: readonly Snapshot[]): Point<Histogram>[] {
  const read = (stats: PoolStats) =>
    metric.read(stats).map(([durations, attributes]) => [histogramOf(durations), attributes] as const)
  return gathered(snapshots, read, addHistograms)
}

function gathered<Value>(
  snapshots: readonly Snapshot[],
  read: (stats: PoolStats) => readonly (readonly [value: Value, attributes?: Attributes | undefined])[],
  add: (a: Value, b: Value) => Value,
): Point<Value>[] {
  const points = new Map<string, Point<Value>>()
  for (const { stats, since } of snapshots) {
    for (const [value, own] of read(stats)) {
      const attributes = { ...nameOf(stats), ...own }
      const key = keyOf(attributes)
      const before = points.get(key)
      points.set(
        key,
        before === undefined
          ? { attributes, since, value }
          : { attributes, since: Math.min(since, before.since), value: add(before.value, value) },
      )
    }
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
