// Rows A1, A2 and A4: connections end one after the other under the common workload, each row in its own way.

import type { ProxyLink } from '../../support/fault-link.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { pick, seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import { recoveryCheck } from '../recovery.js'
import type { Check, Context, Outcome } from '../row.js'
import { dropReply, ended, type Strike, storm } from '../storm.js'
import { respool } from '../subject.js'
import { appliedInDoubt, inTrouble, planOf } from '../trouble.js'
import type { Report } from '../workload.js'
import { SETTINGS } from './settings.js'

/** Milliseconds between two ends. */
export const EVERY = 15
const RECOVERS_WITHIN = 50

export function resets(context: Context): Promise<Outcome> {
  return underStorm(context, (link) => link.kill('rst'))
}

export function lostReplies(context: Context): Promise<Outcome> {
  const bites = (report: Report): Check => ({
    what: 'ambiguous writes that were applied',
    value: appliedInDoubt(report),
    is: 'at least',
    limit: 1,
  })
  return underStorm(context, dropReply, bites)
}

export function orderlyEnds(context: Context): Promise<Outcome> {
  const random = seeded(context.seed)
  const ways: readonly ((link: ProxyLink) => void)[] = [
    (link) => link.kill('fin'),
    (link) => link.halfClose('down'),
    (link) => link.halfClose('up'),
  ]
  return underStorm(context, (link) => {
    pick(random, ways)(link)
    return ended(link)
  })
}

async function underStorm(
  context: Context,
  strike: Strike,
  ...further: readonly ((report: Report) => Check)[]
): Promise<Outcome> {
  const { seed } = context
  const kills = context.scale(50, 500)
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed })
  context.trace(proxy.log)
  const subject = respool(proxy.url, SETTINGS)
  return await inTrouble(subject, server.port, planOf(context, SETTINGS.commandTimeout), async (workload) => {
    const { recoveries, atRisk } = await storm(proxy, subject, workload, { kills, every: EVERY, seed, strike })
    const checks = (report: Report): readonly Check[] => [
      { what: 'connections ended', value: recoveries.length, is: 'at least', limit: kills },
      recoveryCheck(context, recoveries, RECOVERS_WITHIN),
      {
        what: 'ambiguous, of the calls in flight then',
        value: report.history.failed.ambiguous,
        is: 'at most',
        limit: atRisk,
      },
      ...further.map((check) => check(report)),
    ]
    return { faults: recoveries.length, recovery: recoveries, checks }
  })
}
