// Owns `ConnectionPool`: options in, events and snapshots out. Everything it does is done by the pool layer.

import { Anchor, anchoredClock } from '../base/anchor.js'
import type { Connection } from '../connection/connection.js'
import { describeAddress } from '../connection/transport.js'
import type { Advice, AdviceOptions } from '../pool/advice.js'
import { readAdviceOptions } from '../pool/advice-options.js'
import type { PoolEvents, Resize } from '../pool/contract.js'
import type { ConnectionPoolTimeoutError } from '../pool/exhaustion.js'
import type { Recording, RecordOptions } from '../pool/history.js'
import { type PoolLimits, type PoolOptions, type ResolvedPoolOptions, readPoolLimits } from '../pool/options.js'
import { Pool } from '../pool/pool.js'
import type { HolderStats, PoolStats, StatsOptions } from '../pool/stats.js'
import { Availability, type AvailabilityEvents, type AvailabilityHost } from './availability.js'
import { guarded } from './backoff-strategy.js'
import { type CloseOptions, readCloseTimeout, readRecordOptions } from './call-options.js'
import { connectorFor, type Naming, tracingOf } from './connector.js'
import { callSafely, TypedEmitter } from './events.js'
import {
  type ConnectionPoolOptions,
  flatOptions,
  type GivenOptions,
  type ResolvedConnectionPoolOptions,
  readConnectionPoolOptions,
  withLimits,
} from './options.js'
import type { SubscriptionGap } from './subscription-gap.js'
import type { PoolTracing } from './tracing.js'

/** What a connection is called in events. */
export interface ConnectionInfo {
  readonly address: string
  /** The server's id of the connection, as in CLIENT LIST. */
  readonly id: number
}

export interface ConnectionPoolEvents {
  /** A connection is ready. */
  connect: [ConnectionInfo]
  /** A connection that was ready has ended; `error.reason` says why. */
  close: [ConnectionInfo, Error]
  /** A dial or handshake failed; the pool tries again while somebody waits. */
  connectError: [Error]
  /** A leased connection came back. */
  release: []
  /** A lease is held for longer than `leakThreshold`. */
  leak: [HolderStats]
  /** Callers waited in vain for a connection; told once for all whose time was up together. */
  exhausted: [ConnectionPoolTimeoutError]
  /** `maxConnections` is another now. */
  resize: [Resize]
  /**
   * A subscriber's connection was lost, and all is subscribed to again, or given up: messages may have been missed
   * meanwhile. Those that came since are told behind it, unless they are more than 10,000 or 16 MiB.
   */
  gap: [SubscriptionGap]
  /** The pool was closed or destroyed. */
  end: []
}

/** What the handles of a pool tell: the events of the pool, and whether it serves. */
export interface HandleEvents extends ConnectionPoolEvents, AvailabilityEvents {}

/** What handles may do with their pool that its users may not. */
interface PoolInside {
  readonly kernel: Pool
  /** Listened to through handles: apart from the pool's own, so that `removeAllListeners()` reaches nobody else's. */
  readonly events: TypedEmitter<HandleEvents>
  readonly availability: Availability
  readonly tracing: PoolTracing
  /** What the pool was made with, and resized to, as one object without a URL. May hold secrets. */
  readonly given: GivenOptions
  /** Whether open connections keep the process alive. */
  keepAlive(isKept: boolean): void
  /** Gives all connections this name from now on, those to come too. */
  rename(clientName: string): Promise<void>
  /** Tells whoever listens to the pool or its handles that messages may have been missed. */
  readonly announce: (gap: SubscriptionGap) => void
  /** Tells whoever listens to its handles of a failure that no call can be told of. */
  readonly report: (error: Error) => void
}

let inside: (pool: ConnectionPool) => PoolInside

/** Options that were read already. */
class Resolved {
  readonly options: ResolvedConnectionPoolOptions
  readonly given: GivenOptions

  constructor(options: ResolvedConnectionPoolOptions, given: GivenOptions) {
    this.options = options
    this.given = given
  }
}

/** All connections of a service to one server. Make one and share it. */
export class ConnectionPool extends TypedEmitter<ConnectionPoolEvents> {
  readonly #pool: Pool
  readonly #options: ResolvedConnectionPoolOptions
  readonly #inside: PoolInside

