// Rows A1, A2 and A4: connections end one after the other under the common workload, each row in its own way.

import { pause } from '../../live/support-live.js'
import type { ProxyLink } from '../../support/fault-link.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { pick, seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import { uniqueValue } from '../history.js'
import { recoveryCheck } from '../recovery.js'
import type { Check, Context, Outcome } from '../row.js'
import { type Storm, storm } from '../storm.js'
import { respool } from '../subject.js'
import { type Report, startWorkload } from '../workload.js'
import { SETTINGS } from './settings.js'

/** Milliseconds between two ends. */
export const EVERY = 15
const RECOVERS_WITHIN = 50
/** A connection that has no traffic, or whose client saw no end, is reset after this long, in ms. */
const ENDS_WITHIN = 100

type Strike = (link: ProxyLink) => void | Promise<void>

interface Course {
  readonly report: Report
  readonly storm: Storm
  readonly checks: readonly Check[]
}

export async function resets(context: Context): Promise<Outcome> {
  return outcomeOf(await underStorm(context, (link) => link.kill('rst')))
}

export async function lostReplies(context: Context): Promise<Outcome> {
  const course = await underStorm(context, (link) => {
    link.dropReplyThenRst()
    return ended(link)
  })
  const bites: Check = {
    what: 'ambiguous writes that were applied',
    value: appliedInDoubt(course.report),
    is: 'at least',
    limit: 1,
  }
  return outcomeOf(course, bites)
}

export async function orderlyEnds(context: Context): Promise<Outcome> {
  const random = seeded(context.seed)
  const ways: readonly ((link: ProxyLink) => void)[] = [
    (link) => link.kill('fin'),
    (link) => link.halfClose('down'),
    (link) => link.halfClose('up'),
  ]
  const course = await underStorm(context, (link) => {
    pick(random, ways)(link)
    return ended(link)
  })
  return outcomeOf(course)
}

async function underStorm(context: Context, strike: Strike): Promise<Course> {
  const { seed } = context
  const kills = context.scale(50, 500)
  const operations = context.scale(10_000, 100_000)
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed })
  context.trace(proxy.log)
  const subject = respool(proxy.url, SETTINGS)
  try {
    let storming = true
    const plan = { operations, seed, deadline: SETTINGS.commandTimeout, busy: () => storming }
    const workload = startWorkload(subject, server.port, plan)
    const course = await storm(proxy, subject, workload, { kills, every: EVERY, seed, strike })
    storming = false
    const report = await workload.report
    const { entries, failed, untyped } = report.history
    const checks: readonly Check[] = [
      { what: 'calls made', value: entries.length, is: 'at least', limit: operations },
      { what: 'connections ended', value: course.recoveries.length, is: 'at least', limit: kills },
      recoveryCheck(context, course.recoveries, RECOVERS_WITHIN),
      { what: 'ambiguous, of the calls in flight then', value: failed.ambiguous, is: 'at most', limit: course.atRisk },
      { what: 'errors that do not say what happened', value: untyped, is: 'exactly', limit: 0 },
    ]
    return { report, storm: course, checks }
  } finally {
    await subject.close()
  }
}

function outcomeOf({ report, storm: { recoveries }, checks }: Course, ...further: readonly Check[]): Outcome {
  const { operations, verdict, examples } = report
  const faults = recoveries.length
  return { operations, faults, verdict, examples, recovery: recoveries, checks: [...checks, ...further] }
}

async function ended(link: ProxyLink): Promise<void> {
  const latest = performance.now() + ENDS_WITHIN
  while (!link.closed && performance.now() < latest) await pause(1)
  link.kill('rst')
}

/** Writes of which nobody was told that they had taken effect. */
function appliedInDoubt({ history, state }: Report): number {
  const lists = [...state.lists.values(), ...[...state.units.values()].map(({ list }) => list)]
  const there = new Set(lists.flat())
  return history.entries.filter((entry) => entry.state === 'ambiguous' && there.has(uniqueValue(entry))).length
}
