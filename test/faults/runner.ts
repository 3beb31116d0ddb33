// Owns the run of one row: its time limit, its leak check, and the errors that reach nobody. Prints nothing.

import { leakCheck } from '../support/leak-check.js'
import { type Context, type Outcome, passes, type Row, type Tier } from './row.js'
import { Strays, textOf } from './strays.js'
import { isClean, type Verdict } from './verdict.js'

/** Milliseconds that a row may take. */
const LIMITS: Readonly<Record<Tier, number>> = { commit: 30_000, nightly: 900_000, soak: 9 * 3_600_000 }
/** How long a soak lasts by default. */
export const SOAK_MINUTES = 30
/** Lines of each proxy's log that a red row shows. */
const TAIL = 20

export interface Result {
  readonly row: Row
  readonly size: Tier
  readonly seed: number
  /** Milliseconds. */
  readonly took: number
  /** Undefined when the row did not come to its end. */
  readonly outcome: Outcome | undefined
  /** What else went wrong: an error, a leak, a row that does not end. */
  readonly problems: readonly string[]
  /** The last decisions of its proxies. */
  readonly log: readonly string[]
  /** The row did not end: what it left behind runs on in this process. */
  readonly hangs: boolean
}

export interface Order {
  readonly row: Row
  readonly size: Tier
  readonly seed: number
  readonly minutes?: number
  note(line: string): void
  /** Milliseconds; by default what the size allows. */
  readonly limit?: number
}

export function isGreen({ outcome, problems }: Result): boolean {
  return outcome !== undefined && problems.length === 0 && isClean(outcome.verdict) && outcome.checks.every(passes)
}

export async function runRow({
  row,
  size,
  seed,
  minutes = SOAK_MINUTES,
  note,
  limit = LIMITS[size],
}: Order): Promise<Result> {
  const logs: (readonly string[])[] = []
  const problems: string[] = []
  const context: Context = {
    tier: size,
    seed,
    minutes,
    scale: (commit, nightly) => (size === 'commit' ? commit : nightly),
    note,
    trace: (log) => logs.push(log),
  }
  const leaks = leakCheck()
  const uncaught = new Strays()
  const started = performance.now()
  const ended = await within(limit, row.run(context))
  const took = performance.now() - started
  if (ended.error !== undefined) problems.push(textOf(ended.error))
  if (ended.late) problems.push(`it had not ended after ${limit / 1000} s`)
  else await leaks.assertNone().catch((error: unknown) => problems.push(textOf(error)))
  const strays = await uncaught.stop()
  problems.push(...strays.map((text) => `uncaught: ${text}`))
  return {
    row,
    size,
    seed,
    took,
    outcome: ended.value && withUncaught(ended.value, strays.length),
    problems,
    log: logs.flatMap((log) => log.slice(-TAIL)),
    hangs: ended.late,
  }
}

interface Ended<T> {
  readonly value?: T
  readonly error?: unknown
  readonly late: boolean
}

async function within<T>(limit: number, work: Promise<T>): Promise<Ended<T>> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Ended<T>>((resolve) => {
    timer = setTimeout(() => resolve({ late: true }), limit)
  })
  const done = work.then(
    (value): Ended<T> => ({ value, late: false }),
    (error: unknown): Ended<T> => ({ error: error ?? 'it failed without a word', late: false }),
  )
  try {
    return await Promise.race([done, late])
  } finally {
    clearTimeout(timer)
  }
}

function withUncaught(outcome: Outcome, count: number): Outcome {
  const verdict: Verdict = { ...outcome.verdict, uncaught: outcome.verdict.uncaught + count }
  return { ...outcome, verdict }
}
