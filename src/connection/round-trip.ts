// Owns how long a reply may take before it counts as late: RFC 6298 over the times of whole flushes. Knows no commands.

import { Ring } from '../base/ring.js'

/** RFC 6298 section 2: the timeout before anything was measured, in ms. */
const FIRST_TIMEOUT = 1_000

/** Below this a pause of the scheduler looks like a late reply, in ms. */
const SHORTEST_TIMEOUT = 10

interface Flush {
  /** Position one past the last command of the flush. */
  readonly end: number
  readonly at: number
  /** Whether its reply time tells anything about the way to the server. */
  readonly timed: boolean
}

/** Smoothed reply times of one connection, measured from a flush to the reply of its last command. */
export class RoundTrip {
  #smoothed = 0
  #deviation = 0
  #flushes = new Ring<Flush>()
  /** The flush that `writtenAt` was last asked about. */
  #asked = 0
  #measured = false
  /** When the newest flush was written that is wholly answered: whatever the server sent before it, has come. */
  provenAt = Number.NEGATIVE_INFINITY

  /** When the oldest flush with an unanswered command was written, or undefined. */
  get oldest(): number | undefined {
    return this.#flushes.peek()?.at
  }

  /** Smoothed round trip in ms, 0 before the first measurement. */
  get smoothed(): number {
    return this.#smoothed
  }

  /** RFC 6298 (2.2) and (2.3): SRTT + 4 * RTTVAR, with a floor. */
  get timeout(): number {
    if (!this.#measured) return FIRST_TIMEOUT
    return Math.max(SHORTEST_TIMEOUT, this.#smoothed + 4 * this.#deviation)
  }

  /** @param timed false when the last reply may be held back on purpose: a blocking command */
  flushed(end: number, at: number, timed: boolean): void {
    this.#flushes.push({ end, at, timed })
  }

  /** When the command at this position was written; positions must not be asked about backwards. */
  writtenAt(position: number): number {
    if (this.#asked < this.#flushes.head) this.#asked = this.#flushes.head
    let flush = this.#flushes.at(this.#asked)
    while (flush !== undefined && flush.end <= position) flush = this.#flushes.at(++this.#asked)
    return flush?.at ?? Number.NaN
  }

  /** Takes every flush answered up to `head`; returns the newest reply time in ms, or -1 when none was completed. */
  answered(head: number, now: number): number {
    let sample = -1
    for (let flush = this.#flushes.peek(); flush !== undefined && flush.end <= head; flush = this.#flushes.peek()) {
      this.#flushes.shift()
      this.provenAt = flush.at
      if (!flush.timed) continue
      sample = now - flush.at
      this.#take(sample)
    }
    return sample
  }

  #take(sample: number): void {
    if (!this.#measured) {
      this.#measured = true
      this.#smoothed = sample
      this.#deviation = sample / 2
      return
    }
    this.#deviation = 0.75 * this.#deviation + 0.25 * Math.abs(this.#smoothed - sample)
    this.#smoothed = 0.875 * this.#smoothed + 0.125 * sample
  }
}
