// Owns the second part of the demo: a pool of two, both lent, and the error that the third caller gets.

import { ConnectionPool, ConnectionPoolTimeoutError, Redis } from '../index.js'
import { type DemoContext, pause } from './demo-context.js'

export interface Exhaustion {
  readonly maxConnections: number
  readonly acquireTimeout: number
  /** What the caller would see printed. */
  readonly error: { readonly name: string; readonly code: string; readonly message: string }
  readonly verdict: string
  readonly holders: readonly { readonly label: string; readonly heldFor: number }[]
  /** How long the caller waited, in ms. */
  readonly waited: number
  /** Until the next caller was served, once one of the two had given back, in ms. */
  readonly servedAfter: number
}

const LABELS = ['monthly report', 'image import'] as const
/** The second lease begins a little later, so that the two ages differ. */
const APART = 40

export async function exhaust({ url, plan, signal, progress, watch }: DemoContext): Promise<Exhaustion | undefined> {
  if (signal.aborted) return undefined
  progress('exhausting a pool of two connections')
  const { acquireTimeout } = plan
  const options = { name: 'exhausted', maxConnections: LABELS.length, pipelining: 1, acquireTimeout }
  const pool = new ConnectionPool(url, options)
  watch(pool)
  const redis = new Redis({ pool })
  try {
    const first = await redis.lease({ label: LABELS[0] })
    await pause(APART, signal)
    const second = await redis.lease({ label: LABELS[1] })
    const error = await failureOf(redis.get('greeting'))
    // The next caller is in line before the connection comes back.
    const next = redis.ping()
    const released = performance.now()
    first.release()
    await next
    const servedAfter = performance.now() - released
    second.release()
    return {
      maxConnections: LABELS.length,
      acquireTimeout,
      error: { name: error.name, code: error.code, message: error.message },
      verdict: error.verdict.cause,
      holders: error.holders.map(({ label, heldFor }) => ({ label, heldFor: Math.round(heldFor) })),
      waited: Math.round(error.waited),
      servedAfter: Number(servedAfter.toFixed(2)),
    }
  } finally {
    await pool.close({ timeout: 1_000 })
  }
}

async function failureOf(call: Promise<unknown>): Promise<ConnectionPoolTimeoutError> {
  try {
    await call
  } catch (error) {
    if (error instanceof ConnectionPoolTimeoutError) return error
    throw error
  }
  throw new Error('a pool of two served a third caller while both connections were lent')
}
