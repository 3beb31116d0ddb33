// Owns what a handle has beside the commands of a server: modules, functions and scripts. Makes a command of each once,
// and methods of them for any class of handles. Knows none of these classes.

import { OptionError } from '../base/errors.js'
import type {
  CommandDefinition,
  CommandSignature,
  RedisArgument,
  RedisFunctions,
  RedisModules,
  RedisScripts,
  RespVersions,
  TypeMapping,
} from '../command/definitions.js'
import { BoundCommand, type CommandTarget } from './command-set.js'
import { hashOfScript } from './scripts.js'

export interface Extensions<M, F, S> {
  /** Commands of modules, by the module's name: `{ json: { get: … } }`. */
  readonly modules?: M
  /** Functions, by library: `{ library: { name: { NUMBER_OF_KEYS, parseCommand, transformReply } } }`. */
  readonly functions?: F
  /** Scripts, as `defineScript()` makes them. */
  readonly scripts?: S
}

/** No modules, no functions, no scripts: the compiler's very `{}`, so that it has nothing to compare with another one. */
export type NoExtensions = NonNullable<unknown>

/**
 * `PLAIN` where there are no extensions: whatever is assigned to an intersection is compared method by method. Where there
 * are some it is in there too, so that whoever takes a plain one takes this one, at no cost to the compiler.
 */
export type WithExtensions<HANDLE, PLAIN, METHODS, M, F, S> = [keyof M | keyof F | keyof S] extends [never]
  ? PLAIN
  : HANDLE & PLAIN & METHODS

/** The methods of extensions. */
export type ExtensionMethods<
  M extends RedisModules,
  F extends RedisFunctions,
  S extends RedisScripts,
  RESP extends RespVersions,
  TM extends TypeMapping,
> = {
  [NAME in keyof M]: { [COMMAND in keyof M[NAME]]: CommandSignature<M[NAME][COMMAND], RESP, TM> }
} & {
  [NAME in keyof F]: { [COMMAND in keyof F[NAME]]: CommandSignature<F[NAME][COMMAND], RESP, TM> }
} & { [NAME in keyof S]: CommandSignature<S[NAME], RESP, TM> }

type Namespace = ReadonlyMap<string, BoundCommand>

/** As little as may be: what its instances have beside, the compiler would compare method by method. */
type HandleClass = abstract new (...args: never) => object

/** Extensions that were read, and the classes that have them. */
export class Extended {
  readonly #members: ReadonlyMap<string, BoundCommand | Namespace>
  readonly #classes = new Map<HandleClass, HandleClass>()

  /**
   * @param taken classes of handles, whose methods no extension may hide
   * @throws OptionError that names what does not fit
   */
  constructor(extensions: Extensions<unknown, unknown, unknown>, taken: readonly object[]) {
    const members = new Map<string, BoundCommand | Namespace>()
    const add = (kind: string, name: string, member: BoundCommand | Namespace): void => {
      // With `then`, a handle would be taken for a promise.
      if (name === 'then' || name === 'pool' || taken.some((prototype) => name in prototype)) {
        throw new OptionError(`${kind}.${name}: the name of a method of handles; choose another`)
      }
      if (members.has(name)) throw new OptionError(`${kind}.${name}: the name of another extension; choose another`)
      members.set(name, member)
    }
    for (const [name, module] of entries('modules', extensions.modules)) {
      add('modules', name, namespace(`modules.${name}`, module, moduleCommand))
    }
    for (const [name, library] of entries('functions', extensions.functions)) {
      add('functions', name, namespace(`functions.${name}`, library, functionCommand))
    }
    for (const [name, script] of entries('scripts', extensions.scripts)) {
      add('scripts', name, scriptCommand(`scripts.${name}`, name, script))
    }
    this.#members = members
  }

  get isEmpty(): boolean {
    return this.#members.size === 0
  }

