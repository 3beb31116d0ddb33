// Owns how late the event loop of this process ran, for several who ask at their own times. Knows no pool: a pool
// watches the loop only while it waits for replies.

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'

/** In ms; what is measured has it in it. */
const RESOLUTION = 20

export class LoopWatch {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION })
  readonly #most = new Map<() => number, { delay: number }>()

  constructor() {
    this.#delay.enable()
  }

  /** What gives the longest delay since it was last called, in ms. */
  reader(): () => number {
    const own = { delay: 0 }
    const read = (): number => {
      const delay = this.#delay.count > 0 ? Math.max(0, this.#delay.max / 1e6 - RESOLUTION) : 0
      this.#delay.reset()
      for (const each of this.#most.values()) each.delay = Math.max(each.delay, delay)
      const { delay: most } = own
      own.delay = 0
      return most
    }
    this.#most.set(read, own)
    return read
  }

  /** Ends what `reader` gave. */
  forget(reader: () => number): void {
    this.#most.delete(reader)
  }

  stop(): void {
    this.#delay.disable()
  }
}
