// Owns a bounded history of a pool: a point for each interval, and what happened. Takes time from a clock; what a pool
// is it knows only by its snapshots.

import type { Clock, Timer } from '../base/clock.js'
import { CLOSE_REASONS, type CloseReason } from '../base/errors.js'
import type { DurationHistogram, DurationSummary } from '../base/histogram.js'
import { Ring } from '../base/ring.js'
import type { PoolEvents } from './contract.js'
import type { HistoryEvent, HistoryNews, HistoryPoint, Recording, RecordSettings } from './history.js'
import type { Place } from './roster.js'
import type { Counters, Peaks, PoolStats } from './stats.js'

const COUNTS = [
  'calls',
  'succeeded',
  'failed',
  'sent',
  'replies',
  'errorReplies',
  'bytesRead',
  'bytesWritten',
  'dialed',
  'opened',
  'acquired',
  'released',
  'waited',
  'served',
  'timedOut',
  'expired',
  'turnedAway',
  'abandoned',
  'turnedLate',
  'leaksReported',
  'retried',
] as const satisfies readonly Exclude<keyof PoolStats['counters'], 'closed'>[]

/** What a recorder reads. */
export interface RecordedPool {
  readonly clock: Clock
  readonly counters: Counters
  stats(): PoolStats
}

type Timed = keyof PoolStats['durations']

/** The pool at the end of the last point. */
interface Mark {
  readonly stats: PoolStats
  readonly durations: Readonly<Record<Timed, DurationHistogram>>
}

export class Recorder implements Recording {
  readonly interval: number
  readonly #pool: RecordedPool
  readonly #limits: { readonly points: number; readonly events: number }
  readonly #points = new Ring<HistoryPoint>()
  readonly #events = new Ring<HistoryEvent>()
  readonly #listeners = new Set<(news: HistoryPoint | HistoryEvent) => void>()
  readonly #call: (listener: () => void) => void
  readonly #peaks: Peaks
  readonly #ended: () => void
  #mark: Mark
  #timer: Timer | undefined

  /**
   * @param call calls a listener of the user's
   * @param ended told once, when it records no more
   */
  constructor(
    pool: RecordedPool,
    { interval, points, events }: RecordSettings,
    call: (listener: () => void) => void,
    ended: () => void,
  ) {
    this.#pool = pool
    this.interval = interval
    this.#limits = { points, events }
    this.#call = call
    this.#ended = ended
    this.#peaks = pool.counters.peaks.follow()
    this.#mark = this.#take()
    this.#schedule()
  }

  points(): readonly HistoryPoint[] {
    return itemsOf(this.#points)
  }

  events(): readonly HistoryEvent[] {
    return itemsOf(this.#events)
  }

  follow(listener: (news: HistoryPoint | HistoryEvent) => void): () => void {
    // The same one may follow twice, and end each by itself.
    const follower = (news: HistoryPoint | HistoryEvent): void => listener(news)
    this.#listeners.add(follower)
    return () => this.#listeners.delete(follower)
  }

  stop(): void {
    if (this.#timer === undefined) return
    this.#timer.cancel()
    this.#timer = undefined
    this.#pool.counters.peaks.unfollow(this.#peaks)
    this.#listeners.clear()
    this.#ended()
  }

  note(news: HistoryNews): void {
    const event: HistoryEvent = { at: Date.now(), ...news }
    push(this.#events, event, this.#limits.events)
    this.#tell(event)
  }

  #schedule(): void {
    // A point is no reason for a process to go on.
    this.#timer = this.#pool.clock.setTimeout(() => this.#point(), this.interval, true)
  }

  #point(): void {
    const before = this.#mark
    const peaks = { ...this.#peaks }
    this.#mark = this.#take()
    const { stats, durations } = this.#mark
    const span = stats.age - before.stats.age
    const within = (name: Timed): DurationSummary => durations[name].since(before.durations[name]).summary()
    const point: HistoryPoint = {
      at: stats.takenAt,
      span,
      connections: stats.connections,
      maxConnections: stats.maxConnections,
      waiting: stats.waiting.total,
      inFlight: stats.inFlight,
      mean: meanOf(stats.connectionTime, before.stats.connectionTime, span),
      peaks,
      wait: within('wait'),
      use: within('use'),
      reply: within('reply'),
      connect: within('connect'),
      counters: growthOf(stats.counters, before.stats.counters),
      loopDelay: stats.loopDelay,
    }
    push(this.#points, point, this.#limits.points)
    this.#schedule()
    this.#tell(point)
  }

  #take(): Mark {
    const { counters } = this.#pool
    const stats = this.#pool.stats()
    this.#peaks.restart(stats)
    const { wait, use, reply, connect } = counters
    return { stats, durations: { wait: wait.copy(), use: use.copy(), reply: reply.copy(), connect: connect.copy() } }
  }

  #tell(news: HistoryPoint | HistoryEvent): void {
    for (const listener of [...this.#listeners]) if (this.#listeners.has(listener)) this.#call(() => listener(news))
  }
}

/** The events of a pool, noted as they pass. */
export function tapped(events: PoolEvents, note: (news: HistoryNews) => void): PoolEvents {
  return {
    opened: (connection) => {
      note({ kind: 'connected', connection: connection.id })
      events.opened(connection)
    },
    closed: (connection, error) => {
      note({ kind: 'closed', connection: connection.id, reason: error.reason, message: error.message })
      events.closed(connection, error)
    },
    connectFailed: (error) => {
      note({ kind: 'connect-failed', message: error.message })
      events.connectFailed(error)
    },
    released: (connection, heldFor) => events.released(connection, heldFor),
    ended: (connection, end) => events.ended?.(connection, end),
    leaked: (holder) => {
      note({ kind: 'leak', holder })
      events.leaked(holder)
    },
    exhausted: (error) => {
      note({ kind: 'exhausted', cause: error.verdict.cause, message: error.verdict.because })
      events.exhausted(error)
    },
    resized: (change) => {
      note({ kind: 'resized', ...change })
      events.resized(change)
    },
    pushed: (message) => events.pushed(message),
  }
}

function meanOf(times: PoolStats['connectionTime'], before: PoolStats['connectionTime'], span: number) {
  const mean = (place: Place): number => (span > 0 ? (times[place] - before[place]) / span : 0)
  return {
    connecting: mean('connecting'),
    idle: mean('idle'),
    shared: mean('shared'),
    late: mean('late'),
    draining: mean('draining'),
    leased: mean('leased'),
    closing: mean('closing'),
  }
}

/** Each number less what it was. */
function growthOf(now: PoolStats['counters'], before: PoolStats['counters']): PoolStats['counters'] {
  const closed: Partial<Record<CloseReason, number>> = {}
  for (const reason of CLOSE_REASONS) {
    const count = (now.closed[reason] ?? 0) - (before.closed[reason] ?? 0)
    if (count > 0) closed[reason] = count
  }
  const grown = { ...now, closed }
  for (const name of COUNTS) grown[name] = now[name] - before[name]
  return grown
}

function push<T>(ring: Ring<T>, item: T, limit: number): void {
  ring.push(item)
  if (ring.length > limit) ring.shift()
}

function itemsOf<T>(ring: Ring<T>): T[] {
  const items: T[] = []
  for (let position = ring.head; position < ring.tail; position++) {
    const item = ring.at(position)
    if (item !== undefined) items.push(item)
  }
  return items
}
