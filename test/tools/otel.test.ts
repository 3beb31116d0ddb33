// Pools in OpenTelemetry, held to the real SDK with its exporters in memory, on a real server: which metrics there are,
// that they add up with the snapshot, and that each call has its span under the right parent.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { AggregationTemporality } from '@opentelemetry/sdk-metrics'
import { ConnectionPoolTimeoutError, OptionError, Redis, VERSION } from '../../src/index.js'
import { instrument, metricProducer, type PoolSource } from '../../src/tools/otel.js'
import { prometheusText } from '../../src/tools/prometheus.js'
import { liveRedis } from '../support/live-redis.js'
import { type Collected, histogramAt, Reader, Spans, valueAt } from '../support/otel-readers.js'
import { liveSkip, type RedisProcess } from '../support/redis-process.js'

const NAME = 'db.client.connection.pool.name'

/** Unit and kind by name, of a pool without clientSideCache. */
const METRICS: Readonly<Record<string, readonly [unit: string, kind: Collected['kind']]>> = {
  'db.client.connection.count': ['{connection}', 'amount'],
  'db.client.connection.limit': ['{connection}', 'amount'],
  'db.client.connection.idle.max': ['{connection}', 'amount'],
  'db.client.connection.idle.min': ['{connection}', 'amount'],
  'db.client.connection.pending_requests': ['{request}', 'amount'],
  'db.client.connection.timeouts': ['{timeout}', 'counter'],
  'db.client.connection.create_time': ['s', 'histogram'],
  'db.client.connection.wait_time': ['s', 'histogram'],
  'db.client.connection.use_time': ['s', 'histogram'],
  'db.client.operation.duration': ['s', 'histogram'],
  'redis.client.connection.closed': ['{connection}', 'counter'],
  'redis.client.errors': ['{error}', 'counter'],
  'respool.command.in_flight': ['{command}', 'amount'],
  'respool.command.retried': ['{command}', 'counter'],
  'respool.connection.count': ['{connection}', 'amount'],
  'respool.connection.demand.peak': ['{connection}', 'gauge'],
  'respool.connection.dialed': ['{connection}', 'counter'],
  'respool.connection.lendable': ['{connection}', 'amount'],
  'respool.connection.late': ['{connection}', 'counter'],
  'respool.connection.opened': ['{connection}', 'counter'],
  'respool.connection.time': ['s', 'counter'],
  'respool.event_loop.delay': ['s', 'gauge'],
  'respool.lease.acquired': ['{lease}', 'counter'],
  'respool.lease.leaks': ['{lease}', 'counter'],
  'respool.lease.released': ['{lease}', 'counter'],
  'respool.network.io': ['By', 'counter'],
  'respool.reply.duration': ['s', 'histogram'],
  'respool.wait.count': ['{request}', 'counter'],
  'respool.wait.longest': ['s', 'gauge'],
}

const CACHE = ['redis.client.csc.evictions', 'redis.client.csc.items', 'redis.client.csc.requests']

const described = (collected: ReadonlyMap<string, Collected>): Record<string, readonly [string, string]> =>
  Object.fromEntries([...collected].map(([name, { unit, kind }]) => [name, [unit, kind]]))

/** Values of what only grows, by name and attributes; of histograms their counts. */
const growingIn = (collected: ReadonlyMap<string, Collected>): [string, number][] =>
  [...collected.values()].flatMap(({ name, kind, points }) => {
    if (kind !== 'counter' && kind !== 'histogram') return []
    return points.map(({ attributes, value }): [string, number] => [
      `${name} ${JSON.stringify(attributes)}`,
      typeof value === 'number' ? value : value.count,
    ])
  })

/** GETs, one of them in vain, a transaction, a wait in vain and a connection that is killed. */
async function work(redis: Redis, server: RedisProcess): Promise<void> {
  await redis.set('text', 'a')
  await Promise.all(Array.from({ length: 20 }, () => redis.get('text')))
  await redis.lPush('list', 'a')
  await assert.rejects(redis.get('list'))
  await redis.multi().incr('n').incr('n').exec()
  const held = await Promise.all([redis.lease(), redis.lease()])
  await assert.rejects(redis.lease({ timeout: 10 }), ConnectionPoolTimeoutError)
  await server.cli('CLIENT', 'KILL', 'ID', String(held[0].connectionId))
  for (const lease of held) lease.release()
  await redis.ping()
}

