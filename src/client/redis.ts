// Owns `Redis`, the handle a program holds: all commands, leases and transactions over a pool, its own or a shared one.

import type { RedisArgument, RespVersions, TypeMapping } from '../command/definitions.js'
import type { Request } from '../connection/request.js'
import type { Pool } from '../pool/pool.js'
import {
  type CloseOptions,
  type CommandOptions,
  type LeaseOptions,
  readCommandOptions,
  readLeaseOptions,
} from './call-options.js'
import {
  addCommands,
  type BoundCommand,
  type CommandMethods,
  type CommandSettings,
  type PreparedCommand,
  prepareRaw,
  promiseOf,
} from './command-set.js'
import { connectOnce, connectPatiently } from './connecting.js'
import { type ConnectionPool, insideOf, poolOf } from './connection-pool.js'
import { type Extensions, rejectExtensions } from './extensions.js'
import { Lease } from './lease.js'
import {
  type CreateClientOptions,
  type PoolSizeOptions,
  translateClientOptions,
  translatePoolOptions,
} from './node-redis-options.js'
import { flatOptions, type RedisOptions as OptionsWithPool, optionsFromEnvironment, overridden } from './options.js'
import { type Listening, PubSub, type PubSubAliases } from './pubsub.js'
import { refusal } from './refusals.js'
import { Transaction } from './transaction.js'
import { type Dialect, openView, View } from './view.js'

/** What replies become without a type mapping. */
export type NoMapping = Record<never, never>

export interface RedisOptions<RESP extends RespVersions = 3, TM extends TypeMapping = NoMapping>
  extends Omit<OptionsWithPool<ConnectionPool>, 'protocol' | 'typeMapping'> {
  /** Version of RESP to speak. Default 3. */
  readonly protocol?: RESP | undefined
  /** Types that replies become, by RESP type. Default: none. */
  readonly typeMapping?: TM | undefined
}

// addCommands() below gives the class what this declares.
export interface Redis<in out RESP extends RespVersions = 3, in out TM extends TypeMapping = NoMapping>
  extends CommandMethods<RESP, TM>,
    PubSubAliases<TM> {}

