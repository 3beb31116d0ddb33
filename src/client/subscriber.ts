// Owns the one connection on which a handle listens: what is subscribed to goes out on it, and again on the next one
// after a loss. Knows nothing of other commands.
// https://redis.io/docs/latest/develop/pubsub/

import { type ConnectionError, PoolClosedError, ReplyError } from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import { isPublished } from '../connection/push.js'
import { Request } from '../connection/request.js'
import { closedError } from '../pool/endings.js'
import type { PoolLease } from '../pool/lease.js'
import type { Pool } from '../pool/pool.js'
import type { Listener } from '../pool/roster.js'
import type { Reply } from '../resp/types.js'
import { Comeback, type Returning } from './comeback.js'
import { HeldMessages } from './held-messages.js'
import { deliver } from './messages.js'
import { SubscribeCall } from './subscribe-call.js'
import { GapWatch, type SubscriptionGap } from './subscription-gap.js'
import {
  isDeserted,
  type Joining,
  type SubscriptionKind,
  Subscriptions,
  type Topic,
  type TopicListener,
} from './subscriptions.js'

const COMMANDS: Readonly<Record<SubscriptionKind, { readonly add: string; readonly remove: string }>> = {
  channel: { add: 'SUBSCRIBE', remove: 'UNSUBSCRIBE' },
  pattern: { add: 'PSUBSCRIBE', remove: 'PUNSUBSCRIBE' },
  sharded: { add: 'SSUBSCRIBE', remove: 'SUNSUBSCRIBE' },
}

export interface Subscription {
  readonly kind: SubscriptionKind
  readonly names: readonly string[]
  readonly listener: TopicListener
  /** `commandTimeout` in ms; 0 for none. */
  readonly timeout: number
  /** Ends the wait for the confirmation, not what was confirmed. */
  readonly signal: AbortSignal | undefined
}

export class Subscriber implements Listener, Returning {
  readonly subscriptions = new Subscriptions()
  readonly #pool: Pool
  /** All that was lost is subscribed to again. */
  readonly #announce: (gap: SubscriptionGap) => void
  readonly #gap = new GapWatch()
  readonly #held = new HeldMessages((message) => deliver(message, this.subscriptions))
  readonly #comeback: Comeback
  #lease: PoolLease | undefined

  constructor(pool: Pool, announce: (gap: SubscriptionGap) => void) {
    this.#pool = pool
    this.#announce = announce
    this.#comeback = new Comeback(pool, 'subscriber', this)
  }

