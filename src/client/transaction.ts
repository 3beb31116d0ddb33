// Owns MULTI … EXEC and explicit pipelines: several commands written as one, on one connection.
// https://redis.io/docs/latest/develop/using-commands/transactions/

import { ArgumentError, ReplyError, RespoolError, WatchError } from '../base/errors.js'
import type {
  CommandDefinition,
  CommandReply,
  Commands,
  RedisArgument,
  RedisFunctions,
  RedisModules,
  RedisScripts,
  ReplyWithTypeMapping,
  RespVersions,
  Tail,
  TransformReply,
  TypeMapping,
} from '../command/definitions.js'
import { NO_KEY } from '../command/key-hash.js'
import { wireNameOf } from '../command/names.js'
import { onlyReads } from '../command/repeat.js'
import { redacted } from '../connection/redaction.js'
import { Request, type Unit } from '../connection/request.js'
import type { Reply } from '../resp/types.js'
import {
  addCommands,
  type BoundCommand,
  type CommandSettings,
  type PreparedCommand,
  prepareRaw,
} from './command-set.js'
import type { Extended, NoExtensions, WithExtensions } from './extensions.js'
import { refusal, rejectUnanswerable } from './refusals.js'

/** Some commands of a transaction or pipeline failed; the others were applied. Each reply is known, so there is no outcome. */
export class MultiErrorReply extends RespoolError {
  override readonly code = 'ERR_MULTI'
  /** All replies in order; those that failed are errors. */
  readonly replies: readonly unknown[]
  /** Which of them failed. */
  readonly errorIndexes: readonly number[]

  constructor(replies: readonly unknown[]) {
    const failed = replies.flatMap((reply, index) => (reply instanceof Error ? [index] : []))
    const cause = replies[failed[0] ?? 0]
    const first = cause instanceof Error ? cause.message : String(cause)
    super(`${failed.length} of ${replies.length} commands failed, see replies and errorIndexes; the first: ${first}`, {
      cause,
    })
    this.replies = replies
    this.errorIndexes = failed
  }

  static {
    MultiErrorReply.prototype.name = 'MultiErrorReply'
  }
}

/** Raw arguments, and what their transform is to know besides the reply. */
export type RawCommand = readonly RedisArgument[] & { readonly preserve?: unknown }

/** Where a transaction is sent. */
export interface TransactionTarget {
  readonly settings: CommandSettings
  /** Of a connection held alone, which may be left changed; undefined for a shared one. */
  readonly protocol: 2 | 3 | undefined
  readonly connectionId: number | undefined
  send(first: Request): void
}

/** A method that adds a command, and its reply to the list of replies. */
type Adder<
  COMMAND extends CommandDefinition,
  REPLIES extends unknown[],
  M extends RedisModules,
  F extends RedisFunctions,
  S extends RedisScripts,
  RESP extends RespVersions,
  TM extends TypeMapping,
> = (
  ...args: Tail<Parameters<COMMAND['parseCommand']>>
) => RedisTransaction<[...REPLIES, ReplyWithTypeMapping<CommandReply<COMMAND, RESP>, TM>], M, F, S, RESP, TM>

type Queue<
  REPLIES extends unknown[],
  M extends RedisModules,
  F extends RedisFunctions,
  S extends RedisScripts,
  RESP extends RespVersions,
  TM extends TypeMapping,
> = { [NAME in keyof Commands]: Adder<Commands[NAME], REPLIES, M, F, S, RESP, TM> }

/** A transaction with the methods of modules, functions and scripts. */
export type RedisTransaction<
  REPLIES extends unknown[],
  M extends RedisModules,
  F extends RedisFunctions,
  S extends RedisScripts,
  RESP extends RespVersions,
  TM extends TypeMapping,
> = WithExtensions<
  Transaction<REPLIES, RESP, TM, M, F, S>,
  Transaction<REPLIES, RESP, TM>,
  Adders<REPLIES, M, F, S, RESP, TM>,
  M,
  F,
  S
>

type Adders<
  REPLIES extends unknown[],
  M extends RedisModules,
  F extends RedisFunctions,
  S extends RedisScripts,
  RESP extends RespVersions,
  TM extends TypeMapping,
> = {
  [NAME in keyof M]: { [COMMAND in keyof M[NAME]]: Adder<M[NAME][COMMAND], REPLIES, M, F, S, RESP, TM> }
} & {
  [NAME in keyof F]: { [COMMAND in keyof F[NAME]]: Adder<F[NAME][COMMAND], REPLIES, M, F, S, RESP, TM> }
} & { [NAME in keyof S]: Adder<S[NAME], REPLIES, M, F, S, RESP, TM> }

