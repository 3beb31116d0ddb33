// Owns what happens by the passing of time: late and silent connections, idle ones, lifetimes, pings, leaks.
// Knows no callers; what it finds is told to the pool.

import { type Clock, setDeadline, type Timer } from '../base/clock.js'
import { NO_KEY } from '../command/key-hash.js'
import { Request } from '../connection/request.js'
import { type AwaitedParts, isAwaited } from './awaiting.js'
import type { PoolLimits, ResolvedPoolOptions } from './options.js'
import type { Entry, Holder, Roster } from './roster.js'

/** How often connections that owe replies are judged, in ms. */
const WATCH_INTERVAL = 5

/** How often idle connections are looked after, at most and at least, in ms. */
const SWEEP_LONGEST = 500
const SWEEP_SHORTEST = 10

/** A connection that lives for so long was not made in vain, in ms. */
const LASTING = 1_000

/** What the event loop did longer ago tells nothing of now, in ms. */
const LOOP_MEMORY = 2_000

export interface KeeperHost extends AwaitedParts {
  /** A shared connection turned late, or several did. */
  turnedLate(entries: readonly Entry[]): void
  /** It must not be used again once it is free. */
  doom(entry: Entry, reason: 'idle' | 'lifetime' | 'surplus'): void
  leaked(holder: Holder): void
  /** A connection is there for so long that the server means it. */
  lasted(entry: Entry): void
  /** Something may have become possible. */
  serve(): void
  /** Fewer lanes are needed than before. */
  narrow(): void
  /** The process must not end meanwhile, or may again. */
  keepAlive(isWanted: boolean): void
  /** Replies that are kept; those that were served make their connections used. */
  readonly cache: { noteUse(now: number): void } | undefined
  /** What was taken back and waits for other replies. */
  readonly recall: AwaitedParts['recall'] & { expire(now: number): void }
}

export class Keeper {
  /** Whether what is owed is watched, and the process kept alive meanwhile. */
  isAttending = false
  readonly #roster: Roster
  readonly #clock: Clock
  readonly #settings: ResolvedPoolOptions
  readonly #limits: PoolLimits
  readonly #host: KeeperHost
  /** Whether the process was to be kept alive when it was last said. */
  #isKept = false
  #watch: Timer | undefined
  #sweep: Timer | undefined
  #overlapAt = 0
  #loopDelay = 0
  #loopSeenAt = Number.NEGATIVE_INFINITY
  /** The server closes connections that are idle for so long, in ms; undefined until it was asked. */
  #serverTimeout: number | undefined

  constructor(roster: Roster, clock: Clock, settings: ResolvedPoolOptions, limits: PoolLimits, host: KeeperHost) {
    this.#limits = limits
    this.#roster = roster
    this.#clock = clock
    this.#settings = settings
    this.#host = host
  }

  get watching(): boolean {
    return this.#watch !== undefined
  }

  /** How late the event loop ran of late, in ms; 0 where nobody has looked for some time. */
  get loopDelay(): number {
    return this.#clock.now() - this.#loopSeenAt > LOOP_MEMORY ? 0 : this.#loopDelay
  }

  /** A caller waits from now on: for a reply, a connection or the end. */
  attend(): void {
    this.isAttending = true
    this.#keepAlive(true)
    this.watch()
  }

  /** Perhaps nobody waits any more: the next judgement will tell. */
  lookAround(): void {
    if (this.#isKept) this.watch()
  }

  /** Judges connections that owe replies until none does. */
  watch(): void {
    if (this.#watch !== undefined) return
    const due = this.#clock.now() + WATCH_INTERVAL
    const mark = this.#clock.setTimeout(
      () => {
        // A pause of this process ends before the poll: afterwards every reply that came meanwhile has been read.
        this.#loopSeenAt = this.#clock.now()
        this.#loopDelay = Math.max(this.#loopDelay / 2, this.#loopSeenAt - due)
        this.#clock.afterPoll((asked) => {
          if (this.#watch === undefined) return
          this.#watch = undefined
          this.#judge(asked)
        })
      },
      WATCH_INTERVAL,
      true,
    )
    this.#watch = mark
  }

