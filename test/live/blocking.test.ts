// Shows on a real server that consumers who block starve nobody and that giving up on a blocking command loses nothing.

import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { after, before, beforeEach, describe, it } from 'node:test'
import { ConnectionPoolTimeoutError, Redis } from '../../src/index.js'
import { seeded } from '../support/random.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { nextTurn, pause, percentile, until, Witness } from './support-live.js'

const QUIET_ENOUGH = 25
/** Enough for each lane to have its share. */
const KEYS = 50

describe('blocking commands on a real server', { skip: liveSkip }, () => {
  let server: RedisProcess
  let witness: Witness
  before(async () => {
    server = await RedisProcess.start()
    witness = await Witness.connect(server.port)
  })
  beforeEach(() => witness.ask('FLUSHALL'))
  after(async () => {
    await witness[Symbol.asyncDispose]()
    await server.stop()
  })

  for (const maxConnections of [6, 10]) {
    for (const first of ['consumers', 'load']) {
      it(`do not starve GETs: five BLPOP consumers of ${maxConnections} connections, ${first} first`, async (t) => {
        const redis = new Redis(server.url, { maxConnections, acquireTimeout: 1_000 })
        await fill(redis)
        const consumers = new Consumers(redis)
        if (first === 'consumers') consumers.start(5)
        const load = new Load(redis, 100)
        if (first === 'load') consumers.start(5)
        await until('five are parked', async () => (await witness.figure('clients', 'blocked_clients')) === 5)
        load.reset()
        const end = performance.now() + 700
        while (performance.now() < end) {
          assert.equal(redis.pool.stats().connections.leased, 5)
          await witness.ask('LPUSH', 'jobs:0', 'job')
          await pause(25)
        }
        const { times } = await load.end()
        await consumers.end(witness)
        const [p50, p99, worst] = [0.5, 0.99, 1].map((share) => percentile(times, share))
        t.diagnostic(
          `${times.length} GETs of 100 callers: p50 ${p50?.toFixed(2)} ms, p99 ${p99?.toFixed(2)} ms, ` +
            `longest ${worst?.toFixed(1)} ms; ${consumers.received.length} jobs consumed`,
        )
        assert.ok(times.length > 5_000, `${times.length} GETs`)
        assert.ok(p99 !== undefined && p99 < QUIET_ENOUGH, `p99 ${p99} ms`)
        assert.ok(consumers.received.length > 10)
        await redis.close()
      })
    }
  }

  it('starve GETs where a classic pool has no connection beyond theirs, and are named then', async () => {
    const redis = new Redis(server.url, { maxConnections: 5, pipelining: 1, acquireTimeout: 50 })
    const consumers = new Consumers(redis)
    consumers.start(5)
    await until('five are parked', async () => (await witness.figure('clients', 'blocked_clients')) === 5)
    await assert.rejects(redis.get('key'), (error) => {
      assert.ok(error instanceof ConnectionPoolTimeoutError)
      assert.deepEqual(
        error.holders.map(({ label }) => label),
        Array(5).fill('BLPOP'),
      )
      return true
    })
    await consumers.end(witness)
    await redis.close()
  })

  it('constant GETs do not starve leases, even the last one that may be had', async (t) => {
    const redis = new Redis(server.url, { maxConnections: 10 })
    await fill(redis)
    const load = new Load(redis, 100)
    await until('both lanes are open', () => redis.pool.stats().connections.shared === 2)
    const held = await Promise.all(Array.from({ length: 8 }, () => redis.lease()))
    assert.deepEqual(pickPlaces(redis), { leased: 8, shared: 2, total: 10 })
    load.reset()
    const waits: number[] = []
    let taken = 0
    for (let i = 0; i < 100; i++) {
      const start = performance.now()
      await redis.lease(async (lease) => {
        if (redis.pool.stats().connections.shared === 1) taken++
        waits.push(performance.now() - start)
        assert.equal(await lease.get('key:1'), 'value 1')
      })
      // Let the second lane come back, so that the next lease has to take it away again.
      await until('both lanes are open', () => redis.pool.stats().connections.shared === 2)
    }
    const crowd = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const start = performance.now()
        return redis.lease(async (lease) => {
          await lease.ping()
          return performance.now() - start
        })
      }),
    )
    const { times } = await load.end()
    for (const lease of held) lease.release()
    t.diagnostic(
      `100 leases under the load of ${times.length} GETs: p50 ${percentile(waits, 0.5).toFixed(2)} ms, longest ` +
        `${Math.max(...waits).toFixed(1)} ms; 50 at once: the last after ${Math.max(...crowd).toFixed(1)} ms`,
    )
    assert.equal(taken, 100)
    assert.ok(Math.max(...waits) < 100, `${Math.max(...waits)} ms`)
    assert.ok(Math.max(...crowd) < 1_000, `${Math.max(...crowd)} ms`)
    assert.ok(times.length > 5_000, `${times.length} GETs`)
    await redis.close()
  })

  const pops = [
    { name: 'BLPOP', aborts: 1_000, pop: (redis: Redis) => redis.blPop('jobs', 0).then((reply) => reply?.element) },
    {
      name: 'BRPOP with a timeout',
      aborts: 200,
      pop: (redis: Redis) => redis.brPop('jobs', 5).then((r) => r?.element),
    },
    { name: 'BLMOVE', aborts: 200, pop: (redis: Redis) => redis.blMove('jobs', 'done', 'LEFT', 'RIGHT', 0) },
    { name: 'BZPOPMIN', aborts: 200, pop: (redis: Redis) => redis.bzPopMin('scores', 0).then((reply) => reply?.value) },
  ] as const
  for (const { name, aborts, pop } of pops) {
    it(`lose nothing when ${name} is aborted ${aborts} times against a producer`, async (t) => {
      const redis = new Redis(server.url, { maxConnections: 10 })
      const sorted = name === 'BZPOPMIN'
      const race = await raceAborts(redis, witness, aborts, sorted, (handle) => pop(handle))
      const left = sorted ? await redis.zRange('scores', 0, -1) : await redis.lRange('jobs', 0, -1)
      t.diagnostic(
        `seed ${race.seed}: ${race.pushed.length} pushed = ${race.received.length} received + ${left.length} left; ` +
          `${race.aborted} aborted, ${race.deliveredAnyway} delivered although the abort had come`,
      )
      const found = [...race.received, ...left]
      assert.deepEqual(found.sort(), race.pushed.sort())
      if (name === 'BLMOVE') {
        const done = await redis.lRange('done', 0, -1)
        assert.deepEqual(done.sort(), race.received.sort())
      }
      assert.equal(race.listeners, 0)
      assert.equal(redis.pool.stats().counters.closed.aborted, undefined)
      await settlesDown(redis, witness)
      await redis.close()
    })
  }

  it('lose elements when an abort only drops the answer: this is what is counted', async (t) => {
    const redis = new Redis(server.url, { maxConnections: 10 })
    const race = await raceAborts(redis, witness, 300, false, async (_, signal) => {
      const popped = redis.blPop('jobs', 0.05).then((reply) => reply?.element)
      const given = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
      return Promise.race([popped, given])
    })
    await pause(60)
    const left = await redis.lRange('jobs', 0, -1)
    const lost = race.pushed.length - race.received.length - left.length
    t.diagnostic(`${race.pushed.length} pushed, ${lost} lost`)
    assert.ok(lost > 0)
    await redis.close()
  })

  it('hear the abort by whose listener they were granted their connection', async () => {
    const redis = new Redis(server.url, { maxConnections: 2 })
    const lease = await redis.lease()
    const stop = new AbortController()
    stop.signal.addEventListener('abort', () => lease.release())
    const parked = redis.withAbortSignal(stop.signal).blPop('nothing', 0)
    await until('it waits', () => redis.pool.stats().waiting.leases === 1)
    stop.abort()
    await assert.rejects(parked, { name: 'AbortError' })
    await settlesDown(redis, witness)
    await redis.close()
  })

  for (const waiting of ['nothing', 'an element']) {
    it(`leave no second answer behind when a paused server lets them go, with ${waiting} to pop`, async () => {
      const redis = new Redis(server.url, { maxConnections: 2 })
      await Promise.all([redis.ping(), redis.lease((lease) => lease.ping())])
      if (waiting === 'an element') await witness.ask('RPUSH', 'jobs', 'element')
      await witness.ask('CLIENT', 'PAUSE', '200', 'WRITE')
      const stop = new AbortController()
      const popped = redis.withAbortSignal(stop.signal).blPop('jobs', 0.1)
      await until('it waits', async () => (await witness.clients()).some(({ cmd }) => cmd === 'blpop'))
      stop.abort(new Error('enough'))
      const result = await popped.catch((error: unknown) => error)
      const next = await redis.lease()
      await pause(250)
      assert.equal(await next.echo('my own'), 'my own')
      next.release()
      if (waiting === 'nothing' || result instanceof Error) assert.match(String(result), /enough/)
      // It was delivered, or it is still there.
      const left = await witness.ask('LLEN', 'jobs')
      assert.equal(left, waiting === 'an element' && result instanceof Error ? 1 : 0)
      await settlesDown(redis, witness)
      await redis.close()
    })
  }

  it('lose no entry of a stream when XREAD BLOCK is aborted 200 times', async (t) => {
    const redis = new Redis(server.url, { maxConnections: 4 })
    const random = seeded(5)
    const added: string[] = []
    let running = true
    const producer = (async () => {
      for (let i = 0; running; i++) {
        added.push(await redis.xAdd('stream', '*', { n: String(i) }))
        await pause(random() * 4)
      }
    })()
    const read: string[] = []
    let aborted = 0
    let after = '0-0'
    while (aborted < 200) {
      const controller = new AbortController()
      const timer = setTimeout(() => controller.abort(new Error('enough')), random() * 4)
      const handle = redis.withAbortSignal(controller.signal)
      try {
        const entries = await handle.xRead({ key: 'stream', id: after }, { BLOCK: 0 })
        for (const id of idsOf(entries)) {
          read.push(id)
          after = id
        }
      } catch (error) {
        assert.match(String(error), /enough/)
        aborted++
      }
      clearTimeout(timer)
      assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
    }
    running = false
    await producer
    const rest = idsOf(await redis.xRead({ key: 'stream', id: after }))
    t.diagnostic(`${added.length} added, ${read.length} read between ${aborted} aborts, ${rest.length} left`)
    assert.deepEqual([...read, ...rest], added)
    await settlesDown(redis, witness)
    await redis.close()
  })
})

