// Owns how a pool is watched while it is measured: metrics, channels, spans, as a program would switch them on. Knows
// nothing about measuring.
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { createServer } from 'node:http'

/** @typedef {'metrics' | 'channels' | 'spans'} Mode */

const EVERY = 1_000
const TRACES = ['respool:command', 'respool:batch', 'respool:acquire', 'respool:connect']
const CHANNELS = ['respool:connection:ready', 'respool:connection:closed', 'respool:pool:release', 'respool:pool:leak']

/** @type {Record<Mode, (pool: any) => Promise<() => Promise<void>>>} */
const modes = { metrics, channels, spans }

/** Starts it; the result ends it. @param {any} pool @param {Mode} mode */
export const observe = (pool, mode) => modes[mode](pool)

/** What the package exports, as it was built. @param {string} name @returns {Promise<any>} */
const exported = (name) => import(new URL(`../dist/tools/${name}.js`, import.meta.url).href)

/** A reader of OpenTelemetry's SDK and a scrape over HTTP each second, and a recording where pools have one. */
async function metrics(/** @type {any} */ pool) {
  const sdk = await import('@opentelemetry/sdk-metrics')
  const { metricProducer } = await exported('otel')
  const { prometheusText, PROMETHEUS_CONTENT_TYPE } = await exported('prometheus')
  const exporter = new sdk.InMemoryMetricExporter(sdk.AggregationTemporality.CUMULATIVE)
  const reader = new sdk.PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: EVERY,
    exportTimeoutMillis: EVERY,
    metricProducers: [metricProducer(pool)],
  })
  const provider = new sdk.MeterProvider({ readers: [reader] })
  const recording = pool.record?.()
  const server = createServer((_request, response) => {
    response.setHeader('content-type', PROMETHEUS_CONTENT_TYPE).end(prometheusText(pool))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  let read = 0
  /** @type {Promise<void>} */
  let scrape = Promise.resolve()
  const timer = setInterval(() => {
    if (exporter.getMetrics().length > 0) read++
    exporter.reset()
    // The scraper is in this process too: what it costs counts.
    scrape = fetch(`http://127.0.0.1:${port}/metrics`).then(async (response) => void (await response.text()))
  }, EVERY)
  return async () => {
    clearInterval(timer)
    await scrape
    recording?.stop()
    server.close()
    server.closeAllConnections()
    await provider.shutdown()
    if (read === 0) throw new Error('no metrics were collected')
  }
}

/** Somebody listens to everything. */
async function channels() {
  let told = 0
  const listen = () => {
    told++
  }
  const names = [...CHANNELS, ...TRACES.flatMap(steps)]
  for (const name of names) subscribe(name, listen)
  return async () => {
    for (const name of names) unsubscribe(name, listen)
    if (told === 0) throw new Error('nothing was told')
  }
}

/** @param {string} name */
function steps(name) {
  const { start, end, error, asyncStart, asyncEnd } = tracingChannel(name)
  return [start, end, error, asyncStart, asyncEnd].map((step) => step.name)
}

/** A span for each call, sampled and exported to nowhere. */
async function spans(/** @type {any} */ pool) {
  const { BasicTracerProvider, BatchSpanProcessor } = await import('@opentelemetry/sdk-trace-base')
  const { instrument } = await exported('otel')
  let count = 0
  const exporter = {
    export: (/** @type {unknown[]} */ batch, /** @type {(result: { code: number }) => void} */ done) => {
      count += batch.length
      done({ code: 0 })
    },
    shutdown: async () => {},
  }
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] })
  const instrumentation = instrument({ pools: pool, tracerProvider, metrics: false })
  return async () => {
    instrumentation.stop()
    await tracerProvider.shutdown()
    if (count === 0) throw new Error('no span was exported')
  }
}
