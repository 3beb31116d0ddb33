// Owns the policy: which connection a command or a lease gets, and who waits for what. Opens nothing, and has no clock.

import type { Request } from '../connection/request.js'
import type { Borrower } from './borrower.js'
import type { DispatchHost, DispatchLimits } from './contract.js'
import { Lanes } from './lanes.js'
import type { Entry, Roster } from './roster.js'
import { type Caller, type Waiter, Waiters } from './waiters.js'

export class Dispatch {
  readonly lanes: Lanes
  readonly leases = new Waiters<Borrower>()
  /** Commands for which no connection is open at all. */
  readonly unrouted = new Waiters<Request>()
  readonly #roster: Roster
  readonly #shared: readonly Entry[]
  readonly #limits: DispatchLimits
  readonly #host: DispatchHost
  /** How many lanes the load asks for; grows as commands overlap. */
  wantedLanes = 1
  /** How often a command found as many in flight on its lane as `pipelining` allows. */
  fullLanes = 0
  #serving = false

  constructor(roster: Roster, limits: DispatchLimits, host: DispatchHost) {
    this.#roster = roster
    this.#shared = roster.at('shared')
    this.#limits = limits
    this.#host = host
    this.lanes = new Lanes(roster)
  }

  /** With `pipelining: 1` every command borrows a whole connection: the classic pool. */
  get classic(): boolean {
    return this.#limits.pipelining === 1
  }

  /** One connection is kept for sharing, so that leases never starve commands. */
  get maxLeases(): number {
    const { maxConnections } = this.#limits
    return this.classic || maxConnections === 1 ? maxConnections : maxConnections - 1
  }

