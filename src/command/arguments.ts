// Turns a method's arguments into what goes on the wire, and refuses what cannot go there. It knows neither names of
// commands nor connections, and never puts a value into an error.

import { ArgumentError } from '../base/errors.js'
import type {
  CommandDefinition,
  CommandIdentifier,
  CommandParser,
  RedisArgument,
  RedisVariadicArgument,
} from './definitions.js'

/**
 * Collects the arguments of one command: what a definition's `parseCommand` fills. Runs once per command, so it
 * allocates one array and nothing else; a second key makes it allocate the list of keys.
 */
export class CommandArguments implements CommandParser {
  readonly redisArgs: RedisArgument[] = []
  firstKey: RedisArgument | undefined = undefined
  preserve: unknown = undefined
  #keys: RedisArgument[] | undefined = undefined
  readonly #keyPrefix: RedisArgument | undefined

  constructor(keyPrefix?: RedisArgument) {
    this.#keyPrefix = keyPrefix === undefined || keyPrefix.length === 0 ? undefined : keyPrefix
  }

  get keys(): readonly RedisArgument[] {
    if (this.#keys !== undefined) return this.#keys
    return this.firstKey === undefined ? [] : [this.firstKey]
  }

  get commandIdentifier(): CommandIdentifier {
    const [command, subcommand] = this.redisArgs
    return { command: String(command), subcommand: subcommand === undefined ? undefined : String(subcommand) }
  }

  /** The argument whose hash decides order: the first key, or the channel of a message. */
  get orderingKey(): RedisArgument | undefined {
    if (this.firstKey !== undefined) return this.firstKey
    return this.redisArgs[0] === 'PUBLISH' ? this.redisArgs[1] : undefined
  }

  push(...args: RedisArgument[]): void {
    for (let index = 0; index < args.length; index++) this.redisArgs.push(args[index]!)
  }

  pushVariadic(values: RedisVariadicArgument): void {
    if (Array.isArray(values)) for (const value of values) this.redisArgs.push(value)
    else this.redisArgs.push(values)
  }

  pushVariadicWithLength(values: RedisVariadicArgument): void {
    this.redisArgs.push(Array.isArray(values) ? values.length.toString() : '1')
    this.pushVariadic(values)
  }

  pushVariadicNumber(values: number | number[]): void {
    if (Array.isArray(values)) for (const value of values) this.redisArgs.push(value.toString())
    else this.redisArgs.push(values.toString())
  }

  pushKey(key: RedisArgument, applyPrefix = true): void {
    const sent = applyPrefix ? withPrefix(this.#keyPrefix, key) : key
    this.redisArgs.push(sent)
    if (this.#keys !== undefined) this.#keys.push(sent)
    else if (this.firstKey === undefined) this.firstKey = sent
    else this.#keys = [this.firstKey, sent]
  }

  pushKeys(keys: RedisVariadicArgument): void {
    if (Array.isArray(keys)) for (const key of keys) this.pushKey(key)
    else this.pushKey(keys)
  }

  pushKeysLength(keys: RedisVariadicArgument): void {
    this.redisArgs.push(Array.isArray(keys) ? keys.length.toString() : '1')
    this.pushKeys(keys)
  }
}

/** The key as it is sent. What is neither text nor bytes stays what it is, for the check of arguments to refuse. */
export function withPrefix(prefix: RedisArgument | undefined, key: RedisArgument): RedisArgument {
  if (prefix === undefined || !isArgument(key)) return key
  if (typeof prefix === 'string' && typeof key === 'string') return prefix + key
  return Buffer.concat([bytesOf(prefix), bytesOf(key)])
}

const isArgument = (value: unknown): boolean => typeof value === 'string' || Buffer.isBuffer(value)

function bytesOf(argument: RedisArgument): Buffer {
  return typeof argument === 'string' ? Buffer.from(argument) : argument
}

/**
 * Runs a definition over a call's arguments. What cannot be sent throws an `ArgumentError` here, before the command
 * has taken a place anywhere.
 */
export function parseArguments(
  definition: CommandDefinition,
  name: string,
  callArguments: readonly unknown[],
  keyPrefix?: RedisArgument,
): CommandArguments {
  // It would never be called, and a program that waits for it would wait for ever.
  if (typeof callArguments.at(-1) === 'function') {
    throw notSent(name, 'takes no callback: it returns a promise, so await it, or pass the callback to then()')
  }
  const parser = new CommandArguments(keyPrefix)
  try {
    definition.parseCommand(parser, ...callArguments)
  } catch (cause) {
    throw unparsable(name, callArguments, cause)
  }
  checkArguments(parser.redisArgs, name, callArguments)
  return parser
}

/**
 * Throws an `ArgumentError` for text or bytes that a definition has left out: it takes several keys as one array, and
 * options as one object, and says nothing of what stands behind. `args` begin with as many words as `name` has.
 */
export function checkAllSent(args: readonly unknown[], name: string, callArguments: readonly unknown[]): void {
  let given = name.split(' ').length
  for (const argument of callArguments) if (isArgument(argument)) given++
  if (given <= args.length) return
  throw notSent(name, 'has no place for all of these arguments: give several as an array, and options as an object')
}

/**
 * Throws an `ArgumentError` unless every argument is a string or a Buffer. With the call's own arguments it also
 * finds values that a definition has already turned into text, such as `NaN` or `[object Object]`.
 */
export function checkArguments(args: readonly unknown[], name: string, callArguments?: readonly unknown[]): void {
  if (args.length === 0) throw notSent(name, 'needs at least the name of a command')
  for (let index = 0; index < args.length; index++) {
    const argument = args[index]
    if (typeof argument === 'string') {
      const isCalled = callArguments !== undefined && index > 0
      if (isCalled && isSuspect(argument, args[0]) && !holds(callArguments, argument, 0)) {
        throw notSent(name, `cannot send ${argument.startsWith('[') ? 'an object' : argument} as argument ${index}`)
      }
    } else if (!Buffer.isBuffer(argument)) {
      throw notSent(name, `cannot send ${typeName(argument)} as argument ${index}: pass a string or a Buffer`)
    }
  }
}

// What `toString()` makes of a value that is none. Each is legal text, so it is refused only if no caller wrote it; `null`
// is also what JSON makes of null.
function isSuspect(argument: string, command: unknown): boolean {
  switch (argument.length) {
    case 3:
      return argument === 'NaN'
    case 4:
      return argument === 'null' && !String(command).startsWith('JSON.')
    case 9:
      return argument === 'undefined'
    case 15:
      return argument === '[object Object]'
    default:
      return false
  }
}

const DEEPEST = 4

/** Whether the caller wrote this very text, in an array, an option or a Map too. */
function holds(value: unknown, text: string, depth: number): boolean {
  if (typeof value === 'string') return value === text
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return false
  if (depth > DEEPEST) return true
  if (Array.isArray(value)) return value.some((item) => holds(item, text, depth + 1))
  if (value instanceof Map) {
    return [...value].some(([key, item]) => holds(key, text, depth + 1) || holds(item, text, depth + 1))
  }
  return Object.entries(value).some(([key, item]) => key === text || holds(item, text, depth + 1))
}

function unparsable(name: string, callArguments: readonly unknown[], cause: unknown): ArgumentError {
  const missing = callArguments.findIndex((argument) => argument === undefined || argument === null)
  const came = callArguments.map(typeName).join(', ')
  const detail =
    missing >= 0
      ? `cannot be called with ${typeName(callArguments[missing])} as argument ${missing + 1}`
      : `cannot be called with (${came})`
  return notSent(name, detail, cause)
}

function notSent(name: string, detail: string, cause?: unknown): ArgumentError {
  const details = { command: name, outcome: 'not-sent' } as const
  return new ArgumentError(`${name} ${detail}`, cause === undefined ? details : { ...details, cause })
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'number') return Number.isNaN(value) ? 'NaN' : 'a number'
  if (typeof value !== 'object') return `a ${typeof value}`
  const maker: unknown = Object.getPrototypeOf(value)?.constructor
  return typeof maker === 'function' && maker !== Object ? `an instance of ${maker.name}` : 'an object'
}