async function fill(redis: Redis): Promise<void> {
  await Promise.all(Array.from({ length: KEYS }, (_, i) => redis.set(`key:${i}`, `value ${i}`)))
}

/** Callers who never stop asking. */
class Load {
  times: number[] = []
  #running = true
  readonly #callers: Promise<void>[]

  constructor(redis: Redis, callers: number) {
    this.#callers = Array.from({ length: callers }, async (_, i) => {
      while (this.#running) {
        const start = performance.now()
        assert.equal(await redis.get(`key:${i % KEYS}`), `value ${i % KEYS}`)
        this.times.push(performance.now() - start)
      }
    })
  }

  reset(): void {
    this.times = []
  }

  async end(): Promise<{ times: number[] }> {
    this.#running = false
    await Promise.all(this.#callers)
    return { times: this.times }
  }
}

class Consumers {
  readonly received: string[] = []
  readonly #redis: Redis
  #running = true
  #consumers: Promise<void>[] = []

  constructor(redis: Redis) {
    this.#redis = redis
  }

  start(count: number): void {
    this.#consumers = Array.from({ length: count }, async (_, i) => {
      while (this.#running) {
        const popped = await this.#redis.blPop(`jobs:${i}`, 0)
        if (popped !== null) this.received.push(popped.element)
      }
    })
  }

  async end(witness: Witness): Promise<void> {
    this.#running = false
    await Promise.all(this.#consumers.map((_, i) => witness.ask('RPUSH', `jobs:${i}`, 'end')))
    await Promise.all(this.#consumers)
  }
}

interface Race {
  readonly seed: number
  readonly pushed: string[]
  readonly received: string[]
  readonly aborted: number
  /** The abort came first, but so had the element. */
  readonly deliveredAnyway: number
  /** Listeners left on signals. */
  readonly listeners: number
}

/** Six consumers give up at random moments while a producer pushes at others, until so many have got nothing. */
async function raceAborts(
  redis: Redis,
  witness: Witness,
  aborts: number,
  sorted: boolean,
  pop: (handle: Redis, signal: AbortSignal) => Promise<string | null | undefined>,
): Promise<Race> {
  const seed = 1_000 + aborts
  const random = seeded(seed)
  const race = { seed, pushed: [] as string[], received: [] as string[], aborted: 0, deliveredAnyway: 0, listeners: 0 }
  const enough = new Error('given up')
  const consumer = async (): Promise<void> => {
    while (race.aborted < aborts) {
      const controller = new AbortController()
      const { signal } = controller
      const timer = setTimeout(() => controller.abort(enough), random() * 3)
      try {
        const element = await pop(redis.withAbortSignal(signal), signal)
        if (typeof element === 'string') race.received.push(element)
        if (signal.aborted) race.deliveredAnyway++
      } catch (error) {
        assert.equal(error, enough)
        race.aborted++
      }
      clearTimeout(timer)
      race.listeners += getEventListeners(signal, 'abort').length
    }
  }
  let running = true
  const producer = (async () => {
    for (let i = 0; running; i++) {
      const element = `element ${i}`
      race.pushed.push(element)
      if (sorted) await witness.ask('ZADD', 'scores', String(i), element)
      else await witness.ask('RPUSH', 'jobs', element)
      if (random() < 0.8) await pause(random() * 2)
      else await nextTurn()
    }
  })()
  await Promise.all(Array.from({ length: 6 }, consumer))
  running = false
  await producer
  return race
}

function pickPlaces(redis: Redis): Record<string, number> {
  const { leased, shared, total } = redis.pool.stats().connections
  return { leased, shared, total }
}

function idsOf(reply: unknown): string[] {
  if (!Array.isArray(reply)) return []
  return reply.flatMap(({ messages }: { messages: { id: string }[] }) => messages.map(({ id }) => id))
}

/** Nobody holds anything, nobody waits, the server blocks nobody, and commands get their own replies. */
async function settlesDown(redis: Redis, witness: Witness): Promise<void> {
  await until('the pool is quiet', () => {
    const { connections, inFlight, waiting } = redis.pool.stats()
    return connections.leased === 0 && inFlight === 0 && waiting.total === 0
  })
  assert.equal(await witness.figure('clients', 'blocked_clients'), 0)
  await Promise.all(
    Array.from({ length: 100 }, async (_, i) => assert.equal(await redis.echo(`echo ${i}`), `echo ${i}`)),
  )
}
