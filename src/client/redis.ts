// Owns `Redis`, the handle a program holds: all commands, leases and transactions over a pool, its own or a shared one.

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
import {
  type ConnectionPool,
  type ConnectionPoolEvents,
  isConnectionPool,
  poolFrom,
  poolOf,
} from './connection-pool.js'
import {
  Extended,
  type ExtensionMethods,
  type Extensions,
  type NoExtensions,
  type WithExtensions,
} from './extensions.js'
import { addIterators, type ScanIterators } from './iterators.js'
import { Lease, type RedisLease } from './lease.js'
import { type RedisOptions as OptionsWithPool, optionsFromEnvironment, readClientOptions } from './options.js'
import { refusal } from './refusals.js'
import { abridge } from './scripts.js'
import { type RedisTransaction, Transaction, transactionTo } from './transaction.js'

/** What replies become without a type mapping. */
export type NoMapping = NonNullable<unknown>

export interface RedisOptions<RESP extends RespVersions = 3, TM extends TypeMapping = NoMapping>
  extends Omit<OptionsWithPool<ConnectionPool>, 'protocol' | 'typeMapping'> {
  /** Version of RESP to speak. Default 3. */
  readonly protocol?: RESP | undefined
  /** Types that replies become, by RESP type. Default: none. */
  readonly typeMapping?: TM | undefined
}

type Listener<Event extends keyof ConnectionPoolEvents> = (...args: ConnectionPoolEvents[Event]) => void

/** Another handle on a pool that is there already. */
class View {
  readonly pool: ConnectionPool
  readonly settings: CommandSettings
  readonly extended: Extended | undefined

  constructor(pool: ConnectionPool, settings: CommandSettings, extended?: Extended) {
    this.pool = pool
    this.settings = settings
    this.extended = extended
  }
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
> {
  /** The connections behind this handle. */
  readonly pool: ConnectionPool
  readonly #pool: Pool
  readonly #settings: CommandSettings
  readonly #extended: Extended | undefined
  readonly #execute: (request: Request) => void

  /**
   * Connects to nothing yet; the first command does, or `connect()`.
   * @param url `redis://user:password@host:6379/0?maxConnections=20`; also `rediss:`, `valkey:`, `valkeys:`, `unix:`
   * @throws OptionError for an option that is unknown, of the wrong kind or out of range
   */
  constructor(url: string | URL, options?: RedisOptions<RESP, TM>)
  constructor(options?: RedisOptions<RESP, TM>)
  constructor(first?: string | URL | RedisOptions<RESP, TM>, second?: RedisOptions<RESP, TM>) {
    const { pool, settings, extended } = first instanceof View ? first : open(first, second)
    const kernel = poolOf(pool)
    this.pool = pool
    this.#pool = kernel
    this.#settings = settings
    this.#extended = extended
    this.#execute = (request) => kernel.execute(request)
  }

  /** Reads REDIS_URL; throws an `OptionError` when it is not set. */
  static fromEnv(options: RedisOptions<3, NoMapping> = {}): Redis {
    return new Redis({ ...optionsFromEnvironment(), ...options })
  }

  /** Whether commands are accepted. */
  get isOpen(): boolean {
    return this.#pool.phase === 'open'
  }

  /** Whether a connection is ready right now. */
  get isReady(): boolean {
    return this.isOpen && this.#pool.readyConnections > 0
  }

  /** Connects now instead of at the first command; rejects when that fails. */
  async connect(): Promise<this> {
    await this.pool.connect()
    return this
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

  /** Listens to an event of the pool. */
  on<Event extends keyof ConnectionPoolEvents>(event: Event, listener: Listener<Event>): this {
    this.pool.on(event, listener)
    return this
  }

  once<Event extends keyof ConnectionPoolEvents>(event: Event, listener: Listener<Event>): this {
    this.pool.once(event, listener)
    return this
  }

  off<Event extends keyof ConnectionPoolEvents>(event: Event, listener: Listener<Event>): this {
    this.pool.off(event, listener)
    return this
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
    const target = { settings: this.#settings, protocol: undefined, send: this.#execute }
    return transactionTo<M, F, S, RESP, TM>(target, this.#extended)
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

  /** The same pool, with replies of other types: `withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })`. */
  withTypeMapping<MAPPING extends TypeMapping>(typeMapping: MAPPING): NoInfer<RedisClient<M, F, S, RESP, MAPPING>> {
    const read = readCommandOptions({ typeMapping })
    return handleOn<M, F, S, RESP, MAPPING>(
      new View(this.pool, { ...this.#settings, typeMapping: read.typeMapping }, this.#extended),
    )
  }

  /** The same pool; calls on this handle reject when the signal is aborted. */
  withAbortSignal(abortSignal: AbortSignal): RedisClient<M, F, S, RESP, TM> {
    return this.withCommandOptions({ abortSignal })
  }

  /** The same pool with other settings for its commands. */
  withCommandOptions(options: CommandOptions): RedisClient<M, F, S, RESP, TM> {
    const { typeMapping, abortSignal, timeout, retry } = readCommandOptions(options)
    const settings: CommandSettings = {
      typeMapping: typeMapping ?? this.#settings.typeMapping,
      signal: abortSignal ?? this.#settings.signal,
      timeout: timeout ?? this.#settings.timeout,
      retry: retry ?? this.#settings.retry,
    }
    return handleOn<M, F, S, RESP, TM>(new View(this.pool, settings, this.#extended))
  }

  /** @internal */
  runCommand(command: BoundCommand, callArguments: readonly unknown[]): unknown {
    try {
      return this.#send(command.prepare(callArguments, this.#settings))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #lease(options: LeaseOptions | undefined): Promise<RedisLease<M, F, S, RESP, TM>> {
    const { label, timeout, signal } = readLeaseOptions(options)
    const lease = await this.#pool.acquire({ label, timeout, signal: signal ?? this.#settings.signal })
    const extended = this.#extended
    const made: unknown =
      extended === undefined
        ? new Lease(lease, this.#settings)
        : extended.construct(Lease, [lease, this.#settings, extended])
    return made as RedisLease<M, F, S, RESP, TM>
  }

  /** Not async: the caller gets the request's own promise, without another one around it. */
  #send(command: PreparedCommand): Promise<unknown> {
    if (command.route === 'session') throw refusal(command.args)
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
for (const name of ['WATCH', 'UNWATCH', 'SELECT', 'MONITOR', 'SUBSCRIBE']) {
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
>(options: RedisOptions<RESP, TM>, extensions: Extensions<M, F, S>): NoInfer<RedisClient<M, F, S, RESP, TM>> {
  const extended = new Extended(extensions, [Redis.prototype, Lease.prototype, Transaction.prototype])
  const { pool, settings } = open(options, undefined)
  return handleOn<M, F, S, RESP, TM>(new View(pool, settings, extended.isEmpty ? undefined : extended))
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

function open(first: unknown, second: unknown): View {
  const read = readClientOptions(isConnectionPool, first, second)
  const pool = read.shared ?? poolFrom(read)
  return new View(pool, {
    typeMapping: read.client.typeMapping,
    signal: undefined,
    timeout: pool.options.commandTimeout,
    retry: pool.options.retry,
  })
}
