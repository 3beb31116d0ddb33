// Owns what the pools behind a dashboard's endpoint say: JSON in, snapshots out that have every field a tool reads.

import type { PoolStats } from '../index.js'

/** What a pool says of itself; texts in it are those of its process. */
export interface PublishedPool {
  readonly stats: PoolStats
  readonly advice: PublishedAdvice | undefined
}

export interface PublishedAdvice {
  readonly maxConnections: number
  readonly current: number
  readonly verdict: string
  readonly because: string
  readonly options: readonly { readonly option: string; readonly advised: number; readonly because: string }[]
}

const VERSION = 1

type Published = { readonly pools: readonly PublishedPool[] } | { readonly because: string; readonly remedy: string }

export function readPublished(text: string): Published {
  const document = parse(text)
  if (!isObject(document) || !Array.isArray(document.pools)) {
    return { because: 'what it sent is not what a dashboard of respool sends', remedy: 'check the address' }
  }
  if (document.schemaVersion !== VERSION) {
    return { because: 'it speaks another version of the format', remedy: 'use the respool of that process' }
  }
  const pools = document.pools.flatMap((each: unknown) => {
    if (!isObject(each) || !isStats(each.stats)) return []
    return [{ stats: each.stats, advice: isAdvice(each.advice) ? each.advice : undefined }]
  })
  if (pools.length === document.pools.length) return { pools }
  return { because: 'its snapshots lack what this version reads', remedy: 'use the respool of that process' }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What a value has to be: of a type, a list of such, or an object with at least these fields. */
type Shape =
  | 'number'
  | 'string'
  | 'boolean'
  | 'object'
  | 'string?'
  | readonly [Shape]
  | { readonly [name: string]: Shape }

const numbers = (names: string): Record<string, Shape> =>
  Object.fromEntries(names.split(' ').map((name) => [name, 'number' as const]))

const PLACES = 'connecting idle shared late leased draining closing'
const DURATION: Shape = numbers('count sum mean p50 p90 p99 max')

const STATS: Shape = {
  ...numbers('takenAt age maxConnections minConnections inFlight loopDelay'),
  name: 'string',
  address: 'string',
  state: 'string',
  connections: numbers(`${PLACES} total`),
  connectionTime: numbers(PLACES),
  waiting: numbers('total leases commands longest'),
  peaks: numbers('connections leased waiting demand'),
  counters: {
    ...numbers(
      'calls succeeded failed sent replies errorReplies bytesRead bytesWritten dialed opened acquired released',
    ),
    ...numbers('waited served timedOut expired turnedAway abandoned turnedLate leaksReported retried'),
    closed: 'object',
  },
  durations: { wait: DURATION, use: DURATION, reply: DURATION, connect: DURATION },
  commands: 'object',
  holders: [{ label: 'string', kind: 'string', heldFor: 'number', reported: 'boolean' }],
  lastConnectError: 'string?',
}

const ADVICE: Shape = {
  ...numbers('maxConnections current'),
  verdict: 'string',
  because: 'string',
  options: [{ option: 'string', advised: 'number', because: 'string' }],
}

const isStats = (value: unknown): value is PoolStats => fits(value, STATS)
const isAdvice = (value: unknown): value is PublishedAdvice => fits(value, ADVICE)

function fits(value: unknown, shape: Shape): boolean {
  if (shape === 'string?') return value === undefined || typeof value === 'string'
  if (shape === 'object') return isObject(value)
  if (typeof shape === 'string') return typeof value === shape
  if (isList(shape)) return Array.isArray(value) && value.every((each) => fits(each, shape[0]))
  return isObject(value) && Object.entries(shape).every(([name, part]) => fits(value[name], part))
}

const isList = (shape: Exclude<Shape, string>): shape is readonly [Shape] => Array.isArray(shape)

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
