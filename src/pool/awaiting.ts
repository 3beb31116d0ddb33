// Owns whether anybody waits for a pool: for a reply, a connection or its end. Where connections keep no process alive,
// this does. Pure.

import type { Phase } from './contract.js'
import type { Roster } from './roster.js'
import type { Caller, Waiter } from './waiters.js'

/** What of a pool may be waited for. */
export interface AwaitedParts {
  readonly phase: Phase
  readonly roster: Roster
  readonly warming: readonly { readonly isAwaited: boolean }[]
  readonly recall: { readonly isPending: boolean }
  readonly room: { readonly visitors: number }
  readonly dispatch: { waiters(): Iterable<Waiter<Caller>> }
}

/** A lease that is held and a stream that is listened to wait for nothing; nor does who sees to it that one comes back. */
export function isAwaited({ phase, roster, warming, recall, room, dispatch }: AwaitedParts): boolean {
  if (phase !== 'open') return phase === 'closing'
  if (recall.isPending || room.visitors > 0 || warming.some((one) => one.isAwaited)) return true
  for (const { expiresAt } of dispatch.waiters()) if (Number.isFinite(expiresAt)) return true
  return roster.all().some(({ place, connection }) => place !== 'connecting' && connection.isAwaited)
}
