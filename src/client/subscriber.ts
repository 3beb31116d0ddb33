// Owns the one connection on which a handle listens: what is subscribed to goes out on it, and again on the next one
// after a loss. Knows nothing of other commands.
// https://redis.io/docs/latest/develop/pubsub/

import { PoolClosedError, ReplyError } from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import { isPublished } from '../connection/push.js'
import { Request } from '../connection/request.js'
import { closedError } from '../pool/endings.js'
import type { PoolLease } from '../pool/lease.js'
import type { Pool } from '../pool/pool.js'
import type { Listener } from '../pool/roster.js'
import type { Reply } from '../resp/types.js'
import { deliver } from './messages.js'
import { GapWatch, type SubscriptionGap } from './subscription-gap.js'
import { type SubscriptionKind, Subscriptions, type Topic } from './subscriptions.js'

const COMMANDS: Readonly<Record<SubscriptionKind, { readonly add: string; readonly remove: string }>> = {
  channel: { add: 'SUBSCRIBE', remove: 'UNSUBSCRIBE' },
  pattern: { add: 'PSUBSCRIBE', remove: 'PUNSUBSCRIBE' },
  sharded: { add: 'SSUBSCRIBE', remove: 'SUNSUBSCRIBE' },
}

/** Where a connection was lost, the next one is waited for as long as it takes. */
const UNTIL_THERE_IS_ONE = Number.POSITIVE_INFINITY

export class Subscriber implements Listener {
  readonly subscriptions = new Subscriptions()
  readonly #pool: Pool
  /** All that was lost is subscribed to again. */
  readonly #announce: (gap: SubscriptionGap) => void
  readonly #gap = new GapWatch()
  #lease: PoolLease | undefined
  #isOpening = false

  constructor(pool: Pool, announce: (gap: SubscriptionGap) => void) {
    this.#pool = pool
    this.#announce = announce
  }

  /** Resolves once the server has confirmed all of them, on whichever connection. */
  async subscribe(topics: Iterable<Topic>): Promise<void> {
    const confirmations: Promise<void>[] = []
    const lease = this.#lease
    for (const topic of topics) {
      if (topic.isConfirmed) continue
      confirmations.push(new Promise((resolve, reject) => topic.waiting.push({ resolve, reject })))
      // Who waits already has sent it.
      if (lease !== undefined && topic.waiting.length === 1) this.#send(lease, topic)
    }
    if (lease === undefined) void this.#open()
    await Promise.all(confirmations)
  }

  /** Resolves once the server sends no more of them; who still waited for a confirmation waits no more. */
  async unsubscribe(topics: Iterable<Topic>): Promise<void> {
    const lease = this.#lease
    const confirmations: Promise<void>[] = []
    for (const topic of topics) {
      this.#forget(topic)
      for (const { resolve } of topic.waiting.splice(0)) resolve()
      if (lease !== undefined) confirmations.push(remove(lease, topic))
    }
    this.#tellGap()
    await Promise.all(confirmations)
    this.#rest()
  }

  received(message: Reply): void {
    deliver(message, this.subscriptions)
  }

  lost(cause: Error): void {
    this.#begin(cause)
  }

  recalled(): void {
    this.#begin(undefined)
  }

  /** The connection is gone, or given back: what it was told has to be told the next one. */
  #begin(cause: Error | undefined): void {
    const lease = this.#lease
    if (lease === undefined) return
    this.#gap.begin(Date.now() - lease.provenFor, cause)
    this.#lease = undefined
    lease.release()
    for (const topic of this.subscriptions.all()) {
      if (topic.isConfirmed) this.#gap.lose(topic)
      topic.isConfirmed = false
    }
    void this.#open()
  }

  async #open(): Promise<void> {
    if (this.#isOpening || this.#lease !== undefined) return
    while (!this.subscriptions.isEmpty) {
      this.#isOpening = true
      const isBack = this.subscriptions.all().some((topic) => this.#gap.isMissed(topic))
      const timeout = isBack ? UNTIL_THERE_IS_ONE : undefined
      try {
        const lease = await this.#pool.acquire({ label: 'subscriber', kind: 'stream', timeout })
        this.#isOpening = false
        this.#listen(lease)
        return
      } catch (error) {
        this.#isOpening = false
        this.#failed(error)
      }
    }
  }

  #listen(lease: PoolLease): void {
    if (this.subscriptions.isEmpty || this.#pool.phase !== 'open') {
      lease.release()
      // It was granted to who came before the end.
      if (this.#pool.phase !== 'open') this.#failed(closedError())
      return
    }
    this.#lease = lease
    lease.listen(this, lease.protocol === 2 ? isPublished : undefined)
    if (lease.released) return
    for (const topic of this.subscriptions.all()) this.#send(lease, topic)
  }

  /** Who subscribes for the first time is told; what was subscribed to before is tried again until the pool ends. */
  #failed(error: unknown): void {
    const isOver = error instanceof PoolClosedError
    for (const topic of this.subscriptions.all()) {
      if (isOver || !this.#gap.isMissed(topic)) this.#giveUp(topic, error)
    }
  }

  #giveUp(topic: Topic, error: unknown): void {
    this.#forget(topic)
    for (const { reject } of topic.waiting.splice(0)) reject(error)
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
      for (const { resolve } of topic.waiting.splice(0)) resolve()
      this.#tellGap()
    }
    const failed = (error: unknown): void => {
      if (error instanceof ReplyError) this.#refused(topic, error)
      // The connection is lost: the next one will be told, unless there will be none.
      else if (this.#pool.phase !== 'open') this.#giveUp(topic, error)
    }
    lease.send(new Request([COMMANDS[topic.kind].add, topic.name], NO_KEY, confirmed, failed))
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
