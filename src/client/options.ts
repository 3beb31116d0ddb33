// Owns what `new Redis(…)` and `new ConnectionPool(…)` accept, and which of URL and options wins.
// Knows nothing of what the options do.
import { OptionError } from '../base/errors.js'
import {
  type AnyOptionTable,
  custom,
  isPlainObject,
  type OptionsOf,
  type OptionTable,
  readOptions,
  readPlainObject,
} from '../base/option-table.js'
import type { RedisArgument, TypeMapping } from '../command/definitions.js'
import {
  type ConnectionOptions,
  connectionOptionTable,
  type ResolvedConnectionOptions,
  readConnectionOptions,
} from '../connection/options.js'
import {
  type PoolLimits,
  type PoolOptions,
  poolOptionTable,
  type ResolvedPoolOptions,
  readPoolOptions,
} from '../pool/options.js'
import { readUrl } from './url.js'

export interface ClientValues {
  /** Types that replies become, by RESP type. Default: none. */
  readonly typeMapping: TypeMapping
  /**
   * Stands before every key that commands send. Keys in replies, patterns, channels and raw commands stay as they are.
   * Default: none.
   */
  readonly keyPrefix: RedisArgument | undefined
}

/** Options as they were given, by name and without a URL. May hold secrets: kept private, never shown. */
export type GivenOptions = Readonly<Record<string, unknown>>

/** Options of a pool and of the connections in it. */
export interface ConnectionPoolOptions extends ConnectionOptions, PoolOptions {
  /** Where the server is, and options by name in its query; options given beside it win. Default: none. */
  readonly url?: string | URL | undefined
}

/** Options of a client: its own, and those of the pool it makes, or the pool it shares. */
export interface RedisOptions<Pool> extends ConnectionPoolOptions, OptionsOf<ClientValues> {
  /** A pool made before, shared with other clients. Excludes all options of a pool and of connections. */
  readonly pool?: Pool | undefined
}

export interface ResolvedConnectionPoolOptions {
  readonly connection: ResolvedConnectionOptions
  readonly pool: ResolvedPoolOptions
}

/** Either the options of a pool to make, or a pool to share. */
export type ResolvedRedisOptions<Pool> =
  | (ResolvedConnectionPoolOptions & { readonly client: Readonly<ClientValues>; readonly shared?: undefined })
  | { readonly shared: Pool; readonly client: Readonly<ClientValues> }

const isMapping = (value: unknown): value is TypeMapping =>
  isPlainObject(value) && Object.entries(value).every(([type, target]) => isRespType(type) && isTarget(target))

const isRespType = (key: string): boolean => /^\d{1,3}$/.test(key) && Number(key) <= 255
const isTarget = (value: unknown): boolean =>
  Array.isArray(value) ? value.every(isTarget) : value === undefined || typeof value === 'function'

export const clientOptionTable: OptionTable<ClientValues> = {
  typeMapping: custom<TypeMapping>({
    kind: 'object',
    default: Object.freeze({}),
    expected: 'an object such as { [RESP_TYPES.BLOB_STRING]: Buffer }',
    accepts: isMapping,
    also: ['commandOptions', 'returnBuffers'],
    doc: 'Types that replies become, by RESP type.',
  }),
  keyPrefix: custom<RedisArgument | undefined>({
    kind: 'string',
    default: undefined,
    expected: 'a string or a Buffer',
    accepts: (value): value is RedisArgument => typeof value === 'string' || Buffer.isBuffer(value),
    also: ['prefix'],
    doc: 'Stands before every key that commands send; not before patterns, channels and what raw commands hold.',
  }),
}

interface PlaceValues {
  readonly url: string | URL | undefined
}

const isUrl = (value: unknown): value is string | URL => typeof value === 'string' || value instanceof URL

const placeTable: OptionTable<PlaceValues> = {
  url: custom<string | URL | undefined>({
    kind: 'secret',
    default: undefined,
    expected: 'a string or a URL',
    accepts: isUrl,
    also: ['uri', 'connectionString'],
    doc: 'Where the server is, with options by name in its query; options given beside it win.',
  }),
}

const poolAndConnectionTable: AnyOptionTable = { ...connectionOptionTable, ...poolOptionTable }
const poolNames: AnyOptionTable = { ...poolAndConnectionTable, ...placeTable }

/** All that `new Redis(…)` accepts. */
export const ownOptions = (): AnyOptionTable => ({ ...poolNames, ...clientOptionTable, pool: poolRow })

/** What the arguments of a constructor say, as one object: what a URL says is in it by name. */
export function flatOptions(first?: unknown, second?: unknown): GivenOptions {
  const all = readArguments(first, second)
  const { url, ...given } = all
  // What cannot be read is left for the reading to refuse by its name.
  if (!isUrl(url) || given.pool !== undefined) return all
  return merge(readUrl(url, poolAndConnectionTable), given)
}

/** What a URL sets, by name. */
export const optionsOfUrl = (url: string | URL): GivenOptions => readUrl(url, poolAndConnectionTable)

/** Address, TLS, login and database: what a URL says as a whole. */
const PLACE = ['host', 'port', 'path', 'tls', 'username', 'password', 'credentials', 'database'] as const

type MadePool = Pick<ResolvedPoolOptions, keyof PoolLimits | 'autosize'>

/** Options of a duplicate: a URL in the overrides takes the place of the whole address, anything else of one option. */
export function overridden(base: GivenOptions, overrides: GivenOptions): GivenOptions {
  const kept: Record<string, unknown> = { ...base }
  if (overrides.url !== undefined) for (const name of PLACE) delete kept[name]
  return laidOver(kept, flatOptions(overrides))
}

