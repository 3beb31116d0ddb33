// Owns the making of connections: how many are dialed at once and how long to wait after a failure. Knows no callers.

import { backoff } from '../base/backoff.js'
import type { Clock, Timer } from '../base/clock.js'
import { type ConnectionError, OptionError, ReplyError } from '../base/errors.js'
import type { Roster } from './roster.js'

/**
 * Asked after each failed dial, with the number of failures in a row and the error: milliseconds until the next dial;
 * `false` or an Error when who waits is to be turned away at once; undefined for the pool's own pause.
 */
export type BackoffStrategy = (failures: number, cause: Error) => number | false | Error | undefined

export interface SupplySettings {
  readonly maxConnecting: number
  readonly backoffMin: number
  readonly backoffMax: number
  /** Must not throw. */
  readonly backoff?: BackoffStrategy | undefined
}

/**
 * A server that accepts and hangs up fails like one that refuses: only an answer to a caller, or a second of life,
 * ends a row of failures. While dials fail there is one prober at a time and a pause between two, so that a server that is down meets
 * no storm. The last error is kept: whoever waits in vain is told why.
 */
export class Supply {
  /** Failed dials in a row. */
  failures = 0
  lastError: ConnectionError | undefined
  /** Whether who waits is not to wait for the next dial. */
  isFinal = false
  /** Whether the program's own strategy said so. */
  hasGivenUp = false
  readonly #roster: Roster
  readonly #clock: Clock
  readonly #random: () => number
  readonly #settings: SupplySettings
  readonly #retry: () => void
  #pause: Timer | undefined
  #failedAt = Number.NEGATIVE_INFINITY

  constructor(roster: Roster, clock: Clock, random: () => number, settings: SupplySettings, retry: () => void) {
    this.#roster = roster
    this.#clock = clock
    this.#random = random
    this.#settings = settings
    this.#retry = retry
  }

  /** Whether dials fail and the next one is still to come. */
  get isPaused(): boolean {
    return this.#pause !== undefined
  }

  /** How many dials may start now. */
  get allowed(): number {
    if (this.#pause !== undefined) return 0
    const atOnce = this.failures > 0 ? 1 : this.#settings.maxConnecting
    return Math.max(0, atOnce - this.#roster.count('connecting'))
  }

  /** A connection that was ready at `readyAt` has answered a caller, or lasted: the server means it. */
  proven(readyAt: number): void {
    if (this.failures === 0 || readyAt < this.#failedAt) return
    this.failures = 0
    this.lastError = undefined
    this.isFinal = false
    this.hasGivenUp = false
    this.stop()
    // Who waits need not wait for the pause, nor for one prober at a time, any more.
    this.#clock.afterPoll(this.#retry)
  }

  failed(error: ConnectionError): void {
    this.failures++
    this.lastError = error
    this.#failedAt = this.#clock.now()
    const delay = this.#delayAfter(error)
    if (this.#pause !== undefined) return
    this.#pause = this.#clock.setTimeout(() => {
      this.#pause = undefined
      this.#retry()
    }, delay)
  }

  #delayAfter(error: ConnectionError): number {
    const { backoffMin, backoffMax } = this.#settings
    const asked = this.#settings.backoff?.(this.failures, error)
    this.hasGivenUp = asked === false || asked instanceof Error
    this.isFinal = this.hasGivenUp || isHopeless(error)
    if (typeof asked === 'number') return asked
    // A server that refuses a login writes each attempt down; sooner is no better.
    return this.isFinal ? backoffMax : backoff(this.failures, backoffMin, backoffMax, this.#random())
  }

  stop(): void {
    this.#pause?.cancel()
    this.#pause = undefined
  }
}

const REFUSALS: ReadonlySet<string> = new Set(['WRONGPASS', 'NOAUTH', 'NOPERM', 'DENIED'])

/** Whether waiting and dialing again would not help: a login, an option or a certificate is wrong. */
function isHopeless(error: ConnectionError): boolean {
  const { cause } = error
  if (cause instanceof ReplyError) return REFUSALS.has(cause.kind) || /DB index/i.test(cause.message)
  if (cause instanceof OptionError) return true
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return /CERT|SELF_SIGNED|UNABLE_TO_/.test(code)
}
