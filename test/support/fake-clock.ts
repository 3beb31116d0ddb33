// Virtual time: a Clock whose hands move only when a test moves them. Knows nothing of what runs on it.

import type { Clock, Timer } from '../../src/base/clock.js'

interface Entry {
  readonly at: number
  readonly order: number
  readonly background: boolean
  readonly callback: () => void
  /** Neither fired nor cancelled. */
  pending: boolean
}

/** As in node: nothing fires sooner than after 1 ms, and delays are whole. */
const SHORTEST = 1

/** Rounds of callbacks at one moment before we call it an endless loop. */
const ROUNDS = 10_000

export class FakeClock implements Clock {
  #now: number
  #order = 0
  #polls: { readonly callback: (asked: number) => void; readonly asked: number }[] = []
  readonly #timers = new Timers()

  constructor(start = 1_000_000) {
    this.#now = start
  }

  /** Timers not yet fired nor cancelled, those in the background included. */
  get pendingTimers(): number {
    return this.#timers.foreground + this.#timers.background
  }

  /** Timers that would keep a process alive. */
  get foregroundTimers(): number {
    return this.#timers.foreground
  }

  /** When the next timer is due, in milliseconds from now. */
  get nextTimer(): number | undefined {
    const next = this.#timers.first
    return next && next.at - this.#now
  }

  now(): number {
    return this.#now
  }

  setTimeout(callback: () => void, ms: number, background = false): Timer {
    const delay = Number.isNaN(ms) ? SHORTEST : Math.max(Math.ceil(ms), SHORTEST)
    const entry = { at: this.#now + delay, order: this.#order++, background, callback, pending: true }
    this.#timers.add(entry)
    return { cancel: () => this.#timers.drop(entry) }
  }

  afterPoll(callback: (asked: number) => void): void {
    this.#polls.push({ callback, asked: this.#now })
  }

  /**
   * Moves on by `ms`, stopping at each moment for which timers are set: they run in order, then everything they
   * set off settles, `afterPoll` included, before time goes on.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await this.settle()
    for (let next = this.#timers.first; next && next.at <= end; next = this.#timers.first) {
      this.#now = Math.max(this.#now, next.at)
      await this.#runDue()
      await this.#poll()
    }
    this.#now = Math.max(this.#now, end)
  }

  /** Moves on to the next timer and runs it; false when there is none. */
  async advanceToNext(): Promise<boolean> {
    await this.settle()
    const next = this.#timers.first
    if (!next) return false
    await this.advance(Math.max(next.at - this.#now, 0))
    return true
  }

  /**
   * The event loop stands still for `ms`: then, as in node, all timers that fell due run back to back, after them
   * the sockets are polled (`arrive` delivers what came in the meantime), and only then `afterPoll`.
   */
  async stall(ms: number, arrive?: () => void | Promise<void>): Promise<void> {
    this.#now += ms
    await this.#runDue()
    await arrive?.()
    await this.settle()
  }

  /**
   * The next timer runs and the sockets are polled; then the loop stands still for `ms` before anything that was to come
   * after that poll does, and what came in the meantime is read by the next one.
   */
  async stallAfterPoll(ms: number, arrive?: () => void | Promise<void>): Promise<void> {
    await this.settle()
    this.#now = Math.max(this.#now, this.#timers.first?.at ?? this.#now)
    await this.#runDue()
    this.#now += ms
    await this.#poll()
    await arrive?.()
    await this.settle()
  }

  /** Runs what is ready without moving time: microtasks, then `afterPoll`, until nothing is left. */
  async settle(): Promise<void> {
    await microtasks()
    await this.#poll()
  }

  async #poll(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      if (this.#polls.length === 0) return
      const polls = this.#polls
      this.#polls = []
      for (const { callback, asked } of polls) callback(asked)
      await microtasks()
    }
    throw new Error(`afterPoll was asked for again and again, ${ROUNDS} times at ${this.#now} ms`)
  }

  /** Timers that they set are due later, for no delay is shorter than 1 ms. */
  async #runDue(): Promise<void> {
    for (let next = this.#timers.first; next && next.at <= this.#now; next = this.#timers.first) {
      this.#timers.drop(next)
      next.callback()
      await microtasks()
    }
  }
}

/** Timers in the order in which they fire: a binary heap, out of which cancelled ones are taken when they come up. */
class Timers {
  foreground = 0
  background = 0
  readonly #heap: Entry[] = []

  get first(): Entry | undefined {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (first.pending) return first
      this.#takeFirst()
    }
    return undefined
  }

  add(entry: Entry): void {
    this.#count(entry, 1)
    const heap = this.#heap
    let index = heap.length
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (above === undefined || isBefore(above, entry)) break
      heap[index] = above
      index = parent
    }
    heap[index] = entry
  }

  drop(entry: Entry): void {
    if (!entry.pending) return
    entry.pending = false
    this.#count(entry, -1)
  }

  #takeFirst(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (let child = 1; child < heap.length; child = index * 2 + 1) {
      const left = heap[child]
      const right = heap[child + 1]
      const smaller = left !== undefined && right !== undefined && isBefore(right, left) ? right : left
      if (smaller === undefined || isBefore(last, smaller)) break
      heap[index] = smaller
      index = smaller === left ? child : child + 1
    }
    heap[index] = last
  }

  #count(entry: Entry, change: 1 | -1): void {
    if (entry.background) this.background += change
    else this.foreground += change
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

/** By the time a real immediate runs, nextTicks and microtasks have run dry. */
function microtasks(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
