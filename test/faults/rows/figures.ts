// What counts of pools, histories and servers the rows read for their figures, and the figures in short. Runs nothing.

import type { PoolStats } from '../../../src/index.js'
import type { RedisProcess } from '../../support/redis-process.js'
import type { History } from '../history.js'
import type { Check } from '../row.js'

/** Attempts to make a connection that failed. */
export function failedDials({ counters }: PoolStats): number {
  const { 'connect-failed': refused = 0, 'handshake-failed': unready = 0 } = counters.closed
  return refused + unready
}

/** Connections that were ready and have ended, for whatever reason. */
export function endedConnections(stats: PoolStats): number {
  const all = Object.values(stats.counters.closed).reduce((sum, count) => sum + count, 0)
  return all - failedDials(stats)
}

export function failedCalls({ failed }: History): number {
  return failed['not-sent'] + failed.rejected + failed.ambiguous
}

export function exactly(what: string, value: number, limit: number): Check {
  return { what, value, is: 'exactly', limit }
}

export function atMost(what: string, value: number, limit: number, unit?: string): Check {
  return unit === undefined ? { what, value, is: 'at most', limit } : { what, value, is: 'at most', limit, unit }
}

export function atLeast(what: string, value: number, limit: number): Check {
  return { what, value, is: 'at least', limit }
}

/** More calls have succeeded than at the moment of asking. */
export function succeedsAgain(history: { readonly succeeded: number }): () => boolean {
  const enough = history.succeeded + 100
  return () => history.succeeded >= enough
}

/** How often the server has answered with an error of this kind. */
export async function errorCount(server: RedisProcess, kind: string): Promise<number> {
  const { [`errorstat_${kind}`]: count = 'count=0' } = await server.info('errorstats')
  return Number(count.replace('count=', ''))
}
