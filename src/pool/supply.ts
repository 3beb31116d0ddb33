// Owns the making of connections: how many are dialed at once and how long to wait after a failure. Knows no callers.

import { backoff } from '../base/backoff.js'
import type { Clock, Timer } from '../base/clock.js'
import { type ConnectionError, OptionError, ReplyError } from '../base/errors.js'
import type { Roster } from './roster.js'

export interface SupplySettings {
  readonly maxConnecting: number
  readonly backoffMin: number
  readonly backoffMax: number
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
    this.stop()
    // Who waits need not wait for the pause, nor for one prober at a time, any more.
    this.#clock.afterPoll(this.#retry)
  }

  failed(error: ConnectionError): void {
    this.failures++
    this.lastError = error
    this.#failedAt = this.#clock.now()
    if (this.#pause !== undefined) return
    const { backoffMin, backoffMax } = this.#settings
    // A server that refuses a login writes each attempt down; sooner is no better.
    const delay = isHopeless(error) ? backoffMax : backoff(this.failures, backoffMin, backoffMax, this.#random())
    this.#pause = this.#clock.setTimeout(() => {
      this.#pause = undefined
      this.#retry()
    }, delay)
  }

  stop(): void {
    this.#pause?.cancel()
    this.#pause = undefined
  }
}

const REFUSALS: ReadonlySet<string> = new Set(['WRONGPASS', 'NOAUTH', 'NOPERM', 'DENIED'])

/** Whether waiting and dialing again would not help: a login, an option or a certificate is wrong. */
export function isHopeless(error: ConnectionError): boolean {
  const { cause } = error
  if (cause instanceof ReplyError) return REFUSALS.has(cause.kind) || /DB index/i.test(cause.message)
  if (cause instanceof OptionError) return true
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return /CERT|SELF_SIGNED|UNABLE_TO_/.test(code)
}
