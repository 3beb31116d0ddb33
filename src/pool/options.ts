// Owns the options of a pool: how many connections, how long to wait, when they end. Knows no address and no URL.
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
  text,
} from '../base/option-table.js'
import { RETRY_MODES, type RetryMode } from '../command/repeat.js'
import { type AutosizeOptions, type AutosizeValues, readAutosize } from './autosize-options.js'
import { type ClientSideCacheOptions, type ClientSideCacheValues, readClientSideCache } from './cache-options.js'
import type { BackoffStrategy } from './supply.js'

export interface PoolValues {
  /** Connections the pool may have at once, those being made included. Default 10. */
  readonly maxConnections: number
  /** Connections kept open even when idle. Default 0. */
  readonly minConnections: number
  /**
   * Whether the pool sizes itself: quickly up, slowly down, as `advice()` says, telling of each change in the event
   * `resize`. `true`: up to `maxConnections`; `{ min, max, targetWait, percentile }`: from `min` to `max`, beginning
   * with `maxConnections`. Default `false`.
   */
  readonly autosize: boolean | AutosizeOptions
  /** Shared connections that regular commands are spread over by key; never more than the pool may have. Default 2. */
  readonly lanes: number
  /** Commands that may be in flight on one shared connection; 1 = every command borrows a whole one. Default 1 000. */
  readonly pipelining: number
  /** Milliseconds a caller waits for a connection; 0 = fail at once when none is free. Default 5 000. */
  readonly acquireTimeout: number
  /** Milliseconds from the call of a command to its reply, waiting included; 0 = no limit. Default 0. */
  readonly commandTimeout: number
  /**
   * What is sent again after its connection was lost or the server refused it as not ready: `safe` (what was not
   * applied, and reads), `none`, `idempotent` (also writes whose last one wins), `at-least-once`. Default `safe`.
   */
  readonly retry: RetryMode
  /** Callers that may wait at once; the next one fails at once. Default 100 000. */
  readonly maxWaiting: number
  /** Connections that may be in the making at once. Default 4. */
  readonly maxConnecting: number
  /** Milliseconds after which an unused connection is closed; 0 = never. Default 60 000. */
  readonly idleTimeout: number
  /** Milliseconds after which a connection is replaced, less up to a tenth at random; 0 = never. Default 1 800 000. */
  readonly maxLifetime: number
  /** Milliseconds between pings of an idle connection; 0 = never. Default 30 000. */
  readonly pingInterval: number
  /** Milliseconds after which a lease still held is reported as a leak; 0 = never. Default 0. */
  readonly leakThreshold: number
  /** Whether the place that took a lease is remembered. Default: when `leakThreshold` is above 0. */
  readonly leakTracking: boolean | undefined
  /** Milliseconds: the upper bound of the first wait after a failed dial, doubled at each further one. Default 10. */
  readonly backoffMin: number
  /** Milliseconds: the longest wait between dials while they fail. Default 1 000. */
  readonly backoffMax: number
  /**
   * Asked for the wait after each failed dial, in milliseconds, instead of `backoffMin` and `backoffMax`; `false` or an
   * Error: who waits is turned away at once, and what was subscribed to is forgotten. Default: none.
   */
  readonly backoff: BackoffStrategy | undefined
  /**
   * Keeps replies of reads in this process, until the server says that their keys changed: `{}` or
   * `{ ttl, maxEntries, maxBytes, evictPolicy }`. Needs `protocol: 3`. Default: off.
   */
  readonly clientSideCache: ClientSideCacheOptions | undefined
  /**
   * Whether the process may end while connections are open, or being made again. It does not while somebody waits for a
   * reply, a connection or the end; a lease that is held and a subscription keep nothing alive. Default `false`.
   */
  readonly unref: boolean
  /** Label of the pool in metrics, errors and events. Default: none. */
  readonly name: string | undefined
}

export interface PoolOptions extends OptionsOf<PoolValues> {}

