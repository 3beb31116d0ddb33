// Owns where each connection of a pool is. State is a place and `move` the only verb; every gauge is derived
// from here. Knows nothing of why a connection moves.

import type { CloseReason, ConnectionError, ReplyError } from '../base/errors.js'
import type { Connection } from '../connection/connection.js'
import type { ConnectionOwner } from '../connection/contract.js'
import type { HandshakeResult } from '../connection/handshake.js'
import type { Request } from '../connection/request.js'
import type { Reply } from '../resp/types.js'
import { Waiters } from './waiters.js'

/**
 * - `connecting`: dialing or shaking hands
 * - `idle`: ready, in nobody's hands
 * - `shared`: a lane; takes everybody's commands
 * - `late`: a lane that has owed a reply for too long; takes nothing new until it answers
 * - `draining`: a lane that takes nothing new and becomes idle with its last reply
 * - `leased`: in the hands of one holder
 * - `closing`: ended here, and still counted by the server until it has read that
 */
export type Place = 'connecting' | 'idle' | 'shared' | 'late' | 'draining' | 'leased' | 'closing'

const PLACES: readonly Place[] = ['connecting', 'idle', 'shared', 'late', 'draining', 'leased', 'closing']

const LEGAL: Readonly<Record<Place, readonly Place[]>> = {
  connecting: ['idle', 'closing'],
  idle: ['shared', 'leased', 'closing'],
  shared: ['late', 'draining', 'closing'],
  late: ['shared', 'draining', 'closing'],
  draining: ['idle', 'closing'],
  leased: ['idle', 'closing'],
  closing: [],
}

/** Who holds a leased connection. */
export interface Holder {
  /**
   * `lease`: a caller, until released · `stream`: the same, to listen for as long as it is there · `command`: one
   * command · `blocking`: one command that may take its time.
   */
  kind: 'lease' | 'stream' | 'command' | 'blocking'
  /** What the caller named it, else the command. */
  readonly label: string
  readonly since: number
  /** The number of its borrowing. */
  readonly borrowing: number
  /** Where it was borrowed, when leaks are tracked. */
  readonly stack: string | undefined
  /** Whether it was already reported as a leak. */
  reported: boolean
}

/** Whether a caller holds the connection until it gives it back, and its session is known to that caller alone. */
export function isCallers(holder: Holder | undefined): boolean {
  return holder?.kind === 'lease' || holder?.kind === 'stream'
}

/** Who listens to a connection that it holds. */
export interface Listener {
  /** What came that answers no command. */
  received(message: Reply): void
  /** The connection has ended, and with it the hold. */
  lost(error: ConnectionError): void
  /** The connection is wanted back: the pool closes, or replaces it. */
  recalled(): void
}

/** What happens to an entry's connection, told to the pool. */
export interface EntryOwner {
  ready(entry: Entry, result: HandshakeResult): void
  answeredAll(entry: Entry): void
  roomFor(entry: Entry): void
  refused(entry: Entry, request: Request, error: ReplyError): boolean
  lost(entry: Entry, request: Request, error: ConnectionError): boolean
  closed(entry: Entry, error: ConnectionError): void
  gone(entry: Entry): void
  push(entry: Entry, message: Reply): void
  replied(milliseconds: number): void
}

/** A connection ends up to this share of its lifetime early, so that a fleet does not reconnect at once. */
const LIFETIME_JITTER = 0.1

/** One connection of the pool, with what the pool knows about it. */
export class Entry implements ConnectionOwner {
  place: Place = 'connecting'
  /** When it came to its place. */
  since: number
  holder: Holder | undefined
  /** Who hears what comes unasked. */
  listener: Listener | undefined
  /** Requests that must go out here and cannot yet. */
  readonly backlog = new Waiters<Request>()
  /** Set when it must not be used again once it is free. */
  doomed: CloseReason | undefined
  /** When the server had accepted it. */
  readyAt = Number.NEGATIVE_INFINITY
  /** When its lifetime ends. */
  expiresAt = Number.POSITIVE_INFINITY
  readonly connection: Connection
  readonly #owner: EntryOwner

  constructor(connect: (owner: ConnectionOwner) => Connection, owner: EntryOwner, now: number) {
    this.since = now
    this.#owner = owner
    this.connection = connect(this)
  }

