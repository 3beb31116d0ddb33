// Owns the model of a fleet: what becomes of given arrivals when so many processes have so many connections each.
// Pure, in virtual time, by events: nothing in it is drawn, and it knows no percentile.

import type { Arrivals } from './simulate-draws.js'
import { EventHeap } from './simulate-heap.js'
import { Jobs, Station } from './simulate-station.js'

/** How the callers of a pool use its connections. */
export type Traffic =
  /** A caller has a connection to itself; `kept` of them are for commands that share, and never lent. */
  | { readonly kind: 'leases'; readonly kept: number }
  /** Commands share lanes, so many in flight on each, answered in order; a full lane has another one opened. */
  | { readonly kind: 'shared'; readonly lanes: number; readonly pipelining: number }

/** A server that does one command at a time, whoever asks. */
export interface ModelledServer {
  /** Milliseconds of its time that one command takes. */
  readonly commandTime: number
  /** Commands that are sent, one after another, while a connection is held. Shared traffic: one. */
  readonly commands: number
}

export interface FleetModel {
  readonly processes: number
  readonly maxConnections: number
  readonly traffic: Traffic
  /** Milliseconds; who would wait longer leaves without a connection. */
  readonly acquireTimeout: number
  /** Without one, what is held is held for as long as was drawn, however many do so. */
  readonly server?: ModelledServer | undefined
  /** Connections that the server lets in. */
  readonly maxClients: number
  readonly arrivalsOf: (process: number) => Arrivals
}

/** Told of each caller once it is known what became of it. */
export interface Observer {
  /** `response`: milliseconds from the arrival until the connection was given back, or the reply had come. */
  served(process: number, arrivedAt: number, waited: number, response: number): void
  timedOut(process: number, arrivedAt: number, waited: number): void
}

export interface FleetOutcome {
  /** Connections that were open at the end, of all processes: none is closed in between. */
  readonly connections: number
  /** Times that a connection was wanted which the server would not let in. */
  readonly refused: number
  /** Milliseconds that connections were held, or owed replies, added up. */
  readonly busy: number
  /** Milliseconds that the server worked. */
  readonly serverBusy: number
  /** When the last caller had gone. */
  readonly ended: number
  readonly events: number
}

/** So many events are done between two looks at whether to go on: some ten milliseconds. */
const STRIDE = 100_000

/**
 * Runs the fleet to its end, until everybody who came has gone; yields now and then how far it has come, in
 * milliseconds of each process's time added up. Processes that do not meet at the server run one after another.
 */
export function* simulate(model: FleetModel, observer: Observer): Generator<number, FleetOutcome> {
  const { processes, maxConnections, server, maxClients } = model
  const all = Array.from({ length: processes }, (_, index) => index)
  const meet = server !== undefined || processes * maxConnections > maxClients
  const groups = meet ? [all] : all.map((process) => [process])
  const sum = { connections: 0, refused: 0, busy: 0, serverBusy: 0, ended: 0, events: 0 }
  for (const group of groups) {
    const run = new Group(model, observer, group)
    let done = 0
    while (run.advance(STRIDE)) {
      yield (run.now - done) * group.length
      done = run.now
    }
    yield (run.now - done) * group.length
    sum.connections += run.connections
    sum.refused += run.refused
    sum.busy += run.busy
    sum.serverBusy += run.serverBusy
    sum.ended = Math.max(sum.ended, run.now)
    sum.events += run.events
  }
  return sum
}

/** Processes that share a server. Events of the heap: `~process` is its next arrival, else a job's next step. */
class Group {
  now = 0
  connections = 0
  refused = 0
  busy = 0
  serverBusy = 0
  events = 0
  readonly #model: FleetModel
  readonly #observer: Observer
  readonly #heap = new EventHeap()
  readonly #jobs = new Jobs()
  readonly #members: Member[]
  readonly #commands: number
  readonly #commandTime: number
  /** When the server has done all that it was sent so far. */
  #serverFree = 0

  constructor(model: FleetModel, observer: Observer, processes: readonly number[]) {
    this.#model = model
    this.#observer = observer
    this.#commandTime = model.server?.commandTime ?? 0
    this.#commands = model.traffic.kind === 'shared' ? 1 : (model.server?.commands ?? 1)
    this.#members = processes.map((process) => new Member(process, model))
    for (const [index, { arrivals }] of this.#members.entries()) {
      if (arrivals.next()) this.#heap.add(arrivals.at, ~index)
    }
  }

  /** Does so many events; false when there is nothing more to come. */
  advance(count: number): boolean {
    const heap = this.#heap
    for (let left = count; left > 0; left--) {
      if (heap.length === 0) {
        this.#leaveAll()
        return false
      }
      this.now = heap.time
      this.events++
      const event = heap.take()
      if (event < 0) this.#arrive(~event)
      else this.#step(event)
    }
    return true
  }

