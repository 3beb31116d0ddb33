// Owns what a pool promises its maker and its parts each other. Only types.

import type { Clock } from '../base/clock.js'
import type { ConnectionError } from '../base/errors.js'
import type { Connection } from '../connection/connection.js'
import type { ConnectionOwner } from '../connection/contract.js'
import type { Request } from '../connection/request.js'
import type { Reply } from '../resp/types.js'
import type { Borrower } from './borrower.js'
import type { ConnectionPoolTimeoutError } from './exhaustion.js'
import type { ResolvedPoolOptions } from './options.js'
import type { Entry } from './roster.js'
import type { HolderStats } from './stats.js'
import type { Caller, Waiter } from './waiters.js'

export interface Resize {
  readonly from: number
  readonly to: number
  /** A sentence. */
  readonly because: string
}

/** What a pool tells whoever made it. */
export interface PoolEvents {
  opened(connection: Connection): void
  closed(connection: Connection, error: ConnectionError): void
  connectFailed(error: ConnectionError): void
  released(): void
  leaked(holder: HolderStats): void
  /** Callers waited in vain; told once for all whose time was up together. */
  exhausted(error: ConnectionPoolTimeoutError): void
  /** `maxConnections` is another. */
  resized(change: Resize): void
  /** Something came that answers no command, on a connection that nobody listens to. */
  pushed(message: Reply): void
}

export interface PoolDependencies {
  readonly address: string
  /** What SELECT must go back to after a lease. */
  readonly database: number
  readonly connectTimeout: number
  readonly settings: ResolvedPoolOptions
  readonly connect: (owner: ConnectionOwner) => Connection
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly events: PoolEvents
  /** Told whether somebody waits for the pool, so that the process must not end meanwhile. */
  keepAlive(isWanted: boolean): void
}

/** `closing`: nothing new is accepted, what was accepted goes on. */
export type Phase = 'open' | 'closing' | 'closed'

export interface DispatchLimits {
  maxConnections: number
  minConnections: number
  lanes: number
  readonly pipelining: number
}

export interface DispatchHost {
  /** What is remembered of borrowings. */
  readonly demand: { asked(kind: Borrower['kind'], now: number): number }
  now(): number
  /** Starts up to so many dials; fewer where the supply says so. */
  dial(count: number): void
  /** The borrower has the entry from now on; `waiter` if it waited. */
  lend(entry: Entry, borrower: Borrower, waiter?: Waiter<Borrower>): void
  /** Starts the wait of a command, or fails it and returns undefined when too many wait. */
  wait(request: Request): Waiter<Request> | undefined
  /** A command's wait ended well. */
  waited(waiter: Waiter<Caller>): void
  /** A lane has answered all it owed. */
  drained(entry: Entry): void
}
