// Owns the way of a pool's metrics into a reader of OpenTelemetry's SDK: the shapes that it wants, and what was added
// since the last collection for a reader that wants that. Has its own words for the SDK's shapes, and needs no SDK.

import { OptionError, VERSION } from '../index.js'
import type { Attributes } from './metric-table.js'
import type { HrTime } from './otel-api.js'
import {
  type BoundsOption,
  checkGiven,
  type Histogram,
  keyOf,
  type Point,
  PoolReadings,
  type Pools,
  readBounds,
  type Taken,
} from './pool-metrics.js'

/** `delta`: counters and histograms tell what was added since the last collection. */
export type Temporality = 'cumulative' | 'delta'

export interface MetricProducerOptions extends BoundsOption {
  /**
   * What the exporter prefers. Default `cumulative`. A `delta` producer remembers what it has told, so it must serve one
   * reader only.
   */
  readonly temporality?: Temporality | undefined
}

interface Described {
  readonly descriptor: {
    readonly name: string
    readonly description: string
    readonly unit: string
    /** INT or DOUBLE. */
    readonly valueType: 0 | 1
  }
  /** DELTA or CUMULATIVE. */
  readonly aggregationTemporality: 0 | 1
}

interface DataPoint<Value> {
  readonly startTime: HrTime
  readonly endTime: HrTime
  readonly attributes: Attributes
  readonly value: Value
}

interface HistogramValue {
  readonly buckets: { boundaries: number[]; counts: number[] }
  readonly sum: number
  readonly count: number
  readonly max?: number
}

export interface ProducedSum extends Described {
  readonly dataPointType: 3
  readonly isMonotonic: boolean
  readonly dataPoints: DataPoint<number>[]
}

export interface ProducedGauge extends Described {
  readonly dataPointType: 2
  readonly dataPoints: DataPoint<number>[]
}

export interface ProducedHistogram extends Described {
  readonly dataPointType: 0
  readonly dataPoints: DataPoint<HistogramValue>[]
}

export type ProducedMetric = ProducedSum | ProducedGauge | ProducedHistogram

/** A reader takes the resource of its own SDK; this one says nothing. */
interface NoResource {
  readonly attributes: Record<string, never>
  merge<Other>(other: Other | null): Other | NoResource
  getRawAttributes(): []
}

export interface ProducedMetrics {
  readonly resourceMetrics: {
    readonly resource: NoResource
    readonly scopeMetrics: { readonly scope: { name: string; version: string }; readonly metrics: ProducedMetric[] }[]
  }
  readonly errors: unknown[]
}

/** A `MetricProducer` of `@opentelemetry/sdk-metrics`. */
export interface PoolMetricProducer {
  collect(): Promise<ProducedMetrics>
}

const RESOURCE: NoResource = { attributes: {}, merge: (other) => other ?? RESOURCE, getRawAttributes: () => [] }

/**
 * All metrics of the pools for a reader of the SDK, taken at collection: nothing is paid per command.
 *
 * `new PeriodicExportingMetricReader({ exporter, metricProducers: [metricProducer(pool)] })`
 * @throws OptionError for what is no pool, or no option, or has a wrong value
 */
export function metricProducer(pools: Pools, options: MetricProducerOptions = {}): PoolMetricProducer {
  checkGiven(pools, options, ['bounds', 'temporality'])
  const bounds = readBounds(options)
  const readings = new PoolReadings(pools, bounds)
  const form = readTemporality(options.temporality) === 'delta' ? new Delta() : CUMULATIVE
  const scope = { name: 'respool', version: VERSION }
  const collect = (): ProducedMetrics => {
    const now = Date.now()
    const metrics = readings.all().flatMap((taken) => (taken.points.length > 0 ? [produce(taken, now, form)] : []))
    form.told(now)
    const scopeMetrics = metrics.length === 0 ? [] : [{ scope, metrics }]
    return { resourceMetrics: { resource: RESOURCE, scopeMetrics }, errors: [] }
  }
  return {
    async collect() {
      try {
        return collect()
      } catch (error) {
        // Whatever is wrong with a pool, the reader's other metrics are not to be lost for it.
        return { resourceMetrics: { resource: RESOURCE, scopeMetrics: [] }, errors: [error] }
      }
    },
  }
}