/** The options as code reads them: checked and complete. */
export interface ResolvedPoolOptions extends Omit<PoolValues, 'leakTracking' | 'clientSideCache' | 'autosize'> {
  readonly autosize: Readonly<AutosizeValues> | undefined
  readonly leakTracking: boolean
  readonly clientSideCache: Readonly<ClientSideCacheValues> | undefined
}

export type PoolLimits = Pick<PoolValues, 'maxConnections' | 'minConnections'>

const limits: OptionTable<PoolLimits> = {
  maxConnections: integer({
    default: 10,
    min: 1,
    max: 65_535,
    also: ['max', 'maximum', 'poolSize', 'size', 'connections', 'maxActiveConns'],
    doc: 'Connections the pool may have at once, those being made included.',
  }),
  minConnections: integer({
    default: 0,
    max: 65_535,
    also: ['min', 'minimum', 'minIdle', 'minIdleConns'],
    doc: 'Connections kept open even when idle.',
  }),
}

const isSwitch = (value: unknown): value is boolean | AutosizeOptions =>
  typeof value === 'boolean' || isPlainObject(value)

export const poolOptionTable: OptionTable<PoolValues> = {
  ...limits,
  autosize: {
    ...custom<boolean | AutosizeOptions>({
      kind: 'object',
      default: false,
      expected: 'true, false or an object such as { min, max, targetWait, percentile }',
      accepts: isSwitch,
      fromUrl: true,
      also: ['autoScale', 'dynamic', 'adaptive'],
      doc: 'Whether the pool sizes itself, up to maxConnections or from min to max; see [sizing](docs/sizing.md#a-pool-that-sizes-itself).',
    }),
    // That is all that the query of a URL can say.
    fromText: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  },
  lanes: integer({
    default: 2,
    min: 1,
    max: 65_535,
    doc: 'Shared connections that regular commands are spread over by key.',
  }),
  pipelining: integer({
    default: 1_000,
    min: 1,
    max: 1_000_000,
    also: ['maxInFlight', 'inflightRequestsLimit', 'enableAutoPipelining'],
    doc: 'Commands that may be in flight on one shared connection; 1 = every command borrows a whole one.',
  }),
  acquireTimeout: duration({
    default: 5_000,
    also: ['timeout', 'poolTimeout', 'acquireTimeoutMillis', 'connectionTimeoutMillis'],
    doc: 'How long a caller waits for a connection; 0 = fail at once when none is free.',
  }),
  commandTimeout: duration({
    default: 0,
    also: ['requestTimeout'],
    doc: 'How long a command may take from the call to the reply, waiting included; 0 = no limit.',
  }),
  retry: oneOf(RETRY_MODES, {
    default: 'safe',
    also: ['maxRetries', 'maxRetriesPerRequest', 'autoResendUnfulfilledCommands'],
    doc: 'What is sent again after a loss or a refusal; see [what is sent again](#what-is-sent-again).',
  }),
  maxWaiting: integer({
    default: 100_000,
    max: 100_000_000,
    also: ['maxWaitingClients', 'commandsQueueMaxLength', 'maxQueue'],
    doc: 'Callers that may wait at once; the next one fails at once.',
  }),
  maxConnecting: integer({
    default: 4,
    min: 1,
    max: 65_535,
    also: ['maxConcurrentDials'],
    doc: 'Connections that may be in the making at once.',
  }),
  idleTimeout: duration({
    default: 60_000,
    also: ['idleTimeoutMillis', 'cleanupDelay', 'maxIdleTime', 'connMaxIdleTime'],
    doc: 'After how long an unused connection is closed; 0 = never.',
  }),
  maxLifetime: duration({
    default: 30 * 60_000,
    also: ['connMaxLifetime', 'maxAge'],
    doc: 'After how long a connection is replaced, less up to a tenth at random; 0 = never.',
  }),
  pingInterval: duration({
    default: 30_000,
    also: ['healthCheckInterval'],
    doc: 'How long between pings of an idle connection; 0 = never.',
  }),
  leakThreshold: duration({
    default: 0,
    also: ['leakDetectionThreshold'],
    doc: 'After how long a lease still held is reported as a leak; 0 = never.',
  }),
  leakTracking: boolean({
    default: undefined,
    doc: 'Whether the place that took a lease is remembered; by default when leakThreshold is above 0.',
  }),
  backoffMin: duration({
    default: 10,
    min: 1,
    also: ['minRetryBackoff'],
    doc: 'Upper bound of the first wait after a failed dial; it doubles at each further one.',
  }),
  backoffMax: duration({
    default: 1_000,
    min: 1,
    also: ['maxRetryBackoff'],
    doc: 'Longest wait between dials while they fail.',
  }),
  backoff: custom<BackoffStrategy | undefined>({
    kind: 'function',
    default: undefined,
    expected: 'a function (failures, error) => milliseconds | false | Error',
    accepts: (value): value is BackoffStrategy => typeof value === 'function',
    also: ['reconnectStrategy', 'retryStrategy'],
    doc: 'Asked for the wait after each failed dial, instead of backoffMin and backoffMax; false: who waits is turned away at once, and what was subscribed to is forgotten.',
  }),
  clientSideCache: custom<ClientSideCacheOptions | undefined>({
    kind: 'object',
    default: undefined,
    expected: 'an object such as { ttl, maxEntries, maxBytes, evictPolicy }',
    accepts: isPlainObject,
    also: ['cache', 'tracking', 'clientTracking', 'clientCache'],
    doc: 'Keeps replies of reads in this process; see [client-side caching](#client-side-caching).',
  }),
  unref: boolean({
    default: false,
    also: ['allowExitOnIdle'],
    doc: 'Whether the process may end while connections are open and nobody waits for a reply or a connection.',
  }),
  name: text({
    default: undefined,
    expected: 'a string that is not empty',
    matches: (value) => value !== '',
    also: ['poolName', 'label'],
    doc: 'Label of the pool in metrics, errors and events.',
  }),
}

