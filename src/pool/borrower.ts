// Owns who may borrow a whole connection: a caller with a lease, or one command. Knows not when it gets one.

import type { Request } from '../connection/request.js'
import type { Entry, Holder } from './roster.js'
import type { Caller } from './waiters.js'

/** A caller who wants a connection to itself. */
export interface Borrower extends Caller {
  readonly kind: Holder['kind']
  /** Where it asked, when leaks are tracked. */
  readonly stack: string | undefined
  grant(entry: Entry): void
}

export interface Lender {
  sendBlocking(entry: Entry, request: Request): void
}

/** One command that borrows a whole connection. */
export class CommandBorrower implements Borrower {
  readonly kind: 'command' | 'blocking'
  readonly stack = undefined
  readonly #lender: Lender
  readonly #request: Request

  constructor(lender: Lender, request: Request, kind: 'command' | 'blocking') {
    this.kind = kind
    this.#lender = lender
    this.#request = request
  }

  get label(): string {
    return this.#request.label
  }

  get timeout(): number {
    return this.#request.timeout
  }

  get deadline(): number {
    return this.#request.deadline
  }

  grant(entry: Entry): void {
    if (this.kind === 'blocking') this.#lender.sendBlocking(entry, this.#request)
    else entry.connection.send(this.#request)
  }

  turnAway(error: unknown): void {
    this.#request.turnAway(error)
  }
}
