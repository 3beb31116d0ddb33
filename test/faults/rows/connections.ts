// Rows A: connections die. Each row brings up its own server and proxy, and takes them down.

import { pause, pick, seeded } from '../../live/support-live.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { RedisProcess } from '../../support/redis-process.js'
import { p99, recovery } from '../recovery.js'
import type { Context, Outcome, Row } from '../row.js'
import { respool, type Subject } from '../subject.js'
import { startWorkload, type Workload } from '../workload.js'

/** Milliseconds between two resets. */
const EVERY = 15
const DEADLINE = 500
const RECOVERS_WITHIN = 50
const GIVEN_UP = 2_000

/** What resetting connections under a workload came to. */
export interface Storm {
  readonly kills: number
  readonly recoveries: readonly number[]
  /** Calls that were open when a connection was reset, added up over all resets. */
  readonly atRisk: number
}

/** Resets one open connection every `every` ms until `kills` were reset. */
export async function storm(
  proxy: FaultProxy,
  subject: Subject,
  workload: Workload,
  { kills, every, seed }: { kills: number; every: number; seed: number },
): Promise<Storm> {
  const random = seeded(seed)
  const recoveries: Promise<number>[] = []
  let atRisk = 0
  while (recoveries.length < kills) {
    await pause(every)
    // Only a connection that has carried replies can hurt somebody.
    const links = proxy.links.filter((link) => link.bytes('down') > 0)
    if (links.length === 0) continue
    pick(random, links).kill('rst')
    recoveries.push(recovery(subject, GIVEN_UP))
    // The client cannot know before its event loop has looked; what it wrote until then went to the dead as well.
    atRisk += workload.history.open + (await begunBeforeItWasKnown(workload))
  }
  return { kills, recoveries: await Promise.all(recoveries), atRisk }
}

async function begunBeforeItWasKnown({ history }: Workload): Promise<number> {
  const before = history.entries.length
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  return history.entries.length - before
}

async function resets(context: Context): Promise<Outcome> {
  const kills = context.scale(50, 500)
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed: context.seed })
  context.trace(proxy.log)
  const subject = respool(proxy.url, { maxConnections: 4, commandTimeout: DEADLINE, backoffMax: 200 })
  try {
    let storming = true
    const operations = context.scale(10_000, 100_000)
    const workload = startWorkload(subject, server.port, {
      operations,
      seed: context.seed,
      deadline: DEADLINE,
      busy: () => storming,
    })
    const { recoveries, atRisk } = await storm(proxy, subject, workload, { kills, every: EVERY, seed: context.seed })
    storming = false
    const { verdict, examples, history } = await workload.report
    const { ambiguous } = history.failed
    return {
      operations: history.entries.length,
      faults: recoveries.length,
      verdict,
      examples,
      recovery: recoveries,
      checks: [
        { what: 'calls made', value: history.entries.length, is: 'at least', limit: operations },
        { what: 'connections reset', value: recoveries.length, is: 'at least', limit: kills },
        { what: 'recovery, p99', value: p99(recoveries), is: 'at most', limit: RECOVERS_WITHIN, unit: 'ms' },
        { what: 'ambiguous, of the calls in flight at the resets', value: ambiguous, is: 'at most', limit: atRisk },
        { what: 'errors that do not say what happened', value: history.untyped, is: 'exactly', limit: 0 },
      ],
    }
  } finally {
    await subject.close()
  }
}

export const connections: readonly Row[] = [
  {
    id: 'A1',
    fault: 'Connections are reset at random',
    injection: `the proxy resets one connection every ${EVERY} ms`,
    expected: 'what was in flight on it is ambiguous, everything else goes on',
    tiers: ['commit', 'nightly'],
    run: resets,
  },
]