  /** Whether one more caller could be served by what is idle or may still be made. */
  canServeMore(alone: boolean): boolean {
    if (alone && this.#roster.count('leased') + this.leases.length >= this.maxLeases) return false
    return this.#roster.total < this.#limits.maxConnections || (!alone && this.#roster.count('idle') > 0)
  }

  /** Whether one more connection may be lent. */
  get mayLend(): boolean {
    return this.#roster.count('leased') < this.maxLeases
  }

  /** Callers in all queues. */
  get waiting(): number {
    return this.leases.length + this.waitingCommands
  }

  get waitingCommands(): number {
    let commands = this.unrouted.length
    for (const place of ['shared', 'late', 'draining'] as const) {
      for (const entry of this.#roster.at(place)) commands += entry.backlog.length
    }
    return commands
  }

  /** How long the first in any line has waited, in ms. */
  longestWait(now: number): number {
    const firsts = [this.leases.first, this.unrouted.first, ...this.#roster.all().map((entry) => entry.backlog.first)]
    return Math.max(0, ...firsts.map((waiter) => (waiter === undefined ? 0 : now - waiter.since)))
  }

  /** All who wait, queue by queue. */
  *waiters(): Generator<Waiter<Caller>> {
    yield* this.leases
    yield* this.unrouted
    for (const entry of this.#roster.all()) yield* entry.backlog
  }

  /** Empties the queues of commands, in order of arrival. */
  takeCommands(): Waiter<Request>[] {
    const waiting = this.unrouted.takeAll()
    for (const entry of this.#roster.all()) for (const waiter of entry.backlog.takeAll()) waiting.push(waiter)
    return waiting.sort((a, b) => a.order - b.order)
  }

  /** Fails who waits to listen: that would not end by itself. */
  turnStreamsAway(error: unknown): void {
    for (const waiter of [...this.leases].filter(({ item }) => item.kind === 'stream')) {
      waiter.leave()
      waiter.item.turnAway(error)
    }
  }

  /** Fails everybody who waits. */
  turnAway(error: unknown): void {
    for (const waiter of this.leases.takeAll()) {
      waiter.leave()
      waiter.item.turnAway(error)
    }
    for (const { item } of this.takeCommands()) item.turnAway(error)
  }

  /** The whole policy for a command that shares: its key's lane takes it, or it waits. */
  execute(request: Request): void {
    const entry = this.lanes.route(request.hash)
    const hasRoom = entry !== undefined && this.#hasRoom(entry)
    const waiter = hasRoom ? undefined : this.#host.wait(request)
    if (hasRoom) this.#send(entry, request)
    else if (waiter !== undefined) this.#queue(entry, waiter)
  }

  /** Lends an idle connection now, or puts the borrower in line; `waiter` is made only if it must wait. */
  borrow(borrower: Borrower, wait: () => Waiter<Borrower> | undefined): void {
    if (this.leases.length + this.unrouted.length === 0 && this.mayLend) {
      const free = this.#roster.newestIdle() ?? this.#unusedLane()
      if (free !== undefined) {
        this.#host.lend(free, borrower)
        return
      }
    }
    const borrowing = this.#host.demand.asked(borrower.kind, this.#host.now())
    const waiter = wait()
    if (waiter === undefined) return
    waiter.borrowing = borrowing
    this.leases.insert(waiter)
    this.serve()
  }

  /** Gives what is free to those who wait, then sees to it that more becomes free. */
  serve(): void {
    if (this.#serving) return
    this.#serving = true
    try {
      while (this.#serveNext());
      this.#openLanes()
      this.#yieldLane()
      this.#grow()
      this.lanes.sweep()
    } finally {
      this.#serving = false
    }
  }

  /** Commands overlap, or wait behind a full lane: another lane is worth its connection. */
  widen(lanes: number): void {
    const wanted = Math.min(lanes, this.#limits.maxConnections)
    if (wanted <= this.wantedLanes) return
    this.wantedLanes = wanted
    this.serve()
  }

  /** Back to one lane; commands that still overlap will widen again. */
  narrow(): Entry[] {
    this.wantedLanes = 1
    return this.#shared.slice(1)
  }

  /** A lane takes nothing new; it becomes idle with its last reply. */
  drain(entry: Entry): void {
    this.#roster.move(entry, 'draining', this.#host.now())
    this.lanesChanged()
    if (entry.connection.inFlight === 0) this.#host.drained(entry)
  }

  drained(entry: Entry): void {
    this.#roster.move(entry, 'idle', this.#host.now())
    this.lanesChanged()
  }

  turnedLate(entries: readonly Entry[]): void {
    for (const entry of entries) {
      // Since it was judged, what another connection's end set in motion may have moved it, or ended it.
      if (entry.place === 'shared' && !entry.connection.isClosed) this.#roster.move(entry, 'late', this.#host.now())
    }
    this.lanesChanged()
    this.serve()
  }

  /** A late lane answered: it is a lane again, or surplus if another took its place. */
  recover(entry: Entry): void {
    if (this.#shared.length >= this.wantedLanes) {
      this.drain(entry)
    } else {
      this.#roster.move(entry, 'shared', this.#host.now())
      this.lanesChanged()
    }
    this.serve()
  }

  /** Sends what waits behind this lane while it has room. */
  sendBacklog(entry: Entry): void {
    const { backlog } = entry
    for (let first = backlog.first; first !== undefined && this.#canTake(entry); first = backlog.first) {
      this.#sendWaiting(entry, first)
    }
    if (backlog.length === 0) this.lanes.caughtUp(entry)
  }

  /**
   * Call it after every change of the lanes: all that waits is routed anew, in order of arrival.
   * `recalled` were sent before, and go first.
   */
  lanesChanged(recalled: readonly Request[] = []): void {
    const waiting = this.takeCommands()
    this.lanes.changed()
    // Opening further lanes is left to `serve`, which the caller calls next.
    const serving = this.#serving
    this.#serving = true
    try {
      for (const request of recalled) if (request.state === 'waiting') this.execute(request)
      for (const waiter of waiting) {
        const entry = this.lanes.route(waiter.item.hash)
        if (entry !== undefined && this.#hasRoom(entry)) this.#sendWaiting(entry, waiter)
        else this.#queue(entry, waiter)
      }
    } finally {
      this.#serving = serving
    }
  }

  #send(entry: Entry, request: Request): void {
    const { connection } = entry
    connection.send(request)
    this.lanes.follow(request.hash, entry)
    // Only now, since a change of lanes must find this command in flight.
    if (this.wantedLanes < this.#limits.lanes && connection.inFlight > 1) this.widen(this.#limits.lanes)
  }

  #sendWaiting(entry: Entry, waiter: Waiter<Request>): void {
    waiter.leave()
    this.#host.waited(waiter)
    this.#send(entry, waiter.item)
  }

  #queue(entry: Entry | undefined, waiter: Waiter<Request>): void {
    if (entry === undefined) {
      this.unrouted.push(waiter)
      this.serve()
      return
    }
    if (entry.connection.inFlight >= this.#limits.pipelining) this.fullLanes++
    entry.backlog.push(waiter)
    this.lanes.follow(waiter.item.hash, entry)
    if (entry.place === 'shared' && entry.doomed === undefined) this.widen(this.#shared.length + 1)
  }

  #hasRoom(entry: Entry): boolean {
    return entry.backlog.length === 0 && this.#canTake(entry)
  }

  #canTake(entry: Entry): boolean {
    const { connection, place, doomed } = entry
    // A late one neither: what waits is still told in time, and truly, that it was not sent.
    const isOpen = place === 'shared' && doomed === undefined && !connection.isClosed
    return isOpen && !connection.saturated && connection.inFlight < this.#limits.pipelining
  }

  /** First come, first served, as far as what each waits for is there. */
  #serveNext(): boolean {
    const idle = this.#roster.newestIdle()
    const lease = this.leases.first
    const command = this.unrouted.first
    const canLend = idle !== undefined && lease !== undefined && this.mayLend
    const canOpen = idle !== undefined && command !== undefined
    if (canLend && !(canOpen && command.order < lease.order)) {
      lease.leave()
      this.#host.waited(lease)
      this.#host.lend(idle, lease.item, lease)
      return true
    }
    if (!canOpen) return false
    this.#open(idle)
    return true
  }

  #open(idle: Entry): void {
    this.#roster.move(idle, 'shared', this.#host.now())
    this.lanesChanged()
  }

  #openLanes(): void {
    const busy = this.#shared.length + this.#roster.count('late') > 0
    while (busy && this.#shared.length < this.wantedLanes) {
      const idle = this.#roster.newestIdle()
      if (idle === undefined) return
      this.#open(idle)
    }
  }

  /** A lease that cannot have a new connection gets the next lane that drains, but for the one kept for sharing. */
  #yieldLane(): void {
    const roster = this.#roster
    if (this.leases.length === 0 || !this.mayLend || roster.total < this.#limits.maxConnections) return
    const places = ['idle', 'connecting', 'draining', 'closing'] as const
    if (places.some((place) => roster.count(place) > 0)) return
    const lanes = [...this.#shared, ...roster.at('late')]
    if (lanes.length <= this.#keptLanes) return
    const quietest = lanes.reduce((a, b) => (b.connection.inFlight < a.connection.inFlight ? b : a))
    this.wantedLanes = Math.max(1, this.#shared.length - 1)
    this.drain(quietest)
    while (this.#serveNext());
  }

  /** A lane that nobody uses, made idle; only where no other connection may be made instead. */
  #unusedLane(): Entry | undefined {
    const roster = this.#roster
    if (roster.total < this.#limits.maxConnections || this.#shared.length <= this.#keptLanes) return undefined
    const unused = this.#shared.find(({ connection, backlog }) => connection.inFlight + backlog.length === 0)
    if (unused === undefined) return undefined
    this.wantedLanes = Math.max(1, this.#shared.length - 1)
    roster.move(unused, 'draining', this.#host.now())
    this.drained(unused)
    return unused
  }

  /** Lanes that no lease may take. */
  get #keptLanes(): number {
    return this.#limits.maxConnections === 1 ? 0 : 1
  }

  #grow(): void {
    const { maxConnections, minConnections } = this.#limits
    const roster = this.#roster
    const total = roster.total
    const leases = Math.min(this.leases.length, this.maxLeases - roster.count('leased'))
    const wanted = Math.max(leases + this.#missingLanes() - this.#coming(), minConnections - total)
    const count = Math.min(wanted, maxConnections - total)
    if (count > 0) this.#host.dial(count)
  }

  /** Connections that are free or about to be; a doomed one ends instead, and a lane may drain for long. */
  #coming(): number {
    let coming = 0
    for (const place of ['idle', 'connecting'] as const) {
      for (const entry of this.#roster.at(place)) if (entry.doomed === undefined) coming++
    }
    return coming
  }

  #missingLanes(): number {
    const open = this.#shared.length
    const late = this.#roster.count('late')
    if (open + late === 0 && this.unrouted.length === 0) return 0
    const missing = Math.max(0, this.wantedLanes - open)
    // A slow server must not be met by ever more connections: one at a time takes over from late lanes.
    return late > 0 ? Math.min(missing, 1) : missing
  }
}