  /** The server has accepted it; `jitter` in [0, 1) shortens its lifetime. */
  begin(now: number, maxLifetime: number, jitter: number): void {
    this.readyAt = now
    if (maxLifetime > 0) this.expiresAt = now + maxLifetime * (1 - LIFETIME_JITTER * jitter)
  }

  ready(result: HandshakeResult): void {
    this.#owner.ready(this, result)
  }

  answeredAll(): void {
    this.#owner.answeredAll(this)
  }

  room(): void {
    this.#owner.roomFor(this)
  }

  refused(request: Request, error: ReplyError): boolean {
    return this.#owner.refused(this, request, error)
  }

  lost(request: Request, error: ConnectionError): boolean {
    return this.#owner.lost(this, request, error)
  }

  closed(error: ConnectionError): void {
    this.#owner.closed(this, error)
    const { listener } = this
    this.listener = undefined
    listener?.lost(error)
  }

  gone(): void {
    this.#owner.gone(this)
  }

  push(message: Reply): void {
    this.#owner.push(this, message)
  }

  replied(milliseconds: number): void {
    this.#owner.replied(milliseconds)
  }
}

export class Roster {
  /** Connections ever begun. */
  begun = 0
  readonly #at: Readonly<Record<Place, Entry[]>> = {
    connecting: [],
    idle: [],
    shared: [],
    late: [],
    draining: [],
    leased: [],
    closing: [],
  }

  /** Milliseconds that connections were in a place which have left it. */
  readonly #spent: Record<Place, number> = {
    connecting: 0,
    idle: 0,
    shared: 0,
    late: 0,
    draining: 0,
    leased: 0,
    closing: 0,
  }

  /** Entries at a place, longest there first. */
  at(place: Place): readonly Entry[] {
    return this.#at[place]
  }

  count(place: Place): number {
    return this.#at[place].length
  }

  /** All connections, those being made and those ending included: this is what `maxConnections` bounds. */
  get total(): number {
    return PLACES.reduce((sum, place) => sum + this.#at[place].length, 0)
  }

  get leased(): number {
    return this.#at.leased.length
  }

  /** Connections that do not end yet. */
  get staying(): number {
    return this.total - this.#at.closing.length
  }

  /** Connections that are or can be used. */
  get ready(): number {
    return this.staying - this.#at.connecting.length
  }

  /** Whether somebody holds a connection, or waits for a reply. */
  get isBusy(): boolean {
    if (this.count('leased') > 0) return true
    return this.all().some(({ place, connection }) => place !== 'connecting' && connection.isAwaited)
  }

  counts(): Record<Place, number> {
    const { connecting, idle, shared, late, draining, leased, closing } = this.#at
    return {
      connecting: connecting.length,
      idle: idle.length,
      shared: shared.length,
      late: late.length,
      draining: draining.length,
      leased: leased.length,
      closing: closing.length,
    }
  }

  all(): Entry[] {
    return PLACES.flatMap((place) => this.#at[place])
  }

  add(entry: Entry): void {
    this.begun++
    this.#at[entry.place].push(entry)
  }

  move(entry: Entry, to: Place, now: number): void {
    if (!LEGAL[entry.place].includes(to)) throw new Error(`a connection cannot move from ${entry.place} to ${to}`)
    this.#take(entry, now)
    entry.place = to
    entry.since = now
    this.#at[to].push(entry)
  }

  remove(entry: Entry, now: number): void {
    this.#take(entry, now)
  }

  /** Milliseconds that connections have spent in each place up to now, added up. */
  times(now: number): Record<Place, number> {
    const times = { ...this.#spent }
    for (const place of PLACES) for (const { since } of this.#at[place]) times[place] += now - since
    return times
  }

  /** The connection that became idle last: it is warm, and the others may age. A doomed one is about to end. */
  newestIdle(): Entry | undefined {
    return this.#at.idle.findLast(({ doomed }) => doomed === undefined)
  }

  #take(entry: Entry, now: number): void {
    this.#spent[entry.place] += now - entry.since
    const entries = this.#at[entry.place]
    const index = entries.lastIndexOf(entry)
    if (index >= 0) entries.splice(index, 1)
  }
}
