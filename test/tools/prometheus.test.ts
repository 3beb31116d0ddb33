// Pools in Prometheus, scraped over HTTP and read by a parser that lets nothing pass: as text, and through a registry of
// prom-client; while a pool ends, and with names that are out for trouble.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { describe, it } from 'node:test'
import { Counter, collectDefaultMetrics, type OpenMetricsContentType, Registry } from 'prom-client'
import { OptionError, Redis } from '../../src/index.js'
import {
  collectPoolMetrics,
  type PoolSource,
  type Pools,
  PROMETHEUS_CONTENT_TYPE,
  prometheusText,
} from '../../src/tools/prometheus.js'
import { liveRedis } from '../support/live-redis.js'
import { type Family, parsePrometheus } from '../support/prometheus-parser.js'
import { liveSkip, type RedisProcess } from '../support/redis-process.js'

const POOL = 'db_client_connection_pool_name'

interface Scraped {
  readonly contentType: string | null
  readonly text: string
}

/** Serves what `answer` gives, once, and scrapes it. */
async function scrape(contentType: string, answer: () => string | Promise<string>): Promise<Scraped> {
  const server = createServer(async (_request, response) => {
    try {
      const text = await answer()
      response.setHeader('content-type', contentType).end(text)
    } catch (error) {
      response.writeHead(500).end(String(error))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: 'close' } })
    const text = await response.text()
    assert.equal(response.status, 200, text)
    return { contentType: response.headers.get('content-type'), text }
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

const scrapeText = (pools: Pools): Promise<Scraped> => scrape(PROMETHEUS_CONTENT_TYPE, () => prometheusText(pools))

function sampleOf(families: ReadonlyMap<string, Family>, name: string, labels: Record<string, string> = {}): number {
  const found = [...families.values()]
    .flatMap(({ samples }) => samples)
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
  assert.equal(found.length, 1, `${name} ${JSON.stringify(labels)}: ${found.length}`)
  return found[0]?.value ?? Number.NaN
}

describe('respool/prometheus', { skip: liveSkip }, () => {
  let redis: Redis
  let server: RedisProcess
  liveRedis({ name: 'main', maxConnections: 3 }, (started) => {
    ;({ redis, server } = started)
  })

  it('is scraped as text that a strict parser takes, and adds up with the snapshot', async () => {
    await redis.lPush('list', 'a')
    await assert.rejects(redis.get('list'))
    await Promise.all(Array.from({ length: 30 }, () => redis.get('x')))
    await redis.lease((lease) => lease.ping())
    const { contentType, text } = await scrapeText(redis.pool)
    assert.equal(contentType, 'text/plain; version=0.0.4; charset=utf-8')
    const families = parsePrometheus(text)
    const { counters } = redis.pool.stats()
    assert.equal(sampleOf(families, 'db_client_connection_limit'), 3)
    assert.equal(sampleOf(families, 'db_client_connection_pending_requests'), 0)
    assert.equal(sampleOf(families, 'db_client_connection_timeouts_total'), 0)
    assert.equal(sampleOf(families, 'db_client_connection_use_time_seconds_count'), counters.released)
    const gets = { db_operation_name: 'GET' }
    const failed = { ...gets, error_type: 'WRONGTYPE', db_response_status_code: 'WRONGTYPE' }
    const count = 'db_client_operation_duration_seconds_count'
    assert.equal(sampleOf(families, count, failed), 1)
    const all = families.get('db_client_operation_duration_seconds')?.samples ?? []
    const calls = all.filter(({ name }) => name === count).reduce((sum, { value }) => sum + value, 0)
    assert.equal(calls, counters.succeeded + counters.failed)
    const received = { network_io_direction: 'receive' }
    assert.equal(sampleOf(families, 'respool_network_io_bytes_total', received), counters.bytesRead)
    for (const { samples } of families.values()) for (const { labels } of samples) assert.equal(labels[POOL], 'main')
  })

  it('is the same through a registry of prom-client, beside its own metrics', async () => {
    const register = new Registry()
    new Counter({ name: 'requests_total', help: 'of the program', registers: [register] }).inc()
    collectDefaultMetrics({ register })
    collectPoolMetrics(redis.pool, { register })
    const { text } = await scrape(register.contentType, () => register.metrics())
    const through = parsePrometheus(dropped(text, /^(?:process_|nodejs_|requests_total)/))
    const direct = parsePrometheus(prometheusText(redis.pool))
    for (const [name, family] of direct) {
      const { samples, ...rest } = through.get(name) ?? { samples: [] }
      const { samples: expected, ...described } = family
      assert.deepEqual(rest, described)
      // What a clock moves meanwhile is another number.
      const known = samples.map(({ name: sample, labels }) => ({ sample, labels }))
      assert.deepEqual(
        known,
        expected.map(({ name: sample, labels }) => ({ sample, labels })),
      )
    }
    assert.match(text, /^requests_total 1$/m)
    register.clear()
  })

  it('keeps to OpenMetrics where the registry does', async () => {
    const register = new Registry<OpenMetricsContentType>()
    register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
    collectPoolMetrics(redis.pool, { register })
    const text = await register.metrics()
    assert.match(text, /^# TYPE db_client_connection_timeouts counter\ndb_client_connection_timeouts_total\{/m)
    assert.doesNotMatch(text, /_total_total/)
    assert.match(text, /\n# EOF\n$/)
  })

  it('takes one snapshot for a scrape, and leaves the registry as it was', async () => {
    let taken = 0
    const source: PoolSource = {
      stats: (options) => {
        taken++
        return redis.pool.stats(options)
      },
    }
    const register = new Registry()
    const remove = collectPoolMetrics(source, { register })
    await register.metrics()
    assert.equal(taken, 1)
    await register.getMetricsAsJSON()
    assert.equal(taken, 2)
    register.resetMetrics()
    assert.throws(() => collectPoolMetrics(redis.pool, { register }), /already been registered/)
    assert.ok(register.getMetricsAsArray().length > 20)
    remove()
    assert.deepEqual(register.getMetricsAsArray(), [])
    assert.throws(() => collectPoolMetrics(redis.pool, { register, bounds: [1, 1] }), OptionError)
  })

  it('is scraped while a pool closes, and afterwards', async () => {
    const closing = new Redis(server.url, { name: 'closing', maxConnections: 2 })
    const register = new Registry()
    collectPoolMetrics(closing.pool, { register })
    const lease = await closing.lease()
    const closed = closing.close()
    const during = parsePrometheus((await scrapeText(closing.pool)).text)
    parsePrometheus((await scrape(register.contentType, () => register.metrics())).text)
    assert.equal(sampleOf(during, 'db_client_connection_count', { db_client_connection_state: 'used' }), 1)
    lease.release()
    await closed
    const after = parsePrometheus((await scrapeText(closing.pool)).text)
    parsePrometheus((await scrape(register.contentType, () => register.metrics())).text)
    assert.equal(sampleOf(after, 'db_client_connection_count', { db_client_connection_state: 'used' }), 0)
    assert.equal(sampleOf(after, 'redis_client_connection_closed_total'), 1)
  })

  it('shows any name as it is, and lets none say anything else', async () => {
    const hostile = [
      'a"} 1\nfake_total{x="',
      'back\\slash\\n and \\"',
      '\\',
      '{a="b",c="d"}',
      '# TYPE x counter',
      'naïve ☃ \u2028\r\t',
      '',
      '__proto__',
    ]
    const sources = hostile.map(
      (name): PoolSource => ({ stats: (options) => ({ ...redis.pool.stats(options), name }) }),
    )
    const { text } = await scrapeText(sources)
    const limits = parsePrometheus(text).get('db_client_connection_limit')?.samples ?? []
    assert.deepEqual(
      limits.map(({ labels }) => labels),
      hostile.map((name) => ({ [POOL]: name })),
    )
    const register = new Registry()
    collectPoolMetrics(sources, { register })
    const through = await scrape(register.contentType, () => register.metrics())
    assert.equal(parsePrometheus(through.text).get('db_client_connection_limit')?.samples.length, hostile.length)
  })

  it('takes a handle for its pool', () => {
    const redis = new Redis({ name: 'of a handle' })
    assert.equal(prometheusText(redis), prometheusText(redis.pool))
    assert.match(prometheusText(new Set([redis])), /db_client_connection_pool_name="of a handle"/)
    redis.destroy()
  })

  it('refuses what is no pool, no registry and no option', () => {
    const call = (make: unknown, ...given: unknown[]): unknown => Reflect.apply(Object(make), undefined, given)
    assert.throws(() => call(prometheusText, { pool: {} }), OptionError)
    assert.throws(() => call(prometheusText, redis.pool, { bound: [1] }), /bound: is no option here; there are bounds/)
    assert.throws(() => call(collectPoolMetrics, redis.pool, {}), /register: expected a Registry/)
    assert.throws(() => call(collectPoolMetrics, 'redis', { register: new Registry() }), OptionError)
  })

  it('has nothing to say of no pool', () => assert.equal(prometheusText([]), ''))
})

describe('the parser of the tests', () => {
  const head = '# HELP a b\n# TYPE a gauge\n'
  const histogram = '# HELP h b\n# TYPE h histogram\n'
  const refused: Readonly<Record<string, string>> = {
    'a text without an end': `${head}a 1`,
    'a sample out of place': `${head}b 1\n`,
    'a sample without a family': 'a 1\n',
    'a family in two pieces': `${head}a 1\n# HELP b b\n# TYPE b gauge\nb 1\n# HELP a b\n# TYPE a gauge\na{x="1"} 1\n`,
    'a sample that comes twice': `${head}a{x="1"} 1\na{x="1"} 2\n`,
    'a quote in a value': `${head}a{x="""} 1\n`,
    'an unknown escape': `${head}a{x="\\t"} 1\n`,
    'a bad label': `${head}a{1x="1"} 1\n`,
    'no number': `${head}a one\n`,
    NaN: `${head}a NaN\n`,
    'an unknown type': '# HELP a b\n# TYPE a number\na 1\n',
    'no help': '# TYPE a gauge\na 1\n',
    'a counter by another name': '# HELP a b\n# TYPE a counter\na 1\n',
    'a counter below zero': '# HELP a_total b\n# TYPE a_total counter\na_total -1\n',
    'no bucket for all': `${histogram}h_bucket{le="1"} 1\nh_sum 1\nh_count 1\n`,
    'buckets that fall': `${histogram}h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`,
    'bounds that fall': `${histogram}h_bucket{le="2"} 1\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`,
    'a count that does not add up': `${histogram}h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n`,
    'a histogram without a sum': `${histogram}h_bucket{le="+Inf"} 1\nh_count 1\n`,
  }
  for (const [what, text] of Object.entries(refused)) {
    it(`refuses ${what}`, () => assert.throws(() => parsePrometheus(text)))
  }
  it('takes what is right', () => {
    const right = `${head}a{x="1\\n\\"\\\\",y="2"} 1e-7\na +Inf\n${histogram}h_bucket{le="0.5"} 1\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`
    assert.deepEqual(parsePrometheus(right).get('a')?.samples[0]?.labels, { x: '1\n"\\', y: '2' })
  })
})

/** Without the families whose name matches. */
function dropped(text: string, name: RegExp): string {
  const isKept = (line: string): boolean => !name.test(line.replace(/^# \w+ /, ''))
  return `${text.split('\n').filter(isKept).join('\n')}\n`
}
