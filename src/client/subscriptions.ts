// Owns what a handle listens to: channels, patterns and sharded channels, with the listeners of each. Knows neither
// connections nor commands.

import type { ConnectionError } from '../base/errors.js'

/** `channel`: by name · `pattern`: by glob · `sharded`: by name, within one shard of a cluster. */
export type SubscriptionKind = 'channel' | 'pattern' | 'sharded'

export const SUBSCRIPTION_KINDS: readonly SubscriptionKind[] = ['channel', 'pattern', 'sharded']

/** Called with each message and the channel it was published to: as text, or as bytes in buffer mode. */
export type MessageListener<BUFFERS extends boolean = false> = <T extends BUFFERS extends true ? Buffer : string>(
  message: T,
  channel: T,
) => unknown

export type TextListener = (message: string, channel: string) => unknown
export type BufferListener = (message: Buffer, channel: Buffer) => unknown

/** A listener with what it is called with. */
export type TopicListener =
  | { readonly takes: 'text'; readonly call: TextListener }
  | { readonly takes: 'bytes'; readonly call: BufferListener }

/** A call that waits for the confirmation of a topic. */
export interface Joining {
  readonly listener: TopicListener
  /** The call that put the same listener in leaves without an answer: this one answers for it now. */
  inherit(topic: Topic): void
  /** What it waits for went out on a connection; then that was lost, for a cause unless the pool replaced it. */
  sent(): void
  lost(cause: ConnectionError | undefined): void
  confirmed(topic: Topic): void
  refused(topic: Topic, error: unknown): void
  /** All that it waits for is not to be had now. */
  fail(error: unknown): void
}

/** One channel or pattern that somebody listens to. */
export interface Topic {
  readonly kind: SubscriptionKind
  readonly name: string
  readonly texts: Set<TextListener>
  readonly buffers: Set<BufferListener>
  /** Whether the server has confirmed it on the connection that is there now. */
  isConfirmed: boolean
  /** Who waits for the confirmation. */
  readonly waiting: Set<Joining>
}

/** Whether nobody listens to it. */
export const isDeserted = ({ texts, buffers }: Topic): boolean => texts.size + buffers.size === 0

/** Puts a listener in; false when it was there. */
export function addListener({ texts, buffers }: Topic, listener: TopicListener): boolean {
  const before = texts.size + buffers.size
  if (listener.takes === 'text') texts.add(listener.call)
  else buffers.add(listener.call)
  return texts.size + buffers.size > before
}

export function removeListener({ texts, buffers }: Topic, listener: TopicListener): void {
  if (listener.takes === 'text') texts.delete(listener.call)
  else buffers.delete(listener.call)
}

export class Subscriptions {
  readonly #topics: Readonly<Record<SubscriptionKind, Map<string, Topic>>> = {
    channel: new Map(),
    pattern: new Map(),
    sharded: new Map(),
  }

  get isEmpty(): boolean {
    return SUBSCRIPTION_KINDS.every((kind) => this.#topics[kind].size === 0)
  }

  find(kind: SubscriptionKind, name: string): Topic | undefined {
    return this.#topics[kind].get(name)
  }

  /** The topic, made where there is none. */
  open(kind: SubscriptionKind, name: string): Topic {
    const known = this.#topics[kind].get(name)
    if (known !== undefined) return known
    const topic: Topic = {
      kind,
      name,
      texts: new Set(),
      buffers: new Set(),
      isConfirmed: false,
      waiting: new Set(),
    }
    this.#topics[kind].set(name, topic)
    return topic
  }

  /** Forgets the topic, unless another has taken its name since. */
  close(topic: Topic): void {
    if (this.isOpen(topic)) this.#topics[topic.kind].delete(topic.name)
  }

  isOpen(topic: Topic): boolean {
    return this.#topics[topic.kind].get(topic.name) === topic
  }

  names(kind: SubscriptionKind): string[] {
    return [...this.#topics[kind].keys()]
  }

  all(): Topic[] {
    return SUBSCRIPTION_KINDS.flatMap((kind) => [...this.#topics[kind].values()])
  }
}
