// Owns which commands are sent again after a loss or a refusal, and which connections a refusal says to replace.
// Sends nothing itself. Knows neither lanes nor lines.

import { type ConnectionError, ReplyError } from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import { mayRepeat, onlyReads } from '../command/repeat.js'
import type { Request, Unit } from '../connection/request.js'
import type { Dispatch } from './dispatch.js'
import { type Entry, isCallers, type Roster } from './roster.js'

/** How often one command is sent again at most. */
const MOST_REPEATS = 3

/**
 * Refusals that are about the connection, or about the server behind it, and not about the command. `server`: its role
 * has changed or its data are not there, so all connections lead to the wrong place, and on the next one a command would
 * be refused again. https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
 */
const UNREADY: ReadonlyMap<string, 'connection' | 'server'> = new Map([
  ['LOADING', 'server'],
  ['MASTERDOWN', 'server'],
  ['NOAUTH', 'connection'],
  ['READONLY', 'server'],
])

/** The server's own words: no script that did begin answers so. */
const UNKNOWN_SCRIPT = /^NOSCRIPT No matching script/

export interface RecallSettings {
  readonly backoffMin: number
  readonly backoffMax: number
}

export interface RecallHost {
  readonly counters: { retried: number }
  now(): number
  /** Whether commands are still sent. */
  readonly isOver: boolean
  /** Where all connections are. */
  readonly roster: Roster
  readonly dispatch: Pick<Dispatch, 'drain'>
  doom(entry: Entry, reason: 'refused'): void
  /** Replies that are kept. */
  readonly cache: { forget(connection: Entry['connection']): void } | undefined
  /** Sends them again, in this order, before everything that waits. */
  resend(requests: readonly Request[]): void
  /** Something may have become possible. */
  serve(): void
}

/** A command that is to be sent again. */
interface Recalled {
  /** The command, or the first of its transaction. */
  readonly first: Request
  /** Who is told what became of it: the command, or EXEC. */
  readonly last: Request
  /** What it is told if it must not be sent again after all. */
  readonly error: ReplyError | ConnectionError
  /** Later commands on its key, unanswered when it was refused: it must not take effect after them. */
  readonly followers: readonly Request[]
}

export class Recall {
  readonly #host: RecallHost
  readonly #settings: RecallSettings
  #recalled: Recalled[] = []
  /** Connections to replace, found since the last `settle`. */
  readonly #refusing = new Map<Entry, 'connection' | 'server'>()
  /** Lanes in which commands stand behind a script that the server did not know. */
  readonly #behindScripts = new Set<Entry>()
  /** A server that stays unready must not be met by ever new connections. */
  #nextReplacement = Number.NEGATIVE_INFINITY
  #replacedAt = Number.NEGATIVE_INFINITY
  #pace = 0

  constructor(host: RecallHost, settings: RecallSettings) {
    this.#host = host
    this.#settings = settings
  }

  /** Whether `settle` has something to do. */
  get isPending(): boolean {
    return this.#recalled.length + this.#refusing.size + this.#behindScripts.size > 0
  }

