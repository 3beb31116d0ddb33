// Owns the look at the heap of a process whose garbage collector can be called. Judges nothing.

import { nextTurn } from '../live/support-live.js'

/** Bytes in use once everything that can be collected is. */
export async function usedHeap(): Promise<number> {
  await collect()
  return process.memoryUsage().heapUsed
}

export async function collect(): Promise<void> {
  const { gc } = globalThis
  if (gc === undefined) throw new Error('this process cannot collect its garbage: --expose-gc')
  // What the first turn lets go of, another collection finds.
  for (let times = 3; times > 0; times--) {
    await nextTurn()
    gc()
  }
}
