// Owns how a wait begins and how it ends in vain: bounds, deadlines and the error that explains itself. Knows no lanes.

import { onAbort } from '../base/abort.js'
import { type Clock, setDeadline, type Timer } from '../base/clock.js'
import { CommandTimeoutError, type ConnectionError, PoolFullError } from '../base/errors.js'
import type { Request } from '../connection/request.js'
import type { Borrower } from './borrower.js'
import { ConnectionPoolTimeoutError } from './exhaustion.js'
import type { Counters, PoolStats } from './stats.js'
import { type Caller, Waiter, type WaitKeeper } from './waiters.js'

export interface WaitingFacts {
  readonly clock: Clock
  readonly counters: Counters
  readonly settings: { readonly acquireTimeout: number; readonly maxWaiting: number }
  readonly connectTimeout: number
  /** The last who waited has left, served or not. */
  emptied(): void
  /** All who wait, in any order. */
  waiters(): Iterable<Waiter<Caller>>
  /** Whether another connection may be made, for a caller who wants it alone or for all. */
  canGrow(alone: boolean): boolean
  stats(): PoolStats
  /** Told once for all whose time was up together. */
  exhausted(error: ConnectionPoolTimeoutError): void
  lastConnectError(): ConnectionError | undefined
  loopDelay(): number
}

/** A wait that is over, in vain. */
export interface VainWait {
  /** What was waited for. */
  readonly label: string
  readonly since: number
  readonly expiresAt: number
}

interface Admission {
  /** Wants a connection to itself. */
  readonly alone: boolean
  /** Was served before and lost what it was given. */
  readonly returns?: boolean
  /** Whether `maxWaiting` bounds it. */
  readonly isCounted?: boolean
}

/** Deadlines closer together than this are judged together, in ms. */
const GRAIN = 5
const LONGEST_GRAIN = 30

const NOT_SENT = { outcome: 'not-sent' } as const

/** One timer serves all who wait: it stands at the earliest deadline, or a little before the next look. */
export class WaitingRoom implements WaitKeeper {
  /** Who waits for the pool by a clock of its own, in no line. */
  visitors = 0
  readonly #facts: WaitingFacts
  #arrivals = 0
  /** Ranks of those who come back; the latest of them stand before everybody, also before who came back earlier. */
  #lowest = 0
  #returns = 0
  /** Who was admitted and has not left. */
  #present = 0
  #timer: Timer | undefined
  #timerAt = Number.POSITIVE_INFINITY

  constructor(facts: WaitingFacts) {
    this.#facts = facts
  }

  /** So many who were served before and lost what they were given come now. What they wait for was theirs first. */
  comeBack(count: number): void {
    this.#lowest -= count
    this.#returns = this.#lowest
  }

  /** Starts the wait of a command, bounded by its own deadline and `acquireTimeout`; `item` stands in line for it. */
  admitCommand<T extends Caller>(item: T, request: Request): Waiter<T> | undefined {
    const alone = !Object.is(item, request)
    const now = this.#facts.clock.now()
    for (let each: Request | undefined = request; each !== undefined; each = each.next) each.startedAt ??= now
    const waiter = this.#admit(item, this.#facts.settings.acquireTimeout, { alone, returns: request.repeats > 0 })
    request.waiter = waiter
    return waiter
  }

  /** Starts the wait of a caller who wants a connection to itself. */
  admitBorrower(borrower: Borrower, timeout: number | undefined, signal?: AbortSignal): Waiter<Borrower> | undefined {
    // There is one stream to a handle: it is not what fills the queue, and nobody calls again for it.
    const isCounted = borrower.kind !== 'stream'
    const waiter = this.#admit(borrower, timeout ?? this.#facts.settings.acquireTimeout, { alone: true, isCounted })
    if (waiter === undefined || signal === undefined) return waiter
    const aborted = (): void => {
      waiter.leave()
      borrower.turnAway(signal.reason)
    }
    waiter.onLeave = onAbort(signal, aborted)
    return waiter
  }

