// Owns `Redis`, the handle a program holds: all commands, leases and transactions over a pool, its own or a shared one.

import { ArgumentError } from '../base/errors.js'
import type {
  RedisArgument,
  RedisFunctions,
  RedisModules,
  RedisScripts,
  RespVersions,
  TypeMapping,
} from '../command/definitions.js'
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
import {
  Extended,
  type ExtensionMethods,
  type Extensions,
  type NoExtensions,
  type WithExtensions,
} from './extensions.js'
import { addIterators, type ScanIterators } from './iterators.js'
import { Lease, type RedisLease } from './lease.js'
import {
  type CreateClientOptions,
  type PoolSizeOptions,
  translateClientOptions,
  translatePoolOptions,
} from './node-redis-options.js'
import { flatOptions, type RedisOptions as OptionsWithPool, optionsFromEnvironment, overridden } from './options.js'
import { type Listening, PubSub, type PubSubAliases } from './pubsub.js'
import { refusal } from './refusals.js'
import { abridge } from './scripts.js'
import { type RedisTransaction, Transaction, transactionTo } from './transaction.js'
import { type Dialect, openView, View } from './view.js'

/** What replies become without a type mapping. */
export type NoMapping = NonNullable<unknown>

export interface RedisOptions<RESP extends RespVersions = 3, TM extends TypeMapping = NoMapping>
  extends Omit<OptionsWithPool<ConnectionPool>, 'protocol' | 'typeMapping'> {
  /** Version of RESP to speak. Default 3. */
  readonly protocol?: RESP | undefined
  /** Types that replies become, by RESP type. Default: none. */
  readonly typeMapping?: TM | undefined
}

/** A handle with the methods of modules, functions and scripts. */
export type RedisClient<
  M extends RedisModules = NoExtensions,
  F extends RedisFunctions = NoExtensions,
  S extends RedisScripts = NoExtensions,
  RESP extends RespVersions = 3,
  TM extends TypeMapping = NoMapping,
> = WithExtensions<Redis<RESP, TM, M, F, S>, Redis<RESP, TM>, ExtensionMethods<M, F, S, RESP, TM>, M, F, S>

// addCommands() and addIterators() below give the class what this declares.
export interface Redis<
  in out RESP extends RespVersions = 3,
  in out TM extends TypeMapping = NoMapping,
  // biome-ignore lint/correctness/noUnusedVariables: a merged declaration repeats all parameters.
  in out M extends RedisModules = NoExtensions,
  // biome-ignore lint/correctness/noUnusedVariables: as above.
  in out F extends RedisFunctions = NoExtensions,
  // biome-ignore lint/correctness/noUnusedVariables: as above.
  in out S extends RedisScripts = NoExtensions,
> extends CommandMethods<RESP, TM>,
    PubSubAliases<TM>,
    ScanIterators<RESP, TM> {}

