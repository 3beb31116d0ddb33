// Owns the way from a method's arguments to a request: parsing, checks, order, reply transforms. Where a request
// goes is decided by the handle that the method was called on.

import { ArgumentError } from '../base/errors.js'
import { checkAllSent, checkArguments, parseArguments } from '../command/arguments.js'
import { CATALOG, type CatalogEntry } from '../command/catalog.js'
import type { CommandDefinition, RedisArgument, TypeMapping } from '../command/definitions.js'
import { hasNamesFromData, keepingNames } from '../command/field-names.js'
import { hashOf, NO_KEY } from '../command/key-hash.js'
import { orderingKeyOf } from '../command/ordering.js'
import type { RetryMode } from '../command/repeat.js'
import { blockingTimeoutOf, type Route, routeOf, staticRouteOf } from '../command/routing.js'
import { type CommandMethods, defineCommands, transformReplyOf } from '../command/surface.js'
import { type ReplyTransform, Request } from '../connection/request.js'
import type { PoolTracing } from './tracing.js'

export type { CommandMethods }

/** How the commands of one handle are sent. */
export interface CommandSettings {
  readonly typeMapping: TypeMapping | undefined
  readonly signal: AbortSignal | undefined
  /** `commandTimeout` in ms; 0 for none. */
  readonly timeout: number
  readonly retry: RetryMode
  /** Stands before every key that is sent. */
  readonly keyPrefix: RedisArgument | undefined
  readonly tracing: PoolTracing
}

/** A command ready to be sent, before it has a caller. */
export interface PreparedCommand {
  readonly args: readonly RedisArgument[]
  readonly hash: number
  readonly route: Route
  readonly transform: ReplyTransform | undefined
  /** Knows the keys of a read whose reply may be kept. */
  readonly keyed: Request['keyed']
  /** Whose source is among the arguments. */
  readonly script: Script | undefined
}

/** A script that a server may have by now: then its hash is enough. */
export interface Script {
  readonly hash: string
  readonly byHash: 'EVALSHA' | 'EVALSHA_RO'
}

/** A definition, and what errors call it: for those of the catalog, its name on the wire. */
export interface CommandSource extends Pick<CatalogEntry, 'wire' | 'load'> {
  /** Whether its transform may set properties by names that anybody chose. Default: whether the name is known for it. */
  readonly namesFromData?: boolean
  /** Whether its replies may be kept. Default: they are not, because nobody knows which writes change them. */
  readonly cacheable?: boolean
  /** Whether it may take text that it does not send. Default: whoever gives some means it to be sent. */
  readonly keepsText?: boolean
}

/** One definition with what never changes about it. */
export class BoundCommand {
  readonly name: string
  readonly #entry: CommandSource
  readonly #script: Script | undefined
  readonly #route: Route | 'by-arguments'
  #definition: CommandDefinition | undefined
  readonly #namesFromData: boolean
  /** So many arguments in front are its name; less than any number where text may be left out. */
  readonly #words: number
  #transforms = true

  constructor(entry: CommandSource, route = staticRouteOf(entry.wire), script?: Script) {
    this.name = entry.wire
    this.#entry = entry
    this.#script = script
    this.#route = route
    this.#words = entry.keepsText ? Number.NEGATIVE_INFINITY : entry.wire.split(' ').length
    this.#namesFromData = entry.namesFromData ?? hasNamesFromData(entry.wire)
  }

  /** Throws an `ArgumentError` for what cannot be sent. */
  prepare(callArguments: readonly unknown[], settings: CommandSettings): PreparedCommand {
    const { typeMapping, keyPrefix } = settings
    const definition = this.#definition ?? this.#load()
    const parsed = parseArguments(definition, this.name, callArguments, keyPrefix)
    const args = parsed.redisArgs
    // Hardly any call has more arguments than it sends, and then they are options mostly.
    if (callArguments.length > args.length - this.#words) checkAllSent(args, this.name, callArguments)
    const key = parsed.orderingKey
    return {
      args,
      hash: key === undefined ? NO_KEY : hashOf(key),
      keyed: this.#entry.cacheable ? parsed : undefined,
      route: this.#route === 'by-arguments' ? routeOf(args) : this.#route,
      transform: this.#transforms
        ? (reply, protocol) => {
            const transform = transformReplyOf(definition, protocol)
            if (transform === undefined) return reply
            if (!this.#namesFromData) return transform(reply, parsed.preserve, typeMapping)
            return keepingNames(reply, (named) => transform(named, parsed.preserve, typeMapping))
          }
        : undefined,
      script: this.#script,
    }
  }

  #load(): CommandDefinition {
    const definition = this.#entry.load()
    this.#transforms = transformReplyOf(definition, 2) !== undefined || transformReplyOf(definition, 3) !== undefined
    this.#definition = definition
    return definition
  }
}

/** A raw command: its arguments go out as they are, its reply comes back as it is. */
export function prepareRaw(args: unknown): PreparedCommand {
  if (!isArguments(args)) {
    throw new ArgumentError('sendCommand: expected an array of strings and Buffers', { outcome: 'not-sent' })
  }
  const key = orderingKeyOf(args)
  // A copy, since the caller's array may change before it is sent.
  const hash = key === undefined ? NO_KEY : hashOf(key)
  return { args: [...args], hash, route: routeOf(args), transform: undefined, keyed: undefined, script: undefined }
}

function isArguments(args: unknown): args is readonly RedisArgument[] {
  if (!Array.isArray(args)) return false
  checkArguments(args, typeof args[0] === 'string' ? args[0].toUpperCase() : 'sendCommand')
  return true
}

/** Makes the request of a prepared command and hands it to `dispatch`; resolves to the reply. */
export function promiseOf(
  command: PreparedCommand,
  settings: CommandSettings,
  dispatch: (request: Request) => void,
  connectionId?: number,
): Promise<unknown> {
  const { tracing } = settings
  if (!tracing.followsCommands) return send(command, settings, dispatch)
  return tracing.command(command, connectionId, () => send(command, settings, dispatch))
}

function send(
  command: PreparedCommand,
  settings: CommandSettings,
  dispatch: (request: Request) => void,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = new Request(command.args, command.hash, resolve, reject)
    request.mapping = settings.typeMapping
    request.transform = command.transform
    request.keyed = command.keyed
    request.signal = settings.signal
    request.timeout = settings.timeout
    request.retry = settings.retry
    if (command.route !== 'shared') request.blocksFor = blockingTimeoutOf(command.args) ?? 0
    dispatch(request)
  })
}

/** A handle that commands can be called on. */
export interface CommandTarget {
  /** Sends one command, or says why it cannot; never throws. */
  runCommand(command: BoundCommand, callArguments: readonly unknown[]): unknown
}

const bound = new Map<CatalogEntry, BoundCommand>()

function bind(entry: CatalogEntry): BoundCommand {
  const known = bound.get(entry)
  if (known !== undefined) return known
  const command = new BoundCommand(entry)
  bound.set(entry, command)
  return command
}

/** A command by its method in upper case. */
export function commandCalled(method: string): BoundCommand {
  const entry = CATALOG.find(({ methods }) => methods[0] === method)
  if (entry === undefined) throw new TypeError(`no command is called ${method}`)
  return bind(entry)
}

/** Puts all commands on a class of handles. */
export function addCommands(prototype: CommandTarget): void {
  defineCommands<CommandTarget>(prototype, (entry) => {
    const command = bind(entry)
    return function (this: CommandTarget, ...callArguments: unknown[]): unknown {
      return this.runCommand(command, callArguments)
    }
  })
}
