// Many seeds in a row, for the test files that share them out: the first broken law is the failure.

import assert from 'node:assert/strict'
import { describeFailure, type RunResult, simulate } from './simulation.js'

/** Ways for a connection to end that are not the pool's own doing. */
export const HURT = [
  'connect-failed',
  'handshake-failed',
  'server-closed',
  'network-error',
  'protocol-error',
  'stalled',
] as const

/** Thousands of errors are made in a run, and where matters only to who looks at one run. */
export async function withoutStacks<T>(work: () => Promise<T>): Promise<T> {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return await work()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** Runs the seeds and hands each result on. */
export function breakNoLaw(from: number, count: number, seen: (result: RunResult) => void): Promise<void> {
  return withoutStacks(async () => {
    for (let seed = from; seed < from + count; seed++) {
      const result = await simulate(seed)
      if (result.violation !== undefined) assert.fail(describeFailure(result))
      seen(result)
    }
  })
}
