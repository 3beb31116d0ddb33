// Owns how a handle connects: once, or until it succeeds. Whoever asked is connected again after a loss. Knows no option.

import { PoolClosedError } from '../base/errors.js'
import { type ConnectionPool, insideOf } from './connection-pool.js'

/** Rejects with the error of the first dial that fails. */
export async function connectOnce(pool: ConnectionPool): Promise<void> {
  await pool.connect()
  insideOf(pool).availability.want()
}

/**
 * Goes on trying, as node-redis does, so that a program may start before its server. Rejects when trying again is
 * hopeless, and when the pool is closed.
 */
export async function connectPatiently(pool: ConnectionPool): Promise<void> {
  const { kernel, availability } = insideOf(pool)
  await availability.whileTrying(async () => {
    for (;;) {
      try {
        return await kernel.connect()
      } catch (error) {
        // The pool spaces its dials; asking again only waits for the next one.
        if (kernel.isHopeless || error instanceof PoolClosedError) throw error
      }
    }
  })
}
