// Owns what the dashboard tells its page and other programs: the shapes, and which columns a point has. Does nothing.

import type { Advice, Diagnosis, HistoryEvent, PoolStats } from '../index.js'

/** Raised when a field changes its meaning or goes. */
export const SCHEMA_VERSION = 1

/** What `GET <base>/api/pools` answers. Infinity, which JSON has not, is null. */
export interface PoolsDocument {
  readonly schemaVersion: typeof SCHEMA_VERSION
  readonly pools: readonly { readonly stats: PoolStats; readonly advice: Advice }[]
}

/** What a row of a point holds; durations in ms; `calls`, `failed`, `inVain` and the bytes within the interval. */
export const COLUMNS = [
  ...['at', 'span', 'connecting', 'idle', 'shared', 'late', 'draining', 'leased', 'closing', 'total', 'maxConnections'],
  ...['waiting', 'inFlight', 'calls', 'failed', 'inVain', 'bytesRead', 'bytesWritten'],
  ...['waitP50', 'waitP99', 'useP50', 'useP99', 'replyP50', 'replyP99'],
] as const

/** Null where nothing ended that could have been measured. */
export type PointRow = readonly (number | null)[]

export interface PoolSummary {
  /** Of this dashboard; no other pool gets it later. */
  readonly id: number
  readonly name: string
  readonly address: string
  readonly state: PoolStats['state']
  readonly cause: Diagnosis['cause']
}

/** What is wrong, and since when: ms since 1970. */
export interface Finding extends Diagnosis {
  readonly since: number
}

/** What a stream begins with. */
export interface Hello {
  readonly schemaVersion: typeof SCHEMA_VERSION
  readonly version: string
  /** Id of the pool that the stream is about. */
  readonly selected: number
  readonly interval: number
  readonly columns: readonly string[]
}

/** What is true now. */
export interface News {
  readonly pools: readonly PoolSummary[]
  readonly finding: Finding
  /** The last cause that is over. */
  readonly last?: Finding & { readonly until: number }
  readonly stats: PoolStats
  /** Commands that are not among `stats.commands`, which has those that are called most. */
  readonly moreCommands: number
  readonly moreHolders: number
  /** How late the event loop of the process ran within the interval, in ms. */
  readonly loopDelay: number
  readonly advice: Advice
}

/** A change of what is wrong. */
export interface FindingEvent {
  readonly at: number
  readonly kind: 'finding'
  readonly cause: Diagnosis['cause']
  readonly because: string
}

export type PageEvent = HistoryEvent | FindingEvent

/** The events of a stream, by their name. */
export interface StreamMessages {
  readonly hello: Hello
  readonly points: readonly PointRow[]
  readonly events: readonly PageEvent[]
  readonly news: News
  /** The dashboard was closed; the stream ends. */
  readonly end: Record<string, never>
}
