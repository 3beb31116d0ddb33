// Owns the options of a pool that sizes itself. Knows no pool.
import { OptionError } from '../base/errors.js'
import { integer, type OptionsOf, type OptionTable, readOptions } from '../base/option-table.js'
import { type AdviceTerms, adviceOptionTable } from './advice-options.js'

export interface AutosizeValues extends AdviceTerms {
  /** The smallest `maxConnections` that it sets. Default 1, or `minConnections` where that is more. */
  readonly min: number
  /** The largest one; 0 = what `maxConnections` says. Default 0. */
  readonly max: number
  /** The wait for a connection that is acceptable, in ms. Default 5. */
  readonly targetWait: number
  /** For which share of those who borrow: above 0, and at most 1 - 2 / 16,384, about 0.9998. Default 0.99. */
  readonly percentile: number
}

export interface AutosizeOptions extends OptionsOf<AutosizeValues> {}

export const autosizeTable: OptionTable<AutosizeValues> = {
  min: integer({ default: 1, min: 1, max: 65_535, doc: 'The smallest maxConnections that it sets.' }),
  max: integer({ default: 0, max: 65_535, doc: 'The largest one; 0 = what maxConnections says.' }),
  ...adviceOptionTable,
}

interface Limits {
  readonly maxConnections: number
  readonly minConnections: number
}

/** Complete, with the bounds in force; undefined where it is off. */
export function readAutosize(
  given: boolean | AutosizeOptions,
  { maxConnections, minConnections }: Limits,
): Readonly<AutosizeValues> | undefined {
  if (given === false) return undefined
  const values = readOptions(autosizeTable, given === true ? {} : given, 'autosize')
  const min = Math.max(values.min, minConnections)
  const max = values.max === 0 ? maxConnections : values.max
  if (min > max) throw new OptionError(`min in autosize: expected at most max, which is ${max}, got ${min}`)
  return Object.freeze({ ...values, min, max })
}
