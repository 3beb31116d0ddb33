// Owns the taking of an advice: it reads the parts of a pool and changes none. What it has calculated is good for a
// moment, so that whoever shows it live does not keep the process busy.

import type { Advice } from './advice.js'
import type { AdviceFacts } from './advice-facts.js'
import type { AdviceTerms } from './advice-options.js'
import { advise, fewestBorrowings, roomOf, sizeNeeded } from './advise.js'
import type { PoolCore } from './core.js'
import type { Borrowing } from './demand.js'
import { readLoad } from './load.js'
import type { ResolvedPoolOptions } from './options.js'
import { ServerLimits } from './server-limits.js'

/** How long an advice is good for, in ms, and from how many borrowings on it takes so long that this matters. */
const GOOD_FOR = 1_000
const COSTLY = 1_000

/** A pool that sizes itself goes by the borrowings of so many ms, or the last few where these are not enough. */
const RECENT = 300_000

export class Advisor {
  readonly #core: PoolCore
  readonly #settings: ResolvedPoolOptions
  readonly #limits: ServerLimits
  #last: { readonly at: number; readonly terms: string; readonly advice: Advice } | undefined

  constructor(core: PoolCore, settings: ResolvedPoolOptions) {
    this.#core = core
    this.#settings = settings
    this.#limits = new ServerLimits(core)
  }

  /** Starts asking the server for its limits, which the next advice will know. */
  askServer(): void {
    if (this.#core.phase === 'open') this.#limits.refresh()
  }

  advise(terms: AdviceTerms): Advice {
    this.askServer()
    const now = this.#core.now()
    const { maxConnections, minConnections } = this.#core.limits
    const key = JSON.stringify([terms, maxConnections, minConnections, this.#limits.state])
    if (this.#core.demand.count > COSTLY && this.#last?.terms === key && now - this.#last.at < GOOD_FOR)
      return this.#last.advice
    const { demand } = this.#core
    const advice = advise(this.#facts(demand, demand.first, now), terms)
    this.#last = { at: now, terms: key, advice }
    return advice
  }

  /** How many connections this pool may have at most, for the server's sake. */
  get room(): number {
    return roomOf(this.#limits.counts)
  }

  /** How many connections are needed of late, calculated with less effort; undefined when too little was seen. */
  sizeNeeded(terms: AdviceTerms): number | undefined {
    this.askServer()
    const now = this.#core.now()
    const { demand } = this.#core
    const record = [...demand]
    const since = record.findIndex(({ asked }) => asked >= now - RECENT)
    const fewest = Math.max(0, record.length - fewestBorrowings(terms))
    const start = since < 0 ? fewest : Math.min(since, fewest)
    return sizeNeeded(this.#facts(record.slice(start), demand.first + start, now), terms)
  }

  /** @param first the number of the first borrowing in the record */
  #facts(record: Iterable<Borrowing>, first: number, now: number): AdviceFacts {
    const { dispatch, roster, counters, limits } = this.#core
    const standing = {
      holding: roster.at('leased').filter(({ holder }) => holder !== undefined && holder.borrowing < first).length,
      waiting: [...dispatch.leases].filter(({ item }) => item.kind === 'stream' || item.kind === 'blocking').length,
    }
    const times = roster.times(now)
    const isShared = !dispatch.classic && times.shared + times.late + times.draining > 0
    return {
      load: readLoad(record, standing, now),
      settings: this.#settings,
      maxConnections: limits.maxConnections,
      minConnections: limits.minConnections,
      lanes: isShared ? dispatch.wantedLanes : 0,
      peakDemand: counters.peaks.demand,
      fullLanes: dispatch.fullLanes,
      turnedLate: counters.turnedLate,
      sent: counters.traffic(roster.all()).sent,
      server: { state: this.#limits.state, counts: this.#limits.counts },
    }
  }
}
