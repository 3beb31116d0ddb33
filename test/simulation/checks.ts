// What must hold after every step, whatever has happened. Each check is one law: it looks, and says what is wrong.

import type { PoolStats } from '../../src/pool/stats.js'
import type { Law } from './laws.js'
import type { Borrower, Stage } from './stage.js'

/** Deadlines are judged every few milliseconds, those of who waits up to this late. */
const GRAIN = 40

/** How long a cancelled blocking command may take to come back. */
const GRACE = 1_000

export interface Look {
  readonly stage: Stage
  readonly stats: PoolStats
}

type Check = (look: Look) => string | undefined

const CHECKS: readonly (readonly [Law, Check])[] = [
  ['I3', slotsAreOnTheWire],
  ['I4', oneOwnerEach],
  ['I5', neverTooMany],
  ['I6', nobodyWaitsForWhatIsThere],
  ['I7', firstComeFirstServed],
  ['I8', nothingIsLeftAfterTheEnd],
  ['I10', gaugesAreDifferences],
  ['I12', noDeadlineIsMissed],
  ['sound', noProtocolIsBroken],
]

/** Reports the first law that is broken. */
export function checkAll(look: Look): void {
  for (const [law, check] of CHECKS) {
    const details = check(look)
    if (details !== undefined) look.stage.findings.report(law, details)
  }
}

function slotsAreOnTheWire({ stage }: Look): string | undefined {
  for (const { connection, wire } of stage.links) {
    if (connection.isClosed) continue
    if (connection.slots.sent !== wire.written)
      return `connection ${wire.id} gave out ${connection.slots.sent} slots, and ${wire.written} commands were written`
    if (connection.slots.answered !== wire.delivered)
      return `connection ${wire.id} took ${connection.slots.answered} replies, and ${wire.delivered} came`
  }
  return undefined
}

function oneOwnerEach({ stage, stats }: Look): string | undefined {
  for (const { entry, wire } of stage.links) {
    if ((entry.place === 'leased') === (entry.holder !== undefined)) continue
    return `connection ${wire.id} is ${entry.place}, and has ${entry.holder?.label ?? 'nobody'} for a holder`
  }
  const lent = stage.loans.filter(({ state, lease }) => state === 'held' && lease?.connectionId !== 0)
  if (new Set(lent.map(({ connection }) => connection)).size < lent.length) return 'one connection was lent twice'
  const { leased } = stats.connections
  if (leased <= Math.max(stage.before.leased, mostLeases(stage, stats))) return undefined
  return `${leased} connections are lent of ${stats.maxConnections}`
}

/** One connection is kept for sharing, unless nothing is shared. */
function mostLeases(stage: Stage, { maxConnections }: PoolStats): number {
  return stage.isClassic || maxConnections === 1 ? maxConnections : maxConnections - 1
}

function neverTooMany({ stage, stats }: Look): string | undefined {
  const [tooMany] = stage.world.tooMany
  if (tooMany !== undefined) return `one more was dialed when there were ${tooMany}`
  const { openCount } = stage.world.server
  if (openCount <= Math.max(stage.before.total, stats.maxConnections)) return undefined
  return `there are ${openCount} connections, ${stats.maxConnections} are allowed`
}

function nobodyWaitsForWhatIsThere({ stage, stats }: Look): string | undefined {
  const { connections, waiting, maxConnections, lastConnectError, state } = stats
  if (state === 'closed') return undefined
  const canLend = connections.leased < mostLeases(stage, stats)
  const leases = canLend ? waiting.leases : 0
  let unrouted = waiting.commands
  for (const { entry, wire } of stage.links) {
    const { backlog, connection, place } = entry
    unrouted -= backlog.length
    const hasRoom = place === 'shared' && !connection.saturated && connection.inFlight === 0
    if (hasRoom && backlog.length > 0) return `${backlog.length} wait behind connection ${wire.id}, which is free`
  }
  const waiters = `${leases} who want a connection and ${unrouted} commands wait`
  if (leases + unrouted === 0) return undefined
  if (connections.idle > 0) return `${waiters} while ${connections.idle} connections are idle`
  // While dials fail there is a pause between two.
  const mayDial = connections.total < maxConnections && lastConnectError === undefined
  return mayDial && connections.connecting === 0 ? `${waiters}, and nobody dials` : undefined
}

