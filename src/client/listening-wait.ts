// Owns how long a call that begins to listen waits: for a connection, for the word of the server, and how many losses it
// bears. Knows not what is listened to.

import { onAbort } from '../base/abort.js'
import { setDeadline, type Timer } from '../base/clock.js'
import { CommandTimeoutError, type ConnectionError } from '../base/errors.js'
import { lossOf } from '../connection/ending.js'
import type { Pool } from '../pool/pool.js'

export interface ListeningWaitOptions {
  readonly pool: Pool
  /** What the connection is held for, in errors. */
  readonly label: string
  readonly command: string
  /** `commandTimeout` in ms; 0 for none. */
  readonly timeout: number
  readonly signal: AbortSignal | undefined
  /** The wait was in vain. Called once, and not after `end`. */
  readonly failed: (error: unknown) => void
}

/** How often the command is sent again after a loss, as a read is. */
const MOST_REPEATS = 3

/** All callers wait for one connection, and each by its own clock. */
export class ListeningWait {
  readonly #options: ListeningWaitOptions
  readonly #deadline: Timer | undefined
  readonly #disarm: (() => void) | undefined
  readonly #leave: () => void
  #patience: Timer | undefined
  #wasSent = false
  #isOver = false
  #losses = 0

  constructor(options: ListeningWaitOptions) {
    this.#options = options
    this.#leave = options.pool.visit()
    const { pool, timeout, signal, command } = options
    if (signal !== undefined) this.#disarm = onAbort(signal, () => this.#fail(signal.reason))
    if (timeout === 0) return
    const late = (): void => {
      this.#fail(new CommandTimeoutError(timeout, { command, outcome: this.#wasSent ? 'ambiguous' : 'not-sent' }))
    }
    this.#deadline = setDeadline(pool.clock, timeout, late, true)
  }

  /** There is no connection yet. */
  sought(): void {
    if (this.#isOver) return
    const { pool, label } = this.#options
    const since = pool.clock.now()
    const expiresAt = since + pool.patience
    this.#patience?.cancel()
    this.#patience = setDeadline(pool.clock, expiresAt - since, () => {
      this.#fail(pool.exhausted({ label, since, expiresAt }))
    })
  }

  /** There is one, and the command went out on it. */
  sent(): void {
    this.#wasSent = true
    this.#patience?.cancel()
  }

  /** The connection on which it went out is gone; `cause` is undefined where the pool replaced it. */
  lost(cause: ConnectionError | undefined): void {
    if (cause !== undefined && ++this.#losses > MOST_REPEATS) {
      this.#fail(lossOf(this.#options.command, 'ambiguous', cause))
    } else this.sought()
  }

  /** It is over, well or not: no timer is left. */
  end(): void {
    this.#isOver = true
    this.#leave()
    this.#deadline?.cancel()
    this.#patience?.cancel()
    this.#disarm?.()
  }

  #fail(error: unknown): void {
    this.end()
    this.#options.failed(error)
  }
}
