// Owns a storm: connections end one after the other under a workload. Judges nothing.

import { nextTurn, pause } from '../live/support-live.js'
import type { ProxyLink } from '../support/fault-link.js'
import type { FaultProxy } from '../support/fault-proxy.js'
import { pick, seeded } from '../support/random.js'
import { recovery } from './recovery.js'
import type { Subject } from './subject.js'
import type { Workload } from './workload.js'

/**
 * Replies of a handshake and of the first burst, which the client may not have read yet. To end a connection that never
 * served anybody is another fault: it is answered with a pause.
 */
const PROVEN = 64
/** A recovery that takes longer counts as this many milliseconds. */
const GIVEN_UP = 5_000

/** Connections that have no traffic, or whose client saw no end, are reset after this long, in ms. */
const ENDS_WITHIN = 100

/** Ends one connection; it is over when that is. */
export type Strike = (link: ProxyLink) => void | Promise<void>

export interface StormPlan {
  readonly kills: number
  /** Milliseconds between two of them. */
  readonly every: number
  readonly seed: number
  /** A reset by default. */
  readonly strike?: Strike
  /** Connections that have passed on no more replies are spared. */
  readonly proven?: number
}

/** What a storm came to. */
export interface Storm {
  /** One for each connection that was ended. */
  readonly recoveries: readonly number[]
  /** Calls that were open while a connection was ended, added up over all of them. */
  readonly atRisk: number
}

/** Ends one open connection every `every` ms until `kills` have ended, or until there is none for a long time. */
export async function storm(
  proxy: FaultProxy,
  subject: Subject,
  { history }: Pick<Workload, 'history'>,
  { kills, every, seed, strike = (link) => link.kill('rst'), proven = PROVEN }: StormPlan,
): Promise<Storm> {
  const random = seeded(seed)
  const recoveries: Promise<number>[] = []
  let atRisk = 0
  let latest = performance.now()
  while (recoveries.length < kills && performance.now() - latest < GIVEN_UP) {
    await pause(every)
    const links = proxy.links.filter((link) => link.replies > proven)
    if (links.length === 0) continue
    const link = pick(random, links)
    proxy.note(link.id, `struck, with ${history.open} calls open`)
    atRisk += history.open
    const before = history.entries.length
    await strike(link)
    latest = performance.now()
    recoveries.push(recovery(subject, GIVEN_UP))
    // The client cannot know before its event loop has looked; what it wrote until then went to the dead as well.
    await nextTurn()
    await nextTurn()
    atRisk += history.entries.length - before
  }
  return { recoveries: await Promise.all(recoveries), atRisk }
}

/** What the server has done is lost on its way to the client. */
export function dropReply(link: ProxyLink): Promise<void> {
  link.dropReplyThenRst()
  return ended(link)
}

export async function ended(link: ProxyLink): Promise<void> {
  const latest = performance.now() + ENDS_WITHIN
  while (!link.closed && performance.now() < latest) await pause(1)
  link.kill('rst')
}
