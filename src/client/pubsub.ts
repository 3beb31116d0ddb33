// Owns the methods with which a handle listens: subscribe and its relatives, and MONITOR. Knows no connection.

import { ArgumentError } from '../base/errors.js'
import type { ReplyWithTypeMapping, SimpleStringReply, TypeMapping } from '../command/definitions.js'
import type { Pool } from '../pool/pool.js'
import { RESP_TYPES } from '../resp/types.js'
import { callSafely } from './events.js'
import { Handle } from './handle.js'
import { Monitor } from './monitor.js'
import { Subscriber } from './subscriber.js'
import type { SubscriptionGap } from './subscription-gap.js'
import {
  type BufferListener,
  isDeserted,
  type MessageListener,
  removeListener,
  type SubscriptionKind,
  type TextListener,
  type Topic,
  type TopicListener,
} from './subscriptions.js'

/** What all handles that come from one listen through. */
export class Listening {
  readonly pool: Pool
  /** Tells, as the event `error`, what no call can be told. */
  readonly report: (error: Error) => void
  readonly #announce: (gap: SubscriptionGap) => void
  #subscriber: Subscriber | undefined

  constructor(pool: Pool, announce: (gap: SubscriptionGap) => void, report: (error: Error) => void) {
    this.pool = pool
    this.report = report
    this.#announce = announce
  }

  /** Made when it is first needed. */
  get subscriber(): Subscriber {
    this.#subscriber ??= new Subscriber(this.pool, this.#announce)
    return this.#subscriber
  }
}

/** Names of channels or patterns. */
export type Names = string | readonly string[]

export type MonitorCallback<TM extends TypeMapping = TypeMapping> = (
  line: ReplyWithTypeMapping<SimpleStringReply, TM>,
) => unknown

const PREFIXES: Readonly<Record<SubscriptionKind, string>> = { channel: '', pattern: 'P', sharded: 'S' }

export interface ListeningSettings {
  readonly typeMapping: TypeMapping | undefined
  readonly signal: AbortSignal | undefined
  /** `commandTimeout` in ms; undefined or 0 for none. */
  readonly timeout: number | undefined
}

/**
 * All channels of a handle share one connection out of the pool's budget. When it is lost, all is subscribed to again,
 * and the event `gap` tells what may have been missed; what the connection carried before came once and in order.
 */
export abstract class PubSub<in out TM extends TypeMapping> extends Handle {
  /** @internal */
  protected abstract readonly listening: Listening
  /** @internal */
  protected abstract readonly listeningSettings: ListeningSettings

  /**
   * Calls the listener with each message published to these channels. Resolves once the server has confirmed them.
   * A call that fails, or whose AbortSignal is aborted before that, takes its listener out again; a channel that was
   * confirmed by then stays.
   * @param bufferMode messages and channels as Buffers instead of text
   * @throws ConnectionPoolTimeoutError when there was no connection to listen on in time
   * @throws CommandTimeoutError when not all were confirmed within `commandTimeout`
   * @throws ConnectionError when connections were lost again and again before the server had confirmed all
   */
  subscribe<B extends boolean = false>(channels: Names, listener: MessageListener<B>, bufferMode?: B): Promise<void> {
    return this.#subscribe('channel', channels, listener, bufferMode)
  }

  /** Takes out a listener, or all of these channels; without arguments, all of all channels. */
  unsubscribe<B extends boolean = false>(
    channels?: Names,
    listener?: MessageListener<B>,
    bufferMode?: B,
  ): Promise<void> {
    return this.#unsubscribe('channel', channels, listener, bufferMode)
  }

  /** As `subscribe`, for the channels that match glob patterns. */
  pSubscribe<B extends boolean = false>(patterns: Names, listener: MessageListener<B>, bufferMode?: B): Promise<void> {
    return this.#subscribe('pattern', patterns, listener, bufferMode)
  }

  pUnsubscribe<B extends boolean = false>(
    patterns?: Names,
    listener?: MessageListener<B>,
    bufferMode?: B,
  ): Promise<void> {
    return this.#unsubscribe('pattern', patterns, listener, bufferMode)
  }

  /** As `subscribe`, for sharded channels: https://redis.io/docs/latest/develop/pubsub/#sharded-pubsub */
  sSubscribe<B extends boolean = false>(channels: Names, listener: MessageListener<B>, bufferMode?: B): Promise<void> {
    return this.#subscribe('sharded', channels, listener, bufferMode)
  }

