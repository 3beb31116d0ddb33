// Owns what each option of node-redis means here: the option it becomes, or why it cannot be given and what to do
// instead. Data that the translation, the page on migrating and the tests read. Knows no handle.

import { OptionError } from '../base/errors.js'
import { isPlainObject } from '../base/option-table.js'
import { isStreaming } from '../connection/credentials.js'
import type { GivenOptions } from './options.js'

/** What becomes of one option of node-redis. */
export interface Rule {
  /** The options of respool that it sets; none where only a value without effect is accepted. */
  readonly becomes: readonly string[]
  /** What is different, or what to do instead. Completes the error where the option is refused. */
  readonly doc: string
  /** Gives options of respool; `beside` is what was given with it. */
  readonly read: (value: unknown, name: string, beside: GivenOptions) => GivenOptions
}

export type Rules = Readonly<Record<string, Rule>>

function becomes(name: string, doc = 'the same', convert: (value: unknown, name: string) => unknown = same): Rule {
  return { becomes: [name], doc, read: (value, given) => ({ [name]: convert(value, given) }) }
}

const same = (value: unknown): unknown => value

/** Refused, but for values that ask for what respool does anyway. */
function refused(doc: string, ...accepted: readonly unknown[]): Rule {
  const read = (value: unknown, name: string): GivenOptions => {
    if (accepted.includes(value)) return {}
    throw new OptionError(`${name}: ${doc}`)
  }
  return { becomes: [], doc, read }
}

/** Read elsewhere, because it holds options itself. */
const nested = (doc: string, ...names: readonly string[]): Rule => ({ becomes: names, doc, read: () => ({}) })

function flag(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value
  throw new OptionError(`${name}: expected true or false`)
}

const isEmpty = (value: unknown): boolean => value === ''

/** A login is for one of them: node-redis takes the provider then. */
function login(name: 'username' | 'password'): Rule {
  return {
    becomes: [name],
    doc: 'the same; an empty one is none, and credentialsProvider comes first',
    read: (value, _name, { credentialsProvider }) =>
      isEmpty(value) || credentialsProvider !== undefined ? {} : { [name]: value },
  }
}

function credentialsOf(value: unknown, name: string): unknown {
  if (isPlainObject(value) || (typeof value === 'object' && value !== null)) {
    const type: unknown = Reflect.get(value, 'type')
    const ask: unknown = Reflect.get(value, 'credentials')
    if (type === 'async-credentials-provider' && typeof ask === 'function') return () => Reflect.apply(ask, value, [])
    if (type === 'streaming-credentials-provider' && isStreaming(value)) return value
  }
  const types = "'async-credentials-provider' or 'streaming-credentials-provider'"
  throw new OptionError(`${name}: expected a provider whose type is ${types}`)
}

/** node-redis counts retries from 0, and gives the socket's own error. */
function backoffOf(value: unknown, name: string): unknown {
  if (value === false) return () => false
  if (typeof value === 'number' && value >= 0) return () => value
  if (typeof value !== 'function') throw new OptionError(`${name}: expected false, milliseconds or a function`)
  return (failures: number, error: Error) =>
    Reflect.apply(value, undefined, [failures - 1, error.cause instanceof Error ? error.cause : error])
}

/** There 0 is no limit. */
const queueLengthOf = (value: unknown): unknown => (value === 0 ? 100_000_000 : value)

const MAINTENANCE =
  'notifications of Redis Enterprise are not read; a connection that ends is replaced, and what is safe is sent again'
const NO_HAND = 'internal to node-redis'

