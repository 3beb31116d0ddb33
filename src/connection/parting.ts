// Owns the end of a connection after its last word: it counts until the server has let go of it too. Knows no commands.

import { type Clock, setDeadline, type Timer } from '../base/clock.js'
import type { CloseReason } from '../base/errors.js'
import type { Transport } from './transport.js'

/** How long the server may take to close its side before the connection counts as gone all the same, in ms. */
const LINGER = 250

/** Nobody is left at the other end, or nobody cares any more. */
const AT_ONCE: ReadonlySet<CloseReason> = new Set([
  'server-closed',
  'network-error',
  'connect-failed',
  'closed',
  'destroyed',
])

/** The server counts a connection until it has read its end, so whoever bounds the number must count it as long. */
export class Parting {
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #gone: () => void
  #linger: Timer | undefined
  #isOver = false

  constructor(transport: Transport, clock: Clock, gone: () => void) {
    this.#transport = transport
    this.#clock = clock
    this.#gone = gone
  }

  begin(reason: CloseReason): void {
    if (this.#isOver) return
    if (AT_ONCE.has(reason)) {
      this.end()
      return
    }
    // Not from a timer: libuv resets nothing whose goodbye the kernel has not had, and node forgets the open socket then.
    this.#linger = setDeadline(this.#clock, LINGER, () => this.#giveUp(), true)
    this.#transport.end()
  }

  /**
   * Of a connection that fell silent the kernel goes on sending what was not acknowledged, for minutes: once the network
   * is back, a write that was given up long since would take effect after newer ones.
   */
  #giveUp(): void {
    this.#transport.reset()
    this.end()
  }

  /** The server has let go, or is not waited for any longer. */
  end(): void {
    this.#linger?.cancel()
    if (this.#isOver) return
    this.#isOver = true
    this.#transport.destroy()
    this.#gone()
  }
}
