// Owns the numbers of a pool: counters that only grow, and the shape of the snapshot everything else reads. Counts
// nothing twice.

import type { CloseReason } from '../base/errors.js'
import { type DurationBucket, DurationHistogram, type DurationSummary } from '../base/histogram.js'
import type { CacheStats } from './client-side-cache.js'
import type { Demand } from './demand.js'
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

export interface StatsOptions {
  /** Ascending bounds in ms: with them every duration also has `buckets`, as histograms of metrics need them. */
  readonly bounds?: readonly number[] | undefined
}

export interface DurationStats extends DurationSummary {
  /** How many were not longer than each bound that was asked for. */
  readonly buckets?: readonly DurationBucket[]
}

/** The calls of one command. Those that have not ended are `calls` less `replies.count` less the counts of `failures`. */
export interface CommandStats {
  readonly calls: number
  /** Those that ended with a reply: in ms from the call, or from being written where nothing had to be waited for. */
  readonly replies: DurationStats
  /** Those that ended with an error: by the first word of the server's, the `code` of ours, or `aborted`. */
  readonly failures: Readonly<Record<string, DurationStats>>
}

/** The most there was at once since the pool was made. */
export interface PeakStats {
  readonly connections: number
  readonly leased: number
  readonly waiting: number
  /** Leased and wanted, together: so many would have been leased with enough connections. */
  readonly demand: number
}

/**
 * A plain snapshot; durations in milliseconds, counters since the pool was made. Two snapshots give rates and means:
 * the mean number of leased connections is the difference of `connectionTime.leased` over that of `age`.
 */
export interface PoolStats {
  readonly name: string
  readonly address: string
  /** That of every connection while no lease has changed it. */
  readonly database: number
  readonly state: 'open' | 'closing' | 'closed'
  /** Milliseconds since 1970. */
  readonly takenAt: number
  /** Milliseconds since the pool was made. */
  readonly age: number
  readonly maxConnections: number
  readonly minConnections: number
  /** Connections that may be leased at once: all, or all but the one that is kept for sharing. */
  readonly lendable: number
  readonly connections: Readonly<Record<Place, number>> & { readonly total: number }
  /** Milliseconds that connections have spent in each place, added up over all of them. */
  readonly connectionTime: Readonly<Record<Place, number>>
  readonly waiting: {
    readonly total: number
    readonly leases: number
    readonly commands: number
    /** How long the first in line has waited. */
    readonly longest: number
  }
  readonly peaks: PeakStats
  /** Commands written whose replies are owed. */
  readonly inFlight: number
  readonly counters: {
    /**
     * Calls that were accepted, and those that ended with a reply or with an error. A transaction is one call; what is
     * answered by client-side caching is none, and what the pool sends for itself (pings, CLIENT UNBLOCK) neither.
     */
    readonly calls: number
    readonly succeeded: number
    readonly failed: number
    /** Commands that were given a slot on a connection, replies that came, and those of them that were errors. */
    readonly sent: number
    readonly replies: number
    readonly errorReplies: number
    /** Of the stream of RESP; TLS adds to it. */
    readonly bytesRead: number
    readonly bytesWritten: number
    /** Connections begun; those that became ready; and all that ended, by reason. */
    readonly dialed: number
    readonly opened: number
    readonly closed: Readonly<Partial<Record<CloseReason, number>>>
    readonly acquired: number
    readonly released: number
    /**
     * Callers that could not be served at once, and what became of them: `served`, `timedOut` (acquireTimeout),
     * `expired` (commandTimeout), `turnedAway` (maxWaiting), `abandoned` (their signal, the end of the pool, or dials
     * that are hopeless). The rest waits.
     */
    readonly waited: number
    readonly served: number
    readonly timedOut: number
    readonly expired: number
    readonly turnedAway: number
    readonly abandoned: number
    /** How often a shared connection owed a reply for too long. */
    readonly turnedLate: number
    readonly leaksReported: number
    /** How often a command was sent again after a loss or a refusal. */
    readonly retried: number
  }
  readonly durations: {
    /** Waiting, of those who had to. */
    readonly wait: DurationStats
    /** From acquire to release. */
    readonly use: DurationStats
    /** From a flush to the reply of its last command. */
    readonly reply: DurationStats
    readonly connect: DurationStats
  }
  /** By name in capitals; beyond 256 names, `other`. */
  readonly commands: Readonly<Record<string, CommandStats>>
  /** Of client-side caching; present where it is on. */
  readonly cache?: CacheStats
  /** Longest first. */
  readonly holders: readonly HolderStats[]
  /** How late the event loop ran within the last two seconds, in ms, as far as it was watched: while replies are owed. */
  readonly loopDelay: number
  /** Message of the last failed dial while dials fail. */
  readonly lastConnectError: string | undefined
}

