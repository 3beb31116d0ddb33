// Owns the border to the code that receives replies: what it throws is kept aside, so that it cannot stop decoding.
import type { ReplyError } from '../base/errors.js'
import type { Reply, ReplyMapping } from './types.js'

export interface ReplyHandler {
  /** A complete top-level reply that is not an error. */
  onReply(value: Reply): void
  /** A complete top-level error. */
  onErrorReply(error: ReplyError): void
  /** An out-of-band message; it is nobody's reply. Its bulk strings are Buffers. */
  onPush(items: Reply[]): void
  /** Mapping for the top-level reply that starts now. Asked at most once per reply; must not throw. */
  replyMapping(): ReplyMapping | undefined
}

export class GuardedHandler {
  readonly #handler: ReplyHandler
  #thrown: unknown[] | undefined

  constructor(handler: ReplyHandler) {
    this.#handler = handler
  }

  mapping(): ReplyMapping | undefined {
    return this.#handler.replyMapping()
  }

  reply(value: Reply): void {
    try {
      this.#handler.onReply(value)
    } catch (error) {
      this.#keep(error)
    }
  }

  errorReply(reply: ReplyError): void {
    try {
      this.#handler.onErrorReply(reply)
    } catch (error) {
      this.#keep(error)
    }
  }

  push(items: Reply[]): void {
    try {
      this.#handler.onPush(items)
    } catch (error) {
      this.#keep(error)
    }
  }

  get hasThrown(): boolean {
    return this.#thrown !== undefined
  }

  /** What was thrown since the last call: the error itself, or an AggregateError of several. */
  takeThrown(): unknown {
    const thrown = this.#thrown
    this.#thrown = undefined
    return thrown?.length === 1 ? thrown[0] : thrown && new AggregateError(thrown, 'Several reply handlers failed')
  }

  #keep(error: unknown): void {
    this.#thrown ??= []
    this.#thrown.push(error)
  }
}
