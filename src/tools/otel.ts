// Owns `respool/otel`: pools in the words of OpenTelemetry, either for a reader of its SDK, or through its API.

import { channel } from 'node:diagnostics_channel'
import { type AcquireTrace, type ConnectionReadyMessage, type ReleaseMessage, VERSION } from '../index.js'
import { type HistogramMetric, OPERATIONS, POOL_NAME, SCALARS, type ScalarMetric, TIMES } from './metric-table.js'
import {
  type Histogram,
  type Meter,
  type MeterProvider,
  metrics,
  type Observable,
  type TracerProvider,
  trace,
} from './otel-api.js'
import { followCalls, type TracedPool } from './otel-calls.js'
import {
  type BoundsOption,
  checkGiven,
  isPool,
  PoolReadings,
  type PoolSource,
  type Pools,
  poolsOf,
  readBounds,
} from './pool-metrics.js'

export {
  type MetricProducerOptions,
  metricProducer,
  type PoolMetricProducer,
  type ProducedMetrics,
  type Temporality,
} from './otel-producer.js'
export type { BoundsOption, Measured, PoolSource, Pools } from './pool-metrics.js'

export interface InstrumentOptions extends BoundsOption {
  /** Whose metrics and calls are told. */
  readonly pools: Pools
  /** Default: the global one. */
  readonly meterProvider?: MeterProvider | undefined
  /** Default: the global one. */
  readonly tracerProvider?: TracerProvider | undefined
  /** Metrics of pools. Default true; false beside `metricProducer`, which tells more for less. */
  readonly metrics?: boolean | undefined
  /** `db.client.operation.duration` through the API, which costs every call something. Default false. */
  readonly operationDuration?: boolean | undefined
  /** A span for each call, transaction and pipeline. Default true. */
  readonly spans?: boolean | undefined
  /** Only spans that have a parent. Default false. */
  readonly requireParent?: boolean | undefined
  /** `db.query.text` of spans: the name of the command and `?` for each argument. Default false. */
  readonly queryText?: boolean | undefined
}

const OPTIONS: readonly (keyof InstrumentOptions)[] = [
  'pools',
  'meterProvider',
  'tracerProvider',
  'metrics',
  'operationDuration',
  'spans',
  'requireParent',
  'queryText',
  'bounds',
]

export interface Instrumentation extends Disposable {
  /** Ends it; calls under way are not told any more. */
  stop(): void
}

/**
 * Tells OpenTelemetry of pools through its API: metrics, and a span for each call.
 * @throws OptionError for what is no pool, or no option, or has a wrong value
 */
export function instrument(options: InstrumentOptions): Instrumentation {
  const { pools } = options
  checkGiven(pools, options, OPTIONS)
  const bounds = readBounds(options)
  const followed = new Followed(pools)
  const meter = (options.meterProvider ?? metrics).getMeter('respool', VERSION)
  const tracer = (options.tracerProvider ?? trace).getTracer('respool', VERSION)
  const ends: (() => void)[] = []
  if (options.metrics ?? true) ends.push(observe(meter, pools), followTimes(meter, followed, bounds))
  const spans = options.spans ?? true
  const duration = options.operationDuration ? histogramOf(meter, OPERATIONS, bounds) : undefined
  if (spans || duration !== undefined) {
    const { queryText = false, requireParent = false } = options
    const follows = (pool: TracedPool): boolean => followed.has(pool)
    ends.push(followCalls({ tracer: spans ? tracer : undefined, duration, queryText, requireParent, follows }))
  }
  const stop = (): void => {
    for (const end of ends.splice(0)) end()
  }
  return { stop, [Symbol.dispose]: stop }
}

/** How old what is known of the pools may be, in ms. */
const KNOWN_FOR = 1_000

/** Whose news are told. Pools may come and go; looking at all of them is nothing to do for each call. */
class Followed {
  readonly #pools: Pools
  #ids: ReadonlySet<string> = new Set()
  /** Of those that have no id. */
  #names: ReadonlySet<string> = new Set()
  readonly #nameOf = new WeakMap<PoolSource, string>()
  readonly #strangers = new Set<string>()
  #readAt = Number.NEGATIVE_INFINITY

