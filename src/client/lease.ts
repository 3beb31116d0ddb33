// Owns what the holder of one connection sees: all commands, and those that concern a single connection.

import { withPrefix } from '../command/arguments.js'
import type {
  RedisArgument,
  RedisFunctions,
  RedisModules,
  RedisScripts,
  RedisVariadicArgument,
  RespVersions,
  TypeMapping,
} from '../command/definitions.js'
import type { Request } from '../connection/request.js'
import type { PoolLease } from '../pool/lease.js'
import {
  addCommands,
  type BoundCommand,
  type CommandMethods,
  type CommandSettings,
  type PreparedCommand,
  prepareRaw,
  promiseOf,
} from './command-set.js'
import type { Extended, ExtensionMethods, NoExtensions, WithExtensions } from './extensions.js'
import { addIterators, type ScanIterators } from './iterators.js'
import { rejectUnanswerable } from './refusals.js'
import { type RedisTransaction, transactionTo } from './transaction.js'

/** A lease with the methods of modules, functions and scripts. */
export type RedisLease<
  M extends RedisModules = NoExtensions,
  F extends RedisFunctions = NoExtensions,
  S extends RedisScripts = NoExtensions,
  RESP extends RespVersions = 3,
  TM extends TypeMapping = NoExtensions,
> = WithExtensions<Lease<RESP, TM, M, F, S>, Lease<RESP, TM>, ExtensionMethods<M, F, S, RESP, TM>, M, F, S>

// Declared invariant, as the transactions it makes are.
// addCommands() and addIterators() below give the class what this declares.
export interface Lease<
  in out RESP extends RespVersions = 3,
  in out TM extends TypeMapping = NoExtensions,
  // biome-ignore lint/correctness/noUnusedVariables: a merged declaration repeats all parameters.
  in out M extends RedisModules = NoExtensions,
  // biome-ignore lint/correctness/noUnusedVariables: as above.
  in out F extends RedisFunctions = NoExtensions,
  // biome-ignore lint/correctness/noUnusedVariables: as above.
  in out S extends RedisScripts = NoExtensions,
> extends CommandMethods<RESP, TM>,
    ScanIterators<RESP, TM> {}

/** Exclusive use of one connection, until released. What it does to the connection's session ends with it. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: see above.
export class Lease<
  in out RESP extends RespVersions = 3,
  in out TM extends TypeMapping = NoExtensions,
  in out M extends RedisModules = NoExtensions,
  in out F extends RedisFunctions = NoExtensions,
  in out S extends RedisScripts = NoExtensions,
> {
  readonly #lease: PoolLease
  readonly #settings: CommandSettings
  readonly #extended: Extended | undefined
  readonly #send = (request: Request): void => this.#lease.send(request)

  constructor(lease: PoolLease, settings: CommandSettings, extended?: Extended) {
    this.#lease = lease
    this.#settings = settings
    this.#extended = extended
  }

  /** The server's id of the connection, as in CLIENT LIST; 0 once released. */
  get connectionId(): number {
    return this.#lease.connectionId
  }

  get released(): boolean {
    return this.#lease.released
  }

  /** Makes the next transaction of this lease fail with a `WatchError` if one of the keys changes before. */
  watch(keys: RedisVariadicArgument): Promise<'OK'> {
    const { keyPrefix } = this.#settings
    const all = Array.isArray(keys) ? keys : [keys]
    return this.#change(['WATCH', ...all.map((key) => withPrefix(keyPrefix, key))])
  }

  WATCH(keys: RedisVariadicArgument): Promise<'OK'> {
    return this.watch(keys)
  }

  unwatch(): Promise<'OK'> {
    return this.#change(['UNWATCH'])
  }

  UNWATCH(): Promise<'OK'> {
    return this.unwatch()
  }

  /** Changes the database for this lease alone. */
  select(database: number): Promise<'OK'> {
    return this.#change(['SELECT', String(database)])
  }

  SELECT(database: number): Promise<'OK'> {
    return this.select(database)
  }

  multi(): RedisTransaction<[], M, F, S, RESP, TM> {
    const { protocol, connectionId } = this.#lease
    const target = { settings: this.#settings, protocol, connectionId, send: this.#send }
    return transactionTo<M, F, S, RESP, TM>(target, this.#extended)
  }

  /** Sends raw arguments and gives the raw reply. */
  sendCommand<T = unknown>(args: readonly RedisArgument[]): Promise<T> {
    return this.#run(() => prepareRaw(args)) as Promise<T>
  }

  /** @internal */
  runCommand(command: BoundCommand, callArguments: readonly unknown[]): unknown {
    return this.#run(() => command.prepare(callArguments, this.#settings))
  }

  /** Gives the connection back. Calling it again does nothing; any other use afterwards is an error. */
  release(): void {
    this.#lease.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release()
  }

  /** The reply is 'OK', whatever replies of commands become. */
  #change(args: readonly RedisArgument[]): Promise<'OK'> {
    return this.#run(() => prepareRaw(args), { ...this.#settings, typeMapping: undefined }) as Promise<'OK'>
  }

  #run(prepare: () => PreparedCommand, settings = this.#settings): Promise<unknown> {
    let command: PreparedCommand
    try {
      command = prepare()
      rejectUnanswerable(command.args, this.#lease.protocol)
    } catch (error) {
      return Promise.reject(error)
    }
    // A script goes by its source: what its holder sends behind it must not wait for whether the server knows a hash.
    return promiseOf(command, settings, this.#send, this.#lease.connectionId)
  }
}

addCommands(Lease.prototype)
addIterators(Lease.prototype)