describe('respool/otel', { skip: liveSkip }, () => {
  let redis: Redis
  let server: RedisProcess
  liveRedis({ name: 'main', maxConnections: 3, database: 2 }, (started) => {
    ;({ redis, server } = started)
  })
  const place = () => ({
    'db.system.name': 'redis',
    'db.namespace': '2',
    'server.address': '127.0.0.1',
    'server.port': server.port,
    [NAME]: 'main',
  })

  describe('as a producer for a reader of the SDK', () => {
    it('has the whole set of metrics, which add up with the snapshot', async () => {
      await work(redis, server)
      await using reader = new Reader([metricProducer(redis.pool)])
      const metrics = await reader.collect()
      const stats = redis.pool.stats()
      assert.deepEqual(described(metrics), METRICS)
      for (const { points } of metrics.values())
        for (const { attributes } of points) assert.equal(attributes[NAME], 'main')

      const { connections } = stats
      const count = metrics.get('db.client.connection.count')
      assert.equal(valueAt(count, { 'db.client.connection.state': 'idle' }), connections.idle)
      const used = connections.shared + connections.late + connections.draining + connections.leased
      assert.equal(valueAt(count, { 'db.client.connection.state': 'used' }), used)
      assert.equal(count?.points.length, 2)
      assert.equal(valueAt(metrics.get('db.client.connection.limit')), 3)
      assert.equal(valueAt(metrics.get('db.client.connection.idle.max')), 3)
      assert.equal(valueAt(metrics.get('db.client.connection.idle.min')), stats.minConnections)
      assert.equal(valueAt(metrics.get('db.client.connection.pending_requests')), 0)
      assert.equal(valueAt(metrics.get('db.client.connection.timeouts')), stats.counters.timedOut)
      assert.equal(stats.counters.timedOut, 1)

      const closed = metrics.get('redis.client.connection.closed')?.points ?? []
      const reasons = closed.map(({ attributes, value }) => [attributes['redis.client.connection.close.reason'], value])
      assert.deepEqual(Object.fromEntries(reasons), stats.counters.closed)
      assert.ok(closed.length > 0)

      assert.equal(histogramAt(metrics.get('db.client.connection.create_time')).count, stats.counters.opened)
      assert.equal(histogramAt(metrics.get('db.client.connection.wait_time')).count, stats.durations.wait.count)
      assert.equal(histogramAt(metrics.get('db.client.connection.use_time')).count, stats.counters.released)
    })

    it('has operation durations by command and error, one for each call', async () => {
      await using reader = new Reader([metricProducer(redis.pool)])
      const durations = (await reader.collect()).get('db.client.operation.duration')
      const failed = durations?.points.filter(({ attributes }) => 'error.type' in attributes) ?? []
      assert.deepEqual(
        failed.map(({ attributes }) => attributes),
        [
          {
            ...place(),
            'db.operation.name': 'GET',
            'error.type': 'WRONGTYPE',
            'db.response.status_code': 'WRONGTYPE',
          },
        ],
      )
      const [multi] = durations?.points.filter(({ attributes }) => attributes['db.operation.name'] === 'MULTI') ?? []
      assert.deepEqual(multi?.attributes, { ...place(), 'db.operation.name': 'MULTI' })
      let calls = 0
      for (const { value, attributes } of durations?.points ?? []) {
        assert.ok(typeof value === 'object')
        const { count, buckets, sum = 0, max = 0 } = value
        calls += count
        assert.equal(buckets.boundaries.length, 12)
        assert.equal(buckets.counts.length, 13)
        assert.equal(
          buckets.counts.reduce((all, each) => all + each),
          count,
          JSON.stringify(attributes),
        )
        assert.ok(buckets.counts.every((each) => each >= 0))
        assert.ok(max <= sum && sum < 10)
      }
      const { succeeded, failed: errors } = redis.pool.stats().counters
      assert.equal(calls, succeeded + errors)
    })

    it('has a start that does not move, the scope of the library, and the resource of the SDK', async () => {
      await using reader = new Reader([metricProducer(redis.pool)])
      const exported = await reader.export()
      assert.deepEqual(
        exported?.scopeMetrics.map(({ scope }) => scope),
        [{ name: 'respool', version: VERSION }],
      )
      assert.ok('service.name' in (exported?.resource.attributes ?? {}))
      const starts = async (): Promise<Set<string>> => {
        const points = [...(await reader.collect()).values()].flatMap((metric) => metric.points)
        return new Set(points.map(({ startTime }) => startTime.join('.')))
      }
      const first = await starts()
      assert.equal(first.size, 1)
      await new Promise((resolve) => setTimeout(resolve, 7))
      assert.deepEqual(await starts(), first)
      const [start = ''] = first
      const [seconds = 0] = start.split('.').map(Number)
      assert.ok(Math.abs(seconds - Date.now() / 1_000) < 120)
    })

    it('tells a reader that wants it only what was added', async () => {
      const producer = metricProducer(redis.pool, { temporality: 'delta' })
      await using reader = new Reader([producer], AggregationTemporality.DELTA)
      await reader.collect()
      await redis.get('text')
      await redis.get('text')
      const metrics = await reader.collect()
      const durations = metrics.get('db.client.operation.duration')
      assert.equal(durations?.isDelta, true)
      const gets = durations?.points.filter(({ attributes }) => attributes['db.operation.name'] === 'GET') ?? []
      const [ok, failed] = [
        'error.type' in (gets[0]?.attributes ?? {}) ? gets[1] : gets[0],
        gets.find(({ attributes }) => 'error.type' in attributes),
      ]
      assert.ok(typeof ok?.value === 'object' && typeof failed?.value === 'object')
      assert.equal(ok.value.count, 2)
      assert.equal(ok.value.max, undefined)
      assert.ok(ok.value.buckets.counts.every((each) => each >= 0))
      assert.equal(failed.value.count, 0)
      assert.equal(valueAt(metrics.get('db.client.connection.timeouts')), 0)
      // Amounts are never told as what was added.
      assert.equal(valueAt(metrics.get('db.client.connection.limit')), 3)
      assert.equal(metrics.get('db.client.connection.limit')?.isDelta, false)
      const again = (await reader.collect()).get('db.client.operation.duration')
      const [before, after] = [durations?.points[0], again?.points[0]]
      assert.deepEqual(after?.startTime, before?.endTime)
    })

    it('adds up pools of one name, and tells others apart', async () => {
      const twin = new Redis(server.url, { name: 'main', maxConnections: 4, clientSideCache: { maxEntries: 10 } })
      const other = new Redis(server.url, { name: 'other', maxConnections: 5 })
      try {
        const pools = new Set([redis.pool, twin.pool])
        await using reader = new Reader([metricProducer(pools)])
        const limits = async () => (await reader.collect()).get('db.client.connection.limit')
        assert.equal(valueAt(await limits()), 7)
        pools.add(other.pool)
        assert.equal(valueAt(await limits(), { [NAME]: 'other' }), 5)
        assert.equal(valueAt(await limits(), { [NAME]: 'main' }), 7)
        const names = [...(await reader.collect()).keys()]
        assert.deepEqual(names.filter((name) => !(name in METRICS)).sort(), CACHE)
      } finally {
        twin.destroy()
        other.destroy()
      }
    })

    it('lets no counter fall when one of two pools of a name leaves, comes back, and has another after it', async () => {
      const make = () => new Redis(server.url, { name: 'twins' })
      const [stays, leaves, next] = [make(), make(), make()]
      const pools = new Set<PoolSource>([stays.pool, leaves.pool])
      await using sums = new Reader([metricProducer(pools)])
      const delta = metricProducer(pools, { temporality: 'delta' })
      await using added = new Reader([delta], AggregationTemporality.DELTA)
      await using api = new Reader()
      using _ = instrument({ pools, meterProvider: api.provider, spans: false })
      const before = new Map<string, number>()
      const check = async (gets: number, all: number): Promise<void> => {
        for (const [which, reader] of Object.entries({ sums, api })) {
          for (const [metric, value] of growingIn(await reader.collect())) {
            const key = which + metric
            assert.ok(value >= (before.get(key) ?? 0) - 1e-9, `${key}: ${before.get(key)} → ${value}`)
            before.set(key, value)
          }
        }
        const calls = (metrics: ReadonlyMap<string, Collected>) =>
          histogramAt(metrics.get('db.client.operation.duration'), { 'db.operation.name': 'GET' })
        assert.equal(calls(await sums.collect()).count, all)
        const { count, sum = 0, buckets } = calls(await added.collect())
        assert.equal(count, gets)
        assert.ok(sum > -1e-9 && buckets.counts.every((each) => each >= 0))
        assert.equal(
          (prometheusText(pools).match(/operation_duration_seconds_count\{.*"GET".*\} (\d+)/) ?? [])[1],
          `${all}`,
        )
      }
      try {
        await Promise.all([stays.get('text'), stays.get('text'), leaves.get('text')])
        await check(3, 3)
        await leaves.get('text')
        pools.delete(leaves.pool)
        await stays.get('text')
        await check(2, 5)
        pools.add(leaves.pool)
        await check(0, 5)
        await leaves.get('text')
        await check(1, 6)
        pools.delete(leaves.pool)
        pools.delete(stays.pool)
        pools.add(next.pool)
        await next.get('text')
        await check(1, 7)
        assert.equal(valueAt((await sums.collect()).get('db.client.connection.limit')), 10)
      } finally {
        for (const redis of [stays, leaves, next]) redis.destroy()
      }
    })

    it('goes on telling of a pool that has ended', async () => {
      const ended = new Redis(server.url, { name: 'ended' })
      await ended.ping()
      await using reader = new Reader([metricProducer(ended.pool)])
      await ended.close()
      const metrics = await reader.collect()
      assert.equal(valueAt(metrics.get('db.client.connection.count'), { 'db.client.connection.state': 'used' }), 0)
      assert.equal(histogramAt(metrics.get('db.client.operation.duration')).count, 1)
    })

    it('takes bounds of its own, and refuses what is none', async () => {
      await using reader = new Reader([metricProducer(redis.pool, { bounds: [0.05, 2] })])
      const { buckets } = histogramAt((await reader.collect()).get('respool.reply.duration'))
      assert.deepEqual(buckets.boundaries, [0.000_05, 0.002])
      for (const bounds of [[], [2, 1], [0, 1], [1, Number.NaN], [1, Number.POSITIVE_INFINITY]])
        assert.throws(() => metricProducer(redis.pool, { bounds }), OptionError)
    })

    it('refuses what is no pool, and options that there are not', () => {
      const call = (make: unknown, ...given: unknown[]): unknown => Reflect.apply(Object(make), undefined, given)
      for (const pools of [undefined, null, {}, [{ pool: {} }], 'main'])
        assert.throws(() => call(metricProducer, pools), /^OptionError: pools: expected a ConnectionPool/)
      assert.throws(() => call(instrument, { pools: { pool: null } }), OptionError)
      assert.throws(
        () => call(metricProducer, redis.pool, { temporalty: 'delta' }),
        /temporalty: is no option here; there are bounds, temporality/,
      )
      assert.throws(() => call(metricProducer, redis.pool, { temporality: 'both' }), OptionError)
      assert.throws(() => call(instrument, { pools: redis.pool, span: true }), /span: is no option/)
    })

    it('leaves the other metrics of its reader alone where a pool cannot be read', async () => {
      let isBroken = false
      const broken: PoolSource = {
        stats: (options) => {
          if (isBroken) throw new Error('broken')
          return redis.pool.stats(options)
        },
      }
      const producer = metricProducer(broken)
      await using reader = new Reader([producer])
      reader.provider.getMeter('program').createCounter('requests').add(1)
      isBroken = true
      assert.deepEqual([...(await reader.collect()).keys()], ['requests'])
      assert.match(String((await producer.collect()).errors), /broken/)
    })
  })

  describe('through the API', () => {
    it('has the same metrics, but for what only a snapshot knows', async () => {
      await using reader = new Reader()
      const pool = new Redis(server.url, { name: 'api', maxConnections: 3 })
      using _instrumentation = instrument({
        pools: pool.pool,
        meterProvider: reader.provider,
        operationDuration: true,
        spans: false,
      })
      try {
        await work(pool, server)
        const metrics = await reader.collect()
        const { 'respool.reply.duration': _, ...rest } = METRICS
        assert.deepEqual(described(metrics), rest)
        const stats = pool.pool.stats()
        assert.equal(histogramAt(metrics.get('db.client.connection.create_time')).count, stats.counters.opened)
        assert.equal(histogramAt(metrics.get('db.client.connection.use_time')).count, stats.counters.released)
        // Every lease that was asked for, the one in vain too.
        assert.equal(histogramAt(metrics.get('db.client.connection.wait_time')).count, 3)
        assert.equal(valueAt(metrics.get('db.client.connection.timeouts')), 1)
        const durations = metrics.get('db.client.operation.duration')
        assert.deepEqual(histogramAt(durations, { 'error.type': 'WRONGTYPE' }).count, 1)
        const multi = histogramAt(durations, { 'db.operation.name': 'MULTI INCR' })
        assert.equal(multi.count, 1)
        const counts = durations?.points.map(({ value }) => (typeof value === 'object' ? value.count : 0)) ?? []
        assert.equal(
          counts.reduce((all, each) => all + each),
          stats.counters.calls,
        )
        const bounds = histogramAt(metrics.get('db.client.connection.create_time')).buckets.boundaries
        assert.deepEqual(bounds, multi.buckets.boundaries)
        assert.equal(bounds.length, 12)
      } finally {
        pool.destroy()
      }
    })

    it('ends with stop()', async () => {
      await using reader = new Reader()
      await using spans = new Spans()
      const instrumentation = instrument({
        pools: redis.pool,
        meterProvider: reader.provider,
        tracerProvider: spans.provider,
        operationDuration: true,
      })
      await redis.get('text')
      instrumentation.stop()
      instrumentation.stop()
      const before = spans.ended().length
      await redis.get('text')
      assert.equal(spans.ended().length, before)
      assert.equal((await reader.collect()).has('db.client.connection.limit'), false)
    })
  })

  describe('spans', () => {
    it('stand under the span of their caller, across await and on shared connections', async () => {
      await using spans = new Spans()
      using _ = instrument({ pools: redis.pool, tracerProvider: spans.provider, metrics: false })
      const names = Array.from({ length: 20 }, (_each, index) => `caller ${index}`)
      const call = async (name: string): Promise<void> => {
        await redis.get('text')
        await new Promise(setImmediate)
        await redis.set(name, 'x')
        await redis.multi().get('text').get(name).exec()
        await redis.lease(async (lease) => lease.get(name))
      }
      await Promise.all(names.map((name) => spans.inside(name, () => call(name))))
      for (const name of names) {
        const under = spans.ended().filter((span) => spans.parentOf(span) === name)
        assert.deepEqual(
          under.map((span) => span.name),
          ['GET', 'SET', 'MULTI GET', 'GET'],
        )
      }
      assert.equal(spans.ended().length, names.length * 5)
    })

    it('say what the conventions ask for, from their start on', async () => {
      await using spans = new Spans()
      using _ = instrument({ pools: redis.pool, tracerProvider: spans.provider, metrics: false, queryText: true })
      await redis.set('secret', 'secret', { EX: 9 })
      await redis.multi().set('secret', 'a').get('secret').exec()
      await redis.multi().get('secret').execAsPipeline()
      await assert.rejects(redis.get('list'))
      const [set, multi, pipeline, failed] = spans.ended()
      assert.deepEqual([set?.name, set?.kind], ['SET', SpanKind.CLIENT])
      assert.deepEqual(set?.attributes, { ...place(), 'db.operation.name': 'SET', 'db.query.text': 'SET ? ? ? ?' })
      assert.equal(set?.status.code, SpanStatusCode.UNSET)
      assert.equal(set?.instrumentationScope.name, 'respool')
      assert.deepEqual(multi?.attributes, {
        ...place(),
        'db.operation.name': 'MULTI',
        'db.operation.batch.size': 2,
        'db.query.text': 'SET; GET',
      })
      assert.equal(pipeline?.name, 'PIPELINE GET')
      assert.equal('db.operation.batch.size' in (pipeline?.attributes ?? {}), false)
      assert.equal(failed?.attributes['error.type'], 'WRONGTYPE')
      assert.equal(failed?.attributes['db.response.status_code'], 'WRONGTYPE')
      assert.equal(failed?.status.code, SpanStatusCode.ERROR)
      assert.match(failed?.status.message ?? '', /^WRONGTYPE/)
      const shown = spans.ended().map(({ attributes, name, status, events }) => ({ attributes, name, status, events }))
      assert.doesNotMatch(JSON.stringify(shown), /secret/)
    })

    it('of errors of this side have no status code of the server', async () => {
      const small = new Redis(server.url, { name: 'small', maxConnections: 1, acquireTimeout: 10 })
      await using spans = new Spans()
      using _ = instrument({ pools: small.pool, tracerProvider: spans.provider, metrics: false })
      const lease = await small.lease()
      try {
        await assert.rejects(small.get('x'), ConnectionPoolTimeoutError)
        await assert.rejects(small.withAbortSignal(AbortSignal.abort()).get('x'))
        const [timeout, aborted] = spans.ended()
        assert.equal(timeout?.attributes['error.type'], 'ERR_POOL_TIMEOUT')
        assert.equal('db.response.status_code' in (timeout?.attributes ?? {}), false)
        assert.equal(aborted?.attributes['error.type'], 'aborted')
      } finally {
        lease.release()
        small.destroy()
      }
    })

    it('are of a pool that was added later, and not of one that only has its name', async () => {
      const later = new Redis(server.url, { name: 'later' })
      const namesake = new Redis(server.url, { name: 'later' })
      const pools = new Set<PoolSource>([redis.pool])
      await using spans = new Spans()
      using _ = instrument({ pools, tracerProvider: spans.provider, metrics: false })
      const told = () => spans.ended().map(({ name, attributes }) => [name, attributes[NAME]])
      try {
        await namesake.get('text')
        pools.add(later.pool)
        await later.get('text')
        await namesake.get('text')
        assert.deepEqual(told(), [['GET', 'later']])
        pools.add(namesake.pool)
        pools.delete(later.pool)
        const end = performance.now() + 5_000
        while (told().length === 1 && performance.now() < end) {
          await namesake.set('n', 'x')
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
        await later.get('text')
        assert.deepEqual(told().slice(1), [['SET', 'later']])
      } finally {
        later.destroy()
        namesake.destroy()
      }
    })

    it('of what has no id go by the name', async () => {
      await using spans = new Spans()
      const pools = { stats: () => redis.pool.stats() }
      using _ = instrument({ pools, tracerProvider: spans.provider, metrics: false })
      await redis.get('text')
      assert.equal(spans.ended().length, 1)
    })

    it('hold nothing of what the server quotes', async () => {
      await using spans = new Spans()
      using _ = instrument({ pools: redis.pool, tracerProvider: spans.provider, metrics: false })
      await assert.rejects(redis.sendCommand(['CLIENT', 'hush-hush']), /hush-hush/)
      await assert.rejects(redis.eval("return redis.error_reply('CUSTOM ' .. ARGV[1])", { arguments: ['hush-hush'] }))
      await assert.rejects(redis.multi().set('a', 'b').addCommand(['CLIENT', 'hush-hush']).execAsPipeline())
      const shown = spans.ended().map(({ status, attributes, events }) => ({ status, attributes, events }))
      assert.deepEqual(
        shown.map(({ status }) => status.message),
        ['ERR', 'CUSTOM', 'ERR_MULTI'],
      )
      assert.doesNotMatch(JSON.stringify(shown), /hush/)
    })

    it('are of the pools asked for only, and where asked only under a parent', async () => {
      const other = new Redis(server.url, { name: 'not asked for' })
      await using spans = new Spans()
      using _ = instrument({ pools: redis.pool, tracerProvider: spans.provider, metrics: false, requireParent: true })
      try {
        await redis.get('text')
        await spans.inside('parent', async () => {
          await other.get('text')
          await redis.get('text')
        })
        assert.deepEqual(
          spans.ended().map(({ name }) => name),
          ['GET', 'parent'],
        )
      } finally {
        other.destroy()
      }
    })
  })
})
