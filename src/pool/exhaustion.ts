// Owns the error of a caller who waited in vain, and the verdict on why. Pure: it is given the facts.

import { type ConnectionError, RespoolError } from '../base/errors.js'
import type { HolderStats, PoolStats } from './stats.js'

/** What most likely exhausted the pool. */
export type ExhaustionCause = 'blocked-loop' | 'failing-dials' | 'slow-server' | 'leak' | 'too-small'

export interface Verdict {
  readonly cause: ExhaustionCause
  /** One sentence: what was seen and what to do. */
  readonly because: string
  /** For `too-small`: the size that would have let everybody through who waited. */
  readonly maxConnections?: number
}

export interface ExhaustionFacts {
  readonly timeout: number
  /** How long the caller waited, in ms. */
  readonly waited: number
  /** What it waited for: the command, or the label of a lease. */
  readonly label: string
  readonly stats: PoolStats
  readonly lastConnectError: ConnectionError | undefined
  /** How late the event loop ran, in ms. */
  readonly loopDelay: number
}

/** Nobody gave a connection back within `acquireTimeout`, and none could be made. Nothing was sent. */
export class ConnectionPoolTimeoutError extends RespoolError {
  override readonly code = 'ERR_POOL_TIMEOUT'
  /** The wait that was allowed, in milliseconds. */
  readonly timeout: number
  /** The wait that was had, in milliseconds. */
  readonly waited: number
  /** The pool at this moment. Not enumerable: printed in full it would bury the message. */
  declare readonly stats: PoolStats
  /** Who holds the connections, longest first. Not enumerable either. */
  declare readonly holders: readonly HolderStats[]
  readonly verdict: Verdict
  /** How late the event loop ran while this caller waited, in milliseconds. */
  readonly loopDelay: number

  constructor(facts: ExhaustionFacts) {
    const verdict = judge(facts)
    const cause = facts.lastConnectError
    super(describe(facts, verdict), cause === undefined ? { outcome: 'not-sent' } : { outcome: 'not-sent', cause })
    this.timeout = facts.timeout
    this.waited = facts.waited
    Object.defineProperty(this, 'stats', { value: facts.stats })
    Object.defineProperty(this, 'holders', { value: facts.stats.holders })
    this.verdict = verdict
    this.loopDelay = facts.loopDelay
  }

  static {
    ConnectionPoolTimeoutError.prototype.name = 'ConnectionPoolTimeoutError'
  }
}

/** A loop that stands still for longer holds up every caller, in ms. */
export const LOOP_FLOOR = 100

/** A lease held for less than this is nobody's leak, however short the waits are, in ms. */
export const LEAK_FLOOR = 1_000

/** A command that is answered sooner is not what others wait for, in ms. */
const UNANSWERED_FLOOR = 100

/** From when on a command counts as not answered for somebody who has waited for that long, in ms. */
export function overdue(waited: number): number {
  return Math.max(UNANSWERED_FLOOR, waited / 2)
}

/** Whether its holder probably forgot to release it. */
export function isSuspect({ kind, heldFor, reported }: HolderStats, tooLong: number): boolean {
  return kind === 'lease' && (reported || heldFor > tooLong)
}

/** Commands with a connection to themselves that have no reply for longer, where most holders are such, longest first. */
export function unanswered(holders: readonly HolderStats[], longer: number): readonly HolderStats[] {
  const commands = holders.filter(({ kind, heldFor }) => kind === 'command' && heldFor > longer)
  return commands.length * 2 < holders.length ? [] : commands
}

