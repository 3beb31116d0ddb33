// Owns queues of callers: first come first served, O(1) to leave, each wait with a deadline. Knows not what is waited for.

import { type Clock, setDeadline, type Timer } from '../base/clock.js'

/** One caller in a queue. It may be carried over to another queue; its deadline stays. */
export class Waiter<T> {
  readonly item: T
  /** Rank by arrival over all queues of a pool. */
  readonly order: number
  readonly since: number
  deadline: Timer | undefined
  /** Runs when it leaves for good. */
  left: (() => void) | undefined
  queue: Waiters<T> | undefined
  previous: Waiter<T> | undefined
  next: Waiter<T> | undefined

  constructor(item: T, order: number, since: number) {
    this.item = item
    this.order = order
    this.since = since
  }

  /** Starts the deadline; `expired` runs at most once and never after `leave`. */
  limit(clock: Clock, ms: number, expired: () => void): void {
    this.deadline = setDeadline(clock, ms, () => {
      this.leave()
      expired()
    })
  }

  /** Out of its queue, for good. */
  leave(): void {
    this.deadline?.cancel()
    this.deadline = undefined
    this.queue?.unlink(this)
    this.left?.()
    this.left = undefined
  }
}

/** A doubly linked queue of waiters. */
export class Waiters<T> {
  #first: Waiter<T> | undefined
  #last: Waiter<T> | undefined
  #length = 0

  get length(): number {
    return this.#length
  }

  get first(): Waiter<T> | undefined {
    return this.#first
  }

  push(waiter: Waiter<T>): void {
    waiter.queue = this
    waiter.previous = this.#last
    waiter.next = undefined
    if (this.#last === undefined) this.#first = waiter
    else this.#last.next = waiter
    this.#last = waiter
    this.#length++
  }

  unlink(waiter: Waiter<T>): void {
    if (waiter.queue !== this) return
    if (waiter.previous === undefined) this.#first = waiter.next
    else waiter.previous.next = waiter.next
    if (waiter.next === undefined) this.#last = waiter.previous
    else waiter.next.previous = waiter.previous
    waiter.queue = undefined
    waiter.previous = undefined
    waiter.next = undefined
    this.#length--
  }

  *[Symbol.iterator](): Generator<Waiter<T>> {
    for (let waiter = this.#first; waiter !== undefined; waiter = waiter.next) yield waiter
  }

  /** Takes out all waiters, in order, with their deadlines still running. */
  takeAll(): Waiter<T>[] {
    const all: Waiter<T>[] = []
    for (let waiter = this.#first; waiter !== undefined; waiter = this.#first) {
      this.unlink(waiter)
      all.push(waiter)
    }
    return all
  }
}
