// Owns what was called and how each call ended, in order. Judges nothing: checker.ts does.

import type { Outcome } from '../../src/index.js'

export type Kind = 'echo' | 'get' | 'set' | 'push' | 'incr' | 'transaction'

/** One call. What it wrote or echoed is `uniqueValue` it, which no other call of this history has. */
export interface Entry {
  /** The place among all calls, from 1. */
  readonly id: number
  readonly caller: number
  readonly kind: Kind
  /** The key; of a transaction the name of its unit. */
  readonly key: string
  /** Moments count calls and endings together: what ended before another began has a lower one. */
  readonly begun: number
  ended: number
  /** Milliseconds on the clock of this process. */
  readonly calledAt: number
  settledAt: number
  state: 'open' | 'ok' | Outcome
  reply: unknown
}

/** Names the key, so that a value read under another one is told at once. */
export function uniqueValue({ key, id }: Pick<Entry, 'key' | 'id'>): string {
  return `${key}=${id}`
}

/** What a value says of the call that wrote it; id 0 stands for what was there before the first call. */
export function writerOf(value: string): { key: string; id: number } {
  const at = value.lastIndexOf('=')
  return { key: value.slice(0, Math.max(0, at)), id: Number(value.slice(at + 1)) }
}

export class History {
  readonly entries: Entry[] = []
  /** Failed calls by what their error said. */
  readonly failed: Record<Outcome, number> = { 'not-sent': 0, rejected: 0, ambiguous: 0 }
  /** How often each kind of error came, by name and code. */
  readonly errors = new Map<string, number>()
  /** Errors that did not say what had happened to the command. They count as ambiguous. */
  untyped = 0
  succeeded = 0
  /** When a call began or ended the last time. */
  movedAt = performance.now()
  readonly #outcomeOf: (error: unknown) => Outcome | undefined
  #moment = 0

  constructor(outcomeOf: (error: unknown) => Outcome | undefined) {
    this.#outcomeOf = outcomeOf
  }

  /** Calls that have not settled. */
  get open(): number {
    const { 'not-sent': unsent, rejected, ambiguous } = this.failed
    return this.entries.length - this.succeeded - unsent - rejected - ambiguous
  }

  /** Makes a call and notes it; resolves to whether it succeeded, and never rejects. */
  record(caller: number, kind: Kind, key: string, call: (value: string) => Promise<unknown>): Promise<boolean> {
    const calledAt = performance.now()
    const id = this.entries.length + 1
    const entry: Entry = {
      id,
      caller,
      kind,
      key,
      begun: ++this.#moment,
      ended: 0,
      calledAt,
      settledAt: 0,
      state: 'open',
      reply: undefined,
    }
    this.entries.push(entry)
    this.movedAt = calledAt
    const lost = (error: unknown): false => {
      this.#fail(entry, error)
      return false
    }
    const won = (reply: unknown): true => {
      entry.reply = reply
      this.succeeded++
      this.#settle(entry, 'ok')
      return true
    }
    try {
      return call(uniqueValue(entry)).then(won, lost)
    } catch (error) {
      return Promise.resolve(lost(error))
    }
  }

  #fail(entry: Entry, error: unknown): void {
    const outcome = this.#outcomeOf(error)
    if (outcome === undefined) this.untyped++
    this.failed[outcome ?? 'ambiguous']++
    const what = describe(error)
    this.errors.set(what, (this.errors.get(what) ?? 0) + 1)
    this.#settle(entry, outcome ?? 'ambiguous')
  }

  #settle(entry: Entry, state: Entry['state']): void {
    entry.state = state
    entry.ended = ++this.#moment
    entry.settledAt = performance.now()
    this.movedAt = entry.settledAt
  }
}

/** Texts of errors differ by address and number, and would make the table of kinds endless. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' ? `${error.name} ${code}` : error.name
}
