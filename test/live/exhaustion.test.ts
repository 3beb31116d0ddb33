// Shows what the callers of an exhausted pool meet on a real server: a fair queue, a deadline that is kept, an error
// that names who holds what.

import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { ConnectionPoolTimeoutError, type Lease, type NoMapping, Redis, type RedisOptions } from '../../src/index.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { pause } from './support-live.js'

const TIMEOUT = 150
const LATEST = 50

describe('an exhausted pool on a real server', { skip: liveSkip }, () => {
  let server: RedisProcess
  before(async () => {
    server = await RedisProcess.start()
    await server.cli('SET', 'key', 'value')
  })
  after(() => server.stop())

  const open = (options: RedisOptions<3, NoMapping>): Redis => new Redis(server.url, { maxConnections: 10, ...options })

  it('serves the eleventh and all after it first come first served', async (t) => {
    await using redis = open({ pipelining: 1 })
    const held = await take(redis, 10)
    assert.equal(new Set(held.map((lease) => lease.connectionId)).size, 10)
    await servesInOrder(t, redis, held)
  })

  it('serves the tenth lease and all after it first come first served when sharing', async (t) => {
    await using redis = open({})
    const held = await take(redis, 9)
    const gets = keepGetting(redis)
    await servesInOrder(t, redis, held)
    assert.ok((await gets.end()).count > 0)
  })

  it('tells the eleventh caller after acquireTimeout who holds its ten connections', async (t) => {
    await using redis = open({ pipelining: 1, acquireTimeout: TIMEOUT })
    const held = await take(redis, 10)
    const calls = [() => redis.lease({ label: 'eleventh' }), () => redis.get('key'), () => redis.multi().ping().exec()]
    const waits = await Promise.all([...calls, ...calls, ...calls].map((call) => timeOut(call)))
    report(t, waits)
    for (const { error } of waits) checkHolders(error, 10)
    for (const lease of held) lease.release()
    assert.equal(await redis.get('key'), 'value')
  })

  it('tells the tenth lease who holds nine, while GETs go on', async (t) => {
    await using redis = open({ acquireTimeout: TIMEOUT })
    const held = await take(redis, 9)
    const gets = keepGetting(redis)
    const waits = await Promise.all(Array.from({ length: 5 }, () => timeOut(() => redis.lease({ label: 'tenth' }))))
    const { count, longest } = await gets.end()
    report(t, waits, `${count} GETs meanwhile, the longest took ${longest.toFixed(1)} ms`)
    for (const { error } of waits) {
      checkHolders(error, 9)
      assert.equal(error.stats.connections.shared, 1)
    }
    assert.ok(count > 500, `${count} GETs`)
    assert.ok(longest < TIMEOUT, `a GET took ${longest} ms`)
    for (const lease of held) lease.release()
  })

  it('keeps each deadline of many that come at different times', async (t) => {
    await using redis = open({ pipelining: 1, acquireTimeout: 80 })
    const held = await take(redis, 10)
    const waits: Promise<Wait>[] = []
    for (let i = 0; i < 100; i++) {
      const own = 20 + ((i * 37) % 100)
      waits.push(timeOut(() => redis.lease({ timeout: own }), own))
      if (i % 10 === 0) await pause(2)
    }
    report(t, await Promise.all(waits))
    for (const lease of held) lease.release()
  })

  it('lets nobody wait who came to a pool with a connection to spare', async () => {
    await using redis = open({ pipelining: 1, acquireTimeout: TIMEOUT })
    const held = await take(redis, 9)
    assert.equal(await redis.get('key'), 'value')
    assert.equal(redis.pool.stats().counters.timedOut, 0)
    for (const lease of held) lease.release()
  })
})

interface Wait {
  readonly error: ConnectionPoolTimeoutError
  readonly allowed: number
  readonly took: number
}

function take(redis: Redis, count: number): Promise<Lease[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => redis.lease({ label: `holder ${i}` })))
}

async function timeOut(call: () => Promise<unknown>, allowed = TIMEOUT): Promise<Wait> {
  const start = performance.now()
  try {
    await call()
  } catch (error) {
    const took = performance.now() - start
    if (error instanceof ConnectionPoolTimeoutError) return { error, allowed, took }
    throw error
  }
  throw new Error('it got a connection')
}

function report(t: TestContext, waits: readonly Wait[], more = ''): void {
  const late = waits.map(({ allowed, took }) => took - allowed)
  const range = `${Math.min(...late).toFixed(1)} to ${Math.max(...late).toFixed(1)} ms after the deadline`
  t.diagnostic(`${waits.length} timed out ${range}${more === '' ? '' : `; ${more}`}`)
  for (const ms of late) assert.ok(ms > -2 && ms < LATEST, `${ms} ms after the deadline`)
}

function checkHolders(error: ConnectionPoolTimeoutError, count: number): void {
  const labels = error.holders.map(({ label }) => label).sort()
  assert.deepEqual(labels, Array.from({ length: count }, (_, i) => `holder ${i}`).sort())
  assert.equal(error.outcome, 'not-sent')
  assert.equal(error.timeout, TIMEOUT)
  assert.equal(error.stats.connections.leased, count)
  assert.match(error.message, /holder \d+ for \d+ ms/)
  for (const { heldFor } of error.holders) assert.ok(heldFor >= TIMEOUT, `${heldFor} ms`)
}

/** Thirty more callers come, then what is held is given back bit by bit. */
async function servesInOrder(t: TestContext, redis: Redis, held: readonly Lease[]): Promise<void> {
  const served: number[] = []
  const callers = Array.from({ length: 30 }, (_, i) =>
    redis.lease(async (lease) => {
      served.push(i)
      await lease.ping()
    }),
  )
  await pause(20)
  assert.deepEqual(served, [])
  assert.equal(redis.pool.stats().waiting.leases, 30)
  for (const lease of held.slice(0, 2)) lease.release()
  await pause(5)
  for (const lease of held.slice(2)) lease.release()
  await Promise.all(callers)
  t.diagnostic(`${held.length} held, 30 waited, served in the order ${served.slice(0, 5).join(' ')} … ${served.at(-1)}`)
  assert.deepEqual(
    served,
    served.map((_, i) => i),
  )
}

function keepGetting(redis: Redis): { end(): Promise<{ count: number; longest: number }> } {
  let running = true
  let count = 0
  let longest = 0
  const caller = async (): Promise<void> => {
    while (running) {
      const start = performance.now()
      assert.equal(await redis.get('key'), 'value')
      longest = Math.max(longest, performance.now() - start)
      count++
    }
  }
  const callers = Array.from({ length: 10 }, caller)
  return {
    end: async () => {
      running = false
      await Promise.all(callers)
      return { count, longest }
    },
  }
}
