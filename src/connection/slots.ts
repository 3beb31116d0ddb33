// Owns which commands a connection owes replies to, in the order of the wire: one slot per command, until its reply has
// come. Knows no bytes.

import { CommandTimeoutError, type Outcome } from '../base/errors.js'
import { Ring } from '../base/ring.js'
import type { Request } from './request.js'

/** What others may know of the slots of a connection: the requests that hold them, oldest first, tombstones included. */
export interface OwedReplies extends Iterable<Request> {
  /** Slots ever given out. */
  readonly sent: number
  readonly answered: number
  readonly isBlocked: boolean
}

/**
 * A slot is never forgotten. Who gave up on a command leaves a tombstone, whose reply is read and dropped: were the
 * slot taken out, every later reply would meet the wrong caller.
 * https://openai.com/index/march-20-chatgpt-outage/
 */
export class Slots implements OwedReplies {
  readonly #ring = new Ring<Request>()
  /** Slots before this position were handed to the transport. */
  #flushed = 0
  #earliestDeadline = Number.POSITIVE_INFINITY
  /** Commands that will never be answered. */
  #abandoned = 0

  get inFlight(): number {
    return this.#ring.tail - this.#ring.head
  }

  get sent(): number {
    return this.#ring.tail
  }

  /** Replies that came; less than what left the slots once the connection has ended. */
  get answered(): number {
    return this.#ring.head - this.#abandoned
  }

  /** Whether only replies of blocking commands are owed, which may take their time. */
  get isBlocked(): boolean {
    for (const request of this) if (!blocks(request)) return false
    return this.inFlight > 0
  }

  /** Whether the last reply is. */
  get endsBlocked(): boolean {
    return blocks(this.newest)
  }

  /** Whether anybody still waits for a reply. */
  get isAwaited(): boolean {
    for (const { state } of this) if (state !== 'settled') return true
    return false
  }

  get oldest(): Request | undefined {
    return this.#ring.peek()
  }

  get newest(): Request | undefined {
    return this.#ring.at(this.#ring.tail - 1)
  }

  push(request: Request): void {
    this.#ring.push(request)
    // A tombstone from the start stays one: its caller gave up while it waited.
    if (request.state === 'waiting') request.state = 'sent'
    if (request.deadline < this.#earliestDeadline) this.#earliestDeadline = request.deadline
  }

  /** The request that the reply which just came belongs to. */
  take(): Request | undefined {
    return this.#ring.shift()
  }

  /** All are handed to the transport now; false when they were before. */
  flush(): boolean {
    const isNews = this.#flushed < this.#ring.tail
    this.#flushed = this.#ring.tail
    return isNews
  }

  /** Oldest first, tombstones included. */
  *[Symbol.iterator](): Generator<Request> {
    for (let position = this.#ring.head; position < this.#ring.tail; position++) {
      const request = this.#ring.at(position)
      if (request !== undefined) yield request
    }
  }

  /** Turns into tombstones what has run out of time. What is not flushed yet will be, so none of it is unsent. */
  expire(now: number): void {
    if (now < this.#earliestDeadline) return
    let next = Number.POSITIVE_INFINITY
    for (const request of this) {
      if (request.state === 'settled') continue
      if (request.deadline > now) {
        next = Math.min(next, request.deadline)
        continue
      }
      request.fail(new CommandTimeoutError(request.timeout, { outcome: 'ambiguous', command: request.label }))
    }
    this.#earliestDeadline = next
  }

  /** The connection has ended: empties all slots, oldest first. */
  abandon(lose: (request: Request, outcome: Outcome) => void): void {
    this.#abandoned = this.inFlight
    for (let request = this.#ring.shift(); request !== undefined; request = this.#ring.shift()) {
      lose(request, this.#ring.head > this.#flushed ? 'not-sent' : 'ambiguous')
    }
  }
}

function blocks(request: Request | undefined): boolean {
  return request !== undefined && request.blocksFor > 0
}
