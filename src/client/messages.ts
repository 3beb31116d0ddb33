// Owns the shape of what a server publishes, as bytes come in: which listeners it is for, and how it is told to them.
// Knows no connection.

import type { Reply } from '../resp/types.js'
import { callSafely } from './events.js'
import type { SubscriptionKind, Subscriptions } from './subscriptions.js'

interface Message {
  readonly kind: SubscriptionKind
  /** What was subscribed to: the channel itself, or the pattern that it matched. */
  readonly topic: Buffer
  readonly channel: Buffer
  readonly payload: Buffer
}

/** Calls the listeners that a message is for; anything else is ignored. */
export function deliver(message: Reply, subscriptions: Subscriptions): void {
  const published = messageOf(message)
  const topic = published && subscriptions.find(published.kind, published.topic.toString())
  if (published === undefined || topic === undefined) return
  const { payload, channel } = published
  // A listener may take itself or others out while it is called.
  if (topic.texts.size > 0) tell([...topic.texts], payload.toString(), channel.toString())
  if (topic.buffers.size > 0) tell([...topic.buffers], payload, channel)
}

/** https://redis.io/docs/latest/develop/pubsub/#format-of-pushed-messages */
function messageOf(reply: Reply): Message | undefined {
  if (!Array.isArray(reply)) return undefined
  const [type, first, second, third] = reply
  if (!Buffer.isBuffer(type) || !Buffer.isBuffer(first) || !Buffer.isBuffer(second)) return undefined
  switch (type.toString()) {
    case 'message':
      return { kind: 'channel', topic: first, channel: first, payload: second }
    case 'smessage':
      return { kind: 'sharded', topic: first, channel: first, payload: second }
    case 'pmessage':
      return Buffer.isBuffer(third) ? { kind: 'pattern', topic: first, channel: second, payload: third } : undefined
    default:
      return undefined
  }
}

function tell<T extends string | Buffer>(
  listeners: readonly ((message: T, channel: T) => unknown)[],
  payload: T,
  channel: T,
): void {
  for (const listener of listeners) callSafely(() => listener(payload, channel))
}
