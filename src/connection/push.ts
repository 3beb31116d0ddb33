// Owns one question about RESP3 pushes: is this push the reply to a command? Knows no subscriptions.

import type { Argument } from '../resp/encoder.js'
import type { Reply } from '../resp/types.js'

const CONFIRMED_BY_PUSH: ReadonlySet<string> = new Set([
  'subscribe',
  'psubscribe',
  'ssubscribe',
  'unsubscribe',
  'punsubscribe',
  'sunsubscribe',
])

/**
 * Under RESP3 a server confirms SUBSCRIBE and its relatives by a push and sends no other reply.
 * https://redis.io/docs/latest/develop/reference/protocol-spec/#push-events
 */
export function confirmsSubscription(args: readonly Argument[], items: readonly Reply[]): boolean {
  const kind = items[0]
  if (typeof kind !== 'string' && !Buffer.isBuffer(kind)) return false
  const name = kind.toString()
  return CONFIRMED_BY_PUSH.has(name) && String(args[0]).toLowerCase() === name
}
