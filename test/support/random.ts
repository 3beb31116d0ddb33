// Chance that a seed repeats, for everything in the tests that draws lots. Knows nothing of what is drawn for.

/** Gives numbers in [0, 1). */
export type Random = () => number

/** mulberry32: the same seed gives the same numbers. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Chance of its own for one part of a run, so that how often one part draws never changes what another gets. */
export function seededFor(seed: number, ...part: readonly number[]): Random {
  const stir = (mixed: number, one: number): number => seeded(mixed + Math.imul(one + 1, 0x9e3779b9))() * 2 ** 32
  return seeded(part.reduce(stir, seed))
}

/** A whole number from `low` to `high`, both included. */
export function between(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1))
}

export function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[Math.floor(random() * items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}