/**
 * A handle on a pool: make one per service and share it. Commands of all callers share a few connections; what blocks
 * gets one to itself; `lease` and `multi` do what needs a connection of its own.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: see above.
export class Redis<
  in out RESP extends RespVersions = 3,
  in out TM extends TypeMapping = NoMapping,
  in out M extends RedisModules = NoExtensions,
  in out F extends RedisFunctions = NoExtensions,
  in out S extends RedisScripts = NoExtensions,
> extends PubSub<TM> {
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
  ): RedisClient<M, F, S, R, T> {
    const { dialect, extended } = this.#view
    const { keyPrefix, typeMapping } = this.#settings
    const options = translateClientOptions(overrides, dialect === 'node-redis')
    const view = openView(
      overridden({ ...insideOf(this.pool).given, keyPrefix, typeMapping }, options),
      dialect,
      extended,
    )
    const { signal, timeout, retry } = this.#settings
    const settings = {
      ...view.settings,
      signal,
      timeout: options.commandTimeout === undefined ? timeout : view.settings.timeout,
      retry: options.retry === undefined ? retry : view.settings.retry,
    }
    return handleOn<M, F, S, R, T>(view.with(settings))
  }

  /** As `duplicate()`, with node-redis's options of a pool: `minimum`, `maximum`, `acquireTimeout`, `cleanupDelay`. */
  createPool(options: PoolSizeOptions = {}): RedisClient<M, F, S, RESP, TM> {
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
  multi(): RedisTransaction<[], M, F, S, RESP, TM> {
    const target = { settings: this.#settings, protocol: undefined, connectionId: undefined, send: this.#execute }
    return transactionTo<M, F, S, RESP, TM>(target, this.#view.extended)
  }

  /**
   * Lends `use` a connection of its own and takes it back when its promise settles. Without `use`, resolves to the
   * lease itself: `await using lease = await redis.lease()`.
   * @throws ConnectionPoolTimeoutError when none came free in time
   */
  lease<T>(use: (connection: RedisLease<M, F, S, RESP, TM>) => T | PromiseLike<T>, options?: LeaseOptions): Promise<T>
  lease(options?: LeaseOptions): Promise<RedisLease<M, F, S, RESP, TM>>
  async lease<T>(
    first?: LeaseOptions | ((connection: RedisLease<M, F, S, RESP, TM>) => T | PromiseLike<T>),
    second?: LeaseOptions,
  ): Promise<T | RedisLease<M, F, S, RESP, TM>> {
    if (typeof first !== 'function') return this.#lease(first)
    const lease = await this.#lease(second)
    try {
      return await first(lease)
    } finally {
      lease.release()
    }
  }

  /** As `lease(use)`, under the name that node-redis's pool gives it. */
  execute<T>(use: (connection: RedisLease<M, F, S, RESP, TM>) => T | PromiseLike<T>): Promise<T> {
    return this.#leaseFor('execute', use)
  }

  /** As `lease(use)`. */
  executeIsolated<T>(use: (connection: RedisLease<M, F, S, RESP, TM>) => T | PromiseLike<T>): Promise<T> {
    return this.#leaseFor('executeIsolated', use)
  }

  /** The same pool, with replies of other types: `withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })`. */
  withTypeMapping<MAPPING extends TypeMapping>(typeMapping: MAPPING): NoInfer<RedisClient<M, F, S, RESP, MAPPING>> {
    const read = readCommandOptions({ typeMapping })
    return handleOn<M, F, S, RESP, MAPPING>(this.#view.with({ ...this.#settings, typeMapping: read.typeMapping }))
  }

  /** The same pool; calls on this handle reject when the signal is aborted. */
  withAbortSignal(abortSignal: AbortSignal): RedisClient<M, F, S, RESP, TM> {
    return this.withCommandOptions({ abortSignal })
  }

  /** The same pool with other settings for its commands. */
  withCommandOptions(options: CommandOptions): RedisClient<M, F, S, RESP, TM> {
    const { typeMapping, abortSignal, timeout, retry } = readCommandOptions(options)
    const settings: CommandSettings = {
      ...this.#settings,
      typeMapping: typeMapping ?? this.#settings.typeMapping,
      signal: abortSignal ?? this.#settings.signal,
      timeout: timeout ?? this.#settings.timeout,
      retry: retry ?? this.#settings.retry,
    }
    return handleOn<M, F, S, RESP, TM>(this.#view.with(settings))
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

  /** Without a function there would be a lease that nobody gives back. */
  async #leaseFor<T>(
    method: string,
    use: (connection: RedisLease<M, F, S, RESP, TM>) => T | PromiseLike<T>,
  ): Promise<T> {
    const given: unknown = use
    if (typeof given === 'function') return this.lease(use)
    throw new ArgumentError(`${method}() takes a function of the connection it lends`, { outcome: 'not-sent' })
  }

  async #lease(options: LeaseOptions | undefined): Promise<RedisLease<M, F, S, RESP, TM>> {
    const { label, timeout, signal = this.#settings.signal } = readLeaseOptions(options)
    const take = () => this.#pool.acquire({ label, timeout, signal })
    const lease = await this.#settings.tracing.acquire(label, take)
    const extended = this.#view.extended
    const made: unknown =
      extended === undefined
        ? new Lease(lease, this.#settings)
        : extended.construct(Lease, [lease, this.#settings, extended])
    return made as RedisLease<M, F, S, RESP, TM>
  }

  /** Not async: the caller gets the request's own promise, without another one around it. */
  #send(command: PreparedCommand): Promise<unknown> {
    if (command.route === 'session') return this.#view.session(command.args)
    const { script } = command
    if (script !== undefined) {
      return promiseOf(command, this.#settings, (request) => {
        abridge(request, script, this.#pool)
        this.#execute(request)
      })
    }
    return promiseOf(command, this.#settings, this.#execute)
  }
}

addCommands(Redis.prototype)
addIterators(Redis.prototype)

// Not in the types, and not in the table of commands: who calls them all the same is told what to do instead.
for (const name of ['WATCH', 'UNWATCH', 'SELECT']) {
  const value = (): Promise<never> => Promise.reject(refusal([name]))
  for (const method of [name, name.toLowerCase()]) Object.defineProperty(Redis.prototype, method, { value })
}

/**
 * A handle with modules, functions and scripts: `openRedis(options, { scripts: { add: defineScript(…) } })`. All that it
 * makes has them too: handles of `with…()`, leases and transactions.
 * @throws OptionError for what `new Redis()` refuses, and for an extension that has no definition or the name of a method
 */
export function openRedis<
  M extends RedisModules = NoExtensions,
  F extends RedisFunctions = NoExtensions,
  S extends RedisScripts = NoExtensions,
  RESP extends RespVersions = 3,
  TM extends TypeMapping = NoMapping,
>(
  options: RedisOptions<RESP, TM>,
  extensions: Extensions<M, F, S>,
  dialect?: Dialect,
): NoInfer<RedisClient<M, F, S, RESP, TM>> {
  const extended = new Extended(extensions, [Redis.prototype, Lease.prototype, Transaction.prototype])
  return handleOn<M, F, S, RESP, TM>(openView(flatOptions(options), dialect, extended.isEmpty ? undefined : extended))
}

/** A handle of the class that its extensions ask for. */
function handleOn<
  M extends RedisModules,
  F extends RedisFunctions,
  S extends RedisScripts,
  RESP extends RespVersions,
  TM extends TypeMapping,
>(view: View): RedisClient<M, F, S, RESP, TM> {
  const { extended } = view
  const made: unknown = extended === undefined ? new Redis(view) : extended.construct(Redis, [view])
  return made as RedisClient<M, F, S, RESP, TM>
}
