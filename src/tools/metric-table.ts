// Owns which metrics a pool has: names and attributes as OpenTelemetry's semantic conventions 1.45 have them where they
// have any, those of node-redis where it has one, our own otherwise. Reads snapshots, and knows no exporter.
// https://opentelemetry.io/docs/specs/semconv/database/database-metrics/

import type { DurationStats, PoolStats } from '../index.js'

export type Attributes = Readonly<Record<string, string | number>>

/** `upDown`: an amount that can be added up over pools; `gauge`: one that cannot. */
export type ScalarKind = 'counter' | 'upDown' | 'gauge'

interface Described {
  readonly name: string
  readonly unit: string
  readonly description: string
}

export interface ScalarMetric extends Described {
  readonly kind: ScalarKind
  /** Whether its values are whole numbers. */
  readonly isWhole: boolean
  /** What tells its values of one pool apart. */
  readonly attribute: string | undefined
  /** Values with what tells them apart, besides the pool. */
  read(stats: PoolStats): readonly (readonly [value: number, attributes?: Attributes])[]
}

export interface HistogramMetric extends Described {
  readonly kind: 'histogram'
  read(stats: PoolStats): readonly (readonly [durations: DurationStats, attributes?: Attributes])[]
}

export const POOL_NAME = 'db.client.connection.pool.name'
const STATE = 'db.client.connection.state'
const PLACE = 'respool.connection.place'
const CLOSE_REASON = 'redis.client.connection.close.reason'
const OUTCOME = 'respool.wait.outcome'
const DIRECTION = 'network.io.direction'
export const ERROR_TYPE = 'error.type'
const STATUS_CODE = 'db.response.status_code'
export const OPERATION = 'db.operation.name'

/** What the conventions ask for in place of an error that has no type. */
const OTHER_ERROR = '_OTHER'

/** Where nothing else is said: the bounds that the conventions advise, and three below a millisecond; in ms. */
export const DEFAULT_BOUNDS: readonly number[] = [0.1, 0.25, 0.5, 1, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000]

const SECOND = 1_000

type Read = (stats: PoolStats) => number

const count = (kind: ScalarKind, name: string, unit: string, description: string, read: Read): ScalarMetric => ({
  ...{ kind, name, unit, description },
  isWhole: unit !== 's',
  attribute: undefined,
  read: (stats) => [[read(stats)]],
})

const countBy = (
  kind: ScalarKind,
  name: string,
  unit: string,
  description: string,
  attribute: string,
  read: (stats: PoolStats) => Readonly<Record<string, number>>,
): ScalarMetric => ({
  ...{ kind, name, unit, description },
  isWhole: unit !== 's',
  attribute,
  read: (stats) => Object.entries(read(stats)).map(([key, value]) => [value, { [attribute]: key }]),
})

const CONVENTIONAL: readonly ScalarMetric[] = [
  countBy(
    'upDown',
    'db.client.connection.count',
    '{connection}',
    'Connections by state: idle, or used by one caller or by many',
    STATE,
    ({ connections: { idle, shared, late, draining, leased } }) => ({ idle, used: shared + late + draining + leased }),
  ),
  count('upDown', 'db.client.connection.limit', '{connection}', 'maxConnections', (stats) => stats.maxConnections),
  count(
    'upDown',
    'db.client.connection.idle.max',
    '{connection}',
    'The most connections that may be idle',
    (stats) => stats.maxConnections,
  ),
  count(
    'upDown',
    'db.client.connection.idle.min',
    '{connection}',
    'minConnections: so many are kept',
    (stats) => stats.minConnections,
  ),
  count(
    'upDown',
    'db.client.connection.pending_requests',
    '{request}',
    'Callers that wait for a connection',
    ({ waiting }) => waiting.total,
  ),
  count(
    'counter',
    'db.client.connection.timeouts',
    '{timeout}',
    'Callers that got no connection within acquireTimeout',
    ({ counters }) => counters.timedOut,
  ),
]

