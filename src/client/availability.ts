// Owns whether a pool serves, told in the words of a single client: ready, reconnecting, error. Derived from what happens
// to connections; knows neither sockets nor who listens.

import type { CloseReason } from '../base/errors.js'

/** What a handle tells beside the events of its pool. */
export interface AvailabilityEvents {
  /** Commands are served: a connection is there, for the first time or again. */
  ready: []
  /** No connection is there, and another is being made. */
  reconnecting: []
  /**
   * A dial failed, a connection was lost otherwise than by respool's own doing, or a `monitor` ended that had begun.
   * Without a listener nothing happens.
   */
  error: [Error]
}

/** What an availability asks of its pool. */
export interface AvailabilityHost {
  /** Connections that could be used now. */
  readonly readyConnections: number
  /** Whether somebody waits for a connection. */
  readonly isAwaited: boolean
  /** Whether it may be tried: it is not closed, and the program did not say to give up. */
  readonly mayConnect: boolean
  /** Whether a command would be served now, as far as is known. */
  readonly isServing: boolean
  /** Tries once; settles as `connect()` does. */
  connect(): Promise<unknown>
  tell<Name extends keyof AvailabilityEvents>(event: Name, ...args: AvailabilityEvents[Name]): void
}

/** Ends that a pool brings about in the course of its work: nothing is wrong. */
const OWN_DOING: ReadonlySet<CloseReason> = new Set([
  'idle',
  'lifetime',
  'surplus',
  'retired',
  'refused',
  'dirty',
  'aborted',
  'closed',
  'destroyed',
])

export class Availability {
  /** Whether a connection was there and no failure has been seen since. */
  #isUp = false
  #wasUp = false
  readonly #host: AvailabilityHost
  /** Whether somebody asked to be connected, and so expects to be connected again. */
  #isWanted = false
  #isRestoring = false
  /** Calls of `connect()` that go on trying by themselves. */
  #attempts = 0

  constructor(host: AvailabilityHost) {
    this.#host = host
  }

  /**
   * Idle connections may end without anything being wrong. Where nobody asked to be connected, nothing is tried without
   * a caller, so whoever asks first is told to try.
   */
  get isReady(): boolean {
    return this.#isUp || (this.#wasUp && !this.#isWanted && this.#host.isServing)
  }

  /** From now on a lost connection is made again without waiting for a caller. */
  want(): void {
    this.#isWanted = true
  }

  /**
   * Runs what goes on trying until it is connected or gives up. Until then a failure is told as an interruption; who gave
   * up is not connected again.
   */
  async whileTrying(connect: () => Promise<void>): Promise<void> {
    this.#attempts++
    try {
      await connect()
      this.want()
    } finally {
      this.#attempts--
    }
  }

  opened(): void {
    if (this.#isUp) return
    this.#isUp = true
    this.#wasUp = true
    this.#host.tell('ready')
  }

  lost(reason: CloseReason, error: Error): void {
    if (OWN_DOING.has(reason)) return
    this.#host.tell('error', error)
    this.#interrupted()
  }

  failed(error: Error): void {
    this.#host.tell('error', error)
    this.#interrupted()
  }

  #interrupted(): void {
    if (this.#host.readyConnections > 0) return
    this.#isUp = false
    const isExpected = this.#isWanted || this.#attempts > 0 || this.#host.isAwaited
    if (!this.#host.mayConnect || !isExpected) return
    this.#host.tell('reconnecting')
    this.#restore()
  }

  /** Who asked to be connected may wait for `ready` before it sends anything, so that no caller would make a connection. */
  #restore(): void {
    if (!this.#isWanted || this.#isRestoring || !this.#host.mayConnect) return
    this.#isRestoring = true
    this.#host.connect().then(
      () => {
        this.#isRestoring = false
      },
      () => {
        this.#isRestoring = false
        // The pool spaces its dials; this only asks for the next one.
        if (this.#host.readyConnections === 0) this.#restore()
      },
    )
  }
}