/** The likeliest cause; the first that fits, from the outside in. */
export function judge(facts: ExhaustionFacts): Verdict {
  const { stats, loopDelay, lastConnectError } = facts
  const { connections, holders } = stats
  if (loopDelay > Math.max(LOOP_FLOOR, facts.waited / 2)) return blockedLoop(loopDelay)
  const dials = failingDials(stats, lastConnectError?.message) ?? silentServer(stats)
  if (dials !== undefined) return dials
  if (connections.late > 0 && connections.shared === 0) {
    return { cause: 'slow-server', because: `${stats.address} owes replies on every shared connection` }
  }
  const owing = unansweredCommands(stats, overdue(facts.waited))
  if (owing !== undefined) return owing
  const tooLong = Math.max(LEAK_FLOOR, 2 * facts.waited)
  const suspects = holders.filter((holder) => isSuspect(holder, tooLong))
  if (suspects.length > 0 && suspects.length * 2 >= holders.length) {
    const oldest = suspects[0]?.heldFor ?? 0
    return {
      cause: 'leak',
      because: `${suspects.length} of ${holders.length} leases are held for up to ${round(oldest)} ms and were probably never released`,
    }
  }
  return judgeSize(stats)
}

export function blockedLoop(loopDelay: number): Verdict {
  const because = `this process did not run its event loop for ${round(loopDelay)} ms; look for synchronous work`
  return { cause: 'blocked-loop', because }
}

/** @param problem of the last dial, while dials fail */
export function failingDials(stats: PoolStats, problem: string | undefined): Verdict | undefined {
  const { connections, maxConnections } = stats
  if (problem === undefined || connections.total - connections.connecting >= maxConnections) return undefined
  return { cause: 'failing-dials', because: `connections cannot be made: ${problem}` }
}

/** Connections are in the making, and none is there. */
export function silentServer({ address, connections }: PoolStats): Verdict | undefined {
  if (connections.connecting === 0 || connections.total !== connections.connecting) return undefined
  return { cause: 'slow-server', because: `${address} accepts connections and does not answer` }
}

/** Most holders are commands that have no reply for longer. */
export function unansweredCommands({ address, holders }: PoolStats, longer: number): Verdict | undefined {
  const owed = unanswered(holders, longer)
  const [oldest] = owed
  if (oldest === undefined) return undefined
  const because = `${address} has not answered ${owed.length} of ${holders.length} commands for up to ${round(oldest.heldFor)} ms; look for slow commands and scripts`
  return { cause: 'slow-server', because }
}

/** The verdict where nothing else explains the waits. */
export function judgeSize(stats: PoolStats): Verdict {
  const wanted = stats.maxConnections + Math.max(1, stats.waiting.total)
  return {
    cause: 'too-small',
    because: `${inUse(stats)}; maxConnections: ${wanted} would have let everybody through who waits now`,
    maxConnections: wanted,
  }
}

/** A pool that shares lends all its connections but one. */
function inUse({ connections, maxConnections }: PoolStats): string {
  const kept = maxConnections > 1 && connections.leased === maxConnections - 1
  return kept
    ? `all ${maxConnections} connections but the one kept for sharing were leased`
    : `all ${maxConnections} connections were in use`
}

function describe(facts: ExhaustionFacts, verdict: Verdict): string {
  const { connections, waiting, maxConnections } = facts.stats
  const counts = (['leased', 'shared', 'late', 'draining', 'idle', 'connecting'] as const)
    .filter((place) => connections[place] > 0)
    .map((place) => `${connections[place]} ${place}`)
  const held = facts.stats.holders.slice(0, 3).map((holder) => `${holder.label} for ${round(holder.heldFor)} ms`)
  const lines = [
    `${facts.label} waited ${round(facts.waited)} ms for a connection and got none (acquireTimeout ${facts.timeout} ms)`,
    `${verdict.cause}: ${verdict.because}`,
    `${connections.total} of ${maxConnections} connections${counts.length > 0 ? `: ${counts.join(', ')}` : ''}; ${waiting.total} ${waiting.total === 1 ? 'caller waits' : 'callers wait'}`,
  ]
  if (held.length > 0) {
    const more = facts.stats.holders.length - held.length
    lines.push(`held by ${held.join(', ')}${more > 0 ? ` and ${more} more` : ''}`)
  }
  return lines.join('\n  ')
}

function round(milliseconds: number): number {
  return Math.round(milliseconds)
}
