// Row F8: pools end under load, twice, while they connect, and to a server that answers nobody.

import { Redis, RespoolError } from '../../../src/index.js'
import { runChild } from '../../live/support-closing.js'
import { nextTurn, pause } from '../../live/support-live.js'
import { leakCheck } from '../../support/leak-check.js'
import { between, pick, type Random, seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import { within } from '../recovery.js'
import type { Context, Outcome } from '../row.js'
import { CLEAN } from '../verdict.js'

/** Milliseconds after its end in which everything of a pool has gone. */
const GONE_WITHIN = 20
/** A process with nothing left to do ends on its own well within this time, in ms. */
const PROCESS_ENDS_WITHIN = 1_000

/** How a pool ends; resolves when it has. */
const ENDS: Readonly<Record<string, (redis: Redis) => Promise<unknown>>> = {
  'close()': (redis) => redis.close(),
  'close() twice': (redis) => Promise.all([redis.close(), redis.close()]),
  'close() in time': (redis) => redis.close({ timeout: 5 }),
  'destroy()': async (redis) => redis.destroy(),
  'destroy() twice': async (redis) => {
    redis.destroy()
    redis.destroy()
  },
  'close(), then destroy()': async (redis) => {
    const closed = redis.close()
    await nextTurn()
    redis.destroy()
    await closed
  },
  'close() after destroy()': async (redis) => {
    redis.destroy()
    await redis.close()
  },
}
/** Those that let finish what was accepted, and so need a server that answers. */
const PATIENT = new Set(['close()', 'close() twice'])
const KINDS = Object.keys(ENDS)

/** When it ends. */
const MOMENTS = ['at once', 'while it connects', 'under load', 'to a server that is stopped'] as const

export async function ends(context: Context): Promise<Outcome> {
  const rounds = context.scale(100, 1_000)
  const random = seeded(context.seed)
  // The server looks more often whether a blocked client has waited enough.
  await using server = await RedisProcess.start({ config: { hz: 100 } })
  await using stopped = await RedisProcess.start()
  await stopped.kill('SIGSTOP')
  const tally = new Tally()
  for (let round = 0; round < rounds; round++) {
    const moment = MOMENTS[round % MOMENTS.length] ?? 'at once'
    const kinds = moment === 'to a server that is stopped' ? KINDS.filter((kind) => !PATIENT.has(kind)) : KINDS
    const url = moment === 'to a server that is stopped' ? stopped.url : server.url
    await endOne({ url, moment, kind: pick(random, kinds), random }, tally)
    if (round % 100 === 0) context.note(`${round} of ${rounds} pools`)
  }
  const [closed, destroyed, kept] = await Promise.all([
    runChild(server.url, 'close'),
    runChild(server.url, 'destroy'),
    runChild(server.url, 'none', 300),
  ])
  const alone = [closed, destroyed].filter(({ stayed }) => !stayed)
  const longest = Math.max(...[closed, destroyed].map(({ closedAt, endedAt }) => endedAt - closedAt))
  return {
    operations: tally.calls,
    faults: rounds,
    verdict: { ...CLEAN, unsettled: tally.open },
    examples: tally.examples,
    checks: [
      { what: 'pools ended', value: tally.pools, is: 'exactly', limit: rounds },
      { what: 'ways and moments', value: tally.kinds.size, is: 'at least', limit: KINDS.length * 3 },
      { what: 'calls that the end cut short', value: tally.cut, is: 'at least', limit: rounds },
      { what: 'of these with an error of another kind', value: tally.untyped, is: 'exactly', limit: 0 },
      { what: 'accepted calls that a close() without limit failed', value: tally.dropped, is: 'exactly', limit: 0 },
      within(context, 'until nothing is left, longest', tally.longest, GONE_WITHIN),
      { what: 'processes that ended by themselves', value: alone.length, is: 'exactly', limit: 2 },
      within(context, 'which took, longest', longest, PROCESS_ENDS_WITHIN),
      { what: 'processes with an open pool that stayed', value: kept.stayed ? 1 : 0, is: 'exactly', limit: 1 },
    ],
  }
}

class Tally {
  pools = 0
  calls = 0
  open = 0
  cut = 0
  untyped = 0
  dropped = 0
  longest = 0
  readonly kinds = new Set<string>()
  readonly examples: string[] = []
}

interface Round {
  readonly url: string
  readonly moment: (typeof MOMENTS)[number]
  readonly kind: string
  readonly random: Random
}

async function endOne({ url, moment, kind, random }: Round, tally: Tally): Promise<void> {
  const leaks = leakCheck()
  const redis = new Redis(url, { maxConnections: between(random, 1, 5), pipelining: pick(random, [1, 16, 1_000]) })
  const what = `${kind} ${moment}`
  tally.kinds.add(what)
  if (moment === 'under load') await redis.connect()
  const calls = load(redis, random)
  for (const call of calls) void track(leaks.settles(what, call), PATIENT.has(kind), tally, what)
  if (moment === 'while it connects' || moment === 'to a server that is stopped') await pause(between(random, 0, 2))
  if (moment === 'under load') for (let turns = between(random, 0, 4); turns > 0; turns--) await nextTurn()
  await ENDS[kind]?.(redis)
  const over = performance.now()
  await leaks.assertNone()
  tally.longest = Math.max(tally.longest, performance.now() - over)
  tally.pools++
}

/** Everything that a program may have under way, more of it than there are connections. */
function load(redis: Redis, random: Random): Promise<unknown>[] {
  return [
    ...Array.from({ length: 30 }, (_, index) => redis.set(`key:${index}`, 'x')),
    ...Array.from({ length: 8 }, () => redis.lease((lease) => lease.ping())),
    redis.lease(() => pause(between(random, 0, 3))),
    redis.multi().incr('a').incr('b').exec(),
    redis.blPop('nothing', 0.01),
  ]
}

async function track(call: Promise<unknown>, mustSucceed: boolean, tally: Tally, what: string): Promise<void> {
  tally.calls++
  tally.open++
  try {
    await call
  } catch (error) {
    tally.cut++
    if (!(error instanceof RespoolError)) tally.untyped++
    if (!mustSucceed) return
    tally.dropped++
    tally.examples.push(`${what}: ${error}`)
  } finally {
    tally.open--
  }
}