  #arrive(index: number): void {
    const member = this.#members[index]
    if (member === undefined) return
    const { arrivals, process } = member
    const station = this.#stationFor(member)
    const job = this.#jobs.make(index, station.index, this.now, arrivals.hold)
    this.#expire(process, station)
    if (station.hasRoom || this.#open(station)) this.#begin(station, job)
    else if (this.#model.acquireTimeout > 0) station.waiting.push(job)
    else this.#turnAway(process, job, 0)
    if (arrivals.next()) this.#heap.add(arrivals.at, ~index)
  }

  /** The lane that chance, as the hash of a key, names; where it is full and there may be more, another one. */
  #stationFor(member: Member): Station {
    const { stations } = member
    const [first] = stations
    if (first === undefined) throw new Error('a process has no connection')
    if (stations.length === 1 && member.mostStations === 1) return first
    const chosen = stations[Math.floor(member.route() * stations.length)] ?? first
    const canOpen = stations.length < member.mostStations && this.connections < this.#model.maxClients
    if (chosen.hasRoom || chosen.opened < chosen.most || !canOpen) return chosen
    const wider = new Station(stations.length, 1, chosen.slots)
    stations.push(wider)
    return wider
  }

  #open(station: Station): boolean {
    if (station.opened === station.most) return false
    if (this.connections >= this.#model.maxClients) {
      this.refused++
      return false
    }
    station.opened++
    this.connections++
    return true
  }

  #begin(station: Station, job: number): void {
    station.inUse++
    this.#jobs.begin(job, this.now, this.#commands)
    this.#send(station, job)
  }

  /** The next command leaves once the caller's own part of the time has passed; what shares a lane keeps its order. */
  #send(station: Station, job: number): void {
    let at = this.now + this.#jobs.hold(job) / this.#commands
    if (this.#model.traffic.kind === 'shared') {
      at = Math.max(at, station.lastReply)
      station.lastReply = at
    }
    this.#heap.add(at, job)
  }

  /** A command reaches the server, or its reply has come. */
  #step(job: number): void {
    const jobs = this.#jobs
    const member = this.#members[jobs.member(job)]
    const station = member?.stations[jobs.station(job)]
    if (member === undefined || station === undefined) return
    if (this.#commandTime > 0 && !jobs.isServed(job)) {
      this.#serverFree = Math.max(this.#serverFree, this.now) + this.#commandTime
      this.serverBusy += this.#commandTime
      jobs.serve(job)
      this.#heap.add(this.#serverFree, job)
      return
    }
    if (jobs.answered(job) > 0) this.#send(station, job)
    else this.#end(member.process, station, job)
  }

  #end(process: number, station: Station, job: number): void {
    const jobs = this.#jobs
    const arrivedAt = jobs.arrivedAt(job)
    const begunAt = jobs.begunAt(job)
    this.busy += this.now - begunAt
    this.#observer.served(process, arrivedAt, begunAt - arrivedAt, this.now - arrivedAt)
    jobs.free(job)
    station.inUse--
    this.#expire(process, station)
    const next = station.waiting.shift()
    if (next !== undefined) this.#begin(station, next)
  }

  /** All wait equally long at most, so those who gave up are the first in line. */
  #expire(process: number, station: Station): void {
    const { acquireTimeout } = this.#model
    for (let first = station.waiting.first; first !== undefined; first = station.waiting.first) {
      if (this.#jobs.arrivedAt(first) + acquireTimeout >= this.now) return
      station.waiting.shift()
      this.#turnAway(process, first, acquireTimeout)
    }
  }

  #turnAway(process: number, job: number, waited: number): void {
    this.#observer.timedOut(process, this.#jobs.arrivedAt(job), waited)
    this.#jobs.free(job)
  }

  /** Nothing will come free any more: these have no connection at all. */
  #leaveAll(): void {
    for (const { process, stations } of this.#members) {
      for (const { waiting } of stations) {
        for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
          this.#turnAway(process, job, this.#model.acquireTimeout)
        }
      }
    }
  }
}

/** One process: who comes to it, and its lines. */
class Member {
  readonly process: number
  readonly arrivals: Arrivals
  readonly stations: Station[]
  readonly mostStations: number
  #routed = 0

  constructor(process: number, { traffic, maxConnections, arrivalsOf }: FleetModel) {
    this.process = process
    this.arrivals = arrivalsOf(process)
    if (traffic.kind === 'leases') {
      this.stations = [new Station(0, Math.max(1, maxConnections - traffic.kept), 1)]
      this.mostStations = 1
    } else {
      const lanes = Math.min(traffic.lanes, maxConnections)
      this.stations = Array.from({ length: lanes }, (_, index) => new Station(index, 1, traffic.pipelining))
      this.mostStations = maxConnections
    }
  }

  /** In [0, 1), spread as hashes of keys are; the same for every size. */
  route(): number {
    this.#routed = (this.#routed + 1) >>> 0
    let mixed = Math.imul(this.#routed + Math.imul(this.process + 1, 0x9e3779b1), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32
  }
}
