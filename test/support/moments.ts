// Moments after a call at which its caller gives up: while it waits, while it is written, while its reply comes. Knows
// nothing of who gives up on what.

import { nextTurn, pause } from '../live/support-live.js'
import { between, type Random } from './random.js'

/** Each waits for its moment; `undefined` is now. */
export const MOMENTS: Readonly<Record<string, (random: Random) => Promise<void> | undefined>> = {
  'at once': () => undefined,
  'after a microtask': () => Promise.resolve(),
  'once written': () => new Promise((resolve) => process.nextTick(resolve)),
  'a turn later': () => nextTurn(),
  'some turns later': async (random) => {
    for (let turn = between(random, 2, 20); turn > 0; turn--) await nextTurn()
  },
  'some milliseconds later': (random) => pause(between(random, 1, 3)),
}
