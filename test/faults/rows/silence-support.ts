// What the rows of silence share: the moments at which a pool gives silent connections up, and the figures they have in
// common. Runs nothing.

import { ConnectionError, type Redis } from '../../../src/index.js'
import { within } from '../recovery.js'
import type { Check, Context } from '../row.js'
import { SETTINGS } from './settings.js'

/** How much later than `socketTimeout` a silent connection may be given up, in ms. */
export const SLACK = 100
/** From the end of the silence: the longest pause between two attempts, and a little. */
export const RECOVERS_WITHIN = 250
/** A recovery that takes longer counts as this many milliseconds. */
export const GIVEN_UP = 5_000
/** Connections that share the commands of a busy pool, and owe replies at almost any moment. */
export const LANES = 2
/** Milliseconds in which all of them come to serve somebody. */
export const CALM = 100

/** Notes when a pool ends connections because nothing came any more. */
export class StallWatch {
  readonly #moments: number[] = []

  constructor(redis: Redis) {
    redis.on('close', (_, error) => {
      if (error instanceof ConnectionError && error.reason === 'stalled') this.#moments.push(performance.now())
    })
  }

  since(moment: number): readonly number[] {
    return this.#moments.filter((at) => at >= moment)
  }

  /**
   * Milliseconds from `since` until the connections that were busy then were given up, latest. One that was idle, and
   * was used to go round the others, comes after them.
   */
  detection(since: number, busy: number): number {
    return (this.since(since)[busy - 1] ?? Number.POSITIVE_INFINITY) - since
  }
}

export function detectionCheck(context: Context, detections: readonly number[]): Check {
  const limit = SETTINGS.socketTimeout + SLACK
  return within(context, 'a silent connection is given up, latest', Math.max(...detections), limit)
}
