// Owns what is wrong with a pool that nobody has waited for in vain yet, in the words of `ExhaustionCause`. Pure: it is
// given snapshots.

import {
  blockedLoop,
  type ExhaustionCause,
  failingDials,
  isSuspect,
  judgeSize,
  LEAK_FLOOR,
  LOOP_FLOOR,
  silentServer,
  unansweredCommands,
} from './exhaustion.js'
import type { HistoryPoint } from './history.js'
import type { PoolStats } from './stats.js'

export interface Diagnosis {
  readonly cause: ExhaustionCause | 'healthy'
  /** One sentence: what was seen and what to do. */
  readonly because: string
  /** For `too-small`: the size that would have let everybody through who waits. */
  readonly maxConnections?: number
}

export interface DiagnoseOptions {
  /** How late the event loop ran of late, in ms, where it was measured apart from the pool. */
  readonly loopDelay?: number | undefined
}

/** A wait that is shorter is not worth a word, in ms. */
const WAIT_FLOOR = 50

/** A handshake, or a command on a connection of its own, that takes longer gets no answer, in ms. */
const ANSWER_FLOOR = 1_000

/** Shared connections that owe replies for so much of their time are not held up by one slow command, as a share. */
const LATE_SHARE = 0.5

/** Held for so long while nobody waits, and for so much longer than leases of this pool are held, it is a leak too. */
const LONG_HELD = 30_000
const LONG_HELD_RATIO = 10

/** What has happened since an earlier snapshot. */
interface Since {
  readonly loopDelay: number
  /** Share of the time of shared connections in which they were late. */
  readonly lateShare: number
  /** Callers who waited in vain, or were not even let in. */
  readonly inVain: number
  /** Of the waits that ended, in ms. */
  readonly meanWait: number
}

/**
 * What is wrong with a pool, whether or not anybody was turned away: the first cause that fits, from the outside in.
 * @param since an earlier snapshot, or the point of a recording that ends where `stats` was taken: with it a moment is
 * told from what lasts. A second between the two is a good distance.
 */
export function diagnose(
  stats: PoolStats,
  since?: PoolStats | HistoryPoint,
  { loopDelay = 0 }: DiagnoseOptions = {},
): Diagnosis {
  const lately = sinceOf(stats, since)
  const delay = Math.max(loopDelay, lately.loopDelay)
  const isSilent = stats.waiting.longest > ANSWER_FLOOR
  return (
    (delay > LOOP_FLOOR ? blockedLoop(delay) : undefined) ??
    owingServer(stats, lately) ??
    failingDials(stats, stats.lastConnectError) ??
    (isSilent ? silentServer(stats) : undefined) ??
    leak(stats) ??
    tooSmall(stats, lately) ??
    healthy(stats)
  )
}

/** Connections are there, and what was sent over them is not answered. */
function owingServer(stats: PoolStats, { lateShare }: Since): Diagnosis | undefined {
  const { address, connections } = stats
  if (connections.late > 0 && connections.shared === 0 && lateShare >= LATE_SHARE) {
    const because = `${address} owes replies on every shared connection; look for slow commands and scripts`
    return { cause: 'slow-server', because }
  }
  // Where nothing is shared each command holds a connection until it is answered.
  return unansweredCommands(stats, ANSWER_FLOOR)
}

function leak({ holders, waiting, durations }: PoolStats): Diagnosis | undefined {
  const leases = holders.filter(({ kind }) => kind === 'lease')
  const long = Math.max(LONG_HELD, LONG_HELD_RATIO * durations.use.p99)
  const tooLong = waiting.total > 0 ? Math.max(LEAK_FLOOR, 2 * waiting.longest) : long
  const suspects = leases.filter((holder) => isSuspect(holder, tooLong))
  const [first] = suspects
  // While somebody waits most of what is in the way has to be suspect; else a single one is worth a word.
  if (first === undefined || (waiting.total > 0 && suspects.length * 2 < holders.length)) return undefined
  const which =
    leases.length === 1 ? `the lease '${first.label}' is` : `${suspects.length} of ${leases.length} leases are`
  const because = `${which} held for ${leases.length === 1 ? '' : 'up to '}${Math.round(first.heldFor)} ms and probably never released`
  return { cause: 'leak', because }
}

function tooSmall(stats: PoolStats, { inVain, meanWait }: Since): Diagnosis | undefined {
  const { connections, maxConnections, waiting } = stats
  // The one that is kept for sharing is not lent, and is not there before it is needed.
  const isLent = connections.leased > 0 && connections.leased >= maxConnections - 1 && connections.connecting === 0
  const isFull = isLent || connections.total - connections.connecting >= maxConnections
  const isWaitedFor = waiting.longest > WAIT_FLOOR || meanWait > WAIT_FLOOR || inVain > 0
  if (!isFull || !isWaitedFor) return undefined
  return judgeSize(stats)
}

function healthy({ state, connections, maxConnections, waiting }: PoolStats): Diagnosis {
  if (state !== 'open') return { cause: 'healthy', because: `the pool is ${state}` }
  const used = connections.total - connections.idle - connections.closing - connections.connecting
  const waits = waiting.total === 0 ? 'nobody waits' : `nobody has waited for longer than ${WAIT_FLOOR} ms`
  return { cause: 'healthy', because: `${waits}; ${used} of ${maxConnections} connections are in use` }
}

function sinceOf(stats: PoolStats, since: PoolStats | HistoryPoint | undefined): Since {
  if (since === undefined) return { loopDelay: stats.loopDelay, lateShare: 1, inVain: 0, meanWait: 0 }
  if ('span' in since) {
    const { loopDelay, mean, counters, wait } = since
    return { loopDelay, lateShare: share(mean.late, mean.shared), inVain: inVainOf(counters), meanWait: wait.mean }
  }
  const { connectionTime, durations } = stats
  const late = connectionTime.late - since.connectionTime.late
  const shared = connectionTime.shared - since.connectionTime.shared
  const waits = durations.wait.count - since.durations.wait.count
  return {
    // Where nothing was owed meanwhile, nobody has looked: it is the delay of long ago.
    loopDelay: stats.loopDelay === since.loopDelay ? 0 : stats.loopDelay,
    lateShare: share(late, shared),
    inVain: inVainOf(stats.counters) - inVainOf(since.counters),
    meanWait: waits > 0 ? (durations.wait.sum - since.durations.wait.sum) / waits : 0,
  }
}

const inVainOf = ({ timedOut, expired, turnedAway }: PoolStats['counters']): number => timedOut + expired + turnedAway

const share = (part: number, rest: number): number => (part + rest > 0 ? part / (part + rest) : 0)