/** Options of `createClient`. */
export const clientRules = {
  url: becomes('url', 'the same; it may also set options in its query, and other unknown text in it is an error'),
  socket: nested('flat here: see the options of `socket`', 'host', 'port', 'tls', 'connectTimeout'),
  username: login('username'),
  password: login('password'),
  credentialsProvider: becomes(
    'credentials',
    'a function asked at each new connection; a streaming provider as it is: new credentials replace the connections',
    credentialsOf,
  ),
  name: becomes('clientName', 'the name in CLIENT LIST; `name` of `new Redis()` is the label of the pool'),
  database: becomes('database'),
  keyPrefix: becomes('keyPrefix'),
  commandsQueueMaxLength: becomes(
    'maxWaiting',
    'counts who waits for a connection, not what is in flight (`pipelining` bounds that)',
    queueLengthOf,
  ),
  disableOfflineQueue: refused(
    'set acquireTimeout, the longest wait for a connection: every wait has a bound here',
    false,
  ),
  readonly: refused('is for replicas of a cluster, which are not served', false),
  pingInterval: becomes('pingInterval', 'idle connections only, every 30 s by default; a busy one needs none'),
  commandOptions: nested('`timeout` ends the whole call here, not only its wait', 'typeMapping', 'commandTimeout'),
  clientSideCache: becomes('clientSideCache', 'shared by the pool; bounded by `maxBytes` besides'),
  himportRegistry: refused(NO_HAND),
  disableClientInfo: becomes('clientInfo', 'the opposite', (value, name) => !flag(value, name)),
  clientInfoTag: becomes('clientInfoTag', 'the name is `respool(tag)`'),
  emitInvalidate: refused('CLIENT TRACKING concerns one connection, and a handle has many: use lease()', false),
  maintNotifications: refused(MAINTENANCE, 'disabled'),
  maintEndpointType: refused(MAINTENANCE),
  maintRelaxedCommandTimeout: refused(MAINTENANCE),
  maintRelaxedSocketTimeout: refused(MAINTENANCE),
  RESP: becomes('protocol', 'the same; a server that does not know RESP3 is spoken to in RESP2'),
  modules: nested('taken as they are'),
  functions: nested('taken as they are'),
  scripts: nested('taken as they are'),
} satisfies Rules

/** Options that `createClient` had in node-redis 3 and 4. */
export const formerRules = {
  legacyMode: refused('commands return promises here, and take no callback'),
  isolationPoolOptions: refused('lease() takes its connections from the same pool: use maxConnections'),
  db: refused('use database'),
  user: refused('use username'),
  auth_pass: refused('use password'),
  prefix: refused('use keyPrefix'),
  connect_timeout: refused('use socket.connectTimeout'),
  retry_strategy: refused('use socket.reconnectStrategy, a function of the number of retries and the error'),
  retry_max_delay: refused('use socket.reconnectStrategy, or backoffMax'),
  max_attempts: refused('use socket.reconnectStrategy'),
  retry_unfulfilled_commands: refused('use retry, which says what is sent again'),
  socket_keepalive: refused('use socket.keepAlive'),
  socket_initial_delay: refused('use socket.keepAliveInitialDelay'),
  enable_offline_queue: refused('set acquireTimeout, the longest wait for a connection', true),
  no_ready_check: refused('a connection is used when it has answered'),
  return_buffers: refused('use typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer }', false),
  detect_buffers: refused('use withTypeMapping() where replies are to be Buffers', false),
  string_numbers: refused('use typeMapping: { [RESP_TYPES.NUMBER]: String }', false),
  disable_resubscribing: refused('what a handle listens to is subscribed to again; the event `gap` tells of it', false),
  rename_commands: refused('use sendCommand() with the new name'),
} satisfies Rules