const CONNECTIONS: readonly ScalarMetric[] = [
  count(
    'upDown',
    'respool.connection.lendable',
    '{connection}',
    'Connections that may be leased at once: all, or all but the one that is kept for sharing',
    (stats) => stats.lendable,
  ),
  countBy(
    'upDown',
    'respool.connection.count',
    '{connection}',
    'Connections by place, those being made or ending included',
    PLACE,
    ({ connections: { total: _, ...places } }) => places,
  ),
  countBy(
    'counter',
    'respool.connection.time',
    's',
    'Time that connections have spent in each place, added up: its rate is the mean number there',
    PLACE,
    ({ connectionTime }) =>
      Object.fromEntries(Object.entries(connectionTime).map(([place, time]) => [place, time / SECOND])),
  ),
  count('counter', 'respool.connection.dialed', '{connection}', 'Dials begun', ({ counters }) => counters.dialed),
  count(
    'counter',
    'respool.connection.opened',
    '{connection}',
    'Connections that became ready',
    ({ counters }) => counters.opened,
  ),
  countBy(
    'counter',
    'redis.client.connection.closed',
    '{connection}',
    'Connections that ended, and dials that failed, by reason',
    CLOSE_REASON,
    ({ counters }) => counters.closed,
  ),
  count(
    'gauge',
    'respool.connection.demand.peak',
    '{connection}',
    'The most connections that were leased and wanted at once',
    ({ peaks }) => peaks.demand,
  ),
  count(
    'counter',
    'respool.connection.late',
    '{connection}',
    'How often a shared connection owed a reply for too long',
    ({ counters }) => counters.turnedLate,
  ),
  countBy(
    'counter',
    'respool.network.io',
    'By',
    'Bytes of the stream of RESP',
    DIRECTION,
    ({ counters: { bytesRead: receive, bytesWritten: transmit } }) => ({ receive, transmit }),
  ),
]

const CALLERS: readonly ScalarMetric[] = [
  countBy(
    'counter',
    'respool.wait.count',
    '{request}',
    'Callers that had to wait for a connection, by what became of the wait',
    OUTCOME,
    ({ counters: { served, timedOut: timed_out, expired, turnedAway: turned_away, abandoned } }) => {
      return { served, timed_out, expired, turned_away, abandoned }
    },
  ),
  count(
    'gauge',
    'respool.wait.longest',
    's',
    'How long the first in line has waited',
    ({ waiting }) => waiting.longest / SECOND,
  ),
  count('counter', 'respool.lease.acquired', '{lease}', 'Connections lent', ({ counters }) => counters.acquired),
  count('counter', 'respool.lease.released', '{lease}', 'Connections given back', ({ counters }) => counters.released),
  count(
    'counter',
    'respool.lease.leaks',
    '{lease}',
    'Leases held for longer than leakThreshold',
    ({ counters }) => counters.leaksReported,
  ),
  countBy(
    'counter',
    'redis.client.errors',
    '{error}',
    'Calls that ended with an error, by its kind',
    ERROR_TYPE,
    ({ commands }) => {
      const sums: Record<string, number> = {}
      for (const { failures } of Object.values(commands))
        for (const [kind, { count: failed }] of Object.entries(failures))
          sums[typeOfKind(kind)] = (sums[typeOfKind(kind)] ?? 0) + failed
      return sums
    },
  ),
  count(
    'upDown',
    'respool.command.in_flight',
    '{command}',
    'Commands written whose replies are owed',
    (stats) => stats.inFlight,
  ),
  count(
    'counter',
    'respool.command.retried',
    '{command}',
    'Commands sent again after a loss or a refusal',
    ({ counters }) => counters.retried,
  ),
  count(
    'gauge',
    'respool.event_loop.delay',
    's',
    'How late the event loop ran of late, while replies were owed',
    ({ loopDelay }) => loopDelay / SECOND,
  ),
]

