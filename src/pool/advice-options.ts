// Owns the options of an advice. Knows no pool.

import { custom, duration, type OptionTable, readOptions } from '../base/option-table.js'

export interface AdviceTerms {
  readonly targetWait: number
  readonly percentile: number
}

const isShare = (value: unknown): value is number => typeof value === 'number' && value > 0 && value < 1

export const adviceOptionTable: OptionTable<AdviceTerms> = {
  targetWait: duration({ default: 5, also: ['wait', 'target'], doc: 'The wait for a connection that is acceptable.' }),
  percentile: custom<number>({
    kind: 'object',
    default: 0.99,
    expected: 'a number between 0 and 1, such as 0.99',
    accepts: isShare,
    also: ['quantile', 'p'],
    doc: 'For which share of those who borrow.',
  }),
}

export function readAdviceOptions(options: unknown): AdviceTerms {
  return readOptions(adviceOptionTable, options, 'advice()')
}
