// Owns which commands are sent again after a loss or a refusal, and which connections a refusal says to replace.
// Sends nothing itself. Knows neither lanes nor lines.

import { type ConnectionError, ReplyError } from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import { mayRepeat, onlyReads } from '../command/repeat.js'
import type { Request } from '../connection/request.js'
import { closedError } from './endings.js'
import type { Entry } from './roster.js'

/** How often one command is sent again at most. */
const MOST_REPEATS = 3

/**
 * Refusals that are about the connection, or about the server behind it, and not about the command. `server`: its role
 * has changed, so all connections may lead to the wrong place. https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
 */
const UNREADY: ReadonlyMap<string, 'connection' | 'server'> = new Map([
  ['LOADING', 'connection'],
  ['MASTERDOWN', 'connection'],
  ['NOAUTH', 'connection'],
  ['READONLY', 'server'],
])

export interface RecallSettings {
  readonly backoffMin: number
  readonly backoffMax: number
}

export interface RecallHost {
  readonly counters: { retried: number }
  now(): number
  /** Whether commands are still sent. */
  readonly isOver: boolean
  doom(entry: Entry, reason: 'refused'): void
  /** As `doom`, for all connections there are. */
  doomAll(reason: 'refused'): void
  /** Sends them again, in this order, before everything that waits. */
  resend(requests: readonly Request[]): void
  /** Gives what is free to those who wait, and sees to it that more becomes free. */
  serve(): void
}

export class Recall {
  readonly #host: RecallHost
  readonly #settings: RecallSettings
  #recalled: Request[] = []
  /** How many are about to be sent again, while connections are replaced for them. */
  #leaving = 0
  /** Connections to replace, found since the last `settle`. */
  readonly #refusing = new Map<Entry, 'connection' | 'server'>()
  /** A server that stays unready must not be met by ever new connections. */
  #nextReplacement = Number.NEGATIVE_INFINITY
  #pace = 0

  constructor(host: RecallHost, settings: RecallSettings) {
    this.#host = host
    this.#settings = settings
  }

  /** Whether `settle` has something to do. */
  get isPending(): boolean {
    return this.#recalled.length > 0 || this.#refusing.size > 0
  }

  /** Whether there are commands that stand in no line and hold no slot: accepted, and not done. */
  get hasCommands(): boolean {
    return this.#recalled.length + this.#leaving > 0
  }

  /** Call it when the replies that just came have all been read. */
  settle(): void {
    const refusing = [...this.#refusing]
    this.#refusing.clear()
    const recalled = this.#recalled
    this.#recalled = []
    this.#leaving += recalled.length
    if (refusing.some(([, scope]) => scope === 'server')) this.#host.doomAll('refused')
    else for (const [entry] of refusing) if (!entry.connection.isClosed) this.#host.doom(entry, 'refused')
    this.#leaving -= recalled.length
    if (this.#host.isOver) for (const request of recalled) request.turnAway(closedError())
    else if (recalled.length > 0) this.#host.resend(recalled)
    // A connection that refused may be busy or ending for a while yet: another one need not wait for that.
    this.#host.serve()
  }

  /** The server answered `request` with an error. True when it is taken back. */
  refused(entry: Entry, request: Request, error: ReplyError): boolean {
    const refusal = reasonOf(request, error)
    const scope = UNREADY.get(refusal.kind)
    if (scope === undefined || entry.place === 'connecting' || !this.#replace(entry, scope)) return false
    if (entry.holder?.kind === 'lease') return false
    // Inside a transaction only EXEC tells what became of it.
    if (request.unit !== undefined && request.next !== undefined) return false
    // A script may have written before it answered so.
    if (error.outcome !== 'rejected' && refusal === error) return false
    const first = request.unit?.first ?? request
    // What was called later on this key may be answered well, and then this one would come too late.
    if (!onlyReads(first.args) && isFollowed(entry, first)) return false
    return this.takeBack(request)
  }

  /** The connection ended under `request`. True when it is taken back. */
  lost(entry: Entry, request: Request, error: ConnectionError): boolean {
    // Who holds a lease is told: its session is gone.
    if (entry.holder?.kind === 'lease') return false
    if (error.outcome === 'not-sent') return this.takeBack(request)
    if (request.unit !== undefined || !mayRepeat(request.args, request.retry)) return false
    if (!this.takeBack(request)) return false
    if (!onlyReads(request.args)) request.doubt ??= error
    return true
  }

  /** Notes a command that is to be sent again, unless it must not be. */
  takeBack(request: Request): boolean {
    const { unit } = request
    const first = unit?.first ?? request
    if (unit !== undefined && this.#recalled.includes(first)) return true
    if (first.retry === 'none' || first.repeats >= MOST_REPEATS || this.#host.isOver) return false
    // Nobody waits for a transaction whose EXEC was given up.
    if ((unit === undefined ? request : lastOf(first)).state === 'settled') return false
    first.repeats++
    this.#host.counters.retried++
    if (unit === undefined) first.next = undefined
    else unit.refusal = undefined
    for (let each: Request | undefined = first; each !== undefined; each = each.next) each.state = 'waiting'
    this.#recalled.push(first)
    return true
  }

  /** Whether the connection is, or now will be, replaced: then its commands meet another one. */
  #replace(entry: Entry, scope: 'connection' | 'server'): boolean {
    if (entry.doomed !== undefined || this.#refusing.has(entry)) return true
    const now = this.#host.now()
    if (now < this.#nextReplacement) return false
    const { backoffMin, backoffMax } = this.#settings
    const isQuiet = now - this.#nextReplacement > backoffMax
    this.#pace = isQuiet ? backoffMin : Math.min(backoffMax, this.#pace * 2)
    this.#nextReplacement = now + this.#pace
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

/** Whether the order of its key would suffer. */
function isFollowed(entry: Entry, first: Request): boolean {
  if (first.hash === NO_KEY) return false
  for (const { hash } of entry.connection.slots()) if (hash === first.hash) return true
  return false
}

function lastOf(first: Request): Request {
  let last = first
  while (last.next !== undefined) last = last.next
  return last
}
