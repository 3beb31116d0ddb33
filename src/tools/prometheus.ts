// Owns `respool/prometheus`: pools as Prometheus scrapes them, in a text of their own or in a registry of prom-client.
// Needs no package.
// https://prometheus.io/docs/instrumenting/exposition_formats/

import { OptionError } from '../index.js'
import { HISTOGRAMS, type HistogramMetric, SCALARS, type ScalarMetric } from './metric-table.js'
import {
  type BoundsOption,
  checkGiven,
  type Histogram,
  type Point,
  PoolReadings,
  type Pools,
  readBounds,
  type Taken,
} from './pool-metrics.js'
import { type Family, familyOf, promName } from './prometheus-names.js'

export type { BoundsOption, Measured, PoolSource, Pools } from './pool-metrics.js'

/** What a response with `prometheusText` says it is. */
export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** What is needed of a `Registry` of prom-client. */
export interface PrometheusRegistry {
  registerMetric(metric: never): void
  removeSingleMetric(name: string): void
  readonly contentType: string
}

export interface CollectOptions extends BoundsOption {
  /** Where the metrics go: `register` of prom-client, or a `Registry` of your own. */
  readonly register: PrometheusRegistry
}

type Labels = Record<string, string>

interface Sample {
  readonly value: number
  readonly labels: Labels
  readonly metricName?: string
}

/** A metric as a registry of prom-client asks it. */
interface RegistryMetric extends Family {
  /** How the processes of a cluster are put together. */
  readonly aggregator: 'sum' | 'max'
  get(): Promise<Family & { readonly aggregator: 'sum' | 'max'; readonly values: readonly Sample[] }>
  reset(): void
}

/**
 * All metrics of the pools as text, in the version 0.0.4 of the format: `text/plain; version=0.0.4`.
 * @throws OptionError for what is no pool, or no option, or has a wrong value
 */
export function prometheusText(pools: Pools, options: BoundsOption = {}): string {
  checkGiven(pools, options, ['bounds'])
  const families = readingsOf(pools, readBounds(options))
    .all()
    .filter(({ points }) => points.length > 0)
  return families.map((taken) => familyText(familyOf(taken.metric), samplesOf(taken))).join('')
}

/**
 * Adds the metrics of the pools to a registry of prom-client, as its `collectDefaultMetrics` does its own. They are read
 * when the registry is. Gives what takes them out again.
 * @throws OptionError as above; Error when the registry has metrics of these names
 */
export function collectPoolMetrics(pools: Pools, options: CollectOptions): () => void {
  const { register } = options
  checkGiven(pools, options, ['register', 'bounds'])
  const given: unknown = register
  if (typeof Object(given).registerMetric !== 'function')
    throw new OptionError('register: expected a Registry of prom-client')
  const bounds = readBounds(options)
  const readings = new PoolReadings(pools, bounds)
  const scrape = new Scrape(() => readings.all())
  const added: string[] = []
  const remove = (): void => {
    for (const name of added.splice(0)) register.removeSingleMetric(name)
  }
  try {
    for (const metric of [...SCALARS, ...HISTOGRAMS]) {
      const made = registryMetric(metric, scrape, register)
      // The registry asks for a class of its own, and needs of it what is made here.
      Reflect.apply(register.registerMetric, register, [made])
      added.push(made.name)
    }
  } catch (error) {
    remove()
    throw error
  }
  return remove
}

/** By bounds, of each Set or array that texts were made of: what its pools had counted is to be remembered. */
const read = new WeakMap<object, Map<string, PoolReadings>>()

function readingsOf(pools: Pools, bounds: readonly number[]): PoolReadings {
  const all = read.get(pools) ?? new Map<string, PoolReadings>()
  read.set(pools, all)
  const key = bounds.join()
  const readings = all.get(key) ?? new PoolReadings(pools, bounds)
  all.set(key, readings)
  return readings
}

function registryMetric(
  metric: ScalarMetric | HistogramMetric,
  scrape: Scrape,
  register: PrometheusRegistry,
): RegistryMetric {
  const family = familyOf(metric)
  const aggregator = metric.kind === 'gauge' ? 'max' : 'sum'
  return {
    ...family,
    aggregator,
    async get() {
      const taken = scrape.of(metric.name)
      // For OpenMetrics the registry adds the ending of a counter by itself.
      const isOpen = register.contentType.startsWith('application/openmetrics-text')
      const name = isOpen ? family.name.replace(/_total$/, '') : family.name
      return { ...family, name, aggregator, values: taken === undefined ? [] : samplesOf(taken, name) }
    },
    // What a pool has counted is the pool's.
    reset: () => {},
  }
}

/** A registry asks for one metric after the other: all of one scrape are of the same moment. */
class Scrape {
  readonly #take: () => Taken[]
  #taken: ReadonlyMap<string, Taken> | undefined

  constructor(take: () => Taken[]) {
    this.#take = take
  }

  of(metric: string): Taken | undefined {
    if (this.#taken === undefined) {
      this.#taken = new Map(this.#take().map((taken) => [taken.metric.name, taken]))
      queueMicrotask(() => {
        this.#taken = undefined
      })
    }
    return this.#taken.get(metric)
  }
}

function samplesOf(taken: Taken, name = familyOf(taken.metric).name): Sample[] {
  if (taken.kind === 'scalar') return taken.points.map((point) => ({ value: point.value, labels: labelsOf(point) }))
  return taken.points.flatMap((point) => histogramSamples(name, point))
}

function histogramSamples(name: string, point: Point<Histogram>): Sample[] {
  const { bounds, counts, sum, count } = point.value
  const labels = labelsOf(point)
  let upTo = 0
  const buckets = counts.map((inside, index) => {
    upTo += inside
    const bound = bounds[index]
    return {
      metricName: `${name}_bucket`,
      labels: { ...labels, le: bound === undefined ? '+Inf' : String(bound) },
      value: upTo,
    }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ]
}

function labelsOf({ attributes }: Pick<Point<unknown>, 'attributes'>): Labels {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [promName(name), String(value)]))
}

function familyText({ name, help, type }: Family, samples: readonly Sample[]): string {
  const lines = samples.map(({ metricName = name, labels, value }) => {
    const shown = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text).replaceAll('"', '\\"')}"`)
    return `${metricName}{${shown.join(',')}} ${value}\n`
  })
  return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