  static {
    inside = (pool) => pool.#inside
  }

  /**
   * Connects to nothing yet; the first use does.
   * @throws OptionError for an option that is unknown, of the wrong kind or out of range
   */
  constructor(url: string | URL, options?: ConnectionPoolOptions)
  constructor(options?: ConnectionPoolOptions)
  constructor(first?: string | URL | ConnectionPoolOptions | Resolved, second?: ConnectionPoolOptions) {
    super()
    const isRead = first instanceof Resolved
    this.#options = isRead ? first.options : readConnectionPoolOptions(first, second)
    const { connection, pool: settings } = this.#options
    const address = describeAddress(connection)
    const anchor = new Anchor(!settings.unref)
    const clock = anchoredClock(anchor)
    const naming: Naming = { clientName: connection.clientName }
    const tracing = tracingOf(connection, settings.name ?? address)
    this.#pool = new Pool({
      address,
      database: connection.database,
      connectTimeout: connection.connectTimeout,
      settings: { ...settings, backoff: guarded(settings.backoff, (error) => this.#tellHandles('error', error)) },
      connect: connectorFor(connection, { naming, anchor, clock, settings, tracing }),
      clock,
      random: Math.random,
      events: this.#events(address, tracing),
      keepAlive: (isWanted) => anchor.await(isWanted),
    })
    const kernel = this.#pool
    const given = isRead ? first.given : flatOptions(first, second)
    this.#inside = {
      kernel,
      events: new TypedEmitter<HandleEvents>().setMaxListeners(0),
      availability: new Availability(this.#host()),
      tracing,
      get given() {
        return withLimits(given, settings, kernel.limits)
      },
      keepAlive: (isKept) => anchor.hold(isKept),
      rename: (clientName) => {
        naming.clientName = clientName === '' ? undefined : clientName
        return this.#pool.tellAll(['CLIENT', 'SETNAME', clientName])
      },
      announce: (gap) => this.#tell('gap', gap),
      report: (error) => this.#tellHandles('error', error),
    }
    connection.credentials.follow({
      changed: () => this.#pool.retire(),
      failed: (error) => this.#tellHandles('error', error),
    })
  }

  /** What messages of `node:diagnostics_channel` call this pool: one for each pool of the process. */
  get clientId(): string {
    return this.#inside.tracing.clientId
  }

