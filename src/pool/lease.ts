// Owns exclusive use of one connection, from acquire to release. Knows no commands by type and no retry.

import { ConnectionError, LeaseReleasedError } from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import type { Connection } from '../connection/connection.js'
import { Request } from '../connection/request.js'
import type { Reply } from '../resp/types.js'
import type { Entry, Listener } from './roster.js'
import { Session } from './session.js'

/** What a lease needs of its pool. */
export interface LeaseKeeper {
  /** Replies that are kept, of which its writes may be the end. */
  readonly cache:
    | { leaseSends(first: Request, connection: Connection): void; forget(connection: Connection): void }
    | undefined
  readonly database: number
  now(): number
  /** The entry is clean; `quiet` says that nothing its holder sent is unanswered. */
  giveBack(entry: Entry, quiet: boolean): void
  /** Sends a blocking command so that giving up on it loses nothing; a transaction may be open around it. */
  sendBlocking(entry: Entry, request: Request, inTransaction: boolean): void
  /** Arms the deadline and the AbortSignal of a request. */
  prepare(request: Request): boolean
}

/** A connection in the hands of one holder. Everything after `release` is refused. */
export class PoolLease {
  #entry: Entry | undefined
  readonly #keeper: LeaseKeeper
  readonly #session: Session

  constructor(entry: Entry, keeper: LeaseKeeper) {
    this.#entry = entry
    this.#keeper = keeper
    this.#session = new Session(keeper.database)
  }

  get released(): boolean {
    return this.#entry === undefined
  }

  /** The server's id of the connection; 0 when unknown or released. */
  get connectionId(): number {
    return this.#entry?.connection.id ?? 0
  }

  /** How long ago the newest command was written that was answered, in ms: all that was sent to here before has come. */
  get provenFor(): number {
    return this.#entry === undefined ? 0 : this.#keeper.now() - this.#entry.connection.roundTrip.provenAt
  }

  /** The protocol that the connection speaks, as far as known. */
  get protocol(): 2 | 3 {
    return this.#entry?.connection.protocol ?? 3
  }

  /**
   * Tells the listener from now on what comes unasked, until the lease is released or its connection lost.
   * @param isMessage where messages look like replies: whether this one is a message
   */
  listen(listener: Listener, isMessage?: (reply: Reply) => boolean): void {
    const entry = this.#entry
    if (entry === undefined) return
    entry.listener = listener
    entry.connection.isMessage = isMessage
    // It was granted a moment ago, and doomed since.
    if (entry.doomed !== undefined) listener.recalled()
  }

  /** Sends on this connection alone. Fails the request when the lease was released or its connection lost. */
  send(first: Request): void {
    const entry = this.#entry
    if (entry === undefined) {
      first.turnAway(released(first.label))
      return
    }
    const { connection } = entry
    if (connection.isClosed) {
      first.turnAway(lost(first.label, connection))
      return
    }
    // Who listens reads nothing, and takes what the server says of changes for messages.
    if (entry.holder?.kind === 'stream') this.#keeper.cache?.forget(connection)
    else this.#keeper.cache?.leaseSends(first, connection)
    if (!this.#keeper.prepare(first)) return
    for (let request: Request | undefined = first; request !== undefined; request = request.next) {
      this.#session.note(request.args)
      // What its session knew is gone with its connection.
      request.retry = 'none'
    }
    if (first.blocksFor > 0) this.#keeper.sendBlocking(entry, first, this.#session.isInTransaction)
    else connection.send(first)
  }

  /**
   * Gives the connection back as it was found. Undoing WATCH or SELECT is pipelined in front of the next holder's
   * commands; any other change, or a doubt, ends the connection. A second release does nothing.
   */
  release(): void {
    const entry = this.#entry
    if (entry === undefined) return
    this.#entry = undefined
    entry.listener = undefined
    const { connection } = entry
    const cleanup = this.#session.cleanup()
    const isParked = [...connection.slots].some(({ blocksFor }) => blocksFor > 0)
    if (cleanup === undefined || isParked) {
      connection.destroy(entry.doomed ?? 'dirty', 'its last holder left the session changed')
      return
    }
    // Only UNWATCH cannot fail: what comes behind a SELECT that is refused would run in the wrong database.
    const quiet = connection.inFlight === 0 && cleanup.every(([name]) => name === 'UNWATCH')
    for (const args of cleanup) {
      if (connection.isClosed) break
      connection.send(
        new Request(
          args,
          NO_KEY,
          () => {},
          () => connection.destroy('dirty', 'it could not be cleaned'),
        ),
      )
    }
    this.#keeper.giveBack(entry, quiet)
  }
}

function lost(command: string, { address, error: cause }: Connection): ConnectionError {
  const message = `${command} was not sent, because the connection of this lease is gone: ${cause?.message}`
  return new ConnectionError(message, cause?.reason ?? 'closed', address, { outcome: 'not-sent', command, cause })
}

function released(command: string): LeaseReleasedError {
  return new LeaseReleasedError(`${command} was called on a lease that was released`, { outcome: 'not-sent', command })
}