/** Options in `socket`, those of TLS excepted, which go into `tls` as they are. */
export const socketRules = {
  host: becomes('host'),
  port: becomes('port'),
  path: becomes('path'),
  family: becomes('family'),
  tls: nested('true, or an object of what `socket` says of TLS', 'tls'),
  connectTimeout: becomes('connectTimeout', 'covers the handshake too'),
  socketTimeout: becomes(
    'socketTimeout',
    'counts only while replies are owed, so an idle connection is not ended; 30 s by default, 0 = never',
  ),
  reconnectStrategy: becomes(
    'backoff',
    'asked after a failed dial: a lost connection is replaced at once; false turns away who waits, ends what is subscribed to and monitored, and the next call tries again',
    backoffOf,
  ),
  keepAlive: {
    becomes: ['keepAlive'],
    doc: 'false is `keepAlive: 0`',
    read: (value, name) => (flag(value, name) ? {} : { keepAlive: 0 }),
  },
  keepAliveInitialDelay: {
    becomes: ['keepAlive'],
    doc: 'one option for both: milliseconds, 0 = off',
    read: (value, _name, { keepAlive }) => (keepAlive === false ? {} : { keepAlive: value }),
  },
  noDelay: refused('what is written goes out at once, always', true),
  timeout: refused('use connectTimeout and socketTimeout'),
  localAddress: refused('leave it to the operating system: the route to the server decides'),
  localPort: refused('one port cannot serve several connections'),
  hints: refused('use family'),
  lookup: refused('give an address as host, or leave the name to the resolver of the system'),
  autoSelectFamily: refused('both families are tried, as Node.js does by default; use family for one of them', true),
  autoSelectFamilyAttemptTimeout: refused('both families are tried, as Node.js does by default'),
  allowHalfOpen: refused('a connection whose other side has ended is replaced', false),
  signal: refused('use close() or destroy(); withAbortSignal() for calls'),
  fd: refused('a pool makes its connections itself'),
  socket: refused('a pool makes its connections itself'),
  onread: refused('a pool reads its connections itself'),
  readable: refused('a pool reads its connections itself', true),
  writable: refused('a pool writes its connections itself', true),
} satisfies Rules

/** Options of node:tls that `socket` may hold beside `tls: true`. */
export const TLS_OPTIONS = [
  'ALPNCallback',
  'ALPNProtocols',
  'SNICallback',
  'allowPartialTrustChain',
  'ca',
  'cert',
  'checkServerIdentity',
  'ciphers',
  'clientCertEngine',
  'crl',
  'dhparam',
  'ecdhCurve',
  'enableTrace',
  'honorCipherOrder',
  'key',
  'maxVersion',
  'minDHSize',
  'minVersion',
  'passphrase',
  'pfx',
  'privateKeyEngine',
  'privateKeyIdentifier',
  'pskCallback',
  'rejectUnauthorized',
  'requestCert',
  'secureContext',
  'secureOptions',
  'secureProtocol',
  'servername',
  'session',
  'sessionIdContext',
  'sessionTimeout',
  'sigalgs',
  'ticketKeys',
] as const

/** Options in `commandOptions`. */
export const commandRules = {
  typeMapping: becomes('typeMapping'),
  timeout: becomes('commandTimeout', 'from the call to the reply; there only until it is written'),
  abortSignal: refused('ends once and for all calls: use withAbortSignal() on the handle'),
  asap: refused('commands go out at once, and none overtakes another', false),
  chainId: refused(NO_HAND),
  slotNumber: refused(NO_HAND),
  askRedirect: refused(NO_HAND),
} satisfies Rules

function someTime(value: unknown, name: string): unknown {
  if (value !== 0) return value
  throw new OptionError(`${name}: 0 is for ever there, and not at all here; give the longest wait in milliseconds`)
}

/** The second argument of `createClientPool`. */
export const poolRules = {
  minimum: becomes('minConnections', 'may be 0 here'),
  maximum: becomes('maxConnections', 'at most 10 by default, not 100: commands share connections'),
  acquireTimeout: becomes('acquireTimeout', '5 s by default, not 3 s; 0 is refused: every wait has a bound', someTime),
  cleanupDelay: becomes('idleTimeout', 'counts for each connection by itself; 60 s by default, not 3 s'),
  clientSideCache: clientRules.clientSideCache,
} satisfies Rules