  constructor(pools: Pools) {
    this.#pools = pools
    this.#read(performance.now())
  }

  has({ clientId, poolName }: TracedPool): boolean {
    const now = performance.now()
    if (now - this.#readAt > KNOWN_FOR) {
      this.#strangers.clear()
      this.#read(now)
    }
    if (this.#isKnown(clientId, poolName)) return true
    if (this.#strangers.has(clientId)) return false
    this.#read(now)
    const isKnown = this.#isKnown(clientId, poolName)
    if (!isKnown) this.#strangers.add(clientId)
    return isKnown
  }

  #isKnown(id: string, name: string): boolean {
    return this.#ids.has(id) || this.#names.has(name)
  }

  #read(now: number): void {
    this.#readAt = now
    // One that was added later was not looked at yet.
    const pools = poolsOf(this.#pools).filter(isPool)
    this.#ids = new Set(pools.flatMap(({ clientId }) => clientId ?? []))
    this.#names = new Set(pools.flatMap((pool) => (pool.clientId === undefined ? this.#named(pool) : [])))
  }

  #named(pool: PoolSource): string | [] {
    try {
      const name = this.#nameOf.get(pool) ?? pool.stats().name
      this.#nameOf.set(pool, name)
      return name
    } catch {
      // Whatever is wrong with it, calls go on.
      return []
    }
  }
}

/** All that can be read when metrics are collected. */
function observe(meter: Meter, pools: Pools): () => void {
  const observables = new Map(SCALARS.map((metric) => [metric.name, observableOf(meter, metric)]))
  const all = [...observables.values()]
  const readings = new PoolReadings(pools, undefined)
  const callback: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    for (const { metric, points } of readings.scalars()) {
      const observable = observables.get(metric.name)
      if (observable !== undefined)
        for (const { value, attributes } of points) result.observe(observable, value, attributes)
    }
  }
  meter.addBatchObservableCallback(callback, all)
  return () => meter.removeBatchObservableCallback(callback, all)
}

function observableOf(meter: Meter, { kind, name, unit, description, isWhole }: ScalarMetric): Observable {
  // INT or DOUBLE, by the values of an enum that would have to be there at run time.
  const options = { unit, description, valueType: isWhole ? 0 : 1 }
  switch (kind) {
    case 'counter':
      return meter.createObservableCounter(name, options)
    case 'upDown':
      return meter.createObservableUpDownCounter(name, options)
    case 'gauge':
      return meter.createObservableGauge(name, options)
    default:
      return kind satisfies never
  }
}

/** Durations have no observable: they are recorded one by one, as they end. */
function followTimes(meter: Meter, followed: Followed, bounds: readonly number[]): () => void {
  const create = histogramOf(meter, TIMES.create, bounds)
  const use = histogramOf(meter, TIMES.use, bounds)
  const wait = histogramOf(meter, TIMES.wait, bounds)
  const record = (histogram: Histogram, pool: TracedPool, time: number | undefined): void => {
    if (time !== undefined && followed.has(pool)) histogram.record(time / 1_000, { [POOL_NAME]: pool.poolName })
  }
  const ends = [
    follow<ConnectionReadyMessage>('respool:connection:ready', (news) => {
      record(create, news, news.createTimeMs)
    }),
    follow<ReleaseMessage>('respool:pool:release', (news) => record(use, news, news.useTimeMs)),
    follow<AcquireTrace>('tracing:respool:acquire:asyncEnd', (news) => record(wait, news, news.waitMs)),
  ]
  return () => {
    for (const end of ends) end()
  }
}

function follow<News>(name: string, listener: (news: News) => void): () => void {
  const told = channel(name)
  const listen = (news: unknown): void => listener(news as News)
  told.subscribe(listen)
  return () => told.unsubscribe(listen)
}

function histogramOf(meter: Meter, { name, unit, description }: HistogramMetric, bounds: readonly number[]): Histogram {
  const explicitBucketBoundaries = bounds.map((bound) => bound / 1_000)
  return meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries } })
}