  sUnsubscribe<B extends boolean = false>(
    channels?: Names,
    listener?: MessageListener<B>,
    bufferMode?: B,
  ): Promise<void> {
    return this.#unsubscribe('sharded', channels, listener, bufferMode)
  }

  /**
   * Calls back with each command that the server executes, on a connection of its own, until the signal of
   * `withAbortSignal` or the end of the pool. What is executed while that connection is lost is not told. Where the
   * server refuses it on the next one, or `backoff` gives up on having one, it ends with the event `error`.
   */
  async monitor(callback: MonitorCallback<TM>): Promise<void> {
    const { typeMapping, signal, timeout = 0 } = this.listeningSettings
    const { pool, report } = this.listening
    const call: unknown = callback
    if (!isLineListener(call)) throw refusal('MONITOR', 'expected a function that is called with each line')
    const asBuffer = typeMapping?.[RESP_TYPES.SIMPLE_STRING] === Buffer
    const tell = (line: Buffer): void => callSafely(() => call(asBuffer ? line : line.toString()))
    const ended = (error: unknown): void => {
      if (error instanceof Error) report(error)
    }
    await new Monitor(pool, { tell, ended, signal, timeout }).start()
  }

  async #subscribe(kind: SubscriptionKind, names: unknown, listener: unknown, asBuffer = false): Promise<void> {
    const command = `${PREFIXES[kind]}SUBSCRIBE`
    const wanted = namesOf(command, names)
    const { signal, timeout = 0 } = this.listeningSettings
    const read = listenerOf(listener, asBuffer)
    if (read === undefined) {
      throw refusal(command, 'expected a listener: a function that is called with each message and its channel')
    }
    await this.listening.subscriber.subscribe({ kind, names: wanted, listener: read, signal, timeout })
  }

  async #unsubscribe(kind: SubscriptionKind, names: unknown, listener: unknown, asBuffer = false): Promise<void> {
    const command = `${PREFIXES[kind]}UNSUBSCRIBE`
    const { subscriber } = this.listening
    const { subscriptions } = subscriber
    const given = names === undefined ? subscriptions.names(kind) : namesOf(command, names)
    const read = listenerOf(listener, asBuffer)
    if (listener !== undefined && read === undefined) {
      throw refusal(command, 'expected the listener that is to be taken out, or none, to take out all')
    }
    const topics = new Set<Topic>()
    for (const name of given) {
      const topic = subscriptions.find(kind, name)
      if (topic === undefined) continue
      if (read !== undefined) removeListener(topic, read)
      if (read === undefined || isDeserted(topic)) topics.add(topic)
    }
    await subscriber.unsubscribe(topics)
  }
}

const ALIASES = {
  SUBSCRIBE: 'subscribe',
  UNSUBSCRIBE: 'unsubscribe',
  PSUBSCRIBE: 'pSubscribe',
  PUNSUBSCRIBE: 'pUnsubscribe',
  SSUBSCRIBE: 'sSubscribe',
  SUNSUBSCRIBE: 'sUnsubscribe',
  MONITOR: 'monitor',
} as const

/** All of them under the names that the server has for them. */
export type PubSubAliases<TM extends TypeMapping> = {
  readonly [Name in keyof typeof ALIASES]: PubSub<TM>[(typeof ALIASES)[Name]]
}

for (const [alias, method] of Object.entries(ALIASES)) {
  const descriptor = Object.getOwnPropertyDescriptor(PubSub.prototype, method)
  if (descriptor !== undefined) Object.defineProperty(PubSub.prototype, alias, descriptor)
}

function namesOf(command: string, names: unknown): string[] {
  const list: unknown[] = Array.isArray(names) ? names : [names]
  const read = list.filter((name): name is string => typeof name === 'string')
  if (read.length === 0 || read.length < list.length) {
    throw refusal(command, 'expected the name of a channel, or an array of names')
  }
  return read
}

function refusal(command: string, message: string): ArgumentError {
  return new ArgumentError(`${command}: ${message}`, { command, outcome: 'not-sent' })
}

function listenerOf(value: unknown, asBuffer: boolean): TopicListener | undefined {
  if (asBuffer) return isBufferListener(value) ? { takes: 'bytes', call: value } : undefined
  return isTextListener(value) ? { takes: 'text', call: value } : undefined
}

const isTextListener = (value: unknown): value is TextListener => typeof value === 'function'
const isBufferListener = (value: unknown): value is BufferListener => typeof value === 'function'
const isLineListener = (value: unknown): value is (line: string | Buffer) => unknown => typeof value === 'function'
