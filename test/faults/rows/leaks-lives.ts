// Row G1: a pool is opened, used and closed, again and again. Runs in a process of its own.

import { getEventListeners } from 'node:events'
import { openUseClose } from '../../live/support-closing.js'
import { pause, until, Witness } from '../../live/support-live.js'
import { leakCheck } from '../../support/leak-check.js'
import { RedisProcess } from '../../support/redis-process.js'
import { usedHeap } from '../memory.js'
import type { Context, Outcome } from '../row.js'
import { CLEAN } from '../verdict.js'

/** Rounds before the count begins: for hundreds of them code is compiled that every later round uses. */
const WARM = { commit: 200, nightly: 600 } as const
/** Commands, leases and blocking commands of each round. */
const CALLS = 22
const MEGABYTE = 2 ** 20
const CLIENTS_GONE_WITHIN = 1_000

export async function repeatedLives(context: Context): Promise<Outcome> {
  const rounds = context.scale(100, 1_000)
  await using server = await RedisProcess.start({ config: { hz: 100 } })
  await using witness = await Witness.connect(server.port)
  const { signal } = new AbortController()
  const noClients = (): Promise<void> =>
    until('no client is left', async () => (await witness.clients()).length === 0, CLIENTS_GONE_WITHIN).catch(() => {})
  const warm = context.scale(WARM.commit, WARM.nightly)
  for (let round = 0; round < warm; round++) await openUseClose(server.url, round, signal)
  await noClients()
  const before = await usedHeap()
  const served = await witness.figure('stats', 'total_connections_received')
  const leaks = leakCheck({ watch: { process: { target: process, events: process.eventNames().map(String) } } })
  for (let round = 0; round < rounds; round++) {
    await openUseClose(server.url, round, signal)
    if (round % 100 === 0) context.note(`${round} of ${rounds} pools`)
  }
  const opened = (await witness.figure('stats', 'total_connections_received')) - served
  await noClients()
  const clients = (await witness.clients()).length
  const left: unknown = await leaks.assertNone().catch((error: unknown) => error)
  // A moment for what the last round let go of.
  await pause(20)
  const growth = (await usedHeap()) - before
  return {
    operations: rounds * CALLS,
    faults: rounds,
    verdict: CLEAN,
    examples: left === undefined ? [] : [String(left)],
    checks: [
      { what: 'pools opened, used and closed', value: rounds, is: 'at least', limit: context.scale(100, 1_000) },
      { what: 'their connections', value: opened, is: 'at least', limit: rounds },
      {
        what: 'looks at descriptors, sockets, timers and listeners that found some left',
        value: left === undefined ? 0 : 1,
        is: 'exactly',
        limit: 0,
      },
      { what: 'listeners left on a signal', value: getEventListeners(signal, 'abort').length, is: 'exactly', limit: 0 },
      { what: 'clients left on the server', value: clients, is: 'exactly', limit: 0 },
      { what: 'growth of the heap', value: growth / MEGABYTE, is: 'at most', limit: 1, unit: 'MB' },
    ],
  }
}
