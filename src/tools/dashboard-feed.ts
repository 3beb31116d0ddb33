// Owns what is known of one pool: its recording, what is wrong with it and since when. Sends nothing to Redis.

import {
  type Advice,
  type ConnectionPool,
  type DurationSummary,
  diagnose,
  type HistoryEvent,
  type HistoryPoint,
  type PoolStats,
  type Recording,
} from '../index.js'
import type { Finding, FindingEvent, News, PageEvent, PointRow, PoolSummary } from './dashboard-messages.js'

/** Of each list that grows with its use, so many are told; the rest is counted. */
const MOST_COMMANDS = 40
const MOST_HOLDERS = 30
const MOST_FAILURES = 8

/** How old an advice may be, in ms. */
const ADVICE_GOOD_FOR = 3_000
const FIRST_ADVICE_GOOD_FOR = 900

/** Changes of what is wrong that are kept. */
const MOST_FINDINGS = 50

/** A cause that comes back within so long goes on, in ms. */
const INTERRUPTION = 5_000

/** Characters of a text from elsewhere. */
const LONGEST_TEXT = 300

/** What is heard of a pool: a row a second, and what happens. */
export interface FeedListener {
  point(row: PointRow): void
  event(event: PageEvent): void
}

export class PoolFeed {
  readonly id: number
  readonly pool: ConnectionPool
  readonly #recording: Recording
  readonly #listeners = new Set<FeedListener>()
  readonly #findings: FindingEvent[] = []
  #last: News['last']
  #advice: { readonly at: number; readonly advice: Advice } | undefined
  #finding: Finding
  #stats: PoolStats
  #loopDelay = 0
  readonly #takeLoopDelay: () => number