  /** Resolves once the server has confirmed all of them, on whichever connection. */
  async subscribe({ kind, names, listener, timeout, signal }: Subscription): Promise<void> {
    signal?.throwIfAborted()
    if (this.#pool.phase !== 'open') throw closedError()
    const left = (topics: readonly Topic[]): void => void this.unsubscribe(topics.filter(isDeserted))
    const command = COMMANDS[kind].add
    const call = new SubscribeCall({ pool: this.#pool, command, timeout, signal, listener, left })
    const lease = this.#lease
    const added: Topic[] = []
    for (const name of names) {
      const isNew = this.subscriptions.find(kind, name) === undefined
      const topic = this.subscriptions.open(kind, name)
      call.join(topic)
      if (isNew) added.push(topic)
    }
    call.begin(lease !== undefined)
    if (lease === undefined) this.#seek()
    // What was there before went out with the connection.
    else for (const topic of added) this.#send(lease, topic)
    await call.answer
  }

  /** Resolves once the server sends no more of them; who still waited for a confirmation waits no more. */
  async unsubscribe(topics: Iterable<Topic>): Promise<void> {
    const lease = this.#lease
    const confirmations: Promise<void>[] = []
    for (const topic of topics) {
      this.#forget(topic)
      for (const call of topic.waiting) call.confirmed(topic)
      if (lease !== undefined) confirmations.push(remove(lease, topic))
    }
    this.#tellGap()
    if (this.subscriptions.isEmpty) this.#comeback.stop()
    await Promise.all(confirmations)
    this.#rest()
  }

  received(message: Reply): void {
    // Whoever is told of a gap reads its state again: what came meanwhile is told after that, not before.
    if (this.#gap.isAwaited) this.#held.hold(message)
    else deliver(message, this.subscriptions)
  }

  lost(cause: ConnectionError): void {
    this.#begin(cause)
  }

  recalled(): void {
    this.#begin(undefined)
  }

  /** The connection is gone, or given back: what it was told has to be told the next one. */
  #begin(cause: ConnectionError | undefined): void {
    const lease = this.#lease
    if (lease === undefined) return
    this.#gap.begin(Date.now() - lease.provenFor, cause)
    this.#lease = undefined
    lease.release()
    for (const topic of this.subscriptions.all()) {
      if (topic.isConfirmed) this.#gap.lose(topic)
      topic.isConfirmed = false
    }
    for (const call of this.#calls()) call.lost(cause)
    if (!this.subscriptions.isEmpty) this.#comeback.again(cause)
  }

  #seek(): void {
    if (!this.subscriptions.isEmpty) this.#comeback.seek()
  }

  granted(lease: PoolLease): void {
    this.#lease = lease
    lease.listen(this, lease.protocol === 2 ? isPublished : undefined)
    if (lease.released) return
    for (const topic of this.subscriptions.all()) this.#send(lease, topic)
    for (const call of this.#calls()) call.sent()
  }

  /** Who waits is told; what was subscribed to before is tried again, until the pool ends or the program gives up. */
  failed(error: unknown): void {
    if (error instanceof PoolClosedError) this.#end(error)
    else if (this.#pool.hasGivenUp && error instanceof Error) {
      for (const topic of this.subscriptions.all()) this.#gap.refuse(topic, error)
      this.#end(error)
      this.#tellGap()
    } else {
      for (const call of this.#calls()) call.fail(error)
      this.#seek()
    }
  }

  #calls(): Set<Joining> {
    return new Set(this.subscriptions.all().flatMap(({ waiting }) => [...waiting]))
  }

  /** Nothing is listened to any more. */
  #end(error: unknown): void {
    for (const topic of this.subscriptions.all()) this.#giveUp(topic, error)
  }

  #giveUp(topic: Topic, error: unknown): void {
    this.#forget(topic)
    for (const call of topic.waiting) call.refused(topic, error)
  }

  #forget(topic: Topic): void {
    this.subscriptions.close(topic)
    this.#gap.drop(topic)
  }

  /** One command for each topic: then each has one confirmation, and a refusal concerns no other. */
  #send(lease: PoolLease, topic: Topic): void {
    const confirmed = (): void => {
      if (lease !== this.#lease || !this.subscriptions.isOpen(topic)) return
      topic.isConfirmed = true
      this.#gap.confirm(topic)
      for (const call of topic.waiting) call.confirmed(topic)
      this.#tellGap()
    }
    const failed = (error: unknown): void => {
      if (error instanceof ReplyError) this.#refused(topic, error)
      // The connection is lost: the next one will be told, unless there will be none.
      else if (this.#pool.phase !== 'open') this.#giveUp(topic, error)
    }
    const request = new Request([COMMANDS[topic.kind].add, topic.name], NO_KEY, confirmed, failed)
    // Again after a loss it is nobody's call.
    request.isCall = topic.waiting.size > 0
    lease.send(request)
  }

  #refused(topic: Topic, error: ReplyError): void {
    this.#gap.refuse(topic, error)
    this.#giveUp(topic, error)
    this.#tellGap()
    this.#rest()
  }

  #tellGap(): void {
    const gap = this.#gap.take(Date.now())
    if (gap !== undefined) this.#announce(gap)
    if (!this.#gap.isAwaited) this.#held.release()
  }

  /** Nobody listens any more: the connection goes back. */
  #rest(): void {
    if (!this.subscriptions.isEmpty) return
    const lease = this.#lease
    this.#lease = undefined
    lease?.release()
  }
}

/** A connection that is lost sends no more messages either. */
function remove(lease: PoolLease, topic: Topic): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => resolve()
    lease.send(new Request([COMMANDS[topic.kind].remove, topic.name], NO_KEY, done, done))
  })
}
