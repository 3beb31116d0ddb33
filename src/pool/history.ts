// Owns the shape of a pool's history: what is kept of each interval, and of what happened. Only types.

import type { CloseReason } from '../base/errors.js'
import type { DurationSummary } from '../base/histogram.js'
import type { ExhaustionCause } from './exhaustion.js'
import type { HolderStats, PoolStats } from './stats.js'

export interface RecordSettings {
  /** Between two points, in ms. Default 1 000. */
  readonly interval: number
  /** Points that are kept; the oldest goes first. Default 600. */
  readonly points: number
  /** Events that are kept. Default 200. */
  readonly events: number
}

export type RecordOptions = { readonly [Name in keyof RecordSettings]?: RecordSettings[Name] | undefined }

/** One interval of a pool's life. Durations in milliseconds; percentiles of what ended within the interval. */
export interface HistoryPoint {
  /** When it ended, in ms since 1970, and how long it was. */
  readonly at: number
  readonly span: number
  /** At its end. */
  readonly connections: PoolStats['connections']
  readonly maxConnections: number
  readonly waiting: number
  readonly inFlight: number
  /** Connections in each place on average over the interval. */
  readonly mean: PoolStats['connectionTime']
  /** The most within the interval. */
  readonly peaks: PoolStats['peaks']
  readonly wait: DurationSummary
  readonly use: DurationSummary
  readonly reply: DurationSummary
  readonly connect: DurationSummary
  /** By how much each counter grew. */
  readonly counters: PoolStats['counters']
  readonly loopDelay: number
}

/** What a person would want in a log. */
export type HistoryNews =
  | { readonly kind: 'connected'; readonly connection: number }
  | { readonly kind: 'closed'; readonly connection: number; readonly reason: CloseReason; readonly message: string }
  | { readonly kind: 'connect-failed'; readonly message: string }
  | { readonly kind: 'leak'; readonly holder: HolderStats }
  | { readonly kind: 'exhausted'; readonly cause: ExhaustionCause; readonly message: string }
  | { readonly kind: 'resized'; readonly from: number; readonly to: number; readonly because: string }
  | { readonly kind: 'retired' }
  | { readonly kind: 'ended' }

/** `at` in ms since 1970. */
export type HistoryEvent = HistoryNews & { readonly at: number }

/** A bounded history that goes on until `stop()` or the end of the pool. Its timer keeps no process alive. */
export interface Recording {
  readonly interval: number
  /** Oldest first. */
  points(): readonly HistoryPoint[]
  events(): readonly HistoryEvent[]
  /** Calls back with each point and event to come; returns what ends that. */
  follow(listener: (news: HistoryPoint | HistoryEvent) => void): () => void
  stop(): void
}
