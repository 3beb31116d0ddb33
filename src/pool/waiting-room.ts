// Owns how a wait begins and how it ends in vain: bounds, deadlines and the error that explains itself. Knows no lanes.

import type { Clock } from '../base/clock.js'
import { CommandTimeoutError, type ConnectionError, PoolFullError } from '../base/errors.js'
import { failChain, type Request } from '../connection/request.js'
import type { Borrower } from './dispatch.js'
import { ConnectionPoolTimeoutError } from './exhaustion.js'
import type { Counters, PoolStats } from './stats.js'
import { Waiter } from './waiters.js'

export interface WaitingFacts {
  readonly clock: Clock
  readonly counters: Counters
  readonly acquireTimeout: number
  readonly connectTimeout: number
  readonly maxWaiting: number
  waiting(): number
  /** Whether another connection may be made. */
  canGrow(): boolean
  /** How many wait in front of this one. */
  ahead(order: number): number
  stats(): PoolStats
  lastConnectError(): ConnectionError | undefined
  loopDelay(): number
}

export class WaitingRoom {
  readonly #facts: WaitingFacts
  #arrivals = 0

  constructor(facts: WaitingFacts) {
    this.#facts = facts
  }

  /** Starts the wait of a command, bounded by both its own timeout and `acquireTimeout`; `item` is what stands in line. */
  admitCommand<T>(item: T, request: Request): Waiter<T> | undefined {
    const fail = (error: unknown): void => failChain(request, () => error)
    const { clock } = this.#facts
    const own = request.deadline - clock.now()
    const allowed = this.#allowed(this.#facts.acquireTimeout)
    const waiter = this.#admit(item, request.command, allowed, fail)
    if (waiter === undefined) return undefined
    request.waiter = waiter
    if (own < allowed) {
      const { timeout, command } = request
      waiter.limit(clock, own, () => fail(new CommandTimeoutError(timeout, { command, outcome: 'not-sent' })))
    } else {
      waiter.limit(clock, allowed, () => fail(this.#exhausted(waiter, request.command, allowed)))
    }
    return waiter
  }

  /** Starts the wait of a caller who wants a connection to itself. */
  admitBorrower(borrower: Borrower, timeout: number | undefined, signal?: AbortSignal): Waiter<Borrower> | undefined {
    const allowed = this.#allowed(timeout ?? this.#facts.acquireTimeout)
    const waiter = this.#admit(borrower, borrower.label, allowed, borrower.fail)
    if (waiter === undefined) return undefined
    const aborted = (): void => {
      waiter.leave()
      borrower.fail(signal?.reason)
    }
    if (signal !== undefined) {
      signal.addEventListener('abort', aborted, { once: true })
      waiter.left = () => signal.removeEventListener('abort', aborted)
    }
    waiter.limit(this.#facts.clock, allowed, () => borrower.fail(this.#exhausted(waiter, borrower.label, allowed)))
    return waiter
  }

  /** A wait ended well. */
  served(waiter: Waiter<unknown>): void {
    this.#facts.counters.wait.record(this.#facts.clock.now() - waiter.since)
  }

  /** With a timeout of 0 only a connection that may still be made is worth waiting for. */
  #allowed(timeout: number): number {
    return timeout === 0 && this.#facts.canGrow() ? this.#facts.connectTimeout : timeout
  }

  #admit<T>(item: T, label: string, allowed: number, fail: (error: unknown) => void): Waiter<T> | undefined {
    const { counters, maxWaiting, clock } = this.#facts
    const waiter = new Waiter(item, this.#arrivals++, clock.now())
    if (allowed === 0) {
      fail(this.#exhausted(waiter, label, 0))
      return undefined
    }
    if (this.#facts.waiting() >= maxWaiting) {
      counters.turnedAway++
      fail(new PoolFullError(`${label} was turned away: ${maxWaiting} callers wait already (maxWaiting)`, NOT_SENT))
      return undefined
    }
    counters.waited++
    return waiter
  }

  #exhausted(waiter: Waiter<unknown>, label: string, timeout: number): ConnectionPoolTimeoutError {
    const facts = this.#facts
    const waited = facts.clock.now() - waiter.since
    facts.counters.timedOut++
    facts.counters.wait.record(waited)
    return new ConnectionPoolTimeoutError({
      timeout,
      waited,
      label,
      ahead: facts.ahead(waiter.order),
      stats: facts.stats(),
      lastConnectError: facts.lastConnectError(),
      loopDelay: facts.loopDelay(),
    })
  }
}

const NOT_SENT = { outcome: 'not-sent' } as const