function readTemporality(temporality: unknown = 'cumulative'): Temporality {
  if (temporality === 'cumulative' || temporality === 'delta') return temporality
  throw new OptionError("temporality: expected 'cumulative' or 'delta'")
}

/** How what only grows is told. */
interface Form {
  readonly temporality: 0 | 1
  counter(metric: string, point: Point<number>): Point<number>
  histogram(metric: string, point: Point<Histogram>): Point<Histogram>
  /** All was told that there was at this time. */
  told(now: number): void
}

const CUMULATIVE: Form = {
  temporality: 1,
  counter: (_, point) => point,
  histogram: (_, point) => point,
  told: () => {},
}

const NOTHING: Omit<Histogram, 'bounds'> = { count: 0, sum: 0, max: 0, counts: [] }

/** What was added since the last time. */
class Delta implements Form {
  readonly temporality = 0
  readonly #counters = new Map<string, number>()
  readonly #histograms = new Map<string, Histogram>()
  #toldAt = Number.NEGATIVE_INFINITY

  counter(metric: string, point: Point<number>): Point<number> {
    const key = metric + keyOf(point.attributes)
    const { value } = point
    const before = this.#counters.get(key) ?? 0
    this.#counters.set(key, value)
    // Less than before: the past of its pools was forgotten.
    return this.#since(point, Math.max(0, value - before))
  }

  histogram(metric: string, point: Point<Histogram>): Point<Histogram> {
    const key = metric + keyOf(point.attributes)
    const { value } = point
    const before = this.#histograms.get(key) ?? NOTHING
    this.#histograms.set(key, value)
    if (value.count < before.count)
      return this.#since(point, { ...value, ...NOTHING, counts: value.counts.map(() => 0) })
    const counts = value.counts.map((count, index) => count - (before.counts[index] ?? 0))
    const added = { count: value.count - before.count, sum: value.sum - before.sum, counts }
    // The longest since the last time is not known.
    return this.#since(point, { bounds: value.bounds, max: undefined, ...added })
  }

  told(now: number): void {
    this.#toldAt = now
  }

  #since<Value>({ attributes, since }: Point<Value>, value: Value): Point<Value> {
    return { attributes, since: Math.max(since, this.#toldAt), value }
  }
}

function produce(taken: Taken, now: number, form: Form): ProducedMetric {
  const { name, description, unit } = taken.metric
  if (taken.kind === 'histogram') {
    const points = taken.points.map((point) => dataPoint(form.histogram(name, point), now))
    return {
      descriptor: { name, description, unit, valueType: 1 },
      aggregationTemporality: form.temporality,
      dataPointType: 0,
      dataPoints: points.map((point) => ({ ...point, value: histogramValue(point.value) })),
    }
  }
  const { kind, isWhole } = taken.metric
  const descriptor = { name, description, unit, valueType: isWhole ? 0 : 1 } as const
  const amounts = (): DataPoint<number>[] => taken.points.map((point) => dataPoint(point, now))
  switch (kind) {
    case 'gauge':
      return { descriptor, aggregationTemporality: 1, dataPointType: 2, dataPoints: amounts() }
    case 'upDown':
      return { descriptor, aggregationTemporality: 1, dataPointType: 3, isMonotonic: false, dataPoints: amounts() }
    case 'counter':
      return {
        descriptor,
        aggregationTemporality: form.temporality,
        dataPointType: 3,
        isMonotonic: true,
        dataPoints: taken.points.map((point) => dataPoint(form.counter(name, point), now)),
      }
    default:
      return kind satisfies never
  }
}

function dataPoint<Value>({ attributes, since, value }: Point<Value>, now: number): DataPoint<Value> {
  return { attributes, startTime: timeOf(since), endTime: timeOf(now), value }
}

function histogramValue({ bounds, counts, sum, count, max }: Histogram): HistogramValue {
  const buckets = { boundaries: [...bounds], counts: [...counts] }
  return max === undefined || count === 0 ? { buckets, sum, count } : { buckets, sum, count, max }
}

/** Milliseconds since 1970 → seconds and nanoseconds. */
function timeOf(milliseconds: number): HrTime {
  const seconds = Math.floor(milliseconds / 1_000)
  return [seconds, Math.floor((milliseconds - seconds * 1_000) * 1_000_000)]
}