// Declared invariant: to infer the variance, the compiler would compare the replies of all commands without end.
// addCommands() below gives the class what this declares.
export interface Transaction<
  in out REPLIES extends unknown[] = [],
  in out RESP extends RespVersions = 3,
  in out TM extends TypeMapping = NoExtensions,
  in out M extends RedisModules = NoExtensions,
  in out F extends RedisFunctions = NoExtensions,
  in out S extends RedisScripts = NoExtensions,
> extends Queue<REPLIES, M, F, S, RESP, TM> {}

/** Commands collected for one go. Nothing is sent before one of the `exec` methods. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: addCommands() below gives it what the interface declares.
export class Transaction<
  in out REPLIES extends unknown[] = [],
  // biome-ignore lint/correctness/noUnusedVariables: a merged declaration repeats all parameters.
  in out RESP extends RespVersions = 3,
  // biome-ignore lint/correctness/noUnusedVariables: as above.
  in out TM extends TypeMapping = NoExtensions,
  // biome-ignore lint/correctness/noUnusedVariables: as above.
  in out M extends RedisModules = NoExtensions,
  // biome-ignore lint/correctness/noUnusedVariables: as above.
  in out F extends RedisFunctions = NoExtensions,
  // biome-ignore lint/correctness/noUnusedVariables: as above.
  in out S extends RedisScripts = NoExtensions,
> {
  readonly #target: TransactionTarget
  readonly #commands: PreparedCommand[] = []

  constructor(target: TransactionTarget) {
    this.#target = target
  }

  /** @internal */
  runCommand(command: BoundCommand, callArguments: readonly unknown[]): this {
    return this.#add(command.prepare(callArguments, this.#target.settings))
  }

  // Scripts go by their source, each time: no reply is seen before all is sent, so nothing could be mended if the server
  // did not know a hash, and what stands in front may not have run, or may have emptied the server's cache of scripts.

  /** Adds a command by its raw arguments. */
  sendCommand(args: ReadonlyArray<string | Buffer>): this {
    return this.#add(prepareRaw(args))
  }

  /**
   * As `sendCommand`; `transformReply` makes the value in the list of replies of its reply. It is called with the reply,
   * `args.preserve` and the type mapping.
   */
  addCommand(args: RawCommand, transformReply?: TransformReply): this {
    const command = prepareRaw(args)
    if (transformReply === undefined) return this.#add(command)
    const given: unknown = transformReply
    if (typeof given !== 'function') throw noTransform()
    const { preserve } = args
    const { typeMapping } = this.#target.settings
    return this.#add({ ...command, transform: (reply) => transformReply(reply, preserve, typeMapping) })
  }

  /** Changes the database of a lease; refused on the handle. */
  select(database: number, transformReply?: TransformReply): this {
    return this.addCommand(['SELECT', String(database)], transformReply)
  }

  SELECT(database: number, transformReply?: TransformReply): this {
    return this.select(database, transformReply)
  }

  /**
   * Sends all as MULTI … EXEC: nothing of others comes between, and after a connection loss all of it or nothing
   * was applied. Replies lose their types; `execTyped` keeps them.
   * @param asPipeline without MULTI and EXEC
   * @throws WatchError when a watched key was changed; nothing was applied
   * @throws MultiErrorReply when some commands failed
   */
  exec(asPipeline = false): Promise<unknown[]> {
    if (typeof asPipeline !== 'boolean') return Promise.reject(noCallback())
    return asPipeline ? this.execAsPipeline() : this.#traced('MULTI', () => this.#transaction())
  }

  EXEC(asPipeline = false): Promise<unknown[]> {
    return this.exec(asPipeline)
  }

  /** As `exec`, with the type of each reply. */
  execTyped(asPipeline = false): Promise<REPLIES> {
    return this.exec(asPipeline) as Promise<REPLIES>
  }

  /** Sends all at once without MULTI and EXEC: others' commands may come between. */
  execAsPipeline(): Promise<unknown[]> {
    return this.#traced('PIPELINE', () => this.#pipeline())
  }

  execAsPipelineTyped(): Promise<REPLIES> {
    return this.execAsPipeline() as Promise<REPLIES>
  }

  #traced(mode: 'MULTI' | 'PIPELINE', send: () => Promise<unknown[]>): Promise<unknown[]> {
    return this.#target.settings.tracing.batch(mode, this.#commands, this.#target.connectionId, send)
  }

  #add(command: PreparedCommand): this {
    const { protocol } = this.#target
    if (protocol !== undefined) rejectUnanswerable(command.args, protocol)
    else if (command.route === 'session') throw refusal(command.args)
    this.#commands.push(command)
    return this
  }

  /** MULTI, the commands, EXEC: replies to all but EXEC only tell whether the command was queued. */
  async #transaction(): Promise<unknown[]> {
    const commands = [...this.#commands]
    if (commands.length === 0) return []
    const { settings } = this.#target
    // Why one of them was refused is kept by their unit; only EXEC has a caller.
    const ignore = (): void => {}
    const replies = await new Promise<unknown>((resolve, reject) => {
      // The first key stays on its lane until EXEC is answered: that is when its commands are applied.
      const { hash } = commands[0] ?? { hash: NO_KEY }
      const execute = this.#request(['EXEC'], resolve, (error) => reject(aborted(error, execute.unit)), hash)
      execute.mapping = settings.typeMapping
      execute.transform = (reply, protocol) =>
        Array.isArray(reply) ? reply.map((item, index) => transformed(commands[index], item, protocol)) : reply
      let next = execute
      for (const { args } of commands.toReversed()) next = this.#request(args, ignore, ignore, NO_KEY, next)
      const first = this.#request(['MULTI'], ignore, ignore, hash, next)
      const unit = { first, refusal: undefined }
      for (let each: Request | undefined = first; each !== undefined; each = each.next) each.unit = unit
      this.#target.send(first)
    })
    if (!Array.isArray(replies))
      throw new WatchError('a watched key was changed; nothing was applied', { outcome: 'rejected' })
    return checked(replies)
  }

  async #pipeline(): Promise<unknown[]> {
    const commands = [...this.#commands]
    if (commands.length === 0) return []
    for (const { args, route } of commands) if (route === 'blocking') throw mayBlock(wireNameOf(args))
    // A write that is sent again would come after what stood behind it.
    const mayRepeat = commands.every(({ args }) => onlyReads(args))
    const replies: Promise<unknown>[] = []
    let next: Request | undefined
    for (const command of commands.toReversed()) {
      // Other keys' commands elsewhere are not to follow this pipeline.
      const hash = command.hash === commands[0]?.hash ? command.hash : NO_KEY
      replies.unshift(
        new Promise((resolve, reject) => {
          // A reply that is an error takes its place among the others; anything else ends the whole pipeline.
          const fail = (error: unknown): void => (error instanceof ReplyError ? resolve(error) : reject(error))
          next = this.#request(command.args, resolve, fail, hash, next)
          next.mapping = this.#target.settings.typeMapping
          next.transform = command.transform
          if (!mayRepeat) next.retry = 'none'
        }),
      )
    }
    const all = Promise.all(replies)
    if (next !== undefined) this.#target.send(next)
    return checked(await all)
  }

  #request(
    args: PreparedCommand['args'],
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
    hash: number = NO_KEY,
    next?: Request,
  ): Request {
    const { signal, timeout, retry } = this.#target.settings
    const request = new Request(args, hash, resolve, reject)
    request.signal = signal
    request.timeout = timeout
    request.retry = retry
    request.next = next
    return request
  }
}

