// Owns the memory of who wanted a connection to itself: when each asked, how long it waited and held, for the last of
// them. Always on, so it costs a few numbers in arrays and no object. Knows not what is made of it.

import type { Holder } from './roster.js'

/** Borrowings that are kept; what is kept of one takes 17 bytes. */
export const MOST_BORROWINGS = 16_384
const FIRST = 64

const KINDS: readonly Holder['kind'][] = ['lease', 'stream', 'command', 'blocking']

const CODES: Readonly<Record<Holder['kind'], number>> = { lease: 0, stream: 1, command: 2, blocking: 3 }

/** One who asked for a connection to itself. */
export interface Borrowing {
  readonly kind: Holder['kind']
  /** On the pool's clock, in ms. */
  readonly asked: number
  /** How long it waited; NaN while it does, and when it waited in vain. */
  readonly waited: number
  /** How long it held the connection; NaN while it does. */
  readonly held: number
}

/** Borrowings are numbered from 0 by when they asked. */
export class Demand {
  /** Borrowings ever asked for. */
  count = 0
  #size = FIRST
  #asked = new Float64Array(FIRST)
  #waited = new Float32Array(FIRST)
  #held = new Float32Array(FIRST)
  #kind = new Uint8Array(FIRST)

  /** Somebody asks and has to wait. */
  asked(kind: Holder['kind'], now: number): number {
    if (this.count === this.#size && this.#size < MOST_BORROWINGS) this.#grow()
    const index = this.count & (this.#size - 1)
    this.#asked[index] = now
    this.#waited[index] = Number.NaN
    this.#held[index] = Number.NaN
    this.#kind[index] = CODES[kind]
    return this.count++
  }

  /** Somebody has a connection now, at once or after having waited as the borrowing of that number. */
  begin({ kind, label, stack }: Pick<Holder, 'kind' | 'label' | 'stack'>, now: number, waited?: number): Holder {
    const borrowing = waited ?? this.asked(kind, now)
    const index = this.#indexOf(borrowing)
    if (index >= 0) this.#waited[index] = now - (this.#asked[index] ?? now)
    return { kind, label, since: now, borrowing, stack, reported: false }
  }

  /** It has given the connection back; gives how long it held it, in ms. */
  end({ borrowing, since }: Holder, now: number): number {
    const index = this.#indexOf(borrowing)
    if (index >= 0) this.#held[index] = now - since
    return now - since
  }

  /** The number of the first that is kept. */
  get first(): number {
    return Math.max(0, this.count - this.#size)
  }

  /** What is kept, in the order of asking. */
  *[Symbol.iterator](): Generator<Borrowing> {
    for (let { first: number } = this; number < this.count; number++) {
      const index = number & (this.#size - 1)
      const { [index]: asked = 0 } = this.#asked
      const { [index]: waited = 0 } = this.#waited
      const { [index]: held = 0 } = this.#held
      yield { kind: KINDS[this.#kind[index] ?? 0] ?? 'lease', asked, waited, held }
    }
  }

  /** Where it is kept; below 0 when it is not any more. */
  #indexOf(number: number): number {
    return this.count - number > this.#size ? -1 : number & (this.#size - 1)
  }

  #grow(): void {
    const grown = <A extends Float64Array | Float32Array | Uint8Array>(bigger: A, old: A): A => {
      bigger.set(old)
      return bigger
    }
    this.#size *= 2
    this.#asked = grown(new Float64Array(this.#size), this.#asked)
    this.#waited = grown(new Float32Array(this.#size), this.#waited)
    this.#held = grown(new Float32Array(this.#size), this.#held)
    this.#kind = grown(new Uint8Array(this.#size), this.#kind)
  }
}
