// Rows C5 and C6: the server behind the name is no primary any more, and the name leads to another one.

import type { ConnectionPool } from '../../../src/index.js'
import { pause, until } from '../../live/support-live.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import type { RedisProcess } from '../../support/redis-process.js'
import { type Change, Couple } from '../couple.js'
import { recovery, recoveryCheck } from '../recovery.js'
import type { Context, Outcome } from '../row.js'
import { respool } from '../subject.js'
import { inTrouble } from '../trouble.js'
import { atLeast, errorCount, exactly, failedCalls, succeedsAgain } from './figures.js'
import { CALM, SETTINGS } from './settings.js'

/** From the moment at which the name leads to the new primary, in ms. */
const WRITES_WITHIN = 250
const READS_WITHIN = 100
/** Milliseconds for which the name leads to a server that is demoted already. */
const LATE = 300
const GIVEN_UP = 5_000

export async function demoted(context: Context): Promise<Outcome> {
  await using couple = await Couple.start()
  await using proxy = await FaultProxy.start({ port: couple.primary.port, seed: context.seed })
  context.trace(proxy.log)
  const subject = respool(proxy.url, SETTINGS)
  return await inTrouble(subject, couple.primary.port, planFor(context), async ({ history }) => {
    const recoveries: number[] = []
    const prompt: Refusals = { refused: 0, inFlight: 0 }
    let recovered = Promise.resolve(0)
    const lead = (next: RedisProcess): void => {
      proxy.retarget(next.port)
      recovered = recovery(subject, GIVEN_UP)
    }
    // There and back again, so that the first primary has it all in the end.
    for (let round = context.scale(2, 20); round > 0; round--) {
      await until('calls succeed', succeedsAgain(history))
      if (round % 2 === 0) await countRefusals(couple, lead, subject.redis.pool, prompt)
      else await couple.change({ lead, late: LATE })
      recoveries.push(await recovered)
      await couple.reunite()
      if (round > 1) await pause(CALM)
    }
    return {
      faults: recoveries.length,
      recovery: recoveries,
      checks: () => [
        recoveryCheck(context, recoveries, WRITES_WITHIN),
        atLeast('commands refused where the name led on at once', prompt.refused, 1),
        { what: 'of so many in flight then', value: prompt.refused, is: 'at most', limit: prompt.inFlight },
        atLeast('calls that were told', history.failed.rejected, 1),
        exactly('calls that failed in another way', failedCalls(history) - history.failed.rejected, 0),
      ],
    }
  })
}

interface Refusals {
  /** Commands that were answered READONLY. */
  refused: number
  /** How many may be: those that the connections had been given before the first of these answers. */
  inFlight: number
}

async function countRefusals(couple: Couple, lead: Change['lead'], pool: ConnectionPool, sum: Refusals): Promise<void> {
  const old = couple.primary
  const before = await errorCount(old, 'READONLY')
  await couple.change({ lead }, () => {
    sum.inFlight += pool.stats().inFlight
  })
  await untilLeft(old)
  sum.refused += (await errorCount(old, 'READONLY')) - before
}

function untilLeft(server: RedisProcess): Promise<void> {
  return until('the old primary has no client', async () => (await server.clientList()).every(isReplication))
}

function isReplication({ flags = '' }: Readonly<Record<string, string>>): boolean {
  return /[SM]/.test(flags)
}

/** Refuses everything while its link to its own primary is down, writes too. */
const STRICT = { 'replica-serve-stale-data': 'no', 'replica-read-only': 'no' } as const

export async function staleReplica(context: Context): Promise<Outcome> {
  await using couple = await Couple.start(STRICT)
  await using proxy = await FaultProxy.start({ port: couple.primary.port, seed: context.seed })
  context.trace(proxy.log)
  const subject = respool(proxy.url, SETTINGS)
  return await inTrouble(subject, couple.primary.port, planFor(context), async ({ history }) => {
    const recoveries: Promise<number>[] = []
    const refusals: number[] = []
    for (let round = context.scale(2, 20); round > 0; round--) {
      await until('calls succeed', succeedsAgain(history))
      const old = couple.primary
      const before = await errorCount(old, 'MASTERDOWN')
      const lead = (next: RedisProcess): void => proxy.retarget(next.port)
      const demote = async (server: RedisProcess): Promise<void> => {
        // Nobody is there.
        await server.cli('REPLICAOF', '127.0.0.1', '1')
      }
      await couple.change({ lead, demote }, () => recoveries.push(recovery(subject, GIVEN_UP)))
      await Promise.all(recoveries)
      refusals.push((await errorCount(old, 'MASTERDOWN')) - before)
      // It is about to take writes again, which would be lost.
      await untilLeft(old)
      await couple.reunite()
      if (round > 1) await pause(CALM)
    }
    const recovered = await Promise.all(recoveries)
    return {
      faults: refusals.length,
      recovery: recovered,
      checks: () => [
        atLeast('commands that each stale replica refused, fewest', Math.min(...refusals), 1),
        recoveryCheck(context, recovered, READS_WITHIN),
        exactly('calls that failed', failedCalls(history), 0),
      ],
    }
  })
}

function planFor({ seed, scale }: Context): { operations: number; seed: number; deadline: number } {
  return { operations: scale(5_000, 50_000), seed, deadline: SETTINGS.commandTimeout }
}
