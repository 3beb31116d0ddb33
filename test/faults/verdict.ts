// What a history may be guilty of, as counts. Judges nothing itself: checker.ts does.

/** Counts of broken promises; a row is green only when all of them are 0. */
export interface Verdict {
  /** Replies that belong to another call, and writes that landed under another key. */
  readonly crossed: number
  /** Writes that were acknowledged and are not there. */
  readonly lost: number
  /** Writes that were applied more than once. */
  readonly duplicated: number
  /** Writes that were called `not-sent` or `rejected` and are there all the same. */
  readonly falselyRejected: number
  /** Calls that had not settled a moment after their deadline. */
  readonly unsettled: number
  /** Acknowledged calls that took effect in another order than they were made, and reads that went back in time. */
  readonly disordered: number
  /** Transactions that were applied in part. */
  readonly partial: number
  /** By how much the counters of the pool do not add up once nothing is under way. */
  readonly unbalanced: number
  /** Errors that no caller was given: uncaught exceptions and unhandled rejections. */
  readonly uncaught: number
}

export const CLEAN: Verdict = {
  crossed: 0,
  lost: 0,
  duplicated: 0,
  falselyRejected: 0,
  unsettled: 0,
  disordered: 0,
  partial: 0,
  unbalanced: 0,
  uncaught: 0,
}

export const VERDICTS = [
  'crossed',
  'lost',
  'duplicated',
  'falselyRejected',
  'unsettled',
  'disordered',
  'partial',
  'unbalanced',
  'uncaught',
] as const satisfies readonly (keyof Verdict)[]

/** How each of them reads on a page. */
export const VERDICT_WORDS: Readonly<Record<keyof Verdict, string>> = {
  crossed: 'crossed',
  lost: 'acknowledged but lost',
  duplicated: 'applied twice',
  falselyRejected: 'falsely rejected',
  unsettled: 'unsettled',
  disordered: 'out of order',
  partial: 'applied in part',
  unbalanced: 'miscounted',
  uncaught: 'uncaught',
}

export function isClean(verdict: Verdict): boolean {
  return VERDICTS.every((name) => verdict[name] === 0)
}

/** The sum of several histories, for a row that runs more than one. */
export function sumOf(verdicts: readonly Verdict[]): Verdict {
  const sum = { ...CLEAN }
  for (const verdict of verdicts) for (const name of VERDICTS) sum[name] += verdict[name]
  return sum
}
