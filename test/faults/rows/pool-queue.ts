// Row F10: nothing is answered any more, and the queue is full. It runs in a process of its own, where memory is counted.

import { PoolFullError, Redis } from '../../../src/index.js'
import { nextTurn, percentile } from '../../live/support-live.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { RedisProcess } from '../../support/redis-process.js'
import { inChild } from '../in-child.js'
import { usedHeap } from '../memory.js'
import type { Context, Outcome } from '../row.js'
import { CLEAN } from '../verdict.js'

const MAX_WAITING = 1_000
const KILOBYTE = 1_024
/** Kilobytes of heap that one who waits may cost, its command and promise included. */
const WAITER_COSTS = 4
/** Kilobytes of heap by which any number of refusals may grow it. */
const REFUSALS_COST = 512
/** Milliseconds. */
const REFUSED_WITHIN = 1

export function fullQueue(context: Context): Promise<Outcome> {
  return inChild('full queue', context)
}

export async function refusalsOfFullQueue(context: Context): Promise<Outcome> {
  const wanted = context.scale(10_000, 200_000)
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed: context.seed })
  context.trace(proxy.log)
  const redis = new Redis(proxy.url, {
    maxConnections: 4,
    pipelining: 16,
    maxWaiting: MAX_WAITING,
    acquireTimeout: 60_000,
    connectTimeout: 60_000,
    socketTimeout: 60_000,
  })
  try {
    await Promise.all(Array.from({ length: 100 }, (_, index) => redis.incr(`key:${index}`)))
    const callers = new Callers(redis)
    const empty = await usedHeap()
    proxy.hold()
    while (redis.pool.stats().waiting.total < MAX_WAITING) callers.wait()
    const full = await usedHeap()
    const times = new Float64Array(wanted)
    // What is compiled on the way is not counted.
    for (let warm = 0; warm < 200; warm++) await callers.refused()
    const before = await usedHeap()
    for (let index = 0; index < wanted; index++) times[index] = await callers.refused()
    const after = await usedHeap()
    const { total } = redis.pool.stats().waiting
    const { turnedAway } = redis.pool.stats().counters
    proxy.release()
    const answered = await callers.answered()
    return {
      operations: callers.made,
      faults: turnedAway,
      verdict: { ...CLEAN, unsettled: callers.waiting - answered },
      checks: [
        { what: 'calls refused', value: turnedAway, is: 'at least', limit: wanted },
        { what: 'calls that were not refused as they should', value: callers.otherwise, is: 'exactly', limit: 0 },
        { what: 'who waits', value: total, is: 'exactly', limit: MAX_WAITING },
        {
          what: 'refused within, p99',
          value: percentile([...times], 0.99),
          is: 'at most',
          limit: REFUSED_WITHIN,
          unit: 'ms',
        },
        {
          what: 'heap for each that waits',
          value: (full - empty) / KILOBYTE / callers.waiting,
          is: 'at most',
          limit: WAITER_COSTS,
          unit: 'KB',
        },
        {
          what: 'heap for all that were refused',
          value: (after - before) / KILOBYTE,
          is: 'at most',
          limit: REFUSALS_COST,
          unit: 'KB',
        },
        { what: 'answered when the hole was gone', value: answered, is: 'exactly', limit: callers.waiting },
      ],
    }
  } finally {
    redis.destroy()
  }
}

class Callers {
  made = 0
  otherwise = 0
  readonly #redis: Redis
  readonly #waiting: Promise<unknown>[] = []

  constructor(redis: Redis) {
    this.#redis = redis
  }

  get waiting(): number {
    return this.#waiting.length
  }

  wait(): void {
    this.#waiting.push(this.#call())
  }

  /** Milliseconds from the call to its refusal. */
  async refused(): Promise<number> {
    const since = performance.now()
    const end = await Promise.race([this.#call().catch((error: unknown) => error), nextTurn()])
    const took = performance.now() - since
    if (!(end instanceof PoolFullError && end.outcome === 'not-sent')) this.otherwise++
    return took
  }

  /** How many of those that waited got what they waited for. */
  async answered(): Promise<number> {
    const ends = await Promise.allSettled(this.#waiting)
    return ends.filter(({ status }) => status === 'fulfilled').length
  }

  #call(): Promise<unknown> {
    this.made++
    // Leases wait in another line, within the same bound.
    return this.made % 5 === 0 ? this.#redis.lease(() => 'lent') : this.#redis.incr(`key:${this.made % 100}`)
  }
}
