// Rows F3 and F4: leases in the wrong hands. What is over harms nobody, and what is forgotten is told.

import { type HolderStats, type Lease, LeaseReleasedError, Redis } from '../../../src/index.js'
import { pause, until } from '../../live/support-live.js'
import { pick, type Random, seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import { within } from '../recovery.js'
import type { Context, Outcome } from '../row.js'
import { CLEAN } from '../verdict.js'
import { SETTINGS } from './settings.js'

/** Tries with one lease that is over, while the next holder works. */
const TRIES_EACH = 10
/** Written by nobody who is allowed to. */
const FORBIDDEN = 'forbidden'

/** Resolves to whether nothing came of it. */
type Misdeed = (stale: Lease, foreign: Lease) => Promise<boolean>

const refused =
  (use: (stale: Lease) => Promise<unknown>) =>
  (stale: Lease): Promise<boolean> =>
    use(stale).then(
      () => false,
      (error: unknown) => error instanceof LeaseReleasedError && error.outcome === 'not-sent',
    )

const MISDEEDS: Readonly<Record<string, Misdeed>> = {
  'a second release': async (stale) => {
    stale.release()
    return stale.released && stale.connectionId === 0
  },
  'a second end of its block': async (stale) => {
    await stale[Symbol.asyncDispose]()
    return stale.released
  },
  'a release by the pool of another server': async (stale, foreign) => {
    Reflect.apply(stale.release, foreign, [])
    return foreign.released
  },
  'a release of what is no lease': async (stale) => {
    try {
      Reflect.apply(stale.release, { connectionId: 1 }, [])
    } catch (error) {
      return error instanceof TypeError
    }
    return false
  },
  'a write': refused((stale) => stale.set(FORBIDDEN, 'x')),
  'a raw command': refused((stale) => stale.sendCommand(['SET', FORBIDDEN, 'x'])),
  'a transaction': refused((stale) => stale.multi().set(FORBIDDEN, 'x').exec()),
  'a pipeline': refused((stale) => stale.multi().set(FORBIDDEN, 'x').execAsPipeline()),
  'a SELECT': refused((stale) => stale.select(7)),
  'a WATCH': refused((stale) => stale.watch(FORBIDDEN)),
  'an UNWATCH': refused((stale) => stale.unwatch()),
  'a blocking command': refused((stale) => stale.blPop(FORBIDDEN, 0)),
}
const KINDS = Object.keys(MISDEEDS)

interface Tally {
  tries: number
  taken: number
  crossed: number
  harmed: number
  readonly kinds: Set<string>
  readonly examples: string[]
}

export async function staleLeases(context: Context): Promise<Outcome> {
  const rounds = context.scale(1_000, 10_000)
  const random = seeded(context.seed)
  await using server = await RedisProcess.start()
  await using other = await RedisProcess.start()
  // One connection, so that the second holder has the very one that the first had.
  await using redis = new Redis(server.url, { ...SETTINGS, maxConnections: 1, pipelining: 1 })
  await using elsewhere = new Redis(other.url, SETTINGS)
  const foreign = await elsewhere.lease()
  foreign.release()
  const tally: Tally = { tries: 0, taken: 0, crossed: 0, harmed: 0, kinds: new Set(), examples: [] }
  let same = 0
  for (let round = 0; round < rounds; round++) {
    const first = await redis.lease()
    const id = first.connectionId
    first.release()
    const second = await redis.lease()
    if (second.connectionId === id) same++
    await misbehave({ stale: first, second, foreign, random, round }, tally)
    second.release()
  }
  const { acquired, released, closed } = redis.pool.stats().counters
  const { tries, taken, crossed, harmed, kinds, examples } = tally
  return {
    operations: rounds * 3,
    faults: tries,
    verdict: { ...CLEAN, crossed },
    examples,
    checks: [
      { what: 'tries', value: tries, is: 'at least', limit: rounds * TRIES_EACH },
      { what: 'ways to try', value: kinds.size, is: 'exactly', limit: KINDS.length },
      { what: 'tries that were not refused, or had an effect', value: taken, is: 'exactly', limit: 0 },
      { what: 'second holders on the connection of the first', value: same, is: 'exactly', limit: rounds },
      { what: 'second holders that noticed', value: harmed, is: 'exactly', limit: 0 },
      { what: 'keys that were written', value: Number(await server.cli('EXISTS', FORBIDDEN)), is: 'exactly', limit: 0 },
      { what: 'leases not given back', value: acquired - released, is: 'exactly', limit: 0 },
      { what: 'connections ended', value: Object.keys(closed).length, is: 'exactly', limit: 0 },
    ],
  }
}

interface Scene {
  readonly stale: Lease
  readonly second: Lease
  readonly foreign: Lease
  readonly random: Random
  readonly round: number
}

/** The former holder tries its ways while the second one has commands in flight. */
async function misbehave({ stale, second, foreign, random, round }: Scene, tally: Tally): Promise<void> {
  const id = second.connectionId
  const [echo, counted] = [second.echo(`round ${round}`), second.multi().incr('counter').exec()]
  const tried = Array.from({ length: TRIES_EACH }, async () => {
    const kind = pick(random, KINDS)
    tally.tries++
    tally.kinds.add(kind)
    const isHarmless = await MISDEEDS[kind]?.(stale, foreign)
    if (isHarmless) return
    tally.taken++
    tally.examples.push(`round ${round}: ${kind} on a lease that is over`)
  })
  const [said, [count]] = await Promise.all([echo, counted, ...tried])
  if (said !== `round ${round}`) tally.crossed++
  const isUnharmed = count === round + 1 && second.connectionId === id && !second.released
  if (!isUnharmed) tally.harmed++
}

/** Leases that are forgotten in each pool, and some that are given back in time. */
const FORGOTTEN = 6
const LEAK_SLACK = 100

export async function leakedLeases(context: Context): Promise<Outcome> {
  const thresholds = [100, 400, ...(context.scale(0, 1) === 1 ? [1_000, 3_000, 10_000] : [1_000])]
  await using server = await RedisProcess.start()
  const found = await Promise.all(
    thresholds.map((threshold) => forget(server, threshold, seeded(context.seed + threshold))),
  )
  const sum = (count: (one: Forgotten) => number): number => found.reduce((total, one) => total + count(one), 0)
  const forgotten = thresholds.length * FORGOTTEN
  return {
    operations: forgotten * 4,
    faults: forgotten,
    verdict: CLEAN,
    checks: [
      {
        what: 'forgotten leases that were reported',
        value: sum(({ late }) => late.length),
        is: 'exactly',
        limit: forgotten,
      },
      {
        what: 'of these with the stack of their borrower',
        value: sum(({ traced }) => traced),
        is: 'exactly',
        limit: forgotten,
      },
      {
        what: 'reports before the threshold',
        value: sum(({ late }) => late.filter((ms) => ms < 0).length),
        is: 'exactly',
        limit: 0,
      },
      within(
        context,
        'from the threshold to the report, longest',
        Math.max(...found.flatMap(({ late }) => late)),
        LEAK_SLACK,
      ),
      {
        what: 'reports of leases given back in time, and of blocking commands',
        value: sum(({ wrong }) => wrong),
        is: 'exactly',
        limit: 0,
      },
      {
        what: 'blocking commands that outlasted the threshold',
        value: sum(({ parked }) => parked),
        is: 'exactly',
        limit: thresholds.length,
      },
      { what: 'reported leases that served on', value: sum(({ served }) => served), is: 'exactly', limit: forgotten },
      {
        what: 'uses after their release that were refused',
        value: sum(({ refusals }) => refusals),
        is: 'exactly',
        limit: forgotten,
      },
      { what: 'connections still lent', value: sum(({ lent }) => lent), is: 'exactly', limit: 0 },
    ],
  }
}

interface Forgotten {
  /** Milliseconds from each threshold to its report. */
  readonly late: readonly number[]
  readonly traced: number
  readonly wrong: number
  readonly parked: number
  readonly served: number
  readonly refusals: number
  readonly lent: number
}

async function forget(server: RedisProcess, leakThreshold: number, random: Random): Promise<Forgotten> {
  await using redis = new Redis(server.url, { leakThreshold, maxConnections: FORGOTTEN + 4 })
  const reports: { readonly label: string; readonly at: number; readonly stack: string }[] = []
  redis.on('leak', ({ label, stack = '' }: HolderStats) => reports.push({ label, at: performance.now(), stack }))
  const longer = leakThreshold / 1_000 + 0.3
  const parked = redis.blPop(`nothing:${leakThreshold}`, longer)
  const taken = new Map<string, number>()
  const leases: Lease[] = []
  for (let index = 0; index < FORGOTTEN; index++) {
    leases.push(await borrowAndForget(redis, `forgotten ${index}`))
    taken.set(`forgotten ${index}`, performance.now())
    await redis.lease(() => pause(1), { label: 'in time' })
    await pause(random() * Math.min(30, leakThreshold / 2))
  }
  const wanted = (): typeof reports => reports.filter(({ label }) => taken.has(label))
  await until('all are reported', () => wanted().length >= FORGOTTEN, leakThreshold + 5_000).catch(() => {})
  const unpopped = await parked
  const late = wanted().map(({ label, at }) => at - (taken.get(label) ?? 0) - leakThreshold)
  const said = await Promise.all(leases.map((lease, index) => lease.echo(`${index}`)))
  for (const lease of leases) lease.release()
  const refusals = await Promise.all(leases.map((lease) => refused(() => lease.get('key'))(lease)))
  return {
    // The moment at which a lease was taken is known here only after the pool knew.
    late: late.map((ms) => (ms > -5 ? Math.max(0, ms) : ms)),
    traced: wanted().filter(({ stack }) => stack.includes(borrowAndForget.name)).length,
    wrong: reports.length - wanted().length,
    parked: unpopped === null ? 1 : 0,
    served: said.filter((word, index) => word === `${index}`).length,
    refusals: refusals.filter((isRefused) => isRefused).length,
    lent: redis.pool.stats().connections.leased,
  }
}

/** Its name is looked for in the report. */
function borrowAndForget(redis: Redis, label: string): Promise<Lease> {
  return redis.lease({ label })
}
