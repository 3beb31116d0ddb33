// Shows on a real server that callers may give up at any moment: nobody gets another's reply, every call ends once,
// and no signal is left with a listener.

import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { Redis } from '../../src/index.js'
import { MOMENTS } from '../support/moments.js'
import { pick, seeded } from '../support/random.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { until } from './support-live.js'

const KEYS = 500
const REASON = new Error('given up')

/** What became of a number of calls. */
class Verdicts {
  calls = 0
  settled = 0
  aborted = 0
  answered = 0
  crossed = 0
  listeners = 0
  readonly others: string[] = []
  /** How the aborted ones had got on. */
  readonly moments = new Map<string, number>()

  follow(call: Promise<unknown>, expected: unknown, moment: string): Promise<void> {
    this.calls++
    return call.then(
      (value) => {
        this.settled++
        this.answered++
        if (JSON.stringify(value) !== JSON.stringify(expected)) this.crossed++
      },
      (error: unknown) => {
        this.settled++
        if (error !== REASON) {
          this.others.push(String(error))
          return
        }
        this.aborted++
        this.moments.set(moment, (this.moments.get(moment) ?? 0) + 1)
      },
    )
  }

  watch(signals: readonly AbortSignal[]): void {
    for (const signal of signals) this.listeners += getEventListeners(signal, 'abort').length
  }

  line(): string {
    const moments = [...this.moments].map(([moment, count]) => `${count} ${moment}`).join(', ')
    return (
      `${this.calls} calls: ${this.aborted} aborted (${moments}), ${this.answered} answered, ${this.crossed} crossed, ` +
      `${this.calls - this.settled} unsettled, ${this.listeners} listeners left`
    )
  }

  check(): void {
    assert.deepEqual(this.others.slice(0, 3), [])
    assert.equal(this.crossed, 0)
    assert.equal(this.settled, this.calls)
    assert.equal(this.listeners, 0)
  }
}

describe('aborts on a real server', { skip: liveSkip }, () => {
  let server: RedisProcess
  let warnings: Error[]
  const warned = (warning: Error): void => {
    warnings.push(warning)
  }
  before(async () => {
    server = await RedisProcess.start()
    await using redis = new Redis(server.url)
    await Promise.all(Array.from({ length: KEYS }, (_, i) => redis.set(keyOf(i), textOf(i))))
    warnings = []
    process.on('warning', warned)
  })
  after(async () => {
    process.off('warning', warned)
    await server.stop()
  })

  const shapes = [
    { title: 'of shared commands', calls: 60_000, options: {} },
    { title: 'of shared commands that queue behind a short pipeline', calls: 20_000, options: { pipelining: 4 } },
    { title: 'in a classic pool', calls: 20_000, options: { pipelining: 1, maxConnections: 6 } },
  ]
  for (const [index, { title, calls, options }] of shapes.entries()) {
    it(`cross no reply: ${calls} ${title}`, async (t) => {
      const seed = 71 + index
      const random = seeded(seed)
      const redis = new Redis(server.url, { maxWaiting: 100_000, ...options })
      await redis.connect()
      const verdicts = new Verdicts()
      // Calls that are not aborted run beside those that are, so that a shifted reply meets someone who sees it.
      while (verdicts.aborted < calls) {
        await round(redis, random, verdicts, 400)
      }
      t.diagnostic(`seed ${seed}: ${verdicts.line()}`)
      verdicts.check()
      assert.ok(verdicts.moments.size >= 4, 'there were few kinds of moments')
      await checkHealth(redis)
      await redis.close()
    })
  }

  it('cross no reply where many calls share one signal', async (t) => {
    const random = seeded(81)
    const redis = new Redis(server.url, { pipelining: 64 })
    const verdicts = new Verdicts()
    for (let i = 0; i < 100; i++) {
      const controller = new AbortController()
      const handle = redis.withAbortSignal(controller.signal)
      const moment = pick(random, Object.keys(MOMENTS))
      const calls = Array.from({ length: 100 }, () => get(handle, verdicts, random, moment))
      await MOMENTS[moment]?.(random)
      controller.abort(REASON)
      await Promise.all([...calls, get(handle, verdicts, random, 'before the call')])
      verdicts.watch([controller.signal])
    }
    t.diagnostic(verdicts.line())
    verdicts.check()
    assert.ok(verdicts.aborted > 2_000 && verdicts.answered > 500, verdicts.line())
    await checkHealth(redis)
    await redis.close()
  })

  it('end transactions and pipelines as a whole', async (t) => {
    const random = seeded(91)
    const redis = new Redis(server.url, { pipelining: 32 })
    const verdicts = new Verdicts()
    const counters: string[] = []
    for (let i = 0; i < 100; i++) {
      const signals: AbortSignal[] = []
      const group: Promise<void>[] = []
      for (let j = 0; j < 20; j++) {
        const controller = new AbortController()
        signals.push(controller.signal)
        const handle = redis.withAbortSignal(controller.signal)
        const [a, b] = [Math.floor(random() * KEYS), Math.floor(random() * KEYS)]
        const counter = `counter:${i}:${j}`
        const moment = pick(random, Object.keys(MOMENTS))
        if (j % 2 === 0) {
          counters.push(counter)
          const whole = handle.multi().incr(counter).get(keyOf(a)).get(keyOf(b)).incr(counter).exec()
          group.push(verdicts.follow(whole, [1, textOf(a), textOf(b), 2], moment))
        } else {
          const whole = handle.multi().get(keyOf(a)).get(keyOf(b)).execAsPipeline()
          group.push(verdicts.follow(whole, [textOf(a), textOf(b)], moment))
        }
        group.push(get(redis, verdicts, random, 'never'))
        if (random() < 0.8) void giveUp(controller, moment, random)
      }
      await Promise.all(group)
      verdicts.watch(signals)
    }
    const values = await redis.mGet(counters)
    const halves = values.filter((value) => value !== null && value !== '2')
    const applied = values.filter((value) => value === '2').length
    t.diagnostic(`${verdicts.line()}; ${applied} of ${counters.length} transactions applied, ${halves.length} in part`)
    verdicts.check()
    assert.deepEqual(halves, [])
    assert.ok(verdicts.aborted > 500 && applied > 100, verdicts.line())
    await checkHealth(redis)
    await redis.close()
  })

  it('end the wait for a lease, and the commands of one', async (t) => {
    const random = seeded(101)
    const redis = new Redis(server.url, { maxConnections: 3, pipelining: 1 })
    const verdicts = new Verdicts()
    for (let i = 0; i < 100; i++) {
      const signals: AbortSignal[] = []
      const group: Promise<void>[] = []
      for (let j = 0; j < 30; j++) {
        const controller = new AbortController()
        const { signal } = controller
        signals.push(signal)
        const moment = pick(random, Object.keys(MOMENTS))
        const key = Math.floor(random() * KEYS)
        // Either the wait alone is given up, or what is sent on the lease as well.
        const wait = j % 2 === 0
        const call = wait
          ? redis.lease((lease) => lease.get(keyOf(key)), { signal })
          : redis.withAbortSignal(signal).lease(async (lease) => {
              const both = lease.multi().ping().get(keyOf(key)).exec()
              return (await Promise.all([lease.get(keyOf(key)), both]))[0]
            })
        group.push(verdicts.follow(call, textOf(key), moment))
        if (random() < 0.8) void giveUp(controller, moment, random)
      }
      await Promise.all(group)
      verdicts.watch(signals)
    }
    t.diagnostic(verdicts.line())
    verdicts.check()
    assert.ok(verdicts.aborted > 1_000 && verdicts.answered > 500, verdicts.line())
    await checkHealth(redis)
    await redis.close()
  })

  it('are all that these tests count: a reply of another key, a listener and an open call are seen', () => {
    const verdicts = new Verdicts()
    const { signal } = new AbortController()
    signal.addEventListener('abort', () => {})
    verdicts.watch([signal])
    void verdicts.follow(new Promise(() => {}), '', 'never')
    return verdicts.follow(Promise.resolve(textOf(1)), textOf(2), 'never').then(() => {
      assert.match(verdicts.line(), /1 crossed, 1 unsettled, 1 listeners left/)
      assert.throws(() => verdicts.check())
    })
  })

  it('make node warn of nothing', () => assert.deepEqual([...new Set(warnings.map(String))], []))
})

