// Owns a soak: for minutes or hours the same clients live through one fault after another, chosen by chance, while
// every call is judged, round by round; and between the rounds, what the process holds and how fast it answers in
// quiet. Knows no single fault.

import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../live/support-live.js'
import { pick, type Random, seededFor } from '../../support/random.js'
import { unbalanced } from '../books.js'
import { collect } from '../memory.js'
import { recovery } from '../recovery.js'
import type { Context, Outcome } from '../row.js'
import { textOf } from '../strays.js'
import { startWorkload } from '../workload.js'
import { startBystanders } from './bystanders.js'
import { DEADLINE, MAX_CONNECTIONS, Stage, type Stand } from './stage.js'
import { Tally } from './tally.js'
import type { Trouble } from './trouble.js'
import { SERVER_TROUBLES } from './troubles-server.js'
import { WAY_TROUBLES } from './troubles-ways.js'

const MINUTE = 60_000
/** How often in all the heap is looked at: once a minute in half an hour. */
const SAMPLES = 30
const QUIET_CALLS = 30_000
const STORM = 8_000
/** A recovery that takes longer counts as this many milliseconds. */
const GIVEN_UP = 5_000

const TROUBLES = [...WAY_TROUBLES, ...SERVER_TROUBLES]

export async function soak(context: Context): Promise<Outcome> {
  const { seed, minutes, note } = context
  const random = seededFor(seed, 0)
  const troubles = shuffled(TROUBLES, random)
  const tally = new Tally()
  await using stage = await Stage.open(seed)
  for (const { proxy } of stage.stands) context.trace(proxy.log)
  const started = performance.now()
  const elapsed = (): number => (performance.now() - started) / MINUTE
  for (let round = 1; elapsed() < minutes; round++) {
    const took = await quiet(stage, tally, { seed: seed + round, prefix: `quiet${round}` })
    tally.quiet(elapsed(), took)
    const strike = () => struckBy(stage, tally, troubles.next().value, random)
    await storm(stage, tally, { seed: seed + round, prefix: `storm${round}` }, strike)
    await settle(stage, tally)
    if (tally.samples < Math.floor((elapsed() * SAMPLES) / minutes)) tally.weighed(elapsed(), await weigh())
    note(tally.progress(elapsed()))
  }
  return tally.outcome({ minutes, kinds: TROUBLES.length, maxConnections: MAX_CONNECTIONS })
}

/** All of them in an order of chance, again and again: none is left out for long. */
function* shuffled<T>(items: readonly T[], random: Random): Generator<T, never> {
  for (;;) {
    const left = [...items]
    while (left.length > 0) {
      const item = pick(random, left)
      left.splice(left.indexOf(item), 1)
      yield item
    }
  }
}

/** What is different in each round. */
interface Round {
  readonly seed: number
  readonly prefix: string
}

/** The same number of calls each time, without any fault; gives how long each of them took. */
async function quiet({ server, stands: [stand] }: Stage, tally: Tally, round: Round): Promise<readonly number[]> {
  if (stand === undefined) throw new Error('a stage without a stand')
  const plan = { ...round, deadline: DEADLINE, operations: QUIET_CALLS }
  const report = await startWorkload(stand.subject, server.port, plan).report
  tally.judged(report)
  return report.history.entries.map(({ calledAt, settledAt }) => settledAt - calledAt)
}

async function storm(stage: Stage, tally: Tally, round: Round, strike: () => Promise<void>): Promise<void> {
  const weather = { rough: true }
  const end = performance.now() + STORM
  const parts = stage.stands.map(({ name, subject, callers }, index) => {
    const own = { seed: round.seed + index, prefix: `${round.prefix}:${name}` }
    const plan = { ...own, deadline: DEADLINE, callers, operations: 0, busy: () => weather.rough }
    return {
      workload: startWorkload(subject, () => stage.server.port, plan),
      bystanders: startBystanders(subject.redis, own.seed, `${own.prefix}:bystander`),
    }
  })
  try {
    // A fault must not meet the witnesses while they prepare.
    await until('the calls have begun', () => parts.every(({ workload }) => workload.history.entries.length > 0))
    while (performance.now() < end) await strike()
    // What is still on its way takes effect now or never.
    await sleep(50)
  } finally {
    weather.rough = false
  }
  for (const { workload, bystanders } of parts) {
    await bystanders.end()
    tally.judged(await workload.report)
    tally.crossed(bystanders.crossed)
  }
}

async function struckBy(stage: Stage, tally: Tally, trouble: Trouble, random: Random): Promise<void> {
  const stands = stage.stands.filter(({ proven }) => proven || !trouble.proven)
  const { proxy } = pick(random, stands)
  proxy.note(0, `trouble: ${trouble.name}`)
  const watching = { goesOn: true }
  const watched = watch(stage, tally, watching)
  try {
    await trouble.run({ stage, proxy, random }).catch((error: unknown) => {
      throw new Error(`the trouble '${trouble.name}' did not come about: ${textOf(error)}`)
    })
    const recoveries = stage.stands.map(({ name, subject }) => recovery(subject, GIVEN_UP, `recovery:${name}`))
    tally.struck(trouble.name, Math.max(...(await Promise.all(recoveries))))
  } finally {
    watching.goesOn = false
    await watched
  }
}

async function watch({ stands }: Stage, tally: Tally, watching: { readonly goesOn: boolean }): Promise<void> {
  while (watching.goesOn) {
    for (const { subject } of stands) tally.counted(subject.redis.pool.stats().connections.total)
    await sleep(5)
  }
}

/** After the last call of a round nobody holds, waits or is owed anything, and nothing is left on the server. */
async function settle(stage: Stage, tally: Tally): Promise<void> {
  stage.calm()
  for (const stand of stage.stands) {
    await until('the books are right', () => unaccounted(stand) === 0, 1_000).catch(() => {})
    tally.unaccounted(unaccounted(stand))
  }
  await stage.server.cli('FLUSHALL')
}

function unaccounted({ subject }: Stand): number {
  const stats = subject.redis.pool.stats()
  return unbalanced(stats) + stats.waiting.total + stats.inFlight
}

async function weigh(): Promise<NodeJS.MemoryUsage> {
  await collect()
  return process.memoryUsage()
}
