// Owns what the holder of one connection sees: all commands, and those that concern a single connection.

import { withPrefix } from '../command/arguments.js'
import type { RedisArgument, RedisVariadicArgument, RespVersions, TypeMapping } from '../command/definitions.js'
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
import { rejectUnanswerable } from './refusals.js'
import { Transaction } from './transaction.js'

// Declared invariant, as the transactions it makes are.
// addCommands() below gives the class what this declares.
export interface Lease<in out RESP extends RespVersions = 3, in out TM extends TypeMapping = Record<never, never>>
  extends CommandMethods<RESP, TM> {}

/** Exclusive use of one connection, until released. What it does to the connection's session ends with it. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: see above.
export class Lease<in out RESP extends RespVersions = 3, in out TM extends TypeMapping = Record<never, never>> {
  readonly #lease: PoolLease
  readonly #settings: CommandSettings
  readonly #send = (request: Request): void => this.#lease.send(request)

  constructor(lease: PoolLease, settings: CommandSettings) {
    this.#lease = lease
    this.#settings = settings
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
    return this.sendCommand<'OK'>(['WATCH', ...all.map((key) => withPrefix(keyPrefix, key))])
  }

  unwatch(): Promise<'OK'> {
    return this.sendCommand<'OK'>(['UNWATCH'])
  }

  /** Changes the database for this lease alone. */
  select(database: number): Promise<'OK'> {
    return this.sendCommand<'OK'>(['SELECT', String(database)])
  }

  multi(): Transaction<[], RESP, TM> {
    return new Transaction<[], RESP, TM>({ settings: this.#settings, protocol: this.#lease.protocol, send: this.#send })
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

  #run(prepare: () => PreparedCommand): Promise<unknown> {
    let command: PreparedCommand
    try {
      command = prepare()
      rejectUnanswerable(command.args, this.#lease.protocol)
    } catch (error) {
      return Promise.reject(error)
    }
    return promiseOf(command, this.#settings, this.#send)
  }
}

addCommands(Lease.prototype)
