// Owns the options of an advice. Knows no pool.

import { custom, duration, type OptionTable, readOptions } from '../base/option-table.js'
import { MOST_BORROWINGS } from './demand.js'

export interface AdviceTerms {
  readonly targetWait: number
  readonly percentile: number
}

/** Of the last borrowings two at least must wait longer than the percentile: nothing could be told of a larger one. */
const LARGEST = 1 - 2 / MOST_BORROWINGS

const isShare = (value: unknown): value is number => typeof value === 'number' && value > 0 && value <= LARGEST

export const adviceOptionTable: OptionTable<AdviceTerms> = {
  targetWait: duration({ default: 5, also: ['wait', 'target'], doc: 'The wait for a connection that is acceptable.' }),
  percentile: custom<number>({
    kind: 'object',
    default: 0.99,
    expected: `a number between 0 and 1, such as 0.99, and at most ${LARGEST} (1 - 2 / ${MOST_BORROWINGS}, the borrowings that are kept)`,
    accepts: isShare,
    also: ['quantile', 'p'],
    doc: 'For which share of those who borrow.',
  }),
}

export function readAdviceOptions(options: unknown): AdviceTerms {
  return readOptions(adviceOptionTable, options, 'advice()')
}