function transformed(command: PreparedCommand | undefined, reply: Reply, protocol: 2 | 3): unknown {
  if (command !== undefined && reply instanceof ReplyError) return redacted(reply, command.args)
  if (command?.transform === undefined) return reply
  return command.transform(reply, protocol)
}

/** EXEC is refused because a command was: that one is the cause. Nothing was applied then. */
function aborted(error: unknown, unit: Unit | undefined): unknown {
  if (!(error instanceof ReplyError) || error.kind !== 'EXECABORT') return error
  return new ReplyError(error.message, { outcome: 'rejected', command: 'EXEC', cause: unit?.refusal })
}

/** Between MULTI and EXEC it would return at once; here it would hold up its followers, and others' commands. */
function mayBlock(command: string): ArgumentError {
  const message = `${command} may block what stands behind it in a pipeline: call it by itself, or use exec()`
  return new ArgumentError(message, { outcome: 'not-sent', command })
}

/** A function is as good as true, and would run the commands of a transaction without one. */
function noCallback(): ArgumentError {
  const message = 'exec() takes true or false, and no callback: it returns a promise'
  return new ArgumentError(message, { outcome: 'not-sent' })
}

function noTransform(): ArgumentError {
  const message = 'addCommand() takes an array of arguments, and a function that transforms the reply'
  return new ArgumentError(message, { outcome: 'not-sent' })
}

function checked(replies: unknown[]): unknown[] {
  if (replies.some((reply) => reply instanceof Error)) throw new MultiErrorReply(replies)
  return replies
}

addCommands(Transaction.prototype)

/** A transaction of the class that the extensions ask for. */
export function transactionTo<
  M extends RedisModules,
  F extends RedisFunctions,
  S extends RedisScripts,
  RESP extends RespVersions,
  TM extends TypeMapping,
>(target: TransactionTarget, extended: Extended | undefined): RedisTransaction<[], M, F, S, RESP, TM> {
  const made: unknown = extended === undefined ? new Transaction(target) : extended.construct(Transaction, [target])
  return made as RedisTransaction<[], M, F, S, RESP, TM>
}