export function readPoolOptions(
  input: unknown,
  where = "the pool's options",
  elsewhere: AnyOptionTable = {},
): ResolvedPoolOptions {
  const values = readOptions(poolOptionTable, input, where, elsewhere)
  const isGiven = (name: keyof PoolValues): boolean => isPlainObject(input) && input[name] !== undefined
  rejectAbove(values, 'minConnections', 'maxConnections')
  rejectAbove(values, 'backoffMin', 'backoffMax')
  // The default of two lanes must not turn `maxConnections: 1` into an error.
  if (isGiven('lanes')) rejectAbove(values, 'lanes', 'maxConnections')
  const { leakTracking = values.leakThreshold > 0, clientSideCache } = values
  const cache = clientSideCache === undefined ? undefined : readClientSideCache(clientSideCache)
  const autosize = readAutosize(values.autosize, values)
  const maxConnections = firstSize(values.maxConnections, isGiven('maxConnections'), autosize)
  return Object.freeze({ ...values, maxConnections, leakTracking, clientSideCache: cache, autosize })
}

/** Reads what `resize` was given; what it leaves out stays as it is. */
export function readPoolLimits(input: unknown, current: PoolLimits): PoolLimits {
  const table: OptionTable<PoolLimits> = {
    maxConnections: { ...limits.maxConnections, default: current.maxConnections },
    minConnections: { ...limits.minConnections, default: current.minConnections },
  }
  const values = readOptions(table, input, 'resize()')
  rejectAbove(values, 'minConnections', 'maxConnections')
  return values
}

/** The default need not lie within the bounds of a pool that sizes itself; what was given must. */
function firstSize(size: number, isGiven: boolean, bounds: Readonly<AutosizeValues> | undefined): number {
  const { min = size, max = size } = bounds ?? {}
  const within = Math.min(max, Math.max(min, size))
  if (!isGiven || within === size) return within
  throw new OptionError(`maxConnections: expected ${min} to ${max}, which are the bounds of autosize, got ${size}`)
}

function rejectAbove<Name extends string>(values: Readonly<Record<Name, number>>, low: Name, high: Name): void {
  if (values[low] <= values[high]) return
  throw new OptionError(`${low}: expected at most ${high}, which is ${values[high]}, got ${values[low]}`)
}
