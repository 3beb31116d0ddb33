// The real SDK of OpenTelemetry with its exporters in memory, as a program would set it up. Judges nothing.

import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricProducer,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'

const NEVER = 2 ** 31 - 1

export interface Collected {
  readonly name: string
  readonly unit: string
  readonly kind: 'counter' | 'amount' | 'gauge' | 'histogram'
  readonly isDelta: boolean
  readonly points: readonly DataPoint<number | Histogram>[]
}

/** A reader that collects when it is asked. */
export class Reader implements AsyncDisposable {
  readonly provider: MeterProvider
  readonly #exporter: InMemoryMetricExporter

  constructor(metricProducers: MetricProducer[] = [], temporality = AggregationTemporality.CUMULATIVE) {
    this.#exporter = new InMemoryMetricExporter(temporality)
    const options = { exporter: this.#exporter, exportIntervalMillis: NEVER, metricProducers }
    this.provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader(options)] })
  }

  async export(): Promise<ResourceMetrics | undefined> {
    this.#exporter.reset()
    await this.provider.forceFlush()
    return this.#exporter.getMetrics()[0]
  }

  /** What one collection gives, by name. */
  async collect(): Promise<Map<string, Collected>> {
    const scopes = (await this.export())?.scopeMetrics ?? []
    const all = scopes.flatMap(({ metrics }) => metrics)
    return new Map(all.map((metric) => [metric.descriptor.name, collectedFrom(metric)]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.provider.shutdown()
  }
}

type MetricData = ResourceMetrics['scopeMetrics'][number]['metrics'][number]

function collectedFrom(metric: MetricData): Collected {
  const { name, unit } = metric.descriptor
  const isDelta = metric.aggregationTemporality === AggregationTemporality.DELTA
  const kinds = ['histogram', 'exponential', 'gauge', 'sum'] as const
  const type = kinds[metric.dataPointType]
  const isMonotonic = 'isMonotonic' in metric && metric.isMonotonic
  if (type === 'exponential' || type === undefined) throw new Error(`${name} is an exponential histogram`)
  const kind = type === 'sum' ? (isMonotonic ? 'counter' : 'amount') : type
  const points: DataPoint<number | Histogram>[] = []
  for (const { value, ...point } of metric.dataPoints) {
    if (typeof value === 'number') points.push({ ...point, value })
    else if ('buckets' in value) points.push({ ...point, value })
  }
  return { name, unit, kind, isDelta, points }
}

/** The value of the only point that has these attributes. */
export function valueAt(collected: Collected | undefined, attributes: Record<string, unknown> = {}): number {
  const [value, ...more] = pointsAt(collected, attributes).map((point) => point.value)
  if (typeof value !== 'number' || more.length > 0) throw new Error(`no single number: ${JSON.stringify(collected)}`)
  return value
}

export function histogramAt(collected: Collected | undefined, attributes: Record<string, unknown> = {}): Histogram {
  const [value, ...more] = pointsAt(collected, attributes).map((point) => point.value)
  if (typeof value !== 'object' || more.length > 0) throw new Error(`no single one: ${JSON.stringify(collected)}`)
  return value
}

function pointsAt(collected: Collected | undefined, attributes: Record<string, unknown>): Collected['points'] {
  const wanted = Object.entries(attributes)
  return (collected?.points ?? []).filter((point) => wanted.every(([name, value]) => point.attributes[name] === value))
}

/** Spans of one test, with contexts that hold across await. */
export class Spans implements AsyncDisposable {
  readonly provider: BasicTracerProvider
  readonly #exporter = new InMemorySpanExporter()

  constructor() {
    this.provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.#exporter)] })
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  }

  /** Runs `run` inside a span of that name. */
  async inside<T>(name: string, run: () => Promise<T>): Promise<T> {
    const span = this.provider.getTracer('test').startSpan(name)
    try {
      return await context.with(trace.setSpan(context.active(), span), run)
    } finally {
      span.end()
    }
  }

  /** All that have ended, in the order of their ends. */
  ended(): ReadableSpan[] {
    return this.#exporter.getFinishedSpans()
  }

  /** Name of the span it stands under. */
  parentOf(span: ReadableSpan): string | undefined {
    const id = span.parentSpanContext?.spanId
    return this.ended().find((other) => other.spanContext().spanId === id)?.name
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.provider.shutdown()
    context.disable()
  }
}
