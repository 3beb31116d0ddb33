// Rows A: connections die. Each row brings up its own server and proxy, and takes them down.

import { FaultProxy } from '../../support/fault-proxy.js'
import { RedisProcess } from '../../support/redis-process.js'
import { recoveryCheck } from '../recovery.js'
import type { Context, Outcome, Row } from '../row.js'
import { storm } from '../storm.js'
import { respool } from '../subject.js'
import { startWorkload } from '../workload.js'

/** Milliseconds between two resets. */
const EVERY = 15
const DEADLINE = 500
const RECOVERS_WITHIN = 50

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
        recoveryCheck(context, recoveries, RECOVERS_WITHIN),
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
