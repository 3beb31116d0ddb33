// Owns commands that take a whole connection: those that block, and all of a classic pool. A connection does not change
// hands while a CLIENT UNBLOCK for it is on its way. Knows not who else waits.

import type { Clock } from '../base/clock.js'
import type { ConnectionError, ReplyError } from '../base/errors.js'
import type { Request } from '../connection/request.js'
import { type BlockingHost, sendBlocking } from './blocking.js'
import { type Borrower, CommandBorrower } from './borrower.js'
import type { DispatchLimits } from './contract.js'
import type { Recall } from './recall.js'
import type { Entry, Roster } from './roster.js'
import type { Waiter } from './waiters.js'
import type { WaitingRoom } from './waiting-room.js'

export interface AloneHost {
  readonly clock: Clock
  readonly limits: DispatchLimits
  readonly recall: Recall
  readonly roster: Roster
  readonly room: WaitingRoom
  execute(request: Request): void
  borrow(borrower: Borrower, wait: () => Waiter<Borrower> | undefined): void
  /** Nothing holds the entry back any more. */
  freed(entry: Entry): void
}

export class Alone implements BlockingHost {
  readonly #host: AloneHost
  /** How many CLIENT UNBLOCKs that concern an entry are on their way. */
  readonly #held = new Map<Entry, number>()

  constructor(host: AloneHost) {
    this.#host = host
  }

  get clock(): Clock {
    return this.#host.clock
  }

  /** Lends a connection to one command. */
  executeAlone(request: Request): void {
    const borrower = new CommandBorrower(this, request, request.blocksFor > 0 ? 'blocking' : 'command')
    this.#host.borrow(borrower, () => this.#host.room.admitCommand(borrower, request))
  }

  sendBlocking(entry: Entry, request: Request, inTransaction = false): void {
    sendBlocking(this, entry, request, inTransaction)
  }

  execute(request: Request): void {
    this.#host.execute(request)
  }

  takesBack(entry: Entry, request: Request, error: ReplyError | ConnectionError): boolean {
    const { recall } = this.#host
    return 'reason' in error ? recall.lost(entry, request, error) : recall.refused(entry, request, error)
  }

  hold(entry: Entry): void {
    this.#held.set(entry, (this.#held.get(entry) ?? 0) + 1)
  }

  isHeld(entry: Entry): boolean {
    return this.#held.has(entry)
  }

  letGo(entry: Entry): void {
    const left = (this.#held.get(entry) ?? 0) - 1
    if (left > 0) this.#held.set(entry, left)
    else this.#held.delete(entry)
    if (left <= 0 && !entry.connection.isClosed && entry.connection.inFlight === 0) this.#host.freed(entry)
  }

  /** The connection has ended. */
  forget(entry: Entry): void {
    this.#held.delete(entry)
  }

  canReach(entry: Entry): boolean {
    const { roster, limits } = this.#host
    if (roster.total < limits.maxConnections) return true
    return roster.all().some((other) => {
      if (other === entry || other.place === 'closing') return false
      return other.place !== 'leased' || other.holder?.kind === 'command'
    })
  }
}
