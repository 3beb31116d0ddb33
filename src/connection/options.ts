// Owns the options of one connection: where it leads, who it is, how long it may take. Knows no pool and no URL.
import { isIP } from 'node:net'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { OptionError } from '../base/errors.js'
import {
  type AnyOptionTable,
  boolean,
  custom,
  duration,
  integer,
  isPlainObject,
  type OptionsOf,
  type OptionTable,
  oneOf,
  readOptions,
  Secret,
  text,
} from '../base/option-table.js'
import { Credentials, type CredentialsProvider, isStreaming, type StreamingCredentials } from './credentials.js'
import type { IntegrityMode } from './integrity.js'

/** A password, or a function that is asked for one at each new connection. */
export type Password = string | (() => string | Promise<string>)

export interface ConnectionValues {
  /** Name or IP address of the server. Default `'localhost'`. */
  readonly host: string
  /** TCP port of the server. Default 6379. */
  readonly port: number
  /** IP version to use, 4 or 6; 0 = both are tried. Default 0. */
  readonly family: 0 | 4 | 6
  /** Path of a unix socket, instead of `host` and `port`. Default: none. */
  readonly path: string | undefined
  /** TLS: `true`, or options of `node:tls`. Certificates are verified unless these say otherwise. Default `false`. */
  readonly tls: boolean | TlsOptions
  /** ACL user. Default: the server's `default` user. */
  readonly username: string | undefined
  /** Password of the user, or a function asked for it at each new connection. Default: none. */
  readonly password: Password | undefined
  /**
   * Asked at each new connection, instead of `username` and `password`; or a source that announces new ones by itself,
   * which replaces the connections of before. Default: none.
   */
  readonly credentials: CredentialsProvider | StreamingCredentials | undefined
  /** Number of the database to SELECT. Default 0. */
  readonly database: number
  /** Name of the connections in the server's CLIENT LIST. Default: none. */
  readonly clientName: string | undefined
  /** Version of RESP to speak; a server too old for 3 is spoken to in 2. Default 3. */
  readonly protocol: 2 | 3
  /** Milliseconds that dialing and handshake may take together. Default 5 000. */
  readonly connectTimeout: number
  /**
   * Milliseconds after which a connection that owes replies and sends no byte is destroyed; 0 = never.
   * Default 30 000, which is when Redis Sentinel calls a server down. Blocking commands are excepted.
   */
  readonly socketTimeout: number
  /** Milliseconds without traffic before TCP keep-alive starts; 0 = no keep-alive. Default 30 000. */
  readonly keepAlive: number
  /**
   * Bytes that one string in a reply may have. A whole reply may take twice as much, and always 16 MiB. What is larger
   * destroys the connection. Default 512 MiB.
   */
  readonly maxReplySize: number
  /** How often an ECHO proves that replies are in step: `off`, `batch` (once per write), `command`. Default `off`. */
  readonly integrity: IntegrityMode
  /** Whether to tell the server this library's name and version (CLIENT SETINFO). Default `true`. */
  readonly clientInfo: boolean
  /** Stands behind the library's name there, as in `respool(tag)`. Default: none. */
  readonly clientInfoTag: string | undefined
}

export interface ConnectionOptions extends OptionsOf<ConnectionValues> {}

/** The options as code reads them: checked, complete, and safe to print. */
export interface ResolvedConnectionOptions
  extends Omit<ConnectionValues, 'tls' | 'username' | 'password' | 'credentials'> {
  /** Undefined: no TLS. Held back because it may contain keys. */
  readonly tls: Secret<TlsOptions> | undefined
  readonly credentials: Credentials
}

