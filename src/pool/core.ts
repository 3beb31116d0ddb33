// Owns the lives of a pool's connections: what happens to one arrives here, and ends in a move on the roster. No policy.

import type { Clock } from '../base/clock.js'
import type { CloseReason, ConnectionError, ReplyError } from '../base/errors.js'
import type { HandshakeResult } from '../connection/handshake.js'
import type { Request } from '../connection/request.js'
import type { Reply } from '../resp/types.js'
import { Alone } from './alone.js'
import type { Borrower } from './borrower.js'
import { ClientSideCache } from './client-side-cache.js'
import type { DispatchLimits, Phase, PoolDependencies } from './contract.js'
import { Demand } from './demand.js'
import { Dispatch } from './dispatch.js'
import { endedAs, hungUp, reasonOf, unsentFor } from './endings.js'
import { Intake } from './intake.js'
import { Keeper } from './keeper.js'
import { Recall } from './recall.js'
import { Entry, type Holder, isCallers, type Place, Roster } from './roster.js'
import { Counters, describeHolder, type PoolStats } from './stats.js'
import { Supply } from './supply.js'
import type { Caller, Waiter } from './waiters.js'
import { WaitingRoom } from './waiting-room.js'

export class PoolCore {
  readonly clock: Clock
  /** What SELECT must go back to after a lease. */
  readonly database: number
  readonly limits: DispatchLimits
  readonly roster = new Roster()
  readonly counters = new Counters()
  readonly demand = new Demand()
  readonly dispatch: Dispatch
  readonly supply: Supply
  readonly keeper: Keeper
  readonly recall: Recall
  readonly cache: ClientSideCache | undefined
  phase: Phase = 'open'
  /** Told when a connection is ready or a dial has failed. */
  readonly warming: { readonly isAwaited: boolean; resolve(): void; reject(error: unknown): void }[] = []
  /** Told when the last thing accepted before closing is done. */
  quiet: (() => void) | undefined
  readonly intake: Intake
  readonly keepAlive: PoolDependencies['keepAlive']
  readonly #deps: PoolDependencies
  readonly room: WaitingRoom
  readonly alone = new Alone(this)

