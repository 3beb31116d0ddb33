// Owns how whoever listens gets a connection, and another one after a loss: as long as it takes, with pauses where
// connections do not last. Knows not what is listened to.

import type { Timer } from '../base/clock.js'
import type { ConnectionError } from '../base/errors.js'
import { closedError } from '../pool/endings.js'
import type { PoolLease } from '../pool/lease.js'
import type { Pool } from '../pool/pool.js'

/** Whoever listens. */
export interface Returning {
  granted(lease: PoolLease): void
  /** The pool has ended, or dialing again would not help. Who still wants a connection seeks again. */
  failed(error: unknown): void
}

/** A connection that was lost sooner was worth no dial, in ms. */
const LASTING = 1_000

/** Where a connection was lost, the next one is waited for as long as it takes. */
const UNTIL_THERE_IS_ONE = Number.POSITIVE_INFINITY

/**
 * A server that answers and then hangs up is dialed at once as far as the pool is concerned, since it serves. Who
 * listens would meet it again and again.
 */
export class Comeback {
  readonly #pool: Pool
  readonly #label: string
  readonly #owner: Returning
  /** Connections in a row that did not last. */
  #losses = 0
  #grantedAt = 0
  #pause: Timer | undefined
  /** Ends the wait; undefined while nothing is sought. */
  #seeking: AbortController | undefined
  #stopWatching: () => void = () => {}

  constructor(pool: Pool, label: string, owner: Returning) {
    this.#pool = pool
    this.#label = label
    this.#owner = owner
  }

  /** Calls the owner back, within this call only where the pool has ended; does nothing when it is sought already. */
  seek(): void {
    if (this.#seeking !== undefined) return
    const pool = this.#pool
    if (pool.phase !== 'open') {
      this.#owner.failed(closedError())
      return
    }
    const seeking = new AbortController()
    this.#seeking = seeking
    this.#stopWatching = pool.whenEnding(() => {
      this.stop()
      this.#owner.failed(closedError())
    })
    if (this.#losses === 0) this.#ask(seeking)
    else this.#pause = pool.clock.setTimeout(() => this.#ask(seeking), pool.pauseAfter(this.#losses))
  }

  /** The connection that was granted is gone, and another is needed; `cause` is undefined where the pool replaced it. */
  again(cause: ConnectionError | undefined): void {
    if (cause !== undefined) this.#losses = this.#pool.clock.now() - this.#grantedAt < LASTING ? this.#losses + 1 : 0
    // Where a server hangs up unasked, the program's strategy was asked by now.
    if (cause !== undefined && this.#losses > 0 && this.#pool.hasGivenUp) this.#owner.failed(cause)
    else this.seek()
  }

  /** Nobody needs a connection any more: no wait, no dial, no timer is left. */
  stop(): void {
    this.#found()?.abort()
  }

  #ask(seeking: AbortController): void {
    const { signal } = seeking
    this.#pool.acquire({ label: this.#label, kind: 'stream', timeout: UNTIL_THERE_IS_ONE, signal }).then(
      (lease) => {
        // It was granted to who came before the end.
        if (this.#seeking !== seeking) return lease.release()
        this.#found()
        this.#grantedAt = this.#pool.clock.now()
        this.#owner.granted(lease)
      },
      (error: unknown) => {
        if (this.#seeking !== seeking) return
        this.#found()
        this.#owner.failed(error)
      },
    )
  }

  #found(): AbortController | undefined {
    const seeking = this.#seeking
    this.#seeking = undefined
    this.#pause?.cancel()
    this.#pause = undefined
    this.#stopWatching()
    return seeking
  }
}
