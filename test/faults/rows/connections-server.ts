// Rows A5, A6 and A7: the server ends connections, or ends itself, under the common workload.

import type { ConnectionPool, Redis } from '../../../src/index.js'
import { ConnectionError, ConnectionPoolTimeoutError } from '../../../src/index.js'
import { pause } from '../../live/support-live.js'
import { RedisProcess } from '../../support/redis-process.js'
import { recovery, recoveryCheck, within } from '../recovery.js'
import type { Check, Context, Outcome } from '../row.js'
import { respool } from '../subject.js'
import { inTrouble, longestCall, planOf } from '../trouble.js'
import { SETTINGS } from './settings.js'

/** Milliseconds between two rounds of CLIENT KILL. */
export const ROUND = 100
const { maxConnections, commandTimeout, acquireTimeout } = SETTINGS
/** All its connections are there all the time, so that their number tells when the pool is whole. */
const ALL_OPEN = { ...SETTINGS, minConnections: maxConnections }
const WHOLE_WITHIN = 250
const RECOVERS_WITHIN = 50
/** From the moment at which the server answers again: the longest pause between two attempts, and a little. */
const COMES_BACK_WITHIN = 250
/** How much later than its deadline a call may end, in ms. */
const SLACK = 50
/** Attempts in a second, for each connection that the pool may have. */
const MOST_ATTEMPTS = 8
/** A recovery that takes longer counts as this many milliseconds. */
const GIVEN_UP = 5_000

export async function clientKills(context: Context): Promise<Outcome> {
  const rounds = context.scale(10, 100)
  await using server = await RedisProcess.start()
  const subject = respool(server.url, ALL_OPEN)
  await subject.redis.connect()
  return await inTrouble(subject, server.port, planOf(context, commandTimeout), async () => {
    const recoveries: Promise<number>[] = []
    const whole: number[] = []
    let killed = 0
    for (let round = 0; round < rounds; round++) {
      await pause(ROUND)
      const { opened } = subject.redis.pool.stats().counters
      const victims = Number(await server.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
      killed += victims
      recoveries.push(recovery(subject, GIVEN_UP))
      whole.push(await untilWhole(subject.redis.pool, opened + victims))
    }
    const recovered = await Promise.all(recoveries)
    const checks = (): readonly Check[] => [
      { what: 'connections killed', value: killed, is: 'at least', limit: rounds * maxConnections },
      recoveryCheck(context, recovered, RECOVERS_WITHIN),
      within(context, 'the pool is whole again, longest', Math.max(...whole), WHOLE_WITHIN),
    ]
    return { faults: killed, recovery: recovered, checks }
  })
}

export async function crashes(context: Context): Promise<Outcome> {
  const rounds = context.scale(2, 20)
  const down = context.scale(400, 1_000)
  await using server = await RedisProcess.start({ durable: true })
  const subject = respool(server.url, SETTINGS)
  let attempts = 0
  subject.redis.on('connectError', () => attempts++)
  return await inTrouble(subject, server.port, planOf(context, commandTimeout), async () => {
    const recoveries: number[] = []
    const rates: number[] = []
    for (let round = 0; round < rounds; round++) {
      await pause(ROUND)
      await server.kill('SIGKILL')
      const before = attempts
      const since = performance.now()
      await pause(down)
      rates.push(((attempts - before) / (performance.now() - since)) * 1_000)
      await server.restart()
      recoveries.push(await recovery(subject, GIVEN_UP))
    }
    const mostAttempts = Math.max(...rates) / maxConnections
    const checks = (): readonly Check[] => [
      { what: 'attempts while it was down', value: attempts, is: 'at least', limit: rounds },
      { what: 'attempts a second and connection', value: mostAttempts, is: 'at most', limit: MOST_ATTEMPTS },
      recoveryCheck(context, recoveries, COMES_BACK_WITHIN),
    ]
    return { faults: rounds, recovery: recoveries, checks }
  })
}

export async function shutdown(context: Context): Promise<Outcome> {
  const down = context.scale(1_500, 5_000)
  await using server = await RedisProcess.start({ durable: true })
  const subject = respool(server.url, ALL_OPEN)
  await subject.redis.connect()
  return await inTrouble(subject, server.port, planOf(context, commandTimeout), async () => {
    const borrowers = new Borrowers(subject.redis)
    await pause(ROUND)
    // As SHUTDOWN does, it ends all connections in good order.
    await server.kill('SIGTERM')
    const { opened } = subject.redis.pool.stats().counters
    await pause(down)
    await server.restart()
    const [recovered, whole] = await Promise.all([
      recovery(subject, GIVEN_UP),
      untilWhole(subject.redis.pool, opened + maxConnections),
    ])
    await borrowers.stop()
    return {
      faults: 1,
      recovery: [recovered],
      checks: (report) => [
        within(context, 'a call, longest', longestCall(report), commandTimeout + SLACK),
        { what: 'waits for a lease in vain', value: borrowers.inVain, is: 'at least', limit: 1 },
        { what: 'of these without the reason', value: borrowers.unexplained, is: 'exactly', limit: 0 },
        within(context, 'a wait for a lease, longest', borrowers.longest, acquireTimeout + SLACK),
        recoveryCheck(context, [recovered], COMES_BACK_WITHIN),
        within(context, 'the pool is whole again', whole, WHOLE_WITHIN),
      ],
    }
  })
}

/** Milliseconds until all connections are ready, of which the pool has opened `opened` in its life. */
async function untilWhole(pool: ConnectionPool, opened: number): Promise<number> {
  const started = performance.now()
  while (performance.now() - started < GIVEN_UP) {
    const { connections, counters } = pool.stats()
    const ready = connections.total - connections.connecting - connections.closing
    if (counters.opened >= opened && ready === maxConnections) break
    await pause(1)
  }
  return performance.now() - started
}

/** Callers that want a connection to themselves, again and again. */
class Borrowers {
  longest = 0
  inVain = 0
  /** Errors that do not say why nothing came free. */
  unexplained = 0
  #stopped = false
  readonly #all: Promise<unknown>

  constructor(redis: Redis) {
    this.#all = Promise.all(Array.from({ length: maxConnections * 2 }, () => this.#borrow(redis)))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#all
  }

  async #borrow(redis: Redis): Promise<void> {
    while (!this.#stopped) {
      const started = performance.now()
      await redis.lease(() => pause(1)).catch((error: unknown) => this.#fail(error))
      this.longest = Math.max(this.longest, performance.now() - started)
    }
  }

  #fail(error: unknown): void {
    this.inVain++
    const isExplained = error instanceof ConnectionPoolTimeoutError && error.cause instanceof ConnectionError
    if (!isExplained) this.unexplained++
  }
}
