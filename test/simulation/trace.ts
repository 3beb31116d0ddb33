// What happened in a run, in order: the last of it to be read, all of it as one number to compare two runs.

import { createHash, type Hash } from 'node:crypto'

/** How much of it is kept to be shown. */
const KEPT = 400

type Word = string | number | readonly string[] | undefined

export class Trace {
  readonly #last: (readonly Word[])[] = []
  readonly #hash: Hash | undefined

  /** @param whole whether all of it goes into the hash; that takes time */
  constructor(whole: boolean) {
    if (whole) this.#hash = createHash('sha256')
  }

  note(...words: readonly Word[]): void {
    this.#last.push(words)
    if (this.#last.length > KEPT * 2) this.#last.splice(0, KEPT)
    this.#hash?.update(`${lineOf(words)}\n`)
  }

  tail(lines: number): string[] {
    return this.#last.slice(-lines).map(lineOf)
  }

  digest(): string {
    return this.#hash?.copy().digest('hex') ?? ''
  }
}

function lineOf(words: readonly Word[]): string {
  return words.map((word) => (typeof word === 'object' ? word.join(' ') : String(word))).join(' ')
}
