// Owns what `respool top` knows at one moment: the shape of its JSON, from which the screen and the lines are drawn.

import { type Diagnosis, diagnose, type PoolStats } from '../index.js'
import type { EndpointAnswer } from './pool-endpoint.js'
import { type ClientGroup, engineOf, figure, type Info } from './server-info.js'
import type { Answer } from './server-questions.js'

/** Raised when a field changes its meaning or goes. */
export const SCHEMA_VERSION = 1

export interface TopDocument {
  readonly schemaVersion: typeof SCHEMA_VERSION
  readonly command: 'top'
  readonly at: string
  /** Null where only pools are watched. */
  readonly server: ServerView | null
  readonly pools: readonly EndpointView[]
}

export type ServerView =
  | { readonly state: 'gone'; readonly address: string; readonly because: string }
  | {
      readonly state: 'there'
      readonly address: string
      /** Null where INFO is refused. */
      readonly head: ServerHead | null
      /** Largest first; null where CLIENT LIST is refused. Without the client that asks. */
      readonly groups: readonly ClientGroup[] | null
      /** What could not be asked, and what to grant. */
      readonly refused: readonly string[]
    }

export interface ServerHead {
  readonly engine: string
  readonly role: string
  /** Without the commands of this tool. */
  readonly opsPerSecond: number
  readonly clients: number
  readonly maxClients: number | null
  readonly blocked: number
  /** Bytes; a `maxMemory` of 0 is none. */
  readonly usedMemory: number
  readonly maxMemory: number
  /** Of the reads in the last seconds, from 0 to 1; null where there were none, or no earlier look to compare with. */
  readonly hitRate: number | null
  /** Null without an earlier look. */
  readonly evictedPerSecond: number | null
}

export type EndpointView =
  | { readonly url: string; readonly because: string }
  | { readonly url: string; readonly pools: readonly PoolView[] }

/** Durations in ms. */
export interface PoolView {
  readonly name: string
  readonly address: string
  readonly state: PoolStats['state']
  readonly maxConnections: number
  readonly connections: PoolStats['connections']
  readonly waiting: number
  readonly longestWait: number
  readonly inFlight: number
  readonly callsPerSecond: number | null
  readonly waitP99: number
  readonly replyP99: number
  readonly cause: Diagnosis['cause']
  readonly because: string
}

/** Counters at a moment, in ms of a clock that only goes forward. */
export interface Mark {
  readonly at: number
  readonly info: Info
  /** Commands that this tool has sent so far. */
  readonly asked: number
}

export function headOf(now: Mark, before: Mark | undefined): ServerHead {
  const { info } = now
  const value = (name: string): number => figure(info, name) ?? 0
  // After a restart counters begin anew.
  const since =
    before && value('total_commands_processed') >= grown(before, 'total_commands_processed') ? before : undefined
  const seconds = since === undefined ? 0 : (now.at - since.at) / 1_000
  const rate = (name: string): number =>
    since === undefined || seconds <= 0 ? 0 : Math.max(0, value(name) - grown(since, name)) / seconds
  const own = since === undefined || seconds <= 0 ? 0 : (now.asked - since.asked) / seconds
  const hits = value('keyspace_hits') - grown(since, 'keyspace_hits')
  const reads = hits + value('keyspace_misses') - grown(since, 'keyspace_misses')
  return {
    engine: engineOf(info),
    role: info.get('role') ?? 'unknown',
    opsPerSecond:
      since === undefined ? value('instantaneous_ops_per_sec') : Math.max(0, rate('total_commands_processed') - own),
    clients: value('connected_clients'),
    maxClients: figure(info, 'maxclients') ?? null,
    blocked: value('blocked_clients'),
    usedMemory: value('used_memory'),
    maxMemory: value('maxmemory'),
    hitRate: since !== undefined && reads > 0 ? Math.min(1, Math.max(0, hits / reads)) : null,
    evictedPerSecond: since === undefined ? null : rate('evicted_keys'),
  }
}

const grown = (mark: Mark | undefined, name: string): number =>
  mark === undefined ? 0 : (figure(mark.info, name) ?? 0)

export function refusalsOf(answers: readonly Answer<unknown>[]): string[] {
  return answers.flatMap(({ refused }) =>
    refused === undefined
      ? []
      : [`${refused.question} could not be asked, because ${refused.because}; ${refused.remedy}`],
  )
}

export function endpointView(url: string, answer: EndpointAnswer, before: readonly PoolStats[]): EndpointView {
  if (answer.pools === undefined) return { url, because: answer.because }
  return { url, pools: answer.pools.map(({ stats }, index) => poolView(stats, before[index])) }
}

function poolView(stats: PoolStats, earlier: PoolStats | undefined): PoolView {
  const since = earlier !== undefined && earlier.name === stats.name && earlier.age < stats.age ? earlier : undefined
  const { cause, because } = diagnose(stats, since)
  const calls = since === undefined ? null : stats.counters.calls - since.counters.calls
  return {
    name: stats.name,
    address: stats.address,
    state: stats.state,
    maxConnections: stats.maxConnections,
    connections: stats.connections,
    waiting: stats.waiting.total,
    longestWait: stats.waiting.longest,
    inFlight: stats.inFlight,
    callsPerSecond: calls === null || since === undefined ? null : calls / ((stats.age - since.age) / 1_000),
    waitP99: stats.durations.wait.p99,
    replyP99: stats.durations.reply.p99,
    cause,
    because,
  }
}
