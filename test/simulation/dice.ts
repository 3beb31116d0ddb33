// Chance for a simulation: one source of numbers, and the few shapes in which it is asked for.

import { seeded } from '../support/random.js'

export class Dice {
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = seeded(seed)
  }

  /** A whole number from 0 up to, not including, `count`. */
  below(count: number): number {
    return Math.floor(this.#random() * count)
  }

  /** A whole number between both, each included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0
  }

  pick<T>(first: T, ...others: readonly T[]): T {
    return others[this.below(others.length + 1) - 1] ?? first
  }

  /** One of a list, or undefined when it is empty. */
  from<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)]
  }
}
