// Owns the border to a user's backoff function: below it nothing throws and every number is one a timer keeps.

import { MAX_DURATION } from '../base/duration.js'
import { OptionError } from '../base/errors.js'
import type { BackoffStrategy } from '../pool/supply.js'

/** What throws or gives something else is reported, and the pool's own pause is taken. */
export function guarded(
  strategy: BackoffStrategy | undefined,
  report: (error: Error) => void,
): BackoffStrategy | undefined {
  if (strategy === undefined) return undefined
  return (failures, cause) => {
    try {
      const asked: unknown = strategy(failures, cause)
      if (asked === undefined || asked === false) return asked
      if (asked instanceof Error) {
        report(asked)
        return asked
      }
      if (isDelay(asked)) return Math.min(asked, MAX_DURATION)
      throw new OptionError('backoff: expected the function to return milliseconds, false, an Error or undefined')
    } catch (error) {
      report(error instanceof Error ? error : new OptionError('backoff: the function threw what is no Error'))
      return undefined
    }
  }
}

const isDelay = (value: unknown): value is number => typeof value === 'number' && value >= 0