/**
 * A handle on a pool: make one per service and share it. Commands of all callers share a few connections; what blocks
 * gets one to itself; `lease` and `multi` do what needs a connection of its own.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: see above.
export class Redis<in out RESP extends RespVersions = 3, in out TM extends TypeMapping = NoMapping> extends PubSub<TM> {
  /** The connections behind this handle. */
  readonly pool: ConnectionPool
  readonly #pool: Pool
  readonly #view: View
  readonly #settings: CommandSettings
  readonly #execute: (request: Request) => void

  /**
   * Connects to nothing yet; the first command does, or `connect()`.
   * @param url `redis://user:password@host:6379/0?maxConnections=20`; also `rediss:`, `valkey:`, `valkeys:`, `unix:`
   * @throws OptionError for an option that is unknown, of the wrong kind or out of range
   */
  constructor(url: string | URL, options?: RedisOptions<RESP, TM>)
  constructor(options?: RedisOptions<RESP, TM>)
  constructor(first?: string | URL | RedisOptions<RESP, TM>, second?: RedisOptions<RESP, TM>) {
    super()
    const view = first instanceof View ? first : openView(flatOptions(first, second))
    const kernel = poolOf(view.pool)
    this.pool = view.pool
    this.#pool = kernel
    this.#view = view
    this.#settings = view.settings
    this.#execute = (request) => kernel.execute(request)
  }

  /** Reads REDIS_URL; throws an `OptionError` when it is not set. */
  static fromEnv(options: RedisOptions<3, NoMapping> = {}): Redis {
    return new Redis({ ...optionsFromEnvironment(), ...options })
  }

  /**
   * Connects now instead of at the first command. Calling it again does nothing. Rejects when the first dial fails; a
   * handle of `createClient` goes on trying, unless trying again is hopeless or `reconnectStrategy` says no.
   */
  async connect(): Promise<this> {
    if (this.#view.dialect === 'node-redis') await connectPatiently(this.pool)
    else await connectOnce(this.pool)
    return this
  }

  /**
   * A new handle with the same options and a pool of its own, which it closes by itself. `overrides` take the place of
   * single options, a URL that of the whole address; they may have node-redis's names, as in `createClient`.
   */
  duplicate<R extends RespVersions = RESP, T extends TypeMapping = TM>(
    overrides: CreateClientOptions<R, T> = {},
  ): Redis<R, T> {
    const { dialect } = this.#view
    const { keyPrefix, typeMapping } = this.#settings
    const options = translateClientOptions(overrides, dialect === 'node-redis')
    const view = openView(overridden({ ...insideOf(this.pool).given, keyPrefix, typeMapping }, options), dialect)
    const { signal, timeout, retry } = this.#settings
    const settings = {
      ...view.settings,
      signal,
      timeout: options.commandTimeout === undefined ? timeout : view.settings.timeout,
      retry: options.retry === undefined ? retry : view.settings.retry,
    }
    return new Redis<R, T>(view.with(settings))
  }

  /** As `duplicate()`, with node-redis's options of a pool: `minimum`, `maximum`, `acquireTimeout`, `cleanupDelay`. */
  createPool(options: PoolSizeOptions = {}): Redis<RESP, TM> {
    return this.duplicate<RESP, TM>(translatePoolOptions(options))
  }

  /** Closes the pool: lets finish what was accepted. A shared pool closes for all its handles. */
  close(options?: CloseOptions): Promise<void> {
    return this.pool.close(options)
  }

  /** Ends the pool now and rejects what runs. */
  destroy(): void {
    this.pool.destroy()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Sends raw arguments and gives the raw reply. */
  sendCommand<T = unknown>(args: readonly RedisArgument[]): Promise<T> {
    try {
      return this.#send(prepareRaw(args)) as Promise<T>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Commands for one go: `multi().incr('a').incr('b').exec()`. */
  multi(): Transaction<[], RESP, TM> {
    return new Transaction<[], RESP, TM>({ settings: this.#settings, protocol: undefined, send: this.#execute })
  }

  /**
   * Lends `use` a connection of its own and takes it back when its promise settles. Without `use`, resolves to the
   * lease itself: `await using lease = await redis.lease()`.
   * @throws ConnectionPoolTimeoutError when none came free in time
   */
  lease<T>(use: (connection: Lease<RESP, TM>) => T | PromiseLike<T>, options?: LeaseOptions): Promise<T>
  lease(options?: LeaseOptions): Promise<Lease<RESP, TM>>
  async lease<T>(
    first?: LeaseOptions | ((connection: Lease<RESP, TM>) => T | PromiseLike<T>),
    second?: LeaseOptions,
  ): Promise<T | Lease<RESP, TM>> {
    if (typeof first !== 'function') return this.#lease(first)
    const lease = await this.#lease(second)
    try {
      return await first(lease)
    } finally {
      lease.release()
    }
  }

  /** As `lease(use)`, under the name that node-redis's pool gives it. */
  execute<T>(use: (connection: Lease<RESP, TM>) => T | PromiseLike<T>): Promise<T> {
    return this.lease(use)
  }

  /** As `lease(use)`. */
  executeIsolated<T>(use: (connection: Lease<RESP, TM>) => T | PromiseLike<T>): Promise<T> {
    return this.lease(use)
  }

  /** The same pool, with replies of other types: `withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })`. */
  withTypeMapping<MAPPING extends TypeMapping>(typeMapping: MAPPING): Redis<RESP, MAPPING> {
    const read = readCommandOptions({ typeMapping })
    return new Redis<RESP, MAPPING>(this.#view.with({ ...this.#settings, typeMapping: read.typeMapping }))
  }

  /** The same pool; calls on this handle reject when the signal is aborted. */
  withAbortSignal(abortSignal: AbortSignal): Redis<RESP, TM> {
    return this.withCommandOptions({ abortSignal })
  }

  /** The same pool with other settings for its commands. */
  withCommandOptions(options: CommandOptions): Redis<RESP, TM> {
    const { typeMapping, abortSignal, timeout, retry } = readCommandOptions(options)
    const settings: CommandSettings = {
      ...this.#settings,
      typeMapping: typeMapping ?? this.#settings.typeMapping,
      signal: abortSignal ?? this.#settings.signal,
      timeout: timeout ?? this.#settings.timeout,
      retry: retry ?? this.#settings.retry,
    }
    return new Redis<RESP, TM>(this.#view.with(settings))
  }

  /** @internal */
  runCommand(command: BoundCommand, callArguments: readonly unknown[]): unknown {
    try {
      return this.#send(command.prepare(callArguments, this.#settings))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** @internal */
  protected get listening(): Listening {
    return this.#view.listening
  }

  /** @internal */
  protected get listeningSettings(): CommandSettings {
    return this.#settings
  }

  async #lease(options: LeaseOptions | undefined): Promise<Lease<RESP, TM>> {
    const { label, timeout, signal } = readLeaseOptions(options)
    const lease = await this.#pool.acquire({ label, timeout, signal: signal ?? this.#settings.signal })
    return new Lease<RESP, TM>(lease, this.#settings)
  }

  /** Not async: the caller gets the request's own promise, without another one around it. */
  #send(command: PreparedCommand): Promise<unknown> {
    if (command.route === 'session') throw refusal(command.args)
    return promiseOf(command, this.#settings, this.#execute)
  }
}

addCommands(Redis.prototype)

// Not in the types, and not in the table of commands: who calls them all the same is told what to do instead.
for (const name of ['WATCH', 'UNWATCH', 'SELECT']) {
  const value = (): Promise<never> => Promise.reject(refusal([name]))
  for (const method of [name, name.toLowerCase()]) Object.defineProperty(Redis.prototype, method, { value })
}

/** Opens a handle from options that `createClient` has translated. */
export function openRedis<M, F, S, RESP extends RespVersions, TM extends TypeMapping>(
  options: RedisOptions<RESP, TM>,
  extensions: Extensions<M, F, S>,
  dialect: Dialect = 'respool',
): RedisClient<M, F, S, RESP, TM> {
  rejectExtensions(extensions)
  return new Redis<RESP, TM>(openView(flatOptions(options), dialect))
}

export type RedisClient<M, F, S, RESP extends RespVersions, TM extends TypeMapping> = Redis<RESP, TM> &
  Record<never, M | F | S>