  /**
   * @param id by which pages ask for it
   * @param takeLoopDelay how late the event loop ran since the last point of this pool, in ms
   */
  constructor(id: number, pool: ConnectionPool, takeLoopDelay: () => number) {
    this.id = id
    this.pool = pool
    this.#takeLoopDelay = takeLoopDelay
    this.#stats = pool.stats()
    this.#finding = { ...diagnose(this.#stats), since: Date.now() }
    this.#recording = pool.record()
    this.#recording.follow((news) => {
      if ('span' in news) this.#point(news)
      else this.#happened(news)
    })
  }

  get interval(): number {
    return this.#recording.interval
  }

  /** Whether the pool has ended. */
  get isOver(): boolean {
    return this.#stats.state === 'closed'
  }

  get summary(): PoolSummary {
    const { name, address, state } = this.#stats
    return { id: this.id, name: clip(name), address: clip(address), state, cause: this.#finding.cause }
  }

  /** All points there are. */
  rows(): PointRow[] {
    return this.#recording.points().map(rowOf)
  }

  /** All events there are, oldest first. */
  events(): PageEvent[] {
    return [...this.#recording.events().map(clipped), ...this.#findings].sort((a, b) => a.at - b.at)
  }

  news(pools: readonly PoolSummary[]): News {
    const stats = this.pool.stats()
    const commands = Object.entries(stats.commands).sort(([, a], [, b]) => b.calls - a.calls)
    const holders = stats.holders.slice(0, MOST_HOLDERS)
    return {
      pools,
      finding: this.#finding,
      ...(this.#last === undefined ? {} : { last: this.#last }),
      stats: {
        ...stats,
        name: clip(stats.name),
        commands: Object.fromEntries(commands.slice(0, MOST_COMMANDS).map(([name, each]) => [name, shortened(each)])),
        holders: holders.map(({ stack: _, label, ...holder }) => ({ ...holder, label: clip(label) })),
        lastConnectError: stats.lastConnectError === undefined ? undefined : clip(stats.lastConnectError),
      },
      moreCommands: Math.max(0, commands.length - MOST_COMMANDS),
      moreHolders: stats.holders.length - holders.length,
      loopDelay: this.#loopDelay,
      advice: this.advice(),
    }
  }

  /** At most some seconds old: calculating it takes milliseconds, and it changes slowly. */
  advice(): Advice {
    const now = performance.now()
    // The first advice asks the server for what the second one knows.
    const isWhole = this.#advice?.advice.evidence.server !== undefined
    if (this.#advice === undefined || now - this.#advice.at > (isWhole ? ADVICE_GOOD_FOR : FIRST_ADVICE_GOOD_FOR)) {
      this.#advice = { at: now, advice: this.pool.advice() }
    }
    return this.#advice.advice
  }

  follow(listener: FeedListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  stop(): void {
    this.#recording.stop()
    this.#listeners.clear()
  }

  #happened(event: HistoryEvent): void {
    if (event.kind === 'ended') this.#stats = this.pool.stats()
    this.#tell(event)
  }

  #point(point: HistoryPoint): void {
    const before = this.#stats
    this.#stats = this.pool.stats()
    this.#loopDelay = this.#takeLoopDelay()
    const now = diagnose(this.#stats, before, { loopDelay: this.#loopDelay })
    const at = Date.now()
    if (now.cause === this.#finding.cause) this.#finding = { ...now, since: this.#finding.since }
    else this.#change({ ...now, since: this.#isBack(now.cause, at) ? (this.#last?.since ?? at) : at }, at)
    const row = rowOf(point)
    for (const listener of this.#listeners) listener.point(row)
  }

  /** Whether a cause was only hidden for a moment by another, or by a second that went well. */
  #isBack(cause: Finding['cause'], at: number): boolean {
    return this.#last?.cause === cause && at - this.#last.until < INTERRUPTION
  }

  #change(to: Finding, at: number): void {
    if (this.#finding.cause !== 'healthy' && !this.#isBack(to.cause, at)) this.#last = { ...this.#finding, until: at }
    this.#finding = to
    const event: FindingEvent = { at, kind: 'finding', cause: to.cause, because: clip(to.because) }
    this.#findings.push(event)
    if (this.#findings.length > MOST_FINDINGS) this.#findings.shift()
    this.#tell(event)
  }

  #tell(event: PageEvent): void {
    const short = clipped(event)
    for (const listener of this.#listeners) listener.event(short)
  }
}

function rowOf(point: HistoryPoint): PointRow {
  const { at, span, connections: c, maxConnections, waiting, inFlight, counters, wait, use, reply } = point
  const { calls, failed, timedOut, expired, turnedAway, bytesRead, bytesWritten } = counters
  return [
    ...[at, span, c.connecting, c.idle, c.shared, c.late, c.draining, c.leased, c.closing, c.total, maxConnections],
    ...[waiting, inFlight, calls, failed, timedOut + expired + turnedAway, bytesRead, bytesWritten],
    // Nobody who had to wait is no wait, but who waits on has not told yet.
    ...(wait.count === 0 && waiting === 0 ? [0, 0] : percentilesOf(wait)),
    ...[...percentilesOf(use), ...percentilesOf(reply)],
  ]
}

const percentilesOf = ({ count, p50, p99 }: DurationSummary): PointRow => (count > 0 ? [p50, p99] : [null, null])

type Command = PoolStats['commands'][string]

function shortened(command: Command): Command {
  const failures = Object.entries(command.failures)
  if (failures.length <= MOST_FAILURES) return command
  return { ...command, failures: Object.fromEntries(failures.slice(0, MOST_FAILURES)) }
}

function clipped(event: HistoryEvent | PageEvent): PageEvent {
  if ('message' in event) return { ...event, message: clip(event.message) }
  if (event.kind !== 'leak') return event
  const { label, stack, ...holder } = event.holder
  const where = stack === undefined ? {} : { stack: clip(stack) }
  return { ...event, holder: { ...holder, ...where, label: clip(label) } }
}

const clip = (text: string): string => (text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text)