  /** The options in force. `idleTimeoutMillis` is what serverless helpers for database pools look for. */
  get options(): ResolvedPoolOptions & { readonly idleTimeoutMillis: number } {
    const { pool } = this.#options
    return { ...pool, ...this.#pool.limits, idleTimeoutMillis: pool.idleTimeout }
  }

  /** Whether it was used or connected, and not closed. */
  get isOpen(): boolean {
    return this.#pool.phase === 'open' && this.#pool.hasBegun
  }

  /** Whether a command would be served now: connections are there, or can be made as far as is known. */
  get isReady(): boolean {
    return this.isOpen && this.#inside.availability.isReady
  }

  /** Opens `minConnections`, at least one; rejects with the error of the first dial that fails. */
  async connect(): Promise<this> {
    await this.#pool.connect()
    return this
  }

  /** A plain snapshot, taken now. */
  stats(options?: StatsOptions): PoolStats {
    return this.#pool.stats(options)
  }

  /**
   * Keeps a history from now on: a point each `interval` and what happened, bounded, until its `stop()` or the end of
   * the pool. Nothing is written down between two points: what it costs is a snapshot for each.
   */
  record(options?: RecordOptions): Recording {
    return this.#pool.record(readRecordOptions(options), callSafely)
  }

  /**
   * How many connections the pool should have, and why: calculated from the last 16 384 borrowings, which takes some tens
   * of milliseconds when there are that many; within a second it is not calculated again. What the server allows is asked
   * for in the background, where a connection is there: a later advice knows it.
   * @throws OptionError
   */
  advice(options?: AdviceOptions): Advice {
    return this.#pool.advice(readAdviceOptions(options))
  }

  /**
   * Changes the bounds at any time, both ways; connections above them end when they are free. With `autosize` they stand
   * for a minute.
   */
  resize(limits: Partial<Pick<PoolOptions, 'maxConnections' | 'minConnections'>>): void {
    const read: PoolLimits = readPoolLimits(limits, this.#pool.limits)
    this.#pool.resize(read)
  }

  /** Replaces all connections gracefully, after a change of credentials for example. */
  retire(): void {
    this.#pool.retire()
  }

  /** Forgets all replies that `clientSideCache` has kept; what is being read now is not kept either. */
  clearCache(): void {
    this.#pool.clearCache()
  }

  /**
   * Takes nothing new, lets finish what was accepted, then ends.
   * @param options `timeout`: ms after which the rest is rejected; by default there is no limit
   */
  async close(options?: CloseOptions): Promise<void> {
    const timeout = readCloseTimeout(options)
    if (this.#pool.phase === 'closed') return
    const first = this.#pool.phase === 'open'
    await this.#pool.close(timeout)
    if (first) this.#end()
  }

  /** Ends now; what waits or is in flight is rejected. */
  destroy(): void {
    if (this.#pool.phase === 'closed') return
    const first = this.#pool.phase === 'open'
    this.#pool.destroy('destroyed')
    if (first) this.#end()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #events(address: string, tracing: PoolTracing): PoolEvents {
    const info = ({ id }: Connection): ConnectionInfo => ({ address, id })
    return {
      opened: (opened) => {
        tracing.ready(opened, this.#pool.clock.now() - opened.createdAt)
        this.#tell('connect', info(opened))
        this.#inside.availability.opened()
      },
      closed: (closed, error) => {
        this.#tell('close', info(closed), error)
        this.#inside.availability.lost(error.reason, error)
      },
      connectFailed: (error) => {
        this.#tell('connectError', error)
        this.#inside.availability.failed(error)
      },
      released: (connection, heldFor) => {
        tracing.released(connection, heldFor)
        this.#tell('release')
      },
      leaked: (holder) => {
        tracing.leaked(holder)
        this.#tell('leak', holder)
      },
      exhausted: (error) => this.#tell('exhausted', error),
      resized: (change) => this.#tell('resize', change),
      ended: (connection, end) => tracing.ended(connection, end),
      pushed: () => {},
    }
  }

  #host(): AvailabilityHost {
    const pool = this.#pool
    return {
      get readyConnections() {
        return pool.readyConnections
      },
      get isAwaited() {
        return pool.waiting > 0
      },
      get mayConnect() {
        return pool.phase === 'open' && !pool.hasGivenUp
      },
      get isServing() {
        return pool.isServing
      },
      connect: () => pool.connect(false),
      tell: (event, ...args) => this.#tellHandles(event, ...args),
    }
  }

  #end(): void {
    this.#options.connection.credentials.release()
    this.#tell('end')
  }

  #tell<Name extends keyof ConnectionPoolEvents>(event: Name, ...args: ConnectionPoolEvents[Name]): void {
    callSafely(() => this.emit(event, ...args))
    const { events } = this.#inside
    // The compiler does not see that the events of a pool are among those of its handles.
    callSafely(() => Reflect.apply(events.emit, events, [event, ...args]))
  }

  /** An EventEmitter throws an 'error' that nobody listens to. Each of these has reached the call it concerns. */
  #tellHandles<Name extends keyof AvailabilityEvents>(event: Name, ...args: AvailabilityEvents[Name]): void {
    const { events } = this.#inside
    if (events.listenerCount(event) > 0) callSafely(() => Reflect.apply(events.emit, events, [event, ...args]))
  }
}

/** The pool below a `ConnectionPool`, for the other files of this layer. */
export function poolOf(pool: ConnectionPool): Pool {
  return inside(pool).kernel
}

/** What is behind a `ConnectionPool`, for them too. */
export function insideOf(pool: ConnectionPool): PoolInside {
  return inside(pool)
}

/** A pool from options that were read already; `given` is what they were read from. */
export function poolFrom(options: ResolvedConnectionPoolOptions, given: GivenOptions): ConnectionPool {
  const resolved: object = new Resolved(options, given)
  return new ConnectionPool(resolved)
}

export function isConnectionPool(value: unknown): value is ConnectionPool {
  return value instanceof ConnectionPool
}
