// Owns how an advice is reached: from the load, the options in force and what the server told. Pure.

import type { Advice, AdviceEvidence, OptionAdvice, SizeForecast } from './advice.js'
import type { AdviceFacts, AdviceTerms, OtherSizes } from './advice-facts.js'
import { because, wouldChange } from './advice-words.js'
import type { Load } from './load.js'
import type { ClientCounts } from './server-limits.js'
import { Sizing, type SizingTerms } from './sizing.js'

/** Callers drawn from the record for the advice itself, and for each sentence on what would change it. */
const EFFORT = 131_072
const SMALL_EFFORT = 32_768

/** An advice rests on as many borrowings as let two wait longer than the percentile, and on at least so many. */
const FEWEST = 100

export function advise(facts: AdviceFacts, terms: AdviceTerms): Advice {
  const { load, maxConnections: current } = facts
  const sizing = new Sizing(load, sizingTerms(facts, terms), EFFORT)
  const isEnough = hasSeenEnough(load, terms)
  const wanted = isEnough ? sizing.needed : sizing.sizeFor(facts.peakDemand)
  const room = roomOf(facts.server.counts)
  const maxConnections = Math.max(1, facts.minConnections, Math.min(wanted, room))
  const verdict = isEnough ? verdictOn(current, maxConnections) : 'not-enough-seen'
  const evidence = evidenceOf(facts, terms, sizing, isEnough ? maxConnections : undefined)
  const outcome = { maxConnections, current, verdict, wanted, fewest: fewestBorrowings(terms), evidence } as const
  return {
    maxConnections,
    current,
    verdict,
    because: because(outcome),
    options: isEnough ? optionsOf(facts, sizing, Math.max(current, maxConnections)) : [],
    evidence,
    wouldChange: wouldChange(outcome, facts, otherSizes(facts, terms)),
  }
}

/** How many connections the load needs, with less effort; undefined when too little was seen. */
export function sizeNeeded(facts: AdviceFacts, terms: AdviceTerms): number | undefined {
  if (!hasSeenEnough(facts.load, terms)) return undefined
  const { needed } = new Sizing(facts.load, sizingTerms(facts, terms), SMALL_EFFORT)
  return Math.min(needed, roomOf(facts.server.counts))
}

export function fewestBorrowings({ percentile }: AdviceTerms): number {
  return Math.max(FEWEST, Math.ceil(2 / (1 - percentile) - 1e-6))
}

/** Where nobody comes and goes, those who stay tell how many are needed. */
function hasSeenEnough({ callers, staying }: Load, terms: AdviceTerms): boolean {
  const { length } = callers.asked
  return length === 0 ? staying > 0 : length >= fewestBorrowings(terms)
}

/** How many connections this pool may have at most, for the server's sake. */
export function roomOf(counts: ClientCounts | undefined): number {
  return counts === undefined
    ? Number.POSITIVE_INFINITY
    : Math.max(1, counts.maxClients - counts.connected + counts.ours)
}

function sizingTerms({ settings, lanes }: AdviceFacts, { targetWait, percentile }: AdviceTerms): SizingTerms {
  return { share: 1 - percentile, longest: targetWait, classic: settings.pipelining === 1, shared: lanes }
}

function verdictOn(current: number, advised: number): Advice['verdict'] {
  if (current < advised) return 'too-small'
  return current > advised + Math.max(1, Math.floor(advised / 10)) ? 'larger-than-needed' : 'right'
}

function evidenceOf(
  facts: AdviceFacts,
  { targetWait, percentile }: AdviceTerms,
  sizing: Sizing,
  advised: number | undefined,
): AdviceEvidence {
  const { load, peakDemand, server, maxConnections } = facts
  const { callers, window, borrowings, staying } = load
  const count = callers.held.length
  const total = callers.held.reduce((sum, each) => sum + each, 0)
  return {
    window,
    borrowings,
    arrivalsPerSecond: window > 0 ? (count / window) * 1_000 : 0,
    meanHold: count > 0 ? total / count : 0,
    meanHeld: sizing.held,
    staying,
    peakDemand: Math.max(peakDemand, load.peak),
    shared: sizing.kept(advised ?? maxConnections),
    targetWait,
    percentile,
    sizes: advised === undefined ? [] : sizesAround(advised, maxConnections, sizing),
    ...(server.counts === undefined ? {} : { server: server.counts }),
  }
}

function sizesAround(advised: number, current: number, sizing: Sizing): SizeForecast[] {
  const sizes = new Set([current, ...[-2, -1, 0, 1, 2].map((offset) => advised + offset)])
  return [...sizes]
    .filter((size) => size >= 1)
    .sort((a, b) => a - b)
    .map((size) => sizing.forecast(size))
}

function otherSizes(facts: AdviceFacts, terms: AdviceTerms): OtherSizes | undefined {
  const { load } = facts
  if (!hasSeenEnough(load, terms) || load.callers.asked.length === 0) return undefined
  const { asked, held } = load.callers
  const sizeOf = (changed: Load, targetWait: number): number =>
    new Sizing(changed, sizingTerms(facts, { ...terms, targetWait }), SMALL_EFFORT).needed
  const targetWait = Math.max(20, terms.targetWait * 4)
  return {
    twiceTheHold: sizeOf({ ...load, callers: { asked, held: held.map((each) => each * 2) } }, terms.targetWait),
    patient: { targetWait, maxConnections: sizeOf(load, targetWait) },
  }
}

/** A caller in a thousand waits no longer than half of what is allowed. */
const TAIL = 0.999

function optionsOf(facts: AdviceFacts, sizing: Sizing, maxConnections: number): OptionAdvice[] {
  const { settings, fullLanes, sent, turnedLate, lanes } = facts
  const { pipelining } = settings
  const found: OptionAdvice[] = []
  const timeout = acquireTimeoutFor(facts, sizing.waitOf(TAIL, maxConnections), maxConnections)
  if (timeout !== undefined) found.push(timeout)
  const full = fullLanes / Math.max(1, sent)
  if (pipelining > 1 && full >= 0.01) {
    const why = `${Math.round(full * 100)} % of all commands had to wait because their shared connection had ${pipelining} in flight`
    found.push({
      option: 'pipelining',
      current: pipelining,
      advised: Math.min(1_000_000, pipelining * 2),
      because: why,
    })
  }
  if (pipelining > 1 && lanes === 1 && maxConnections > 1 && turnedLate > 0) {
    const why = `replies were late ${turnedLate} ${turnedLate === 1 ? 'time' : 'times'}, and there is no second shared connection that commands could take meanwhile`
    found.push({ option: 'lanes', current: 1, advised: 2, because: why })
  }
  return found
}

function acquireTimeoutFor(
  { settings: { acquireTimeout: current, commandTimeout } }: AdviceFacts,
  tail: number,
  maxConnections: number,
): OptionAdvice | undefined {
  const option = 'acquireTimeout'
  if (current > 0 && Number.isFinite(tail) && current < tail * 2) {
    const why = `one borrower in a thousand waits ${Math.ceil(tail)} ms with ${maxConnections} connections, and ${current} ms is close to that`
    return { option, current, advised: Math.ceil((tail * 3) / 10) * 10, because: why }
  }
  const half = Math.floor(commandTimeout / 2)
  if (commandTimeout > 0 && current >= commandTimeout && half > tail * 2) {
    const why = `commandTimeout is ${commandTimeout} ms, so a command that waits for a connection ends before it can be told who holds them`
    return { option, current, advised: half, because: why }
  }
  return undefined
}
