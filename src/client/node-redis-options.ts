// Owns the way from the options of node-redis's createClient and createClientPool to respool's own: by the rules, one by
// one, nothing dropped in silence. Knows no handle.

import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { OptionError } from '../base/errors.js'
import { type AnyOptionTable, readPlainObject, text, unknownOption } from '../base/option-table.js'
import type { RespVersions, TypeMapping } from '../command/definitions.js'
import type { StreamingCredentials } from '../connection/credentials.js'
import type { Login } from '../connection/handshake.js'
import type { ConnectionPool } from './connection-pool.js'
import {
  clientRules,
  commandRules,
  formerRules,
  poolRules,
  type Rules,
  socketRules,
  TLS_OPTIONS,
} from './node-redis-rules.js'
import { type GivenOptions, optionsOfUrl, ownOptions, type RedisOptions } from './options.js'

type TlsName = (typeof TLS_OPTIONS)[number]

/** Where the server is and how to dial, as node-redis has it. Options of TLS stand beside `tls: true`. */
export interface SocketOptions extends Pick<TlsOptions, TlsName> {
  readonly host?: string | undefined
  readonly port?: number | undefined
  /** Path of a unix socket, instead of `host` and `port`. */
  readonly path?: string | undefined
  /** IP version: 4, 6, or 0 for both. */
  readonly family?: 0 | 4 | 6 | undefined
  readonly tls?: boolean | undefined
  /** Milliseconds that dialing and handshake may take together. Default 5 000. */
  readonly connectTimeout?: number | undefined
  /** Milliseconds after which a connection that owes replies and sends no byte is destroyed; 0 = never. Default 30 000. */
  readonly socketTimeout?: number | undefined
  /** Milliseconds until the next dial after one that failed; `false` or an Error: who waits is turned away at once. */
  readonly reconnectStrategy?:
    | false
    | number
    | ((retries: number, cause: Error) => false | Error | number | undefined)
    | undefined
  /** Default `true`. */
  readonly keepAlive?: boolean | undefined
  /** Milliseconds without traffic before TCP keep-alive starts. Default 30 000. */
  readonly keepAliveInitialDelay?: number | undefined
  /** Always on. */
  readonly noDelay?: true | undefined
}

/** Asked for credentials at each new connection. */
export interface AsyncCredentialsProvider {
  readonly type: 'async-credentials-provider'
  readonly credentials: () => Promise<Login>
}

/** Announces new credentials by itself, as the providers of `@redis/entraid` do. */
export interface StreamingCredentialsProvider extends StreamingCredentials {
  readonly type: 'streaming-credentials-provider'
}

/** Options of `createClient`: node-redis's, and respool's own beside them. Only `name` means what it means there. */
export interface CreateClientOptions<RESP extends RespVersions = 3, TM extends TypeMapping = Record<never, never>>
  extends Omit<RedisOptions<ConnectionPool>, 'protocol' | 'typeMapping' | 'name'> {
  readonly socket?: SocketOptions | undefined
  readonly credentialsProvider?: AsyncCredentialsProvider | StreamingCredentialsProvider | undefined
  /** Name of the connections in the server's CLIENT LIST; in `duplicate()` of a `new Redis()`, the label of the pool. */
  readonly name?: string | undefined
  /** Callers that may wait for a connection at once. Default 100 000. */
  readonly commandsQueueMaxLength?: number | undefined
  /** Version of RESP to speak. Default 3. */
  readonly RESP?: RESP | undefined
  readonly protocol?: RESP | undefined
  readonly typeMapping?: TM | undefined
  /** `timeout`: milliseconds from the call of a command to its reply; 0 = no limit. */
  readonly commandOptions?: { readonly typeMapping?: TM | undefined; readonly timeout?: number | undefined } | undefined
  readonly disableClientInfo?: boolean | undefined
  readonly disableOfflineQueue?: false | undefined
  readonly readonly?: false | undefined
  readonly emitInvalidate?: false | undefined
  readonly maintNotifications?: 'disabled' | undefined
}

/** The second argument of `createClientPool`. */
export interface PoolSizeOptions {
  /** Connections kept open even when idle. Default 0. */
  readonly minimum?: number | undefined
  /** Connections the pool may have at once. Default 10. */
  readonly maximum?: number | undefined
  /** Milliseconds a caller waits for a connection. Default 5 000. */
  readonly acquireTimeout?: number | undefined
  /** Milliseconds after which an unused connection is closed. Default 60 000. */
  readonly cleanupDelay?: number | undefined
}

/**
 * Reads the options of `createClient` into respool's own, still to be checked by their tables; `modules`, `functions`
 * and `scripts` are left out.
 * @param isNodeRedis whether `name` is the name of the connections, as there, and not the label of the pool
 * @throws OptionError for an option that has no counterpart, is unknown, or is given twice
 */
