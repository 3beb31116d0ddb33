// Owns the numbers of a pool: counters that only grow, and the snapshot everything else reads. Counts nothing twice.

import type { CloseReason } from '../base/errors.js'
import { DurationHistogram, type DurationSummary } from '../base/histogram.js'
import type { CacheStats } from './client-side-cache.js'
import type { Entry, Holder, Place } from './roster.js'

/** Who holds a connection. */
export interface HolderStats {
  /** What the caller named the lease, else the command. */
  readonly label: string
  readonly kind: Holder['kind']
  /** Milliseconds. */
  readonly heldFor: number
  /** Whether it was reported as a leak, being held for longer than `leakThreshold`. */
  readonly reported: boolean
  /** Where it was borrowed; present with `leakTracking`. */
  readonly stack?: string
}

/** A plain snapshot; durations in milliseconds, counters since the pool was made. */
export interface PoolStats {
  readonly name: string
  readonly address: string
  readonly state: 'open' | 'closing' | 'closed'
  readonly maxConnections: number
  readonly minConnections: number
  readonly connections: Readonly<Record<Place, number>> & { readonly total: number }
  readonly waiting: {
    readonly total: number
    readonly leases: number
    readonly commands: number
    /** How long the first in line has waited. */
    readonly longest: number
  }
  /** Commands written whose replies are owed. */
  readonly inFlight: number
  readonly counters: {
    /** Commands that were given a slot on a connection, replies that came, and those of them that were errors. */
    readonly sent: number
    readonly replies: number
    readonly errorReplies: number
    readonly opened: number
    readonly closed: Readonly<Partial<Record<CloseReason, number>>>
    readonly acquired: number
    readonly released: number
    /** Callers that could not be served at once, and how many of these gave up and why. */
    readonly waited: number
    readonly timedOut: number
    readonly turnedAway: number
    readonly leaksReported: number
    /** How often a command was sent again after a loss or a refusal. */
    readonly retried: number
  }
  readonly durations: {
    /** Waiting, of those who had to. */
    readonly wait: DurationSummary
    /** From acquire to release. */
    readonly use: DurationSummary
    /** From a flush to the reply of its last command. */
    readonly reply: DurationSummary
    readonly connect: DurationSummary
  }
  /** Of client-side caching; present where it is on. */
  readonly cache?: CacheStats
  /** Longest first. */
  readonly holders: readonly HolderStats[]
  /** Message of the last failed dial while dials fail. */
  readonly lastConnectError: string | undefined
}

/** Monotonic; gauges are differences of these or lengths of places. */
export class Counters {
  opened = 0
  acquired = 0
  released = 0
  waited = 0
  timedOut = 0
  turnedAway = 0
  leaksReported = 0
  retried = 0
  readonly closed = new Map<CloseReason, number>()
  readonly wait = new DurationHistogram()
  readonly use = new DurationHistogram()
  readonly reply = new DurationHistogram()
  readonly connect = new DurationHistogram()
  /** What connections that are gone had sent and read. */
  #past = { sent: 0, replies: 0, errorReplies: 0 }

  retire(entry: Entry, reason: CloseReason | undefined): void {
    const { sent, answered, errorReplies } = entry.connection
    if (reason !== undefined) this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1)
    this.#past = {
      sent: this.#past.sent + sent,
      replies: this.#past.replies + answered,
      errorReplies: this.#past.errorReplies + errorReplies,
    }
  }

  durations(): PoolStats['durations'] {
    return {
      wait: this.wait.summary(),
      use: this.use.summary(),
      reply: this.reply.summary(),
      connect: this.connect.summary(),
    }
  }

  traffic(live: readonly Entry[]): { sent: number; replies: number; errorReplies: number } {
    const sum = { ...this.#past }
    for (const { connection } of live) {
      sum.sent += connection.sent
      sum.replies += connection.answered
      sum.errorReplies += connection.errorReplies
    }
    return sum
  }
}

export function holdersOf(leased: readonly Entry[], now: number): HolderStats[] {
  return leased
    .flatMap(({ holder }) => (holder === undefined ? [] : [describeHolder(holder, now)]))
    .sort((a, b) => b.heldFor - a.heldFor)
}

export function describeHolder(holder: Holder, now: number): HolderStats {
  const stats = { label: holder.label, kind: holder.kind, heldFor: now - holder.since, reported: holder.reported }
  return holder.stack === undefined ? stats : { ...stats, stack: holder.stack }
}
