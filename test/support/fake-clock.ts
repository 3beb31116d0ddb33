// Virtual time: a Clock whose hands move only when a test moves them. Knows nothing of what runs on it.

import type { Clock, Timer } from '../../src/base/clock.js'

interface Entry {
  at: number
  order: number
  background: boolean
  callback: () => void
}

/** As in node: nothing fires sooner than after 1 ms, and delays are whole. */
const SHORTEST = 1

/** Rounds of callbacks at one moment before we call it an endless loop. */
const ROUNDS = 10_000

export class FakeClock implements Clock {
  #now: number
  #order = 0
  #polls: (() => void)[] = []
  readonly #timers = new Set<Entry>()

  constructor(start = 1_000_000) {
    this.#now = start
  }

  /** Timers not yet fired nor cancelled, those in the background included. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /** Timers that would keep a process alive. */
  get foregroundTimers(): number {
    let count = 0
    for (const timer of this.#timers) if (!timer.background) count++
    return count
  }

  /** When the next timer is due, in milliseconds from now. */
  get nextTimer(): number | undefined {
    const next = this.#next()
    return next && next.at - this.#now
  }

  now(): number {
    return this.#now
  }

  setTimeout(callback: () => void, ms: number, background = false): Timer {
    const delay = Number.isNaN(ms) ? SHORTEST : Math.max(Math.ceil(ms), SHORTEST)
    const entry = { at: this.#now + delay, order: this.#order++, background, callback }
    this.#timers.add(entry)
    return {
      cancel: () => {
        this.#timers.delete(entry)
      },
    }
  }

  afterPoll(callback: () => void): void {
    this.#polls.push(callback)
  }

  /**
   * Moves on by `ms`, stopping at each moment for which timers are set: they run in order, then everything they
   * set off settles, `afterPoll` included, before time goes on.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await this.settle()
    for (let next = this.#next(); next && next.at <= end; next = this.#next()) {
      this.#now = Math.max(this.#now, next.at)
      await this.#runDue()
      await this.settle()
    }
    this.#now = Math.max(this.#now, end)
  }

  /** Moves on to the next timer and runs it; false when there is none. */
  async advanceToNext(): Promise<boolean> {
    await this.settle()
    const next = this.#next()
    if (!next) return false
    await this.advance(Math.max(next.at - this.#now, 0))
    return true
  }

  /**
   * The event loop stands still for `ms`: then, as in node, all timers that fell due run back to back, after them
   * the sockets are polled (`arrive` delivers what came in the meantime), and only then `afterPoll`.
   */
  async stall(ms: number, arrive?: () => void): Promise<void> {
    this.#now += ms
    await this.#runDue()
    arrive?.()
    await this.settle()
  }

  /** Runs what is ready without moving time: microtasks, then `afterPoll`, until nothing is left. */
  async settle(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      await microtasks()
      if (this.#polls.length === 0) return
      const polls = this.#polls
      this.#polls = []
      for (const poll of polls) poll()
    }
    throw new Error(`afterPoll was asked for again and again, ${ROUNDS} times at ${this.#now} ms`)
  }

  async #runDue(): Promise<void> {
    const started = this.#order
    for (let next = this.#next(); next && next.at <= this.#now; next = this.#next(started)) {
      this.#timers.delete(next)
      next.callback()
      await microtasks()
    }
  }

  /** The earliest timer, among those made before `order`. */
  #next(order = Number.POSITIVE_INFINITY): Entry | undefined {
    let first: Entry | undefined
    for (const timer of this.#timers) {
      if (timer.order >= order) continue
      if (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer
    }
    return first
  }
}

/** By the time a real immediate runs, nextTicks and microtasks have run dry. */
function microtasks(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
