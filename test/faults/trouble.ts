// Owns the course of most rows: the common workload runs until the trouble is over, and both are judged together.

import { uniqueValue } from './history.js'
import type { Check, Context, Outcome } from './row.js'
import type { Subject } from './subject.js'
import { sumOf } from './verdict.js'
import { type Plan, type Report, startWorkload, type Workload } from './workload.js'

/** What a trouble came to. */
export interface Trouble {
  readonly faults: number
  readonly recovery: readonly number[]
  /** Its pass figures, when the last call has settled. */
  checks(report: Report): readonly Check[]
}

/** Calls go to the subject until the trouble is over; it is closed in any case. The witness looks at `port` itself. */
export async function inTrouble(
  subject: Subject,
  port: number,
  plan: Omit<Plan, 'busy'>,
  trouble: (workload: Pick<Workload, 'history'>) => Promise<Trouble>,
): Promise<Outcome> {
  try {
    let isOver = false
    const workload = startWorkload(subject, port, { ...plan, busy: () => !isOver })
    const over = trouble(workload).finally(() => {
      isOver = true
    })
    const [found, report] = await Promise.all([over, workload.report])
    const { operations, history, verdict, examples } = report
    const checks: readonly Check[] = [
      { what: 'calls made', value: operations, is: 'at least', limit: plan.operations },
      ...found.checks(report),
      { what: 'errors that do not say what happened', value: history.untyped, is: 'exactly', limit: 0 },
    ]
    return { operations, faults: found.faults, verdict, examples, recovery: found.recovery, checks }
  } finally {
    await subject.close()
  }
}

/** Milliseconds from a call to its end, at most. */
export function longestCall({ history }: Report): number {
  return history.entries.reduce((most, { calledAt, settledAt }) => Math.max(most, settledAt - calledAt), 0)
}

/** Writes of which nobody was told that they had taken effect. */
export function appliedInDoubt({ history, state }: Report): number {
  const lists = [...state.lists.values(), ...[...state.units.values()].map(({ list }) => list)]
  const there = new Set(lists.flat())
  return history.entries.filter((entry) => entry.state === 'ambiguous' && there.has(uniqueValue(entry))).length
}

/** One outcome of several parts of a row, without a figure for their recovery. */
export function together(parts: readonly Outcome[]): Outcome {
  return {
    operations: parts.reduce((sum, { operations }) => sum + operations, 0),
    faults: parts.reduce((sum, { faults }) => sum + faults, 0),
    verdict: sumOf(parts.map(({ verdict }) => verdict)),
    examples: parts.flatMap(({ examples = [] }) => examples),
    checks: parts.flatMap(({ checks }) => checks),
  }
}

export function planOf({ seed, scale }: Context, deadline: number): Omit<Plan, 'busy'> {
  return { operations: scale(10_000, 100_000), seed, deadline }
}