  /** What `base` makes of `args`, with the methods too. */
  construct(base: HandleClass, args: readonly unknown[]): unknown {
    return Reflect.construct(base, args, this.#classOf(base))
  }

  #classOf(base: HandleClass): HandleClass {
    const known = this.#classes.get(base)
    if (known !== undefined) return known
    const extended = subclassOf(base, descriptorsOf(this.#members))
    this.#classes.set(base, extended)
    return extended
  }
}

/** For `Reflect.construct`, which runs the constructor of `base` alone; its instances have the properties too. */
function subclassOf(base: HandleClass, properties: PropertyDescriptorMap): HandleClass {
  const subclass = class {}
  Reflect.deleteProperty(subclass.prototype, 'constructor')
  Object.setPrototypeOf(subclass.prototype, base.prototype)
  Object.defineProperties(subclass.prototype, properties)
  return subclass
}

function descriptorsOf(members: ReadonlyMap<string, BoundCommand | Namespace>): PropertyDescriptorMap {
  const descriptors: PropertyDescriptorMap = Object.create(null)
  for (const [name, member] of members) {
    descriptors[name] = member instanceof BoundCommand ? method(member) : getter(name, member)
  }
  return descriptors
}

function method(command: BoundCommand): PropertyDescriptor {
  return {
    value(this: CommandTarget, ...callArguments: unknown[]): unknown {
      return this.runCommand(command, callArguments)
    },
    writable: true,
    configurable: true,
  }
}

/** What a handle's namespace hands its calls to. */
class Bound implements CommandTarget {
  readonly #target: CommandTarget

  constructor(target: CommandTarget) {
    this.#target = target
  }

  runCommand(command: BoundCommand, callArguments: readonly unknown[]): unknown {
    return this.#target.runCommand(command, callArguments)
  }
}

/** A namespace is made for its handle at its first use, and kept on it. */
function getter(name: string, commands: Namespace): PropertyDescriptor {
  const shape = subclassOf(Bound, descriptorsOf(commands))
  return {
    get(this: CommandTarget): CommandTarget {
      const value = Reflect.construct(Bound, [this], shape)
      Object.defineProperty(this, name, { value, configurable: true })
      return value
    },
    configurable: true,
  }
}

function entries(path: string, value: unknown): [string, unknown][] {
  if (value === undefined) return []
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new OptionError(`${path}: expected an object`)
  }
  return Object.entries(value)
}

function namespace(
  path: string,
  value: unknown,
  make: (name: string, definition: CommandDefinition) => BoundCommand,
): Namespace {
  const commands = new Map<string, BoundCommand>()
  for (const [name, definition] of entries(path, value)) {
    const at = `${path}.${name}`
    if (!isDefinition(definition)) {
      if (name === 'default') throw new OptionError(`${path}: holds its commands as default; give that`)
      throw new OptionError(`${at}: expected a command, an object with parseCommand()`)
    }
    if (name === 'then' || name in Bound.prototype) throw new OptionError(`${at}: not a name that a method can have`)
    checkNumberOfKeys(at, definition)
    commands.set(name, make(`${path.slice(path.indexOf('.') + 1)}.${name}`, definition))
  }
  return commands
}

function isDefinition(value: unknown): value is CommandDefinition {
  return typeof value === 'object' && value !== null && 'parseCommand' in value && isFunction(value.parseCommand)
}

const isFunction = (value: unknown): boolean => typeof value === 'function'

function numberOfKeys(definition: object): RedisArgument[] {
  const count = 'NUMBER_OF_KEYS' in definition ? definition.NUMBER_OF_KEYS : undefined
  return count === undefined ? [] : [String(count)]
}

function checkNumberOfKeys(path: string, definition: object): void {
  const [count] = numberOfKeys(definition)
  if (count === undefined || /^\d+$/.test(String(count))) return
  throw new OptionError(`${path}.NUMBER_OF_KEYS: expected a whole number from 0`)
}

/** Its arguments decide where it runs: only they have its name on the wire. Labels and fields become properties. */
function moduleCommand(wire: string, definition: CommandDefinition): BoundCommand {
  return new BoundCommand({ wire, load: () => definition, namesFromData: true, keepsText: true }, 'by-arguments')
}

function functionCommand(wire: string, definition: CommandDefinition): BoundCommand {
  const name = wire.slice(wire.indexOf('.') + 1)
  const leading = [definition.IS_READ_ONLY ? 'FCALL_RO' : 'FCALL', name, ...numberOfKeys(definition)]
  return new BoundCommand({ wire, load: () => behind(leading, definition), keepsText: true }, 'shared')
}

function scriptCommand(path: string, name: string, script: unknown): BoundCommand {
  if (!isDefinition(script) || !('SCRIPT' in script) || !('SHA1' in script)) {
    throw new OptionError(`${path}: expected what defineScript() makes of { SCRIPT, parseCommand, transformReply }`)
  }
  const { SCRIPT: source, SHA1: hash } = script
  if (typeof source !== 'string' && !Buffer.isBuffer(source)) {
    throw new OptionError(`${path}.SCRIPT: expected a string or a Buffer`)
  }
  if (hash !== hashOfScript(source)) throw new OptionError(`${path}.SHA1: is not that of SCRIPT; use defineScript()`)
  checkNumberOfKeys(path, script)
  const isReadOnly = script.IS_READ_ONLY === true
  const leading = [isReadOnly ? 'EVAL_RO' : 'EVAL', source, ...numberOfKeys(script)]
  const byHash = isReadOnly ? 'EVALSHA_RO' : 'EVALSHA'
  return new BoundCommand({ wire: name, load: () => behind(leading, script), keepsText: true }, 'shared', {
    hash,
    byHash,
  })
}

/** The definition of a command that the caller's definition only ends. */
function behind(leading: readonly RedisArgument[], definition: CommandDefinition): CommandDefinition {
  return {
    parseCommand(parser, ...callArguments) {
      parser.push(...leading)
      definition.parseCommand(parser, ...callArguments)
    },
    transformReply: definition.transformReply,
  }
}