function firstComeFirstServed({ stage }: Look): string | undefined {
  let ahead: Borrower | undefined
  let wrong: string | undefined
  const left: Borrower[] = []
  for (const borrower of stage.line) {
    const state = stateOf(borrower)
    if (state === 'waiting') {
      ahead ??= borrower
      left.push(borrower)
    } else if (state === 'served' && ahead !== undefined) {
      wrong ??= `${nameOf(borrower)} was served before ${nameOf(ahead)}, which asked first and still waits`
    }
  }
  const inTurn = stage.line.flatMap(({ loan }) => (loan?.loan.state === 'held' ? [loan.loan] : []))
  const granted = stage.world.granted.splice(0)
  const atOnce = granted.filter((loan) => inTurn.includes(loan))
  if (atOnce.some((loan, index) => loan !== inTurn[index]))
    wrong ??= 'leases were granted in another order than asked for'
  stage.line = left
  return wrong
}

function stateOf({ deed, loan }: Borrower): 'waiting' | 'served' | 'gone' {
  if (loan !== undefined) {
    const { state } = loan.loan
    return state === 'waiting' ? 'waiting' : state === 'failed' ? 'gone' : 'served'
  }
  if (deed === undefined || deed.wasServed) return 'served'
  return deed.state === 'pending' ? 'waiting' : 'gone'
}

function nameOf({ number, deed }: Borrower): string {
  return deed?.name ?? `the lease asked for before command ${number}`
}

function nothingIsLeftAfterTheEnd({ stage, stats }: Look): string | undefined {
  if (stats.state !== 'closed') return undefined
  const { world, ledger, loans } = stage
  if (world.poolTimers > 0) return `${world.poolTimers} timers are left`
  if (world.server.openCount > 0) return `${world.server.openCount} transports are left`
  const [deed] = ledger.pending
  if (deed !== undefined) return `${deed.name} is not settled`
  if (loans.some(({ state }) => state === 'waiting')) return 'somebody still waits for a lease'
  const { connections, waiting, inFlight } = stats
  const left = connections.total + waiting.total + inFlight
  return left > 0 ? `the pool still counts ${left} connections, waiters and commands in flight` : undefined
}

function gaugesAreDifferences({ stage, stats }: Look): string | undefined {
  const { connections, counters, inFlight } = stats
  const { 'connect-failed': refused = 0, 'handshake-failed': unready = 0, ...ends } = counters.closed
  const closed = Object.values(ends).reduce((sum, count) => sum + count, 0)
  const live = connections.total - connections.connecting - connections.closing
  if (counters.opened - closed !== live) return `${counters.opened} opened - ${closed} closed is not ${live} live`
  const failed = stage.world.connectErrors.length
  if (refused + unready !== failed) return `${refused + unready} dials failed by the counters, ${failed} were told`
  if (counters.acquired - counters.released !== connections.leased)
    return `${counters.acquired} acquired - ${counters.released} released is not ${connections.leased} leased`
  if (connections.total !== stage.links.length)
    return `the pool counts ${connections.total} connections, and there are ${stage.links.length}`
  const owed = stage.links.reduce((sum, { connection }) => sum + connection.inFlight, 0)
  return inFlight === owed ? undefined : `${inFlight} in flight by the gauge, ${owed} slots are taken`
}

function noDeadlineIsMissed({ stage }: Look): string | undefined {
  const now = stage.world.clock.now() - stage.stalled - GRAIN
  for (const deed of stage.ledger.pending) {
    const isBlocking = deed.args[0] === 'BLPOP' && deed.sends > 0
    if (now > deed.dueBy + (isBlocking ? GRACE : 0)) return `${deed.name} is pending after its deadline`
    if (deed.lease === undefined && !deed.wasServed && now > deed.at + stage.longestWait)
      return `${deed.name} has waited for longer than it may`
  }
  for (const { loan } of stage.line) {
    if (loan?.loan.state === 'waiting' && now > loan.dueBy) return 'a lease was waited for longer than allowed'
  }
  return undefined
}

function noProtocolIsBroken({ stage, stats }: Look): string | undefined {
  const { 'protocol-error': count = 0 } = stats.counters.closed
  if (count <= stage.brokenProtocols) return undefined
  const broken = stage.world.closed.filter(({ error }) => error.reason === 'protocol-error' && !isRefusedNonce(error))
  if (broken.length <= stage.brokenProtocols) return undefined
  return `${broken.length} connections ended for a broken protocol: ${broken.at(-1)?.error.message}`
}

/** A server that refuses everything refuses the proof of its replies too. */
function isRefusedNonce({ message }: Error): boolean {
  return message.includes('the nonce behind them was refused')
}