function keyOf(index: number): string {
  return `key:${index}`
}

/** Names its key; some are long enough to arrive in several pieces. */
function textOf(index: number): string {
  return `value of key:${index} ${'.'.repeat(index % 50 === 0 ? 20_000 : index % 7)}`
}

function get(handle: Redis, verdicts: Verdicts, random: () => number, moment: string): Promise<void> {
  const index = Math.floor(random() * KEYS)
  return verdicts.follow(handle.get(keyOf(index)), textOf(index), moment)
}

async function giveUp(controller: AbortController, moment: string, random: () => number): Promise<void> {
  await MOMENTS[moment]?.(random)
  controller.abort(REASON)
}

async function round(redis: Redis, random: () => number, verdicts: Verdicts, size: number): Promise<void> {
  const signals: AbortSignal[] = []
  const calls: Promise<void>[] = []
  const names = Object.keys(MOMENTS)
  for (let i = 0; i < size; i++) {
    const controller = new AbortController()
    signals.push(controller.signal)
    const chance = random()
    if (chance < 0.05) {
      controller.abort(REASON)
      calls.push(get(redis.withAbortSignal(controller.signal), verdicts, random, 'before the call'))
      continue
    }
    const moment = pick(random, names)
    const call = get(redis.withAbortSignal(controller.signal), verdicts, random, moment)
    calls.push(call)
    if (chance < 0.9) void giveUp(controller, moment, random)
    // Once settled, an abort must change nothing.
    else if (chance < 0.95) void call.then(() => controller.abort(REASON))
  }
  await Promise.all(calls)
  verdicts.watch(signals)
}

/** Nothing is owed, nobody waits, no connection was lost, and every key still has its own value. */
async function checkHealth(redis: Redis): Promise<void> {
  await until('every reply has come', () => redis.pool.stats().inFlight === 0)
  const { connections, waiting, counters, holders } = redis.pool.stats()
  assert.equal(waiting.total, 0)
  assert.equal(connections.leased, 0)
  assert.deepEqual(holders, [])
  assert.deepEqual(counters.closed, {})
  assert.equal(counters.sent, counters.replies)
  assert.equal(counters.acquired, counters.released)
  const values = await Promise.all(Array.from({ length: KEYS }, (_, i) => redis.get(keyOf(i))))
  assert.deepEqual(
    values,
    values.map((_, i) => textOf(i)),
  )
}
