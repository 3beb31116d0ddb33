// What a row of the fault matrix is: a fault, how it is brought about, and the figures that decide. Runs nothing.

import type { Verdict } from './verdict.js'

/** `commit`: with every change. `nightly`: at full size. `soak`: for hours. */
export type Tier = 'commit' | 'nightly' | 'soak'

export const TIERS = ['commit', 'nightly', 'soak'] as const satisfies readonly Tier[]

/** One figure that decides: `value` must be at most, at least or exactly `limit`. */
export interface Check {
  readonly what: string
  readonly value: number
  readonly is: 'at most' | 'at least' | 'exactly'
  readonly limit: number
  readonly unit?: string
}

export interface Context {
  /** The size at which this row runs now. */
  readonly tier: Tier
  /** Everything that is left to chance comes from it. */
  readonly seed: number
  /** How long a soak lasts. */
  readonly minutes: number
  /** Picks a figure by tier; a soak takes the nightly one. */
  scale(commit: number, nightly: number): number
  /** What is being done, for whoever watches. */
  note(line: string): void
  /** The decisions of a proxy or a fake server; the last ones are printed when the row is red. */
  trace(log: readonly string[]): void
}

/** What one run of a row found. */
export interface Outcome {
  readonly operations: number
  /** Faults that were injected, not those that were planned. */
  readonly faults: number
  /** All counts must be 0. */
  readonly verdict: Verdict
  /** Milliseconds from the end of each fault to the first success; the table shows p99. */
  readonly recovery?: readonly number[]
  /** The pass figures of the row. */
  readonly checks: readonly Check[]
  /** In words what broke the verdict; printed when the row is red. */
  readonly examples?: readonly string[]
}

export interface Row {
  /** Such as `A1`. */
  readonly id: string
  /** Such as `Connections are reset at random`. */
  readonly fault: string
  /** Such as `the proxy resets one connection every 15 ms`. */
  readonly injection: string
  /** Such as `what was in flight is ambiguous, the others go on`. */
  readonly expected: string
  /** Where it runs; one that is listed for both runs at the size of the tier. */
  readonly tiers: readonly Tier[]
  run(context: Context): Promise<Outcome>
}

export function passes({ value, is, limit }: Check): boolean {
  switch (is) {
    case 'at most':
      return value <= limit
    case 'at least':
      return value >= limit
    case 'exactly':
      return value === limit
    default:
      return is satisfies never
  }
}
