// Owns what was subscribed to when a connection was lost, until all of it is confirmed again. Knows no connection.

import type { SubscriptionKind, Topic } from './subscriptions.js'

/** A time in which messages may have been published that nobody here received. */
export interface SubscriptionGap {
  /** What was subscribed to all the time, by name. */
  readonly channels: readonly string[]
  readonly patterns: readonly string[]
  readonly sharded: readonly string[]
  /**
   * Milliseconds since 1970: all that was published before `from` was received, and all that is published after `to`
   * will be. At most `pingInterval` lies between `from` and the loss, and what a ping takes.
   */
  readonly from: number
  readonly to: number
  /** Why the connection was lost; undefined when the pool replaced it. */
  readonly cause: Error | undefined
  /** What the server would not subscribe to again, or `backoff` gave up on: nobody listens to it any more. */
  readonly refused: readonly RefusedSubscription[]
}

export interface RefusedSubscription {
  readonly name: string
  readonly error: Error
}

export class GapWatch {
  #from = 0
  #cause: Error | undefined
  /** Confirmed once, on a connection that is lost. */
  readonly #missed = new Set<Topic>()
  /** Of these, what is not confirmed again. */
  readonly #awaited = new Set<Topic>()
  readonly #refused: RefusedSubscription[] = []

  /** A connection was lost, maybe before all was confirmed on it: then the gap has begun earlier. */
  begin(from: number, cause: Error | undefined): void {
    if (this.#missed.size + this.#refused.length > 0) return
    this.#from = from
    this.#cause = cause
  }

  lose(topic: Topic): void {
    this.#missed.add(topic)
    this.#awaited.add(topic)
  }

  /** Whether something was lost and is not there again. */
  get isAwaited(): boolean {
    return this.#awaited.size > 0
  }

  confirm(topic: Topic): void {
    this.#awaited.delete(topic)
  }

  refuse(topic: Topic, error: Error): void {
    if (this.#missed.has(topic)) this.#refused.push({ name: topic.name, error })
    this.drop(topic)
  }

  /** Nobody listens to it any more. */
  drop(topic: Topic): void {
    this.#missed.delete(topic)
    this.#awaited.delete(topic)
  }

  /** The gap that is over, once: who now reads what it missed, misses nothing more. */
  take(now: number): SubscriptionGap | undefined {
    if (this.#missed.size + this.#refused.length === 0 || this.#awaited.size > 0) return undefined
    const names = (kind: SubscriptionKind): string[] =>
      [...this.#missed].filter((topic) => topic.kind === kind).map(({ name }) => name)
    const gap = {
      channels: names('channel'),
      patterns: names('pattern'),
      sharded: names('sharded'),
      from: this.#from,
      to: now,
      cause: this.#cause,
      refused: this.#refused.splice(0),
    }
    this.#missed.clear()
    return gap
  }
}
