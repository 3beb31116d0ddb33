// Owns a storm: connections are reset one after the other under a workload. Judges nothing.

import { nextTurn, pause } from '../live/support-live.js'
import type { FaultProxy } from '../support/fault-proxy.js'
import { pick, seeded } from '../support/random.js'
import { recovery } from './recovery.js'
import type { Subject } from './subject.js'
import type { Workload } from './workload.js'

/** Bytes of replies that a handshake stays below. A reset inside one is another fault: it is answered with a pause. */
const HANDSHAKE = 1_000
/** A recovery that takes longer counts as this many milliseconds. */
const GIVEN_UP = 5_000

/** What resetting connections under a workload came to. */
export interface Storm {
  /** One for each connection that was reset. */
  readonly recoveries: readonly number[]
  /** Calls that were open when a connection was reset, added up over all resets. */
  readonly atRisk: number
}

/** Resets one open connection every `every` ms until `kills` were reset, or until there is none for a long time. */
export async function storm(
  proxy: FaultProxy,
  subject: Subject,
  workload: Workload,
  { kills, every, seed }: { kills: number; every: number; seed: number },
): Promise<Storm> {
  const random = seeded(seed)
  const recoveries: Promise<number>[] = []
  let atRisk = 0
  let latest = performance.now()
  while (recoveries.length < kills && performance.now() - latest < GIVEN_UP) {
    await pause(every)
    const links = proxy.links.filter((link) => link.bytes('down') > HANDSHAKE)
    if (links.length === 0) continue
    const link = pick(random, links)
    proxy.note(link.id, `rst, with ${workload.history.open} calls open`)
    link.kill('rst')
    latest = performance.now()
    recoveries.push(recovery(subject, GIVEN_UP))
    // The client cannot know before its event loop has looked; what it wrote until then went to the dead as well.
    atRisk += workload.history.open + (await begunBeforeItWasKnown(workload))
  }
  return { recoveries: await Promise.all(recoveries), atRisk }
}

async function begunBeforeItWasKnown({ history }: Workload): Promise<number> {
  const before = history.entries.length
  await nextTurn()
  await nextTurn()
  return history.entries.length - before
}
