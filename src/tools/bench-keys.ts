// Owns the keys of a benchmark: their names, their values, and that no other key is touched and none is left.

import { randomBytes } from 'node:crypto'
import type { Redis } from '../index.js'

const BATCH = 500
/** Bytes in one MSET. */
const BATCH_BYTES = 1_000_000
/** Keys that were not deleted, because the process was killed, end by themselves; a SET takes that away. */
const LEAST_LIFE = 3_600

export class BenchKeys {
  readonly names: readonly string[]
  /** Each key has its own, so that a reply given to the wrong caller is seen. */
  readonly values: readonly string[]
  readonly #bytes: number
  readonly #control: Redis
  /** How many may have been written. */
  #written = 0

  constructor(control: Redis, count: number, bytes: number) {
    const prefix = `respool-bench:${randomBytes(8).toString('hex')}:`
    this.names = Array.from({ length: count }, (_, index) => `${prefix}${index}`)
    this.values = this.names.map((_, index) => `${index}=`.padEnd(bytes, 'x').slice(0, bytes))
    this.#bytes = bytes
    this.#control = control
  }

  /** Up to the signal. */
  async fill(signal: AbortSignal): Promise<void> {
    for (const [start, batch] of this.#batches(this.names.length)) {
      if (signal.aborted) return
      // Random as the prefix is, what is there already is not ours.
      if ((await this.#control.exists([...batch])) > 0) throw new Error('keys of the random prefix exist already')
      this.#written = start + batch.length
      const transaction = this.#control.multi()
      for (const [index, key] of batch.entries())
        transaction.set(key, this.values[start + index] ?? '', { EX: LEAST_LIFE })
      await transaction.execAsPipeline()
    }
  }

  /** Does not fail: where the server is gone, the error to show is the one that says so. */
  async remove(): Promise<void> {
    const patient = this.#control.withCommandOptions({ timeout: 5_000 })
    for (const [, batch] of this.#batches(this.#written)) {
      const removed = await patient.unlink([...batch]).catch(() => undefined)
      if (removed === undefined) return
    }
  }

  *#batches(end: number): Generator<readonly [number, readonly string[]]> {
    const size = Math.max(1, Math.min(BATCH, Math.floor(BATCH_BYTES / this.#bytes)))
    for (let start = 0; start < end; start += size) {
      yield [start, this.names.slice(start, Math.min(end, start + size))]
    }
  }
}