  /** Looks after idle connections until there are none. */
  start(): void {
    if (this.#sweep !== undefined) return
    const { idleTimeout, pingInterval, maxLifetime, leakThreshold } = this.#settings
    const serverTimeout = this.#serverTimeout ?? Number.POSITIVE_INFINITY
    const known = [idleTimeout, pingInterval, maxLifetime, leakThreshold, serverTimeout]
    const periods = known.filter((period) => period > 0)
    // Nothing that begins meanwhile can be due before the next look, which comes after a quarter of that time.
    const next = Math.min(Math.min(...periods) / 4, this.#untilDue())
    this.#sweep = setDeadline(
      this.#clock,
      Math.min(SWEEP_LONGEST, Math.max(SWEEP_SHORTEST, next)),
      (now) => {
        this.#sweep = undefined
        this.#tidy(now)
        if (this.#roster.total > 0) this.start()
      },
      true,
    )
  }

  stop(): void {
    this.#watch?.cancel()
    this.#sweep?.cancel()
    this.#watch = undefined
    this.#sweep = undefined
    this.#keepAlive(false)
  }

  #keepAlive(isWanted: boolean): void {
    if (this.#isKept === isWanted) return
    this.#isKept = isWanted
    this.#host.keepAlive(isWanted)
  }

  #judge(now: number): void {
    this.isAttending = false
    const late: Entry[] = []
    let owed = 0
    for (const entry of this.#roster.all()) {
      const { connection } = entry
      // A consumer may be parked for hours: the sweep is often enough for it, but not for who waits behind it.
      if (connection.inFlight === 0 || connection.slots.isBlocked) continue
      owed += connection.inFlight
      connection.check(now)
      if (entry.place === 'shared' && !connection.isClosed && connection.isLate(now)) late.push(entry)
    }
    this.#host.recall.expire(now)
    if (owed > 1) this.#overlapAt = now
    if (late.length > 0) this.#host.turnedLate(late)
    if (this.#isKept && !isAwaited(this.#host)) this.#keepAlive(false)
    if (owed === 0 || this.#roster.total === 0) return
    this.watch()
    this.isAttending = this.#isKept
  }

  #tidy(now: number): void {
    const { idleTimeout } = this.#settings
    this.#host.cache?.noteUse(now)
    if (idleTimeout > 0 && now - this.#overlapAt > idleTimeout) this.#host.narrow()
    for (const entry of this.#roster.all()) {
      if (entry.place === 'connecting' || entry.place === 'closing') continue
      if (entry.connection.slots.isBlocked) entry.connection.check(now)
      if (now - entry.connection.createdAt > LASTING) this.#host.lasted(entry)
      if (now >= entry.expiresAt && entry.doomed === undefined) this.#host.doom(entry, 'lifetime')
      else if (this.#isUnused(entry, now)) this.#host.doom(entry, 'idle')
      else this.#ping(entry, now)
      this.#reportLeak(entry, now)
    }
    this.#askTimeout()
    this.#host.serve()
    if (this.#isKept && !isAwaited(this.#host)) this.#keepAlive(false)
  }

  #isUnused(entry: Entry, now: number): boolean {
    const { idleTimeout } = this.#settings
    if (idleTimeout === 0 || this.#roster.total <= this.#limits.minConnections) return false
    if (entry.place === 'idle') return now - entry.since > idleTimeout
    return entry.place === 'shared' && entry.connection.inFlight === 0 && now - entry.connection.usedAt > idleTimeout
  }

  /** The server must never be the one that finds a connection idle; nor must a middlebox. */
  #ping(entry: Entry, now: number): void {
    if (now < this.#pingAt(entry)) return
    ask(entry, new Request(['PING'], NO_KEY, ignore, ignore))
    this.watch()
  }

  /** When it has been silent for so long that it is to be pinged; Infinity for never. */
  #pingAt({ place, connection, holder }: Entry): number {
    if (connection.inFlight > 0) return Number.POSITIVE_INFINITY
    const interval = this.#settings.pingInterval || Number.POSITIVE_INFINITY
    // However much comes on a stream, only an answer tells up to when all has come.
    if (holder?.kind === 'stream') return connection.roundTrip.provenAt + interval
    if (place !== 'idle' && place !== 'shared') return Number.POSITIVE_INFINITY
    return connection.activeAt + Math.min(interval, (this.#serverTimeout ?? Number.POSITIVE_INFINITY) / 2)
  }

  /** Learns the server's `timeout`; a server that keeps it to itself has to be pinged at `pingInterval`. */
  #askTimeout(): void {
    const entry = this.#roster.at('shared')[0] ?? this.#roster.newestIdle()
    if (entry === undefined || this.#serverTimeout !== undefined) return
    this.#serverTimeout = Number.POSITIVE_INFINITY
    const learn = (reply: unknown): void => {
      const seconds = Number(settingIn(reply, 'timeout'))
      if (seconds > 0) this.#serverTimeout = seconds * 1_000
    }
    ask(entry, new Request(['CONFIG', 'GET', 'timeout'], NO_KEY, learn, ignore))
    this.watch()
  }

  #reportLeak(entry: Entry, now: number): void {
    const { holder } = entry
    if (holder === undefined || now < this.#leaksAt(holder)) return
    holder.reported = true
    this.#host.leaked(holder)
  }

  /** When a hold is to be called a leak; Infinity for never. */
  #leaksAt(holder: Holder | undefined): number {
    const { leakThreshold } = this.#settings
    if (leakThreshold === 0 || holder?.kind !== 'lease' || holder.reported) return Number.POSITIVE_INFINITY
    return holder.since + leakThreshold
  }

  /** Milliseconds to the first lifetime that ends, lease that is to be called a leak, or ping. */
  #untilDue(): number {
    const due = this.#roster.all().map((entry) => {
      const ages = entry.place !== 'closing' && entry.doomed === undefined
      const endsAt = ages ? entry.expiresAt : Number.POSITIVE_INFINITY
      return Math.min(endsAt, this.#leaksAt(entry.holder), this.#pingAt(entry))
    })
    return Math.min(...due) - this.#clock.now()
  }
}

function ignore(): void {}

/** Sends what does not count as use. */
export function ask({ connection }: Entry, request: Request): void {
  const { usedAt } = connection
  connection.send(request)
  connection.flush()
  connection.usedAt = usedAt
}

/** A value of CONFIG GET: a map under RESP3, a flat array under RESP2. */
export function settingIn(reply: unknown, name: string): unknown {
  if (Array.isArray(reply)) return reply[reply.indexOf(name) + 1]
  return typeof reply === 'object' && reply !== null
    ? Object.entries(reply).find(([key]) => key === name)?.[1]
    : undefined
}