interface Held {
  readonly total: number
  readonly leased: number
}

export class Peaks implements PeakStats {
  connections = 0
  leased = 0
  waiting = 0
  demand = 0
  /** Who wants to know the peaks of a shorter time. */
  readonly #followers = new Set<Peaks>()

  note(held: Held, wanted: { readonly length: number }): void {
    const { total, leased } = held
    if (total > this.connections) this.connections = total
    if (leased > this.leased) this.leased = leased
    if (leased + wanted.length > this.demand) this.demand = leased + wanted.length
    for (const follower of this.#followers) follower.note(held, wanted)
  }

  noteWaiting(waiting: number): void {
    if (waiting > this.waiting) this.waiting = waiting
    for (const follower of this.#followers) follower.noteWaiting(waiting)
  }

  follow(): Peaks {
    const follower = new Peaks()
    this.#followers.add(follower)
    return follower
  }

  unfollow(follower: Peaks): void {
    this.#followers.delete(follower)
  }

  /** Begins anew, with what there is now. */
  restart({ connections, waiting }: Pick<PoolStats, 'connections' | 'waiting'>): void {
    this.connections = connections.total
    this.leased = connections.leased
    this.waiting = waiting.total
    this.demand = connections.leased + waiting.leases
  }
}

/** Monotonic; gauges are differences of these or lengths of places. */
export class Counters {
  opened = 0
  acquired = 0
  released = 0
  waited = 0
  served = 0
  timedOut = 0
  expired = 0
  turnedAway = 0
  turnedLate = 0
  leaksReported = 0
  retried = 0
  readonly peaks = new Peaks()
  readonly closed = new Map<CloseReason, number>()
  readonly wait = new DurationHistogram()
  readonly use = new DurationHistogram()
  readonly reply = new DurationHistogram()
  readonly connect = new DurationHistogram()
  /** What connections that are gone had sent and read. */
  readonly #past = { sent: 0, replies: 0, errorReplies: 0, bytesRead: 0, bytesWritten: 0 }

  retire(entry: Entry, reason: CloseReason | undefined): void {
    if (reason !== undefined) this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1)
    addTraffic(this.#past, entry)
  }

  /** The end of a hold, if there is one; for how long it was, in ms. */
  endHold(entry: Entry, demand: Demand, now: number): number | undefined {
    const { holder } = entry
    if (holder === undefined) return undefined
    entry.holder = undefined
    this.released++
    const heldFor = demand.end(holder, now)
    this.use.record(heldFor)
    return heldFor
  }

  traffic(entries: readonly Entry[]): Traffic {
    const sum = { ...this.#past }
    // What is closing is past already.
    for (const entry of entries) if (entry.place !== 'closing') addTraffic(sum, entry)
    return sum
  }
}

type Traffic = Record<'sent' | 'replies' | 'errorReplies' | 'bytesRead' | 'bytesWritten', number>

function addTraffic(sum: Traffic, { connection }: Entry): void {
  sum.sent += connection.slots.sent
  sum.replies += connection.slots.answered
  sum.errorReplies += connection.errorReplies
  sum.bytesRead += connection.bytesRead
  sum.bytesWritten += connection.bytesWritten
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
