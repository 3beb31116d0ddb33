// Row G3: what is over can be collected. Runs in a process of its own, whose garbage collector it calls. What a user
// holds is followed by weak references; what only the library sees is counted in the heap.

import { queryObjects } from 'node:v8'
import { Connection } from '../../../src/connection/connection.js'
import { Request } from '../../../src/connection/request.js'
import { Redis } from '../../../src/index.js'
import { Entry } from '../../../src/pool/roster.js'
import { Waiter } from '../../../src/pool/waiters.js'
import { RedisProcess } from '../../support/redis-process.js'
import { collect } from '../memory.js'
import type { Check, Context, Outcome } from '../row.js'
import { CLEAN } from '../verdict.js'

/** Classes of the library, of which nothing is left once everything is closed. */
const INNER = { connections: Connection, entries: Entry, requests: Request, waiters: Waiter } as const
/** Handles that live at the same time. */
const AT_ONCE = 50
const EACH = 4

/** Weak references to what is expected to go, by what it is. */
class Followed {
  readonly #references = new Map<string, WeakRef<object>[]>()

  add<T extends object>(what: string, object: T): T {
    const known = this.#references.get(what)
    if (known === undefined) this.#references.set(what, [new WeakRef(object)])
    else known.push(new WeakRef(object))
    return object
  }

  checks(least: number): Check[] {
    return [...this.#references].flatMap(([what, references]): Check[] => {
      const gone = references.filter((reference) => reference.deref() === undefined).length
      return [
        { what: what, value: references.length, is: 'at least', limit: least },
        { what: 'of these collected', value: (100 * gone) / references.length, is: 'exactly', limit: 100, unit: '%' },
      ]
    })
  }
}

export async function collectedObjects(context: Context): Promise<Outcome> {
  const wanted = context.scale(1_000, 10_000)
  await using server = await RedisProcess.start()
  const followed = new Followed()
  const made = { connections: 0, calls: 0, alive: 0 }
  while (made.connections < wanted) {
    await openAndEnd(server.url, followed, made)
    context.note(`${made.connections} of ${wanted} connections`)
  }
  await collect()
  const left = Object.entries(INNER).map(([name, kind]): Check => {
    return { what: `${name} left in the heap`, value: Number(queryObjects(kind)), is: 'exactly', limit: 0 }
  })
  const living = await useAndGoOn(server.url, wanted)
  return {
    operations: made.calls + living.calls,
    faults: made.connections,
    verdict: CLEAN,
    checks: [
      { what: 'connections that ended', value: made.connections, is: 'at least', limit: wanted },
      { what: 'of these seen in the heap while they lived', value: made.alive, is: 'at least', limit: wanted },
      ...left,
      ...followed.checks(wanted / EACH),
      ...living.followed.checks(wanted),
      { what: 'requests left in the heap of a living pool', value: living.requests, is: 'exactly', limit: 0 },
    ],
  }
}

/** Handles, connections and calls of every kind, which all end: in good order, suddenly, or while they are under way. */
async function openAndEnd(
  url: string,
  followed: Followed,
  made: { connections: number; calls: number; alive: number },
) {
  const handles = Array.from({ length: AT_ONCE }, () => {
    const redis = new Redis(url, { maxConnections: EACH, minConnections: EACH, maxConnecting: EACH })
    followed.add('handles that were closed', redis)
    followed.add('pools that were closed', redis.pool)
    return redis
  })
  await Promise.all(handles.map((redis) => redis.connect()))
  made.alive += Number(queryObjects(Connection))
  const ends = handles.map(async (redis, index) => {
    const lease = followed.add('leases whose pool was closed', await redis.lease())
    const controller = new AbortController()
    const aborted = redis
      .withAbortSignal(followed.add('signals of calls that were cut short', controller.signal))
      .blPop('nothing', 0)
    const calls = [
      redis.get('key'),
      redis.multi().incr('a').exec(),
      lease.echo('x'),
      aborted,
      redis.blPop('nothing', 0),
    ]
    made.calls += calls.length
    for (const call of calls) followed.add('promises of such calls', call)
    const settled = Promise.allSettled(calls)
    if (index % 2 === 0) controller.abort()
    if (index % 3 > 0) lease.release()
    if (index % 4 > 0) redis.destroy()
    else await redis.close({ timeout: 5 })
    await settled
    made.connections += redis.pool.stats().counters.opened
  })
  await Promise.all(ends)
}

/** Calls that were answered, refused, aborted and timed out; their pool stays. */
async function useAndGoOn(url: string, wanted: number) {
  const followed = new Followed()
  const redis = new Redis(url, { pingInterval: 0, maxConnections: 3 })
  let calls = 0
  try {
    for (let rounds = wanted; rounds > 0; rounds--) calls += await useOnce(redis, followed)
    await collect()
    return { followed, calls, requests: Number(queryObjects(Request)) }
  } finally {
    redis.destroy()
  }
}

async function useOnce(redis: Redis, followed: Followed): Promise<number> {
  const controller = new AbortController()
  followed.add('signals, while the pool goes on', controller.signal)
  const aborting = redis.withAbortSignal(controller.signal)
  const calls = [
    redis.set('key', 'value'),
    redis.get('key'),
    aborting.get('key'),
    redis.sendCommand(['NOSUCHCOMMAND']),
    redis.withCommandOptions({ timeout: 1 }).sendCommand(['DEBUG', 'SLEEP', '0']),
    redis.lease((lease) => followed.add('leases given back, while the pool goes on', lease).ping()),
  ]
  for (const call of calls) followed.add('promises, while the pool goes on', call)
  const settled = Promise.allSettled(calls)
  controller.abort()
  await settled
  return calls.length
}
