// Owns queues of callers: first come first served, O(1) to leave. Knows neither time nor what is waited for.

/** Whoever waits. */
export interface Caller {
  /** What it waits for: a command, or the label of a lease. */
  readonly label: string
  /** Its own timeout, `commandTimeout`, in ms; 0 for none. */
  readonly timeout: number
  /** When that runs out; Infinity for never. */
  readonly deadline: number
  /** The wait was in vain. */
  turnAway(error: unknown): void
}

/** Is told when a wait ends, well or not. */
export interface WaitKeeper {
  left(): void
}

/** One caller in a queue. It may be carried over to another queue; its deadline stays. */
export class Waiter<T extends Caller> {
  readonly item: T
  /** Rank by arrival over all queues of a pool. */
  readonly order: number
  readonly since: number
  /** When the wait is over, in vain; on the same clock as `since`. */
  readonly expiresAt: number
  /** The number of its borrowing, where it waits for a connection to itself. */
  borrowing = -1
  /** Runs when it leaves for good. */
  onLeave: (() => void) | undefined
  queue: Waiters<T> | undefined
  previous: Waiter<T> | undefined
  next: Waiter<T> | undefined
  #keeper: WaitKeeper | undefined

  constructor(item: T, order: number, since: number, expiresAt: number, keeper: WaitKeeper) {
    this.item = item
    this.order = order
    this.since = since
    this.expiresAt = expiresAt
    this.#keeper = keeper
  }

  /** Out of its queue, for good; only the first call counts. */
  leave(): void {
    const keeper = this.#keeper
    if (keeper === undefined) return
    this.#keeper = undefined
    this.queue?.unlink(this)
    this.onLeave?.()
    keeper.left()
  }
}

/** A doubly linked queue of waiters. */
export class Waiters<T extends Caller> {
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

  /** Puts it in by its rank: who comes back has only others before it who came back with it. */
  insert(waiter: Waiter<T>): void {
    let next = this.#last !== undefined && this.#last.order > waiter.order ? this.#first : undefined
    while (next !== undefined && next.order < waiter.order) next = next.next
    if (next === undefined) {
      this.push(waiter)
      return
    }
    const { previous } = next
    waiter.queue = this
    waiter.previous = previous
    waiter.next = next
    next.previous = waiter
    if (previous === undefined) this.#first = waiter
    else previous.next = waiter
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
