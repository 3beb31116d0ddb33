// Owns what all parts of the demo share: the server, how long to measure, when to stop. Measures nothing.

import type { ConnectionPool, Redis } from '../index.js'

export interface Plan {
  /** Callers at once, one comparison for each. */
  readonly callers: readonly number[]
  /** Each way is measured so many times, in turn with the others. */
  readonly rounds: number
  /** In milliseconds, as all that follows. */
  readonly roundTime: number
  readonly warmUpTime: number
  /** Most connections that one round makes: a machine has some 28,000 ports, and one is blocked for a minute. */
  readonly maxDials: number
  readonly acquireTimeout: number
  readonly kills: number
  /** Load before the first kill, and after each recovery. */
  readonly calm: number
  /** A recovery that takes longer is none. */
  readonly recoveryLimit: number
}

export const FULL: Plan = {
  callers: [1, 50],
  rounds: 5,
  roundTime: 250,
  warmUpTime: 250,
  maxDials: 1_000,
  acquireTimeout: 500,
  kills: 5,
  calm: 200,
  recoveryLimit: 3_000,
}

export const QUICK: Plan = {
  ...FULL,
  rounds: 3,
  roundTime: 120,
  warmUpTime: 100,
  acquireTimeout: 250,
  kills: 3,
  calm: 100,
  recoveryLimit: 1_000,
}

export interface DemoContext {
  readonly url: string
  readonly plan: Plan
  /** Aborted when the user wants it to end; what is running then finishes. */
  readonly signal: AbortSignal
  /** Starts the names of all keys and connections of this run. */
  readonly prefix: string
  /** A connection of its own, for questions to the server. */
  readonly control: Redis
  progress(text: string, detail?: string): void
  /** Told of each pool whose course is worth watching. */
  watch(pool: ConnectionPool): void
}

/** Resolves at the time given, or at once when the run is to end. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    signal.addEventListener('abort', done)
  })
}

/** Removes the run's keys. Does not fail: where the server is gone, the error to show is the one that says so. */
export async function clean({ control }: DemoContext, keys: string[]): Promise<void> {
  await control
    .withCommandOptions({ timeout: 1_000 })
    .del(keys)
    .catch(() => {})
}
