// Owns what a handle listens to: channels, patterns and sharded channels, with the listeners of each. Knows neither
// connections nor commands.

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

/** One channel or pattern that somebody listens to. */
export interface Topic {
  readonly kind: SubscriptionKind
  readonly name: string
  readonly texts: Set<TextListener>
  readonly buffers: Set<BufferListener>
  /** Whether the server has confirmed it on the connection that is there now. */
  isConfirmed: boolean
  /** Who waits for the confirmation. */
  readonly waiting: { resolve(): void; reject(error: unknown): void }[]
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
      waiting: [],
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