const isHost = (value: string): boolean => isIP(value) !== 0 || /^[^\s\p{Cc}/\\@:[\]?#%<>^|,]{1,255}$/u.test(value)

/** What servers take as the name of a client. https://redis.io/docs/latest/commands/client-setname/ */
export const isClientName = (value: string): boolean => /^[!-~]+$/.test(value)

export const connectionOptionTable: OptionTable<ConnectionValues> = {
  host: text({
    default: 'localhost',
    expected: 'a host name or an IP address, without port or brackets',
    matches: isHost,
    fromUrl: false,
    also: ['hostname', 'server', 'socket', 'address', 'nodes'],
    doc: 'Name or IP address of the server.',
  }),
  port: integer({ default: 6379, min: 1, max: 65_535, fromUrl: false, doc: 'TCP port of the server.' }),
  family: oneOf([0, 4, 6], {
    default: 0,
    also: ['ipVersion'],
    doc: 'IP version to use, 4 or 6; 0 = both are tried.',
  }),
  path: text({
    default: undefined,
    expected: 'the path of a unix socket',
    matches: (value) => value !== '' && !value.includes('\0'),
    fromUrl: false,
    also: ['unix', 'socketPath', 'unixSocket'],
    doc: 'Path of a unix socket, instead of host and port.',
  }),
  tls: custom<boolean | TlsOptions>({
    kind: 'object',
    default: false,
    expected: 'true, false or options of node:tls',
    accepts: (value): value is boolean | TlsOptions => typeof value === 'boolean' || isPlainObject(value),
    also: ['ssl'],
    doc: 'TLS: true, or options of node:tls; certificates are verified unless these say otherwise.',
  }),
  username: text({ default: undefined, fromUrl: false, also: ['user'], doc: 'ACL user.' }),
  password: custom<Password | undefined>({
    kind: 'secret',
    default: undefined,
    expected: 'a string or a function that returns one',
    accepts: (value): value is Password => typeof value === 'string' || typeof value === 'function',
    also: ['auth', 'pass', 'auth_pass', 'requirepass'],
    doc: 'Password of the user, or a function asked for it at each new connection.',
  }),
  credentials: custom<CredentialsProvider | StreamingCredentials | undefined>({
    kind: 'function',
    default: undefined,
    expected: 'a function that returns { username, password }, or an object with subscribe()',
    accepts: (value): value is CredentialsProvider | StreamingCredentials =>
      typeof value === 'function' || isStreaming(value),
    also: ['credentialsProvider'],
    doc: 'Asked at each new connection, instead of username and password; or a source that announces new ones.',
  }),
  database: integer({ default: 0, max: 2_147_483_647, also: ['db'], doc: 'Number of the database to SELECT.' }),
  clientName: text({
    default: undefined,
    expected: 'printable ASCII characters without spaces',
    matches: isClientName,
    also: ['connectionName'],
    doc: "Name of the connections in the server's CLIENT LIST.",
  }),
  protocol: oneOf([2, 3], {
    default: 3,
    also: ['RESP'],
    doc: 'Version of RESP to speak; a server too old for 3 is spoken to in 2.',
  }),
  connectTimeout: duration({
    default: 5_000,
    min: 1,
    also: ['dialTimeout', 'socketConnectTimeout', 'connectionTimeout'],
    doc: 'How long dialing and handshake may take together.',
  }),
  socketTimeout: duration({
    default: 30_000,
    also: ['readTimeout', 'writeTimeout'],
    doc: 'After how long a connection that owes replies and sends no byte is destroyed; 0 = never.',
  }),
  keepAlive: duration({
    default: 30_000,
    also: ['keepAliveInitialDelay', 'socketKeepalive'],
    doc: 'How long without traffic before TCP keep-alive starts; 0 = no keep-alive.',
  }),
  maxReplySize: integer({
    default: 512 * 1024 * 1024,
    min: 1,
    max: 2_147_483_647,
    unit: 'bytes',
    doc: 'How long one string in a reply may be; a whole reply may take twice as much, and always 16 MiB. More destroys the connection.',
  }),
  integrity: oneOf(['off', 'batch', 'command'], {
    default: 'off',
    also: ['highIntegrity'],
    doc: 'How often an ECHO proves that replies are in step, before anybody sees them: once per write, or behind each command; never while a connection subscribes under RESP2, or monitors.',
  }),
  clientInfo: boolean({
    default: true,
    also: ['disableClientInfo'],
    doc: "Whether to tell the server this library's name and version (CLIENT SETINFO).",
  }),
  clientInfoTag: text({
    default: undefined,
    expected: 'printable ASCII characters without spaces',
    matches: (value) => /^[!-~]+$/.test(value),
    doc: "Stands behind the library's name in CLIENT SETINFO, as in respool(tag).",
  }),
}

export function readConnectionOptions(
  input: unknown,
  where = "the connection's options",
  elsewhere: AnyOptionTable = {},
): ResolvedConnectionOptions {
  const { tls, username, password, credentials, ...plain } = readOptions(connectionOptionTable, input, where, elsewhere)
  rejectTwoAddresses(input)
  return Object.freeze({
    ...plain,
    tls: tls === false ? undefined : new Secret(Object.freeze(tls === true ? {} : { ...tls })),
    credentials: credentialsFrom(username, password, credentials),
  })
}

function rejectTwoAddresses(input: unknown): void {
  if (!isPlainObject(input) || input.path === undefined) return
  for (const name of ['host', 'port']) {
    if (input[name] !== undefined) throw new OptionError(`path: a unix socket has no ${name}; give one or the other`)
  }
}

function credentialsFrom(
  username: string | undefined,
  password: Password | undefined,
  credentials: CredentialsProvider | StreamingCredentials | undefined,
): Credentials {
  if (credentials !== undefined) {
    if (username === undefined && password === undefined) return new Credentials(credentials)
    throw new OptionError('credentials: takes the place of username and password; give one or the other')
  }
  if (password === undefined) {
    if (username === undefined) return new Credentials()
    throw new OptionError('username: expected a password with it (an empty one for a user without)')
  }
  return new Credentials(async () => {
    const login = { password: typeof password === 'string' ? password : await password() }
    return username === undefined ? login : { ...login, username }
  })
}
