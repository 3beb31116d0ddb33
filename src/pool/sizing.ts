// Owns how many connections a load needs so that waits are short. Pure: it is given the load.

import type { SizeForecast } from './advice.js'
import type { Load } from './load.js'
import { type Outcome, Resampled, replay, waitOf } from './queue-model.js'

/** What is wanted, and of which kind of pool. */
export interface SizingTerms {
  /** Which share of those who borrow may wait longer than `longest` ms. */
  readonly share: number
  readonly longest: number
  /** Every command borrows a connection of its own: none is shared. */
  readonly classic: boolean
  /** Connections that commands share; 0 where no command was sent yet. */
  readonly shared: number
}

/**
 * What is calculated is as good as the record. Of the share that may wait longer a little less is allowed, so that a line
 * drawn exactly there is not missed every other time. Where one connection more is less than a tenth of all, the load is
 * also taken to be a little above what the record tells: with many connections in use a hundredth of load is the
 * difference between no wait and a long one.
 */
interface Caution {
  readonly margin: number
  readonly pressure: number
}

const FEW: Caution = { margin: 0.97, pressure: 0 }
const MANY: Caution = { margin: 0.75, pressure: 1.5 }

/** The largest size that counts as few. */
const EDGE = 10

/** In the order in which they came, so many times the share that is wanted may wait longer: one record is little proof. */
const AS_IT_CAME = 2

const MOST = 65_535

export class Sizing {
  /** Connections in use on average by those who give them back. */
  readonly held: number
  readonly #load: Load
  readonly #terms: SizingTerms
  readonly #few: Resampled
  readonly #many: Resampled
  readonly #replayed = new Map<number, Outcome>()

  /** @param effort how many callers to draw from the record */
  constructor(load: Load, terms: SizingTerms, effort: number) {
    this.#load = load
    this.#terms = terms
    this.#few = new Resampled(load.callers, effort, FEW.pressure)
    this.#many = new Resampled(load.callers, effort, MANY.pressure)
    this.held = load.window > 0 ? load.callers.held.reduce((sum, each) => sum + each, 0) / load.window : 0
  }

  /** The `maxConnections` that does. */
  get needed(): number {
    return this.sizeFor(this.#load.staying + this.#neededToLend())
  }

  /** How large a pool must be that lends so many at once. */
  sizeFor(lent: number): number {
    const { classic, shared } = this.#terms
    if (classic || (lent <= 1 && shared === 0)) return Math.max(1, lent)
    return lent + Math.max(1, shared)
  }

  /** How many connections a pool of that size does not lend. */
  kept(maxConnections: number): number {
    const { classic, shared } = this.#terms
    return classic || (maxConnections === 1 && shared === 0) ? 0 : Math.max(1, shared)
  }

  forecast(maxConnections: number): SizeForecast {
    const { share } = this.#terms
    const lent = maxConnections - this.kept(maxConnections) - this.#load.staying
    if (this.#load.callers.asked.length === 0) return { maxConnections, wait: lent < 0 ? null : 0, longer: 0 }
    if (lent <= this.held) return { maxConnections, wait: null, longer: 1 }
    const outcome = this.#outcome(lent)
    return { maxConnections, wait: waitOf(outcome, 1 - share), longer: outcome.share }
  }

  /** The wait that this share of those who borrow, from 0 to 1, does not exceed, in ms; Infinity where it has no end. */
  waitOf(share: number, maxConnections: number): number {
    const lent = maxConnections - this.kept(maxConnections) - this.#load.staying
    if (this.#load.callers.asked.length === 0) return 0
    return lent <= this.held ? Number.POSITIVE_INFINITY : waitOf(this.#outcome(lent), share)
  }

  #neededToLend(): number {
    if (this.#load.callers.asked.length === 0) return 0
    const edge = EDGE - this.kept(EDGE) - this.#load.staying
    let low = Math.max(1, Math.floor(this.held))
    let high = low
    if (edge >= low && !this.#areTooFew(edge)) {
      high = edge
    } else {
      low = Math.max(low, edge + 1)
      high = low
      for (let step = 1; high < MOST && this.#areTooFew(high); step *= 2) {
        low = high + 1
        high = Math.min(MOST, high + step)
      }
    }
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#areTooFew(middle)) low = middle + 1
      else high = middle
    }
    return high
  }

  #areTooFew(connections: number): boolean {
    const { share, longest } = this.#terms
    const { share: longer } = this.#outcome(connections)
    if (longer > share * this.#cautionAt(connections).margin) return true
    let replayed = this.#replayed.get(connections)
    if (replayed === undefined) {
      replayed = replay(this.#load.callers, connections, longest)
      this.#replayed.set(connections, replayed)
    }
    return replayed.share > share * AS_IT_CAME
  }

  #outcome(connections: number): Outcome {
    const { share, longest } = this.#terms
    const caution = this.#cautionAt(connections)
    const callers = caution === FEW ? this.#few : this.#many
    return callers.outcome(connections, longest, share * caution.margin)
  }

  #cautionAt(connections: number): Caution {
    return this.sizeFor(this.#load.staying + connections) > EDGE ? MANY : FEW
  }
}