export function translateClientOptions(input: unknown, isNodeRedis = true): GivenOptions {
  const where = "createClient's options"
  if (typeof input === 'number' || typeof input === 'string' || input instanceof URL) throw noObject(where)
  const given = readPlainObject(input, where)
  const own = ownOptions()
  const current: Rules = isNodeRedis ? clientRules : { ...clientRules, name: { ...clientRules.name, read: asLabel } }
  const rules: Rules = { ...formerRules, ...current }
  const options = new Collected()
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (rule !== undefined) options.add(rule.read(value, name, given), name)
    else if (Object.hasOwn(own, name)) options.add({ [name]: value }, name)
    else throw unknownOption(name, { ...own, ...rowsOf(clientRules) }, where)
  }
  options.addAll(given.commandOptions, commandRules, 'commandOptions')
  options.add(socketOptions(given.socket, given.url), 'socket')
  return withUrl(options.values)
}

/** Reads the second argument of `createClientPool`; options of respool may stand in it too. */
export function translatePoolOptions(input: unknown): GivenOptions {
  const where = "createClientPool's options"
  const given = readPlainObject(input, where)
  const own = ownOptions()
  const options = new Collected()
  const rules: Rules = poolRules
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (rule !== undefined) options.add(rule.read(value, name, given), name)
    else if (Object.hasOwn(own, name)) options.add({ [name]: value }, name)
    else throw unknownOption(name, { ...own, ...rowsOf(poolRules) }, where)
  }
  return options.values
}

/** Options of respool, each of which may come from one place only. */
class Collected {
  readonly values: Record<string, unknown> = {}
  readonly #from = new Map<string, string>()

  add(options: GivenOptions, from: string): void {
    for (const [name, value] of Object.entries(options)) {
      const other = this.#from.get(name)
      if (other !== undefined && other !== from) {
        throw new OptionError(`${name}: is given twice, by ${other} and by ${from}`)
      }
      this.#from.set(name, from)
      this.values[name] = value
    }
  }

  addAll(input: unknown, rules: Rules, where: string): void {
    const given = readPlainObject(input, where)
    for (const [name, value] of Object.entries(given)) {
      if (value === undefined) continue
      const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
      if (rule === undefined) throw unknownOption(name, rowsOf(rules), where)
      this.add(rule.read(value, `${where}.${name}`, given), where)
    }
  }
}

/** The arguments of `createClient` in node-redis 3: a port and a host, a path or a URL. */
function noObject(where: string): OptionError {
  return new OptionError(`${where}: expected one object: { url }, or { socket: { host, port } }`)
}

const asLabel = (name: unknown): GivenOptions => ({ name })

const isTlsOption = (name: string): boolean => TLS_OPTIONS.some((each) => each === name)

/** With options of TLS, `tls` becomes an object of them. A URL that asks for TLS is as good as `tls: true`. */
function socketOptions(input: unknown, url: unknown): GivenOptions {
  const where = 'socket'
  const given = readPlainObject(input, where)
  const rules: Rules = socketRules
  const options = new Collected()
  const tls: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (rule !== undefined) options.add(rule.read(value, `${where}.${name}`, given), where)
    else if (isTlsOption(name)) tls[name] = value
    else throw unknownOption(name, { ...rowsOf(socketRules), ...tlsRows() }, where)
  }
  const asked = tlsAskedBy(url)
  if (given.tls !== undefined && typeof given.tls !== 'boolean') {
    throw new OptionError('socket.tls: expected true or false; options of TLS stand beside it')
  }
  if (asked !== undefined && given.tls !== undefined && asked !== given.tls) {
    throw new OptionError(
      `socket.tls: is ${given.tls}, but the URL says ${asked ? 'TLS' : 'no TLS'}; change one of them`,
    )
  }
  const [first] = Object.keys(tls)
  if (given.tls === true || asked === true) return { ...options.values, tls: first === undefined ? true : tls }
  if (first !== undefined) throw new OptionError(`socket.${first}: is an option of TLS; set socket.tls to true`)
  return options.values
}

/** Whether a URL asks for TLS; undefined without a URL, and for one of a unix socket. */
function tlsAskedBy(url: unknown): boolean | undefined {
  if (typeof url !== 'string' && !(url instanceof URL)) return undefined
  if (/^(redis|valkey)s:/i.test(String(url))) return true
  return /^(redis|valkey):/i.test(String(url)) ? false : undefined
}

/** In node-redis a URL wins over what is said beside it. */
function withUrl(values: Readonly<Record<string, unknown>>): GivenOptions {
  const options: Record<string, unknown> = { ...values }
  const { url } = values
  if (typeof url !== 'string' && !(url instanceof URL)) return options
  const said = optionsOfUrl(url)
  for (const name of ['host', 'port', 'database', 'username', 'password']) {
    if (said[name] !== undefined) delete options[name]
  }
  if (said.username !== undefined || said.password !== undefined) delete options.credentials
  return said.username === undefined || said.password !== undefined ? options : withPassword(options)
}

/** A user without a password is one that needs none: any will do for it. */
export function withPassword(options: GivenOptions): GivenOptions {
  const needsOne = options.credentials === undefined && options.password === undefined
  return needsOne ? { ...options, password: '' } : options
}

const rowsOf = (rules: Rules): AnyOptionTable =>
  Object.fromEntries(Object.entries(rules).map(([name, { doc }]) => [name, text({ default: undefined, doc })]))

const tlsRows = (): AnyOptionTable =>
  Object.fromEntries(TLS_OPTIONS.map((name) => [name, text({ default: undefined, doc: 'An option of TLS.' })]))
