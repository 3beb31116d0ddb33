// Owns chance in a simulation: seeds, distributions of hold times, arrivals. The same seed gives the same draws,
// whatever size of pool they meet. Knows no pool.

import { OptionError } from '../index.js'

/** mulberry32, for one part of a run: how often one process draws never changes what another gets. */
export class Dice {
  #state: number

  constructor(seed: number, part = 0) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(part + 1, 0x85ebca6b)) | 0
  }

  /** In [0, 1). */
  next(): number {
    const state = (this.#state + 0x6d2b79f5) | 0
    this.#state = state
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** Of mean 1. */
  exponential(): number {
    return -Math.log(1 - this.next())
  }

  /** Of mean 0 and deviation 1, after Box and Muller. */
  normal(): number {
    return Math.sqrt(2 * this.exponential()) * Math.cos(2 * Math.PI * this.next())
  }
}

/** How long connections are held. In milliseconds. */
export type HoldTimes =
  | { readonly kind: 'constant'; readonly mean: number }
  | { readonly kind: 'exponential'; readonly mean: number }
  | { readonly kind: 'lognormal'; readonly mean: number; readonly p99: number }
  /** Most take `usual`, that share of them takes `slow`. */
  | { readonly kind: 'two-point'; readonly usual: number; readonly slow: number; readonly share: number }

/** The 99th percentile of the standard normal distribution. */
const Z99 = 2.326_347_874_04

/** No lognormal distribution has a 99th percentile that is more than so many times its mean. */
export const WIDEST = Math.exp(Z99 ** 2 / 2)

/** Of the logarithm: its mean, and its deviation. Of the two that fit, the one with the lighter tail. */
function lognormalOf(mean: number, p99: number): { readonly mu: number; readonly sigma: number } {
  if (!(p99 > mean && p99 / mean <= WIDEST)) {
    throw new OptionError(
      `--hold: expected a p99 above the mean and at most ${WIDEST.toFixed(1)} times of it; \
for a few slow ones among quick ones say usual,slow=TIME:SHARE`,
    )
  }
  const sigma = Z99 - Math.sqrt(Z99 ** 2 - 2 * Math.log(p99 / mean))
  return { mu: Math.log(mean) - sigma ** 2 / 2, sigma }
}

export function meanOf(hold: HoldTimes): number {
  return hold.kind === 'two-point' ? hold.usual * (1 - hold.share) + hold.slow * hold.share : hold.mean
}

/** Gives hold times in milliseconds. */
export function drawerOf(hold: HoldTimes): (dice: Dice) => number {
  switch (hold.kind) {
    case 'constant':
      return () => hold.mean
    case 'exponential':
      return (dice) => hold.mean * dice.exponential()
    case 'lognormal': {
      const { mu, sigma } = lognormalOf(hold.mean, hold.p99)
      return (dice) => Math.exp(mu + sigma * dice.normal())
    }
    case 'two-point':
      return (dice) => (dice.next() < hold.share ? hold.slow : hold.usual)
    default:
      return hold satisfies never
  }
}

export type ArrivalPattern =
  | { readonly kind: 'poisson' }
  /** At equal distances, each process from a moment of its own. */
  | { readonly kind: 'periodic' }
  /** So many at once, at random moments. */
  | { readonly kind: 'bursty'; readonly size: number }

/** A stretch of time in which the traffic of a process does not change. */
export interface Phase {
  /** Milliseconds. */
  readonly duration: number
  /** Of one process. */
  readonly arrivalsPerSecond: number
  readonly hold: HoldTimes
}

/** Who comes to one process, one after another: `next` moves on to the next, if there is one. */
export interface Arrivals {
  /** Milliseconds since the beginning; never less than before. */
  readonly at: number
  readonly hold: number
  next(): boolean
}

export class DrawnArrivals implements Arrivals {
  at = 0
  hold = 0
  readonly #phases: readonly Phase[]
  readonly #pattern: ArrivalPattern
  readonly #times: Dice
  readonly #holds: Dice
  readonly #drawers: readonly ((dice: Dice) => number)[]
  #phase = 0
  #phaseEnd: number
  #together = 0
  #isFirst = true

  constructor(phases: readonly Phase[], pattern: ArrivalPattern, seed: number, process: number) {
    this.#phases = phases
    this.#pattern = pattern
    this.#times = new Dice(seed, 2 * process)
    this.#holds = new Dice(seed, 2 * process + 1)
    this.#drawers = phases.map(({ hold }) => drawerOf(hold))
    this.#phaseEnd = phases[0]?.duration ?? 0
  }

  next(): boolean {
    if (this.#together > 0) this.#together--
    else if (!this.#advance(this.#expected())) return false
    this.hold = this.#drawers[this.#phase]?.(this.#holds) ?? 0
    return true
  }

  /** How many arrivals are to be expected until the next one. */
  #expected(): number {
    const pattern = this.#pattern
    switch (pattern.kind) {
      case 'poisson':
        return this.#times.exponential()
      case 'periodic': {
        const first = this.#isFirst
        this.#isFirst = false
        return first ? this.#times.next() : 1
      }
      case 'bursty':
        this.#together = pattern.size - 1
        return pattern.size * this.#times.exponential()
      default:
        return pattern satisfies never
    }
  }

  /** Moves on until that many would have come, through phases of different rates; false beyond the last. */
  #advance(expected: number): boolean {
    for (let left = expected; ; ) {
      const phase = this.#phases[this.#phase]
      if (phase === undefined) return false
      const perMillisecond = phase.arrivalsPerSecond / 1_000
      const at = this.at + left / perMillisecond
      if (at < this.#phaseEnd) {
        this.at = at
        return true
      }
      left -= (this.#phaseEnd - this.at) * perMillisecond
      this.at = this.#phaseEnd
      this.#phase++
      this.#phaseEnd += this.#phases[this.#phase]?.duration ?? 0
    }
  }
}
