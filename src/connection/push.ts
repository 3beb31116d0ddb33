// Owns what tells messages from replies: a RESP3 push that is a reply, a RESP2 reply that is a message. Knows no
// subscriptions.

import type { Argument } from '../resp/encoder.js'
import { RESP_TYPES, type Reply, type ReplyMapping } from '../resp/types.js'

/** Messages are bytes until their listeners are known, as pushes are. */
export const MESSAGE_MAPPING: ReplyMapping = { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.SIMPLE_STRING]: Buffer }

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

const MESSAGES: ReadonlySet<string> = new Set(['message', 'pmessage', 'smessage'])

/** Under RESP2 a connection that has subscribed gives no other reply that begins so. */
export function isPublished(reply: Reply): boolean {
  return Array.isArray(reply) && Buffer.isBuffer(reply[0]) && MESSAGES.has(reply[0].toString())
}

/**
 * A command that a server executed, as it tells a connection on which MONITOR was sent: time, database, client and
 * arguments. https://redis.io/docs/latest/commands/monitor/
 */
export function isMonitored(reply: Reply): boolean {
  return Buffer.isBuffer(reply) && /^\d+\.\d+ \[/.test(reply.toString('latin1', 0, 40))
}