  constructor(deps: PoolDependencies, stats: () => PoolStats) {
    const { settings, clock } = deps
    const { maxConnections, minConnections, lanes, pipelining } = settings
    this.#deps = deps
    this.clock = clock
    this.keepAlive = deps.keepAlive
    this.intake = new Intake(clock)
    this.database = deps.database
    this.limits = { maxConnections, minConnections, lanes: Math.min(lanes, maxConnections), pipelining }
    this.dispatch = new Dispatch(this.roster, this.limits, this)
    this.supply = new Supply(this.roster, clock, deps.random, settings, () => this.serve())
    this.keeper = new Keeper(this.roster, clock, settings, this.limits, this)
    this.recall = new Recall(this, settings)
    this.cache = settings.clientSideCache && new ClientSideCache(settings.clientSideCache, clock)
    this.room = new WaitingRoom({
      clock,
      counters: this.counters,
      settings,
      connectTimeout: deps.connectTimeout,
      canGrow: (alone) => this.dispatch.canServeMore(alone),
      emptied: () => {
        this.keeper.lookAround()
        // Whoever was served has been sent by then.
        if (this.phase === 'closing') clock.afterPoll(() => this.#checkQuiet())
      },
      waiters: () => this.dispatch.waiters(),
      stats,
      exhausted: (error) => deps.events.exhausted(error),
      lastConnectError: () => this.supply.lastError,
      loopDelay: () => this.keeper.loopDelay,
    })
  }

  // What callers set in motion

  /** Once for each call; false when its signal was aborted already and it has failed. */
  prepare(first: Request): boolean {
    if (!this.keeper.isAttending) this.keeper.attend()
    return this.intake.admit(first)
  }

  /** @param wait begins the wait of a borrower who is not served at once */
  borrow(borrower: Borrower, wait: () => Waiter<Borrower> | undefined): void {
    this.keeper.attend()
    this.dispatch.borrow(borrower, wait)
    this.counters.peaks.note(this.roster, this.dispatch.leases)
  }

  /** Ends the connection once it is free, and takes it out of use until then. */
  doom(entry: Entry, reason: CloseReason): void {
    entry.doomed = reason
    if (entry.listener !== undefined) entry.listener.recalled()
    else if (entry.place === 'idle') this.#endIfUnwanted(entry)
    else if (entry.place === 'shared' || entry.place === 'late') this.dispatch.drain(entry)
  }

  /** Sends again what was taken back, before everything that waits. */
  resend(requests: readonly Request[]): void {
    this.room.comeBack(requests.length)
    const sharing = requests.filter((request) => !this.#needsWhole(request))
    if (sharing.length > 0) this.dispatch.lanesChanged(sharing)
    for (const request of requests) if (this.#needsWhole(request)) this.alone.executeAlone(request)
  }

  #needsWhole(request: Request): boolean {
    return this.dispatch.classic || request.blocksFor > 0
  }

  get isOver(): boolean {
    return this.phase === 'closed'
  }

  serve(): void {
    if (this.phase === 'closed') return
    this.dispatch.serve()
    if (this.warming.length > 0) this.dial(Math.max(1, this.limits.minConnections) - this.roster.total)
    this.keeper.lookAround()
    this.#checkQuiet()
  }

  /** Whether the last accepted command was answered and the last lease given back. */
  #checkQuiet(): void {
    if (this.phase !== 'closing' || this.dispatch.waiting > 0 || this.recall.isPending) return
    if (!this.roster.isBusy) this.quiet?.()
  }

  // What the policy asks for

  now(): number {
    return this.clock.now()
  }

  dial(count: number): void {
    // What a round of serving sets in motion may be the last thing that the end was waiting for.
    if (this.isOver) return
    for (let left = Math.min(count, this.supply.allowed); left > 0; left--) {
      this.roster.add(new Entry(this.#deps.connect, this, this.now()))
    }
    this.counters.peaks.note(this.roster, this.dispatch.leases)
  }

  lend(entry: Entry, borrower: Borrower, waiter?: Waiter<Borrower>): void {
    const now = this.now()
    this.roster.move(entry, 'leased', now)
    entry.holder = this.demand.begin(borrower, now, waiter?.borrowing)
    this.counters.acquired++
    this.counters.peaks.note(this.roster, this.dispatch.leases)
    borrower.grant(entry)
  }

  wait(request: Request): Waiter<Request> | undefined {
    return this.room.admitCommand(request, request)
  }

  waited(waiter: Waiter<Caller>): void {
    this.room.served(waiter)
    // While it waited nobody may have owed a reply, and then nobody watched.
    this.keeper.watch()
  }

  drained(entry: Entry): void {
    this.dispatch.drained(entry)
    this.#endIfUnwanted(entry)
    this.serve()
  }

  // What the holder of a lease asks for

  sendBlocking(entry: Entry, request: Request, inTransaction: boolean): void {
    this.alone.sendBlocking(entry, request, inTransaction)
  }

  execute(request: Request): void {
    if (!this.prepare(request)) return
    if (this.#needsWhole(request)) this.alone.executeAlone(request)
    else this.dispatch.execute(request)
  }

  /** The holder is done; `quiet` says that nothing it sent is unanswered. */
  giveBack(entry: Entry, quiet: boolean): void {
    const { holder } = entry
    if (holder === undefined || entry.connection.isClosed) return
    holder.kind = 'command'
    if (quiet) this.freed(entry)
  }

  // What the keeper finds

  turnedLate(entries: readonly Entry[]): void {
    this.counters.turnedLate += entries.length
    this.dispatch.turnedLate(entries)
  }

  narrow(): void {
    for (const entry of this.dispatch.narrow()) this.dispatch.drain(entry)
  }

  lasted(entry: Entry): void {
    this.supply.proven(entry.readyAt)
  }

  leaked(holder: Holder): void {
    this.counters.leaksReported++
    this.#deps.events.leaked(describeHolder(holder, this.now()))
  }

  // What connections tell

  ready(entry: Entry, { untracked }: HandshakeResult): void {
    const now = this.now()
    this.cache?.opened(entry.connection, untracked)
    this.counters.opened++
    this.counters.connect.record(now - entry.connection.createdAt)
    entry.begin(now, this.#deps.settings.maxLifetime, this.#deps.random())
    this.roster.move(entry, 'idle', now)
    this.keeper.start()
    this.#deps.events.opened(entry.connection)
    this.#endIfUnwanted(entry)
    const enough = this.roster.ready >= Math.max(1, this.limits.minConnections)
    if (enough) for (const { resolve } of this.warming.splice(0)) resolve()
    this.serve()
  }

  answeredAll(entry: Entry): void {
    if (this.recall.isPending) this.recall.settle()
    if (entry.connection.inFlight > 0) return
    const { place } = entry
    this.#prove(entry)
    switch (place) {
      case 'shared':
        if (entry.backlog.length > 0) this.dispatch.sendBacklog(entry)
        this.#checkQuiet()
        return
      case 'late':
        this.dispatch.recover(entry)
        this.#checkQuiet()
        return
      case 'draining':
        this.drained(entry)
        return
      case 'leased':
        this.freed(entry)
        return
      case 'idle':
        this.#checkQuiet()
        return
      case 'connecting':
      case 'closing':
        return
      default:
        place satisfies never
    }
  }

  roomFor(entry: Entry): void {
    if (this.recall.isPending) this.recall.settle()
    this.#prove(entry)
    // What is still owed may stand behind a blocking command, which nobody watched.
    if (!this.keeper.watching) this.keeper.watch()
    if (entry.place === 'late' && !entry.connection.isLate(this.now())) this.dispatch.recover(entry)
    else if (entry.backlog.length > 0) this.dispatch.sendBacklog(entry)
  }

  refused(entry: Entry, request: Request, error: ReplyError): boolean {
    return this.recall.refused(entry, request, error)
  }

  lost(entry: Entry, request: Request, error: ConnectionError): boolean {
    return this.recall.lost(entry, request, error)
  }

  closed(entry: Entry, error: ConnectionError): void {
    const { place, connection } = entry
    this.cache?.forget(connection)
    this.roster.move(entry, 'closing', this.now())
    this.alone.forget(entry)
    this.counters.retire(entry, reasonOf(place, error))
    const heldFor = this.counters.endHold(entry, this.demand, this.now())
    if (this.isOver) this.recall.settle()
    else this.#replace(entry, place, error)
    this.#deps.events.ended?.(connection, { ...endedAs(place, error), heldFor })
    this.serve()
  }

  #replace({ doomed, connection }: Entry, place: Place, error: ConnectionError): void {
    // Before any listener runs: what it sends must not overtake what waited here.
    if (place !== 'connecting' && hungUp(connection, error, this.now())) this.supply.failed(error)
    if (this.recall.isPending) this.recall.settle()
    if (place === 'shared' || place === 'late' || place === 'draining') this.dispatch.lanesChanged()
    if (place === 'connecting') this.#connectFailed(error, doomed === 'retired')
    else this.#deps.events.closed(connection, error)
  }

  gone(entry: Entry): void {
    this.roster.remove(entry, this.now())
    this.serve()
  }

  push({ listener }: Entry, message: Reply): void {
    if (listener !== undefined) listener.received(message)
    else if (this.cache?.pushed(message) !== true) this.#deps.events.pushed(message)
  }

  replied(milliseconds: number): void {
    this.counters.reply.record(milliseconds)
  }

  /** The connection is nobody's any more, unless its holder or an UNBLOCK keeps it. */
  freed(entry: Entry): void {
    if (entry.holder === undefined || isCallers(entry.holder) || this.alone.isHeld(entry)) return
    const heldFor = this.counters.endHold(entry, this.demand, this.now())
    this.roster.move(entry, 'idle', this.now())
    this.#endIfUnwanted(entry)
    this.#deps.events.released(entry.connection, heldFor)
    this.serve()
  }

  #prove(entry: Entry): void {
    if (this.supply.failures > 0 && entry.connection.hasServed) this.supply.proven(entry.readyAt)
  }

  /** A free connection that was marked, or is above the limit, ends here. */
  #endIfUnwanted(entry: Entry): void {
    const reason = entry.doomed ?? (this.roster.staying > this.limits.maxConnections ? 'surplus' : undefined)
    if (reason !== undefined) entry.connection.destroy(reason, `the pool no longer needs the connection (${reason})`)
  }

  #connectFailed(error: ConnectionError, isOutdated: boolean): void {
    // A dial that was retired may have had the credentials of before: it tells nothing of the next.
    if (!isOutdated) this.supply.failed(error)
    this.#deps.events.connectFailed(error)
    if (isOutdated) return
    for (const { reject } of this.warming.splice(0)) reject(error)
    if (this.supply.hasGivenUp) this.dispatch.turnStreamsAway(unsentFor(error))
    // A wrong password does not heal by waiting; but what works already may still serve those who wait, with an end.
    if (!this.supply.isFinal || this.roster.ready > 0) return
    this.dispatch.turnAway(unsentFor(error))
  }
}
