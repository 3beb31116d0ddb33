// Owns `ConnectionPool`: options in, events and snapshots out. Everything it does is done by the pool layer.

import { systemClock } from '../base/clock.js'
import { VERSION } from '../base/version.js'
import { Connection } from '../connection/connection.js'
import type { ConnectionOwner } from '../connection/contract.js'
import { handshakeFor } from '../connection/handshake.js'
import type { ResolvedConnectionOptions } from '../connection/options.js'
import { describeAddress, dialerFor } from '../connection/transport.js'
import { type PoolLimits, type PoolOptions, type ResolvedPoolOptions, readPoolLimits } from '../pool/options.js'
import { Pool } from '../pool/pool.js'
import type { HolderStats, PoolStats } from '../pool/stats.js'
import { type CloseOptions, readCloseTimeout } from './call-options.js'
import { TypedEmitter } from './events.js'
import { type ConnectionPoolOptions, type ResolvedConnectionPoolOptions, readConnectionPoolOptions } from './options.js'

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
  /** The pool was closed or destroyed. */
  end: []
}

let kernel: (pool: ConnectionPool) => Pool

/** Options that were read already. */
class Resolved {
  readonly options: ResolvedConnectionPoolOptions

  constructor(options: ResolvedConnectionPoolOptions) {
    this.options = options
  }
}

/** All connections of a service to one server. Make one and share it. */
export class ConnectionPool extends TypedEmitter<ConnectionPoolEvents> {
  readonly #pool: Pool
  readonly #options: ResolvedConnectionPoolOptions

  static {
    kernel = (pool) => pool.#pool
  }

  /**
   * Connects to nothing yet; the first use does.
   * @throws OptionError for an option that is unknown, of the wrong kind or out of range
   */
  constructor(url: string | URL, options?: ConnectionPoolOptions)
  constructor(options?: ConnectionPoolOptions)
  constructor(first?: string | URL | ConnectionPoolOptions | Resolved, second?: ConnectionPoolOptions) {
    super()
    this.#options = first instanceof Resolved ? first.options : readConnectionPoolOptions(first, second)
    const { connection, pool: settings } = this.#options
    const address = describeAddress(connection)
    const info = ({ id }: Connection): ConnectionInfo => ({ address, id })
    this.#pool = new Pool({
      address,
      database: connection.database,
      connectTimeout: connection.connectTimeout,
      settings,
      connect: connectorFor(connection, address, settings),
      clock: systemClock,
      random: Math.random,
      events: {
        opened: (opened) => this.#tell('connect', info(opened)),
        closed: (closed, error) => this.#tell('close', info(closed), error),
        connectFailed: (error) => this.#tell('connectError', error),
        released: () => this.#tell('release'),
        leaked: (holder) => this.#tell('leak', holder),
        pushed: () => {},
      },
    })
  }

  /** The options in force. `idleTimeoutMillis` is what serverless helpers for database pools look for. */
  get options(): ResolvedPoolOptions & { readonly idleTimeoutMillis: number } {
    const { pool } = this.#options
    return { ...pool, ...this.#pool.limits, idleTimeoutMillis: pool.idleTimeout }
  }

  /** Opens `minConnections`, at least one; rejects with the error of the first dial that fails. */
  async connect(): Promise<this> {
    await this.#pool.connect()
    return this
  }

  /** A plain snapshot, taken now. */
  stats(): PoolStats {
    return this.#pool.stats()
  }

  /** Changes the bounds at any time, both ways; connections above them end when they are free. */
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
    if (first) this.#tell('end')
  }

  /** Ends now; what waits or is in flight is rejected. */
  destroy(): void {
    if (this.#pool.phase === 'closed') return
    const first = this.#pool.phase === 'open'
    this.#pool.destroy('destroyed')
    if (first) this.#tell('end')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** A listener that throws must not stop the pool half-way; its error ends as an uncaught one all the same. */
  #tell<Name extends keyof ConnectionPoolEvents>(event: Name, ...args: ConnectionPoolEvents[Name]): void {
    try {
      this.emit(event, ...args)
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
  }
}

/** The pool below a `ConnectionPool`, for the other files of this layer. */
export function poolOf(pool: ConnectionPool): Pool {
  return kernel(pool)
}

/** A pool from options that were read already. */
export function poolFrom(options: ResolvedConnectionPoolOptions): ConnectionPool {
  const resolved: object = new Resolved(options)
  return new ConnectionPool(resolved)
}

export function isConnectionPool(value: unknown): value is ConnectionPool {
  return value instanceof ConnectionPool
}

function connectorFor(options: ResolvedConnectionOptions, address: string, pool: ResolvedPoolOptions) {
  const { host, port, path, keepAlive, connectTimeout, socketTimeout, maxReplySize, integrity } = options
  const dial = dialerFor({ host, port, path, tls: options.tls?.reveal(), keepAlive, unref: pool.unref })
  const handshake = handshakeFor({
    protocol: options.protocol,
    database: options.database,
    clientName: options.clientName,
    library: options.clientInfo ? { name: 'respool', version: VERSION } : undefined,
    tracking: pool.clientSideCache !== undefined,
    login: () => options.credentials.read(),
  })
  const settings = { address, connectTimeout, socketTimeout, maxReplySize, integrity }
  return (owner: ConnectionOwner): Connection => new Connection(dial, handshake, settings, systemClock, owner)
}