/**
 * The options of a pool that has other bounds than it was made with: `lanes` never stands above them, and a pool that
 * sizes itself is not bound by the size that it happens to have.
 */
export function withLimits(given: GivenOptions, made: MadePool, now: PoolLimits): GivenOptions {
  if (now.maxConnections === made.maxConnections && now.minConnections === made.minConnections) return given
  const { maxConnections, minConnections } = withinAutosize(given, made, now)
  const { lanes } = given
  const isAbove = typeof lanes === 'number' && lanes > maxConnections
  return { ...given, maxConnections, minConnections, lanes: isAbove ? maxConnections : lanes }
}

function withinAutosize({ autosize: asked }: GivenOptions, { autosize }: MadePool, now: PoolLimits): PoolLimits {
  if (autosize === undefined) return now
  const { min, max } = autosize
  const minConnections = Math.min(now.minConnections, max)
  // Where nothing else says how far it may grow, `maxConnections` does.
  const isBound = !(isPlainObject(asked) && typeof asked.max === 'number' && asked.max > 0)
  const lowest = isBound ? max : Math.max(min, minConnections)
  return { maxConnections: Math.min(max, Math.max(lowest, now.maxConnections)), minConnections }
}

/** Reads the arguments of `new ConnectionPool(…)`: `(url, options)`, `(url)`, `(options)` or nothing. */
export function readConnectionPoolOptions(first?: unknown, second?: unknown): ResolvedConnectionPoolOptions {
  const given = readArguments(first, second)
  return Object.freeze(readBoth(given, poolNames, "the pool's options"))
}

/** Reads the arguments of `new Redis(…)`; `isPool` recognises a pool to share. */
export function readClientOptions<Pool>(
  isPool: (value: unknown) => value is Pool,
  first?: unknown,
  second?: unknown,
): ResolvedRedisOptions<Pool> {
  const { pool, ...given } = readArguments(first, second)
  const where = "the client's options"
  if (pool === undefined) {
    const names: AnyOptionTable = { ...poolNames, ...clientOptionTable, pool: poolRow }
    const own = readBoth(given, names, where)
    return Object.freeze({ ...own, client: readOptions(clientOptionTable, given, where, names) })
  }
  if (!isPool(pool)) throw new OptionError(`pool: expected ${poolRow.expected}`)
  const surplus = Object.keys(given).find((name) => Object.hasOwn(poolNames, name) && given[name] !== undefined)
  if (surplus !== undefined) {
    throw new OptionError(`${surplus}: cannot be given together with pool; give it to the ConnectionPool`)
  }
  return Object.freeze({ shared: pool, client: readOptions(clientOptionTable, given, where, poolNames) })
}

const poolRow = custom<unknown>({
  kind: 'object',
  default: undefined,
  expected: 'a ConnectionPool',
  accepts: (value): value is unknown => value !== undefined,
  doc: 'A pool made before, shared with other clients.',
})

/**
 * Reads REDIS_URL, for those who ask for it by name: `Redis.fromEnv()` and the command line.
 * The result is an option like any other.
 */
export function optionsFromEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): {
  readonly url: string
} {
  const url = env.REDIS_URL
  if (url === undefined || url === '') throw new OptionError('REDIS_URL: expected the environment to have one')
  return { url }
}

function readBoth(
  given: Readonly<Record<string, unknown>>,
  names: AnyOptionTable,
  where: string,
): ResolvedConnectionPoolOptions {
  const { url } = readOptions(placeTable, given, where, names)
  const merged = url === undefined ? given : merge(readUrl(url, poolAndConnectionTable), given)
  const connection = readConnectionOptions(merged, where, names)
  const pool = readPoolOptions(merged, where, names)
  if (pool.clientSideCache !== undefined && connection.protocol === 2) {
    throw new OptionError('clientSideCache: needs protocol 3: in RESP2 the server cannot tell of changes')
  }
  return { connection, pool }
}

function readArguments(first: unknown, second: unknown): Readonly<Record<string, unknown>> {
  if (!isUrl(first)) {
    if (second !== undefined) throw new OptionError('the first of two arguments: expected a URL')
    return readPlainObject(first, 'the options')
  }
  const options = readPlainObject(second, 'the options')
  if (options.url !== undefined) throw new OptionError('url: is given twice, as an argument and as an option')
  return { ...options, url: first }
}

/**
 * What is given by name wins over the URL. Options that exclude each other win as a group, so that
 * `{ path }` beside `redis://host` is a path. Encryption that the URL asks for is never switched off in silence.
 */
function merge(fromUrl: GivenOptions, given: GivenOptions): GivenOptions {
  if (fromUrl.tls === true && given.tls === false) {
    throw new OptionError('tls: is false, but the URL asks for TLS; change one of them')
  }
  return laidOver(fromUrl, given)
}

function laidOver(base: GivenOptions, given: GivenOptions): GivenOptions {
  const merged: Record<string, unknown> = { ...base }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    for (const excluded of EXCLUDES.get(name) ?? []) delete merged[excluded]
  }
  for (const [name, value] of Object.entries(given)) if (value !== undefined) merged[name] = value
  return merged
}

const EXCLUDES: ReadonlyMap<string, readonly string[]> = new Map([
  ['path', ['host', 'port']],
  ['host', ['path']],
  ['port', ['path']],
  ['credentials', ['username', 'password']],
  ['username', ['credentials']],
  ['password', ['credentials']],
])
