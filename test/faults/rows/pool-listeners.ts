// Row F9: the code of users that runs inside of the pool throws, or takes its time.

import { Redis } from '../../../src/index.js'
import { nextTurn, pause } from '../../live/support-live.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { type Random, seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import { catchUncaught } from '../../support/uncaught.js'
import type { Context, Outcome } from '../row.js'
import { respoolOn } from '../subject.js'
import { inTrouble, planOf } from '../trouble.js'
import { SETTINGS } from './settings.js'

const EVENTS = ['connect', 'close', 'connectError', 'release', 'leak', 'end'] as const
/** Leases that are asked for at once: many more than there are connections. */
const AT_ONCE = 50
/** Milliseconds for which a slow listener keeps the event loop. */
const SLOW = 1
/** A lease that leaves its session changed costs its connection: then there is something to hear of. */
const DIRTY = 0.02
const OUTAGES = 3
const OUTAGE = 30

class ListenerError extends Error {}
class CallbackError extends Error {}

export async function throwingListeners(context: Context): Promise<Outcome> {
  const leases = context.scale(10_000, 100_000)
  const random = seeded(context.seed)
  const uncaught = catchUncaught()
  try {
    await using server = await RedisProcess.start()
    await using proxy = await FaultProxy.start({ port: server.port, seed: context.seed })
    context.trace(proxy.log)
    const redis = new Redis(proxy.url, { ...SETTINGS, acquireTimeout: 5_000, leakThreshold: 10 })
    const listeners = new Listeners(redis, random)
    const outcome = await inTrouble(
      respoolOn(redis),
      server.port,
      planOf(context, SETTINGS.commandTimeout),
      async () => {
        const found = await borrow(redis, proxy, leases, random)
        const { acquired, released } = redis.pool.stats().counters
        return {
          faults: listeners.thrown + found.threw,
          recovery: [],
          checks: () => [
            { what: 'leases', value: found.served, is: 'at least', limit: leases },
            { what: 'served out of turn', value: found.disordered, is: 'exactly', limit: 0 },
            { what: 'functions of users that threw', value: found.threw, is: 'at least', limit: leases / 5 },
            { what: 'of these errors that reached another, or nobody', value: found.astray, is: 'exactly', limit: 0 },
            { what: 'leases not given back', value: acquired - released, is: 'exactly', limit: 0 },
          ],
        }
      },
    )
    await nextTurn()
    const foreign = uncaught.errors.filter((error) => !(error instanceof ListenerError)).length
    return {
      ...outcome,
      verdict: { ...outcome.verdict, uncaught: outcome.verdict.uncaught + foreign },
      checks: [
        ...outcome.checks,
        { what: 'listeners that threw', value: listeners.thrown, is: 'at least', limit: leases / 5 },
        { what: 'events they threw in', value: listeners.threwIn.size, is: 'exactly', limit: EVENTS.length },
        { what: 'listeners that took their time', value: listeners.slow, is: 'at least', limit: leases / 200 },
        {
          what: 'errors of listeners that did not come out',
          value: listeners.thrown - (uncaught.errors.length - foreign),
          is: 'exactly',
          limit: 0,
        },
      ],
    }
  } finally {
    uncaught.end()
  }
}

class Listeners {
  thrown = 0
  slow = 0
  readonly threwIn = new Set<string>()
  readonly #random: Random

  constructor(redis: Redis, random: Random) {
    this.#random = random
    for (const event of EVENTS) redis.on(event, () => this.#hear(event))
  }

  #hear(event: string): void {
    if (this.#random() < 0.02) this.#takeTime()
    // There is but one end.
    if (event !== 'end' && this.#random() < 0.5) return
    this.thrown++
    this.threwIn.add(event)
    throw new ListenerError(event)
  }

  #takeTime(): void {
    this.slow++
    for (const end = performance.now() + SLOW; performance.now() < end; );
  }
}

interface Found {
  served: number
  disordered: number
  threw: number
  /** Errors of users' functions that their own callers did not get. */
  astray: number
}

async function borrow(redis: Redis, proxy: FaultProxy, wanted: number, random: Random): Promise<Found> {
  const found: Found = { served: 0, disordered: 0, threw: 0, astray: 0 }
  const outages = outagesAt(wanted)
  while (found.served < wanted) {
    if (found.served >= (outages[0] ?? Number.POSITIVE_INFINITY)) {
      outages.shift()
      await outage(proxy)
    }
    let turn = 0
    const leases = Array.from({ length: AT_ONCE }, async (_, place) => {
      const [dice, mine] = [random(), new CallbackError()]
      const use = redis.lease(async (lease) => {
        found.served++
        if (turn++ !== place) found.disordered++
        if (dice < DIRTY) await lease.sendCommand(['CLIENT', 'SETNAME', 'dirty'])
        if (dice > 0.995) await pause(12)
        if (dice > 0.6) return
        found.threw++
        throw mine
      })
      const error = await use.catch((reason: unknown) => reason)
      if (error instanceof CallbackError ? error !== mine : dice <= 0.6 && dice >= DIRTY) found.astray++
    })
    await Promise.all(leases)
  }
  return found
}

function outagesAt(wanted: number): number[] {
  return Array.from({ length: OUTAGES }, (_, index) => ((index + 1) * wanted) / (OUTAGES + 1))
}

/** For a moment nobody can connect: there are dials that fail. */
async function outage(proxy: FaultProxy): Promise<void> {
  proxy.refuse()
  proxy.killAll()
  await pause(OUTAGE)
  await proxy.accept()
}