  /** How long a wait of `acquireTimeout` lasts: where that is 0, only a connection that may still be made is worth one. */
  allowed(acquireTimeout: number, alone: boolean): number {
    return acquireTimeout === 0 && this.#facts.canGrow(alone) ? this.#facts.connectTimeout : acquireTimeout
  }

  /** A wait ended well. */
  served(waiter: Waiter<Caller>): void {
    const { counters, clock } = this.#facts
    counters.served++
    counters.wait.record(clock.now() - waiter.since)
  }

  left(): void {
    // Those on their way from one queue to another stand in none, so the queues cannot be asked.
    if (--this.#present > 0) return
    this.stop()
    this.#facts.emptied()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
  }

  #admit<T extends Caller>(item: T, acquireTimeout: number, admission: Admission): Waiter<T> | undefined {
    const { alone, returns = false, isCounted = true } = admission
    const { counters, settings, clock } = this.#facts
    const allowed = this.allowed(acquireTimeout, alone)
    const now = clock.now()
    const order = returns ? this.#returns++ : this.#arrivals++
    const waiter = new Waiter(item, order, now, Math.min(now + allowed, item.deadline), this)
    counters.waited++
    if (allowed === 0) {
      const error = this.exhausted(vain(waiter))
      this.#facts.exhausted(error)
      item.turnAway(error)
      return undefined
    }
    if (isCounted && this.#present >= settings.maxWaiting) {
      counters.turnedAway++
      const message = `${item.label} was turned away: ${settings.maxWaiting} callers wait already (maxWaiting)`
      item.turnAway(new PoolFullError(message, NOT_SENT))
      return undefined
    }
    this.#present++
    this.#watch(waiter.expiresAt, now)
    counters.peaks.noteWaiting(this.#present)
    return waiter
  }

  #watch(at: number, now: number): void {
    if (at >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = at
    this.#timer = setDeadline(this.#facts.clock, at - now, (due) => {
      this.stop()
      this.#expire(due)
    })
  }

  #expire(due: number): void {
    const now = this.#facts.clock.now()
    const expired: Waiter<Caller>[] = []
    let next = Number.POSITIVE_INFINITY
    for (const waiter of this.#facts.waiters()) {
      if (waiter.expiresAt <= due) expired.push(waiter)
      else next = Math.min(next, waiter.expiresAt)
    }
    // One snapshot for all: it shows the queue as they left it, themselves included.
    const stats = expired.length > 0 ? this.#facts.stats() : undefined
    let first: ConnectionPoolTimeoutError | undefined
    for (const waiter of expired) {
      const { deadline, timeout, label } = waiter.item
      const isExpired = deadline <= due
      if (isExpired) {
        this.#facts.counters.expired++
        this.#facts.counters.wait.record(now - waiter.since)
      }
      const error = isExpired
        ? new CommandTimeoutError(timeout, { command: label, outcome: 'not-sent' })
        : this.exhausted(vain(waiter), stats)
      if (error instanceof ConnectionPoolTimeoutError) first ??= error
      waiter.leave()
      waiter.item.turnAway(error)
    }
    if (first !== undefined) this.#facts.exhausted(first)
    // A long queue is looked through less often.
    const grain = Math.min(LONGEST_GRAIN, Math.max(GRAIN, this.#present / 2_000))
    if (Number.isFinite(next)) this.#watch(Math.max(next, now + grain), now)
  }

  /** The error for a wait that ends now; it is counted. */
  exhausted({ label, since, expiresAt }: VainWait, known?: PoolStats): ConnectionPoolTimeoutError {
    const { clock, counters } = this.#facts
    const now = clock.now()
    const waited = now - since
    counters.timedOut++
    counters.wait.record(waited)
    const stats = known ?? this.#facts.stats()
    return new ConnectionPoolTimeoutError({
      timeout: Math.round(expiresAt - since),
      waited,
      label,
      stats,
      lastConnectError: this.#facts.lastConnectError(),
      // Nobody watches the loop while no reply is owed; a deadline that was judged late tells the same.
      loopDelay: Math.max(this.#facts.loopDelay(), now - expiresAt),
    })
  }
}

function vain({ item: { label }, since, expiresAt }: Waiter<Caller>): VainWait {
  return { label, since, expiresAt }
}