  /** Call it when the replies that just came have all been read, or a connection has ended. */
  settle(): void {
    const refusing = [...this.#refusing]
    this.#refusing.clear()
    const behind = [...this.#behindScripts]
    this.#behindScripts.clear()
    const ready = this.#takeReady()
    if (refusing.length + ready.length + behind.length === 0) return
    const isServer = refusing.some(([, scope]) => scope === 'server')
    const ending = isServer ? this.#host.roster.all() : refusing.map(([entry]) => entry)
    // Marked, they take nothing more: what is sent again is in its place before anything else can move.
    for (const entry of ending) {
      entry.doomed = 'refused'
      this.#host.cache?.forget(entry.connection)
    }
    if (ready.length > 0) this.#host.resend(ready)
    for (const entry of ending) this.#host.doom(entry, 'refused')
    // Nothing more comes behind what a script waits for: else, on a busy key, it would wait for ever.
    if (this.#recalled.length > 0) for (const entry of behind) this.#rest(entry)
    // What these still owe may take its time; others need not wait for it.
    this.#host.serve()
  }

  /** Tells those who wait for what their key's later commands come to that their time is up. */
  expire(now: number): void {
    for (const { last, error } of this.#recalled) if (last.deadline <= now) last.fail(error)
  }

  /** Those that may be sent again now. The others wait, for one reply more, or are told. */
  #takeReady(): Request[] {
    const ready: Request[] = []
    const waiting: Recalled[] = []
    const held = new Set<number>()
    for (const recalled of this.#recalled) {
      const { first, last, error, followers } = recalled
      const isTooLate = followers.some(({ state }) => state === 'settled')
      if (isTooLate || this.#host.isOver) last.fail(error)
      if (last.state === 'settled') continue
      if (held.has(first.hash) || followers.some(({ state }) => state === 'sent')) {
        held.add(first.hash)
        waiting.push(recalled)
      } else ready.push(first)
    }
    this.#recalled = waiting
    this.#host.counters.retried += ready.length
    return ready
  }

  /** The server answered `request` with an error. True when it is taken back. */
  refused(entry: Entry, request: Request, error: ReplyError): boolean {
    if (request.inFull !== undefined && UNKNOWN_SCRIPT.test(error.message))
      return this.#sendInFull(entry, request, error)
    const refusal = reasonOf(request, error)
    const scope = UNREADY.get(refusal.kind)
    if (scope === undefined || entry.place === 'connecting' || !this.#replace(entry, scope)) return false
    if (isCallers(entry.holder)) return false
    // Inside a transaction only EXEC tells what became of it.
    if (request.unit !== undefined && request.next !== undefined) return false
    // A script may have written before it answered so.
    if (error.outcome !== 'rejected' && refusal === error) return false
    return this.#takeBack(request, error, followersOf(entry, request.unit?.first ?? request))
  }

  /** The connection ended under `request`. True when it is taken back. */
  lost(entry: Entry, request: Request, error: ConnectionError): boolean {
    // Who holds a lease is told: its session is gone.
    if (isCallers(entry.holder)) return false
    if (error.outcome === 'not-sent') return this.#takeBack(request, error)
    if (request.unit !== undefined || !mayRepeat(request.args, request.retry)) return false
    if (!this.#takeBack(request, error)) return false
    if (!onlyReads(request.args)) request.doubt ??= error
    return true
  }

  /**
   * Nothing was run, so this is no second attempt, whatever `retry` says. What was called later and only read may have
   * been answered by now; a write that was is not to be overtaken backwards.
   */
  #sendInFull(entry: Entry, request: Request, error: ReplyError): boolean {
    const { inFull } = request
    if (inFull === undefined || request.state === 'settled' || this.#host.isOver) return false
    request.inFull = undefined
    const followers = followersOf(entry, request).filter(({ args }) => !onlyReads(args))
    request.args = inFull()
    request.repeats++
    request.state = 'waiting'
    request.next = undefined
    this.#recalled.push({ first: request, last: request, error, followers })
    if (followers.length > 0) this.#behindScripts.add(entry)
    return true
  }

  #rest(entry: Entry): void {
    const isLane = entry.place === 'shared' || entry.place === 'late'
    if (isLane && entry.doomed === undefined && !entry.connection.isClosed) this.#host.dispatch.drain(entry)
  }

  /** Notes a command that is to be sent again, unless it must not be. */
  #takeBack(request: Request, error: ReplyError | ConnectionError, followers: readonly Request[] = []): boolean {
    const { unit } = request
    const first = unit?.first ?? request
    if (unit !== undefined && this.#recalled.some((recalled) => recalled.first === first)) return true
    if (first.retry === 'none' || first.repeats >= MOST_REPEATS || this.#host.isOver) return false
    if (unit === undefined) first.next = undefined
    const last = lastOf(first)
    // Nobody waits for a transaction whose EXEC was given up.
    if (last.state === 'settled') return false
    first.repeats++
    if (unit !== undefined) rearm(first, unit)
    for (let each: Request | undefined = first; each !== undefined; each = each.next) each.state = 'waiting'
    this.#recalled.push({ first, last, error, followers })
    return true
  }

  /** Whether the connection is, or now will be, replaced: then its commands meet another one. */
  #replace(entry: Entry, scope: 'connection' | 'server'): boolean {
    if (entry.doomed !== undefined || this.#refusing.has(entry)) return true
    const now = this.#host.now()
    if (now < this.#nextReplacement) {
      if (entry.connection.createdAt >= this.#replacedAt) return false
      // It was there before, and is as outdated as the one that was replaced then.
      this.#refusing.set(entry, 'connection')
      return true
    }
    const { backoffMin, backoffMax } = this.#settings
    const isQuiet = now - this.#nextReplacement > backoffMax
    this.#pace = isQuiet ? backoffMin : Math.min(backoffMax, this.#pace * 2)
    this.#nextReplacement = now + this.#pace
    this.#replacedAt = now
    this.#refusing.set(entry, scope)
    return true
  }
}

/** EXEC is refused because a command before it was; the server tells which error that was, or the reply to it did. */
function reasonOf(request: Request, error: ReplyError): ReplyError {
  if (error.kind !== 'EXECABORT') return error
  if (request.unit?.refusal instanceof ReplyError) return request.unit.refusal
  const because = /because of: (.+)$/.exec(error.message)?.[1]
  return because === undefined ? error : new ReplyError(because)
}

/** MULTI was answered well and let go of its signal; now the others wait with it again. */
function rearm(first: Request, unit: Unit): void {
  unit.refusal = undefined
  first.disarm()
  if (first.signal !== undefined) first.arm(first.signal)
}

/** Whatever was sent later on the key of a write, and is unanswered. */
function followersOf(entry: Entry, first: Request): Request[] {
  if (first.hash === NO_KEY || onlyReads(first.args)) return []
  return [...entry.connection.slots].filter(({ hash }) => hash === first.hash)
}

function lastOf(first: Request): Request {
  let last = first
  while (last.next !== undefined) last = last.next
  return last
}
