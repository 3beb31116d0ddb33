// Whether the counters of a pool add up. Knows only the snapshot.

import type { PoolStats } from '../../src/index.js'

/**
 * The sum of what is missing or too much: dialed - closed = there, acquired - released = held, calls = replies + errors
 * + those under way. Between two replies a command that is sent again is nowhere: ask again a moment later.
 */
export function unbalanced({ connections, counters, waiting, inFlight }: PoolStats): number {
  const { calls, succeeded, failed, acquired, released, dialed, opened, closed } = counters
  const { waited, served, timedOut, expired, turnedAway, abandoned } = counters
  const { 'connect-failed': refused = 0, 'handshake-failed': unready = 0, ...ends } = closed
  const ended = Object.values(ends).reduce((sum, count) => sum + count, 0)
  const live = connections.total - connections.connecting - connections.closing
  const underWay = calls - succeeded - failed
  const equations = [
    // Who gave up has its error, and its command may still be in flight.
    underWay < 0 ? underWay : Math.max(0, underWay - waiting.total - inFlight),
    acquired - released - connections.leased,
    opened - ended - live,
    // A dial that its own pool gave up has no reason; there is none while the pool is open.
    dialed - refused - unready - opened - connections.connecting,
    waited - served - timedOut - expired - turnedAway - abandoned - waiting.total,
  ]
  return equations.reduce((sum, difference) => sum + Math.abs(difference), 0)
}
