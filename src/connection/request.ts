// Owns one command on its way: its arguments, its caller's promise and what became of it. Knows no socket.

import { onAbort } from '../base/abort.js'
import { ConnectionError, RespoolError } from '../base/errors.js'
import { shownName } from '../command/names.js'
import type { RetryMode } from '../command/repeat.js'
import type { Argument } from '../resp/encoder.js'
import type { Reply, ReplyMapping } from '../resp/types.js'
import type { Tally } from './tally.js'

/** `waiting`: no byte handed on · `sent`: it holds a slot of a connection · `settled`: its caller has the outcome. */
export type RequestState = 'waiting' | 'sent' | 'settled'

/** Makes the caller's value of a reply, which has the shapes of the protocol that its connection speaks. */
export type ReplyTransform = (reply: Reply, protocol: 2 | 3) => unknown

/** Whoever gave a reply: a connection. */
export interface ReplyOrigin {
  readonly protocol: 2 | 3
  /** When the reply came, and when the command was written that it answers; on the pool's clock. */
  readonly readAt: number
  readonly writtenAt: number
}

/** Is told, once, what became of a request, before its caller is; must not throw. */
export interface RequestObserver {
  /** The reply as it came; whoever keeps it must copy it, as it is about to become the caller's. */
  answered(reply: Reply, origin: ReplyOrigin): void
  failed(): void
}

/** Several commands that are one to their caller, MULTI … EXEC: applied and sent again together or not at all. */
export interface Unit {
  readonly first: Request
  /** Why the server refused the first of them that it refused. */
  refusal: unknown
}

/**
 * A request that was settled while it holds a slot is a tombstone: its reply is still read and then dropped,
 * so that no reply ever meets the wrong caller.
 */
export class Request {
  args: readonly Argument[]
  /** What is sent in place of `args`, once, when the server says that it does not know the script they name. */
  inFull: (() => readonly Argument[]) | undefined = undefined
  /** Hash of the key that decides the order, or `NO_KEY`. */
  readonly hash: number
  state: RequestState = 'waiting'
  mapping: ReplyMapping | undefined = undefined
  transform: ReplyTransform | undefined = undefined
  /** `commandTimeout` in ms; 0 for none. */
  timeout = 0
  /** When the timeout runs out, on the pool's clock; Infinity without one. */
  deadline = Number.POSITIVE_INFINITY
  /** How long the server itself may hold the reply back, in ms: the timeout of a blocking command; Infinity is legal. */
  blocksFor = 0
  /** The request that must be written directly behind this one, for transactions and pipelines. */
  next: Request | undefined = undefined
  /** The transaction that it belongs to. */
  unit: Unit | undefined = undefined
  /** When it may be sent again after a loss or a refusal. */
  retry: RetryMode = 'none'
  /** How often it was sent again. */
  repeats = 0
  /** How an earlier attempt was lost that may have taken effect. */
  doubt: ConnectionError | undefined = undefined
  /** Aborts the wait for the reply; the command itself may still be applied. */
  signal: AbortSignal | undefined = undefined
  /** The keys of a read whose reply may be kept for others. */
  keyed: { readonly keys: readonly Argument[] } | undefined = undefined
  observer: RequestObserver | undefined = undefined
  /** Whether it is somebody's call; else the pool sends it for itself. */
  isCall = true
  /** Where its end is counted. */
  tally: Tally | undefined = undefined
  /** When it was made or began to wait, on the pool's clock; noted where its end needs it, as the clock is not free. */
  startedAt: number | undefined = undefined
  /** Its place in a queue while it waits. */
  waiter: { leave(): void } | undefined = undefined
  #disarm: (() => void) | undefined = undefined
  private readonly resolve: (value: unknown) => void
  private readonly reject: (error: unknown) => void

  constructor(
    args: readonly Argument[],
    hash: number,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.args = args
    this.hash = hash
    this.resolve = resolve
    this.reject = reject
  }

  /** Name of the command in capitals, for messages; `other` for what cannot be one and may hold anything. */
  get label(): string {
    return shownName(this.args[0])
  }

  /** Lets the signal settle the request from now on, with the signal's own reason. */
  arm(signal: AbortSignal): void {
    this.#disarm = onAbort(signal, () => this.fail(signal.reason))
  }

  disarm(): void {
    this.#disarm?.()
    this.#disarm = undefined
  }

  succeed(reply: Reply, origin: ReplyOrigin): void {
    if (this.state === 'settled') return
    this.state = 'settled'
    this.disarm()
    this.observer?.answered(reply, origin)
    this.tally?.answered(origin.readAt - (this.startedAt ?? origin.writtenAt))
    if (this.transform === undefined) {
      this.resolve(reply)
      return
    }
    let value: unknown
    try {
      value = this.transform(reply, origin.protocol)
    } catch (error) {
      this.reject(error)
      return
    }
    this.resolve(value)
  }

  /** Settles with an error; the followers of a chain are settled by whoever fails the chain. */
  fail(error: unknown): void {
    if (this.state === 'settled') return
    this.state = 'settled'
    this.waiter?.leave()
    this.disarm()
    this.observer?.failed()
    this.tally?.failed(error, this.startedAt)
    this.reject(this.doubt === undefined ? error : inDoubt(this.label, this.doubt, error))
  }

  /** Fails this request and everything that was to be written behind it. */
  turnAway(error: unknown): void {
    for (let request: Request | undefined = this; request !== undefined; request = request.next) request.fail(error)
  }
}

/** Whatever became of the last attempt, the lost one before it may have taken effect. */
function inDoubt(command: string, loss: ConnectionError, error: unknown): unknown {
  if (!(error instanceof RespoolError) || error.outcome === undefined || error.outcome === 'ambiguous') return error
  const message = `${command} got no reply and may have been applied; sent again, it failed: ${error.message}`
  return new ConnectionError(message, loss.reason, loss.address, { outcome: 'ambiguous', command, cause: error })
}
