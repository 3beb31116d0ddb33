// Owns what became of calls, by command: how many, how long they took, how they failed. Knows no caller and no socket.

import type { Clock } from '../base/clock.js'
import { ReplyError, RespoolError } from '../base/errors.js'
import { DurationHistogram } from '../base/histogram.js'
import { OTHER, shownName } from '../command/names.js'

/** Names that get a tally of their own; anybody may send any name. */
const MOST_COMMANDS = 256
const MOST_FAILURES = 16

/** The calls of one command. */
export class Tally {
  /** Name of the command in capitals. */
  readonly name: string
  /** Calls that were accepted: each ends in one way below, or has not ended. */
  calls = 0
  /** Those that ended with a reply, in ms from the call, or from being written where nothing was waited for. */
  readonly replies = new DurationHistogram()
  /** Those that ended with an error, by its kind. */
  readonly failures = new Map<string, DurationHistogram>()
  readonly #clock: Clock

  constructor(name: string, clock: Clock) {
    this.name = name
    this.#clock = clock
  }

  answered(duration: number): void {
    this.replies.record(duration)
  }

  /** @param startedAt when the call was made, where that is known */
  failed(error: unknown, startedAt: number | undefined): void {
    this.#failuresOf(kindOf(error)).record(startedAt === undefined ? 0 : this.#clock.now() - startedAt)
  }

  #failuresOf(kind: string): DurationHistogram {
    const name = this.failures.has(kind) || this.failures.size < MOST_FAILURES ? kind : OTHER
    const known = this.failures.get(name)
    if (known !== undefined) return known
    const durations = new DurationHistogram()
    this.failures.set(name, durations)
    return durations
  }
}

/** A reply's first word such as `WRONGTYPE`, an error's `code`, `aborted`, else `other`. */
function kindOf(error: unknown): string {
  if (error instanceof ReplyError) return error.kind
  if (error instanceof RespoolError) return error.code
  return error instanceof Error && error.name === 'AbortError' ? 'aborted' : OTHER
}

/** One tally for each command, bounded. */
export class Tallies {
  readonly #clock: Clock
  readonly #byName = new Map<string, Tally>()
  /** By what was sent, which may be in any case. */
  readonly #bySpelling = new Map<unknown, Tally>()
  #last: unknown
  #lastTally: Tally | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** In order of the first call. */
  all(): IterableIterator<Tally> {
    return this.#byName.values()
  }

  /** @param word the first argument of a command */
  of(word: unknown): Tally {
    if (word === this.#last && this.#lastTally !== undefined) return this.#lastTally
    const tally = this.#bySpelling.get(word) ?? this.#meet(word)
    // Of anything else the content may change.
    if (typeof word === 'string') {
      this.#last = word
      this.#lastTally = tally
    }
    return tally
  }

  #meet(word: unknown): Tally {
    const shown = shownName(word)
    const name = this.#byName.has(shown) || this.#byName.size < MOST_COMMANDS ? shown : OTHER
    const tally = this.#byName.get(name) ?? new Tally(name, this.#clock)
    this.#byName.set(name, tally)
    if (typeof word === 'string' && name !== OTHER && this.#bySpelling.size < 2 * MOST_COMMANDS)
      this.#bySpelling.set(word, tally)
    return tally
  }
}
