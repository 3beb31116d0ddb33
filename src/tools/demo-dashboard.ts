// Owns the dashboard of the demo: which pools it shows, and the calm load that it shows once the demo has ended.

import { randomBytes } from 'node:crypto'
import { ConnectionPool, Redis } from '../index.js'
import { serveDashboard } from './dashboard.js'
import { pause } from './demo-context.js'
import type { Terminal } from './terminal.js'

const CALLERS = 6
const KEYS = 50

/** Between two calls of one caller, in ms. */
const BREATH = 40

export interface DemoDashboard {
  watch(pool: ConnectionPool): void
  /** Calls on until the signal, so that there is something to look at. */
  stay(url: string, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export async function openDashboard(terminal: Terminal): Promise<DemoDashboard> {
  const server = await serveDashboard({ pools: [] })
  terminal.complain(`dashboard: ${server.url}`)
  return {
    watch: (pool) => server.add(pool),
    stay: async (url, signal) => {
      if (signal.aborted) return
      terminal.complain('the dashboard stays until Ctrl-C')
      const pool = new ConnectionPool(url, { name: 'after the demo', maxConnections: 8 })
      server.add(pool)
      await callOn(new Redis({ pool }), signal)
      await pool.close({ timeout: 1_000 })
    },
    close: () => server.close(),
  }
}

async function callOn(redis: Redis, signal: AbortSignal): Promise<void> {
  const prefix = `respool-demo:${randomBytes(4).toString('hex')}:`
  const keys = Array.from({ length: KEYS }, (_, index) => `${prefix}${index}`)
  const caller = async (): Promise<void> => {
    for (let count = 0; !signal.aborted; count++) {
      const key = keys[count % KEYS] ?? prefix
      // A server that goes away is what the dashboard is there to show.
      await (count % 5 === 0 ? lend(redis, key, signal) : work(redis, key)).catch(() => {})
      await pause(Math.random() * BREATH, signal)
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  await redis
    .withCommandOptions({ timeout: 1_000 })
    .del(keys)
    .catch(() => {})
}

async function work(redis: Redis, key: string): Promise<void> {
  await redis.set(key, 'x')
  await Promise.all([redis.get(key), redis.exists(key), redis.strLen(key)])
}

/** What needs a connection of its own for a while. */
async function lend(redis: Redis, key: string, signal: AbortSignal): Promise<void> {
  await redis.lease(
    async (connection) => {
      await connection.watch(key)
      await pause(Math.random() * BREATH, signal)
      await connection.get(key)
    },
    { label: 'check and set' },
  )
}
