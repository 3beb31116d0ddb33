// Owns messages that came before the event `gap` they have to follow. Bounded; knows no connection.

import type { Reply } from '../resp/types.js'

/** So many messages, or bytes, are kept at most. */
const MOST_MESSAGES = 10_000
const MOST_BYTES = 16 * 1024 * 1024

export class HeldMessages {
  readonly #deliver: (message: Reply) => void
  #messages: Reply[] = []
  #bytes = 0
  /** More came than is kept: all is delivered as it comes. */
  #isFull = false
  #isDelivering = false

  constructor(deliver: (message: Reply) => void) {
    this.#deliver = deliver
  }

  /** Keeps a message for later. What is too much for that is delivered now, behind all that was kept. */
  hold(message: Reply): void {
    this.#messages.push(message)
    this.#bytes += sizeOf(message)
    if (this.#messages.length > MOST_MESSAGES || this.#bytes > MOST_BYTES) this.#isFull = true
    if (this.#isFull) this.#deliverAll()
  }

  /** Delivers all in the order in which they came. */
  release(): void {
    this.#isFull = false
    this.#deliverAll()
  }

  #deliverAll(): void {
    // A listener may set off what ends here again; the messages behind its own come after it all the same.
    if (this.#isDelivering || this.#messages.length === 0) return
    this.#isDelivering = true
    for (const message of this.#messages) this.#deliver(message)
    this.#messages = []
    this.#bytes = 0
    this.#isDelivering = false
  }
}

function sizeOf(message: Reply): number {
  if (!Array.isArray(message)) return 0
  return message.reduce<number>((size, part) => size + (Buffer.isBuffer(part) ? part.length : 0), 0)
}
