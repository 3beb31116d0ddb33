// Measures how long a client takes to serve all its callers again after a fault. Injects none and judges nothing.

import { pause, percentile } from '../live/support-live.js'
import { NOISE } from '../support/noise.js'
import type { Check, Context } from './row.js'
import type { Subject } from './subject.js'

/** With this many keys, each of two lanes serves some of them but once in 32 000 times. */
const PROBES = 16
/** Who is refused at once asks again after this long, in ms. */
const AGAIN = 1

/**
 * Milliseconds from now, the end of a fault, until a write that began after it has succeeded for every one of a set
 * of keys that all lanes share in. The slowest key counts: a client that goes on for the keys of its healthy
 * connection and leaves the others waiting has not recovered. A write that fails is made again at once, as another
 * call; one that hangs holds its key up. A fault that is not over `within` this time counts as that long.
 */
export async function recovery(subject: Subject, within: number, prefix = 'recovery'): Promise<number> {
  const started = performance.now()
  let givenUp = false
  const key = async (index: number): Promise<void> => {
    while (!givenUp) {
      const served = await subject.set(`${prefix}:${index}`, 'x').then(
        () => true,
        () => false,
      )
      if (served) return
      await pause(AGAIN)
    }
  }
  const all = Promise.all(Array.from({ length: PROBES }, (_, index) => key(index)))
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      givenUp = true
      resolve()
    }, within)
  })
  await Promise.race([all, timeout])
  clearTimeout(timer)
  return givenUp ? within : performance.now() - started
}

/** 0 when there was nothing to measure; a row that has figures to show checks that it counted faults. */
export function p99(values: readonly number[]): number {
  return percentile(values, 0.99)
}

/** A time by the wall clock: at commit scale it is the longest of a few, on a machine that does other things besides. */
export function within({ tier }: Context, what: string, value: number, limit: number): Check {
  return { what, value, is: 'at most', limit: tier === 'commit' ? limit + NOISE : limit, unit: 'ms' }
}

export function recoveryCheck(context: Context, values: readonly number[], limit: number): Check {
  return within(context, 'recovery, p99', p99(values), limit)
}