const CACHE: readonly ScalarMetric[] = [
  countBy(
    'counter',
    'redis.client.csc.requests',
    '{request}',
    'Reads that clientSideCache could answer, by whether it did',
    'redis.client.csc.result',
    ({ cache }): Record<string, number> => (cache === undefined ? {} : { hit: cache.hits, miss: cache.misses }),
  ),
  {
    kind: 'upDown',
    name: 'redis.client.csc.items',
    unit: '{item}',
    description: 'Replies that clientSideCache keeps',
    isWhole: true,
    attribute: undefined,
    read: ({ cache }) => (cache === undefined ? [] : [[cache.entries]]),
  },
  countBy(
    'counter',
    'redis.client.csc.evictions',
    '{eviction}',
    'Replies that clientSideCache gave up, by reason',
    'redis.client.csc.reason',
    ({ cache }): Record<string, number> => {
      if (cache === undefined) return {}
      const { evicted: full, expired: ttl, invalidated: invalidation, dropped } = cache
      return { full, ttl, invalidation, dropped }
    },
  ),
]

export const SCALARS: readonly ScalarMetric[] = [...CONVENTIONAL, ...CONNECTIONS, ...CALLERS, ...CACHE]

/** Those of a pool as a whole; of a snapshot without bounds they have no buckets. */
export const TIMES = {
  create: timeOf('db.client.connection.create_time', 'From the dial until the connection was ready', 'connect'),
  wait: timeOf(
    'db.client.connection.wait_time',
    'Waiting for a connection, of callers that could not be served at once',
    'wait',
  ),
  use: timeOf('db.client.connection.use_time', 'From lending a connection until it came back', 'use'),
  reply: timeOf('respool.reply.duration', 'From writing commands to the reply of the last of them', 'reply'),
} as const

/** Calls by command; a transaction is one call, MULTI. */
export const OPERATIONS: HistogramMetric = {
  kind: 'histogram',
  name: 'db.client.operation.duration',
  unit: 's',
  description: 'From the call of a command to its end',
  read: (stats) =>
    Object.entries(stats.commands).flatMap(([name, { replies, failures }]) => {
      const attributes = operationOf(stats, name)
      const failed = Object.entries(failures).map(
        ([kind, durations]) => [durations, { ...attributes, ...errorOf(kind) }] as const,
      )
      return replies.count > 0 ? [[replies, attributes], ...failed] : failed
    }),
}

export const HISTOGRAMS: readonly HistogramMetric[] = [...Object.values(TIMES), OPERATIONS]

function timeOf(name: string, description: string, which: keyof PoolStats['durations']): HistogramMetric {
  return { kind: 'histogram', name, unit: 's', description, read: ({ durations }) => [[durations[which]]] }
}

function operationOf({ address, database }: PoolStats, name: string): Attributes {
  // A transaction is counted where its outcome is told.
  return { ...placeOf({ ...hostAndPort(address), database }), [OPERATION]: name === 'EXEC' ? 'MULTI' : name }
}

export interface ServerPlace {
  readonly serverAddress: string
  readonly serverPort: number | undefined
  readonly database: number
}

/** Where a call goes, in the words of the conventions: the port is left out where it is the usual one. */
export function placeOf({ serverAddress, serverPort, database }: ServerPlace): Attributes {
  return {
    'db.system.name': 'redis',
    'db.namespace': String(database),
    'server.address': serverAddress,
    ...(serverPort === undefined || serverPort === 6379 ? {} : { 'server.port': serverPort }),
  }
}

/** `host:port`, `[v6]:port`, or the path of a unix socket. */
function hostAndPort(address: string): Omit<ServerPlace, 'database'> {
  const [, v6, host = '', port = ''] = /^(?:\[([^\]]+)\]|([^:/]+)):(\d+)$/.exec(address) ?? []
  return port === ''
    ? { serverAddress: address, serverPort: undefined }
    : { serverAddress: v6 ?? host, serverPort: Number(port) }
}

/** What became of a call, of the kinds of `CommandStats`: the server's first word, a code of ours, or how it ended. */
export function errorOf(kind: string): Attributes {
  const isServers = kind !== 'other' && kind !== 'aborted' && !kind.startsWith('ERR_')
  return { [ERROR_TYPE]: typeOfKind(kind), ...(isServers ? { [STATUS_CODE]: kind } : {}) }
}

const typeOfKind = (kind: string): string => (kind === 'other' ? OTHER_ERROR : kind)
