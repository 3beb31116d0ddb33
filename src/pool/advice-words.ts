// Owns the words of an advice: each number with the arithmetic that leads to it. Calculates nothing.

import type { Advice, AdviceEvidence } from './advice.js'
import type { AdviceFacts, OtherSizes } from './advice-facts.js'

export interface AdviceOutcome extends Pick<Advice, 'maxConnections' | 'current' | 'verdict'> {
  /** What the load asks for, whatever the server allows. */
  readonly wanted: number
  /** How many borrowings an advice needs. */
  readonly fewest: number
  readonly evidence: AdviceEvidence
}

/** One sentence. */
export function because(outcome: AdviceOutcome): string {
  const { evidence, maxConnections, wanted, verdict } = outcome
  if (verdict === 'not-enough-seen') return tooLittle(outcome)
  const parts = [...demandWords(outcome), ...keptWords(evidence)]
  const sum = `${parts.join('; ')}: ${connections(wanted)} in all`
  if (wanted <= maxConnections) return sum
  const { maxClients = 0, connected = 0, ours = 0 } = evidence.server ?? {}
  return `${sum}, but the server takes ${maxClients} clients, and ${connected - ours} of those it has are others`
}

function tooLittle({ evidence, fewest }: AdviceOutcome): string {
  const { borrowings, peakDemand, shared } = evidence
  if (borrowings === 0) {
    const kept = shared > 0 ? `; commands share ${connections(shared)}` : ''
    return `nobody has borrowed a connection yet${kept}`
  }
  const seen = `${borrowings === 1 ? 'one borrowing was' : `${borrowings} borrowings were`} seen of ${fewest} that an advice needs`
  return `${seen}; at most ${connections(peakDemand)} ${peakDemand === 1 ? 'was' : 'were'} held and wanted at once`
}

function demandWords({ evidence, wanted }: AdviceOutcome): string[] {
  const { arrivalsPerSecond, meanHold, meanHeld, staying, percentile, targetWait, shared } = evidence
  const parts: string[] = []
  if (arrivalsPerSecond > 0) {
    const product = `${figure(arrivalsPerSecond)} borrowings a second × ${figure(meanHold)} ms = ${figure(meanHeld)} connections held on average`
    const waits = targetWait > 0 ? `wait at most ${targetWait} ms` : 'wait not at all'
    parts.push(`${product}, and ${wanted - shared - staying} let ${figure(percentile * 100)} % of them ${waits}`)
  }
  if (staying > 0) parts.push(`${staying} held for good by who listens, waits for work or never gives back`)
  return parts
}

function keptWords({ shared }: AdviceEvidence): string[] {
  return shared > 0 ? [`${shared} for commands that share`] : []
}

/** What would change the advice, a sentence each. */
export function wouldChange(outcome: AdviceOutcome, facts: AdviceFacts, others: OtherSizes | undefined): string[] {
  const { evidence, wanted } = outcome
  const { staying, peakDemand, shared } = evidence
  const all: string[] = []
  if (others !== undefined) {
    const { twiceTheHold, patient } = others
    all.push(`held for twice as long, ${connections(twiceTheHold)} would be needed instead of ${wanted}`)
    if (patient.maxConnections !== wanted)
      all.push(`with a targetWait of ${patient.targetWait} ms, ${patient.maxConnections} would do`)
  }
  if (evidence.arrivalsPerSecond > 0 && peakDemand + shared > wanted)
    all.push(`for nobody to have waited ever, ${peakDemand + shared} were needed: so many were wanted at once`)
  if (staying > 0) all.push(`each consumer and each listener more or less changes it by one; now they are ${staying}`)
  all.push(...saturation(outcome, facts), ...classicWords(facts), serverWords(outcome, facts))
  return all
}

/** While all are in use nobody can tell how many more would be asked for. */
function saturation({ evidence, current }: AdviceOutcome, { load }: AdviceFacts): string[] {
  const { meanHeld, staying, shared } = evidence
  if (meanHeld + staying < (current - shared) * 0.9) return []
  const gone = load.unserved > 0 ? `, and ${load.unserved} callers of these waited in vain or wait still` : ''
  return [
    `nearly all connections were in use all the time${gone}: callers who wait for one another ask for more once they are served sooner, so look again after a change`,
  ]
}

function classicWords({ settings, load }: AdviceFacts): string[] {
  if (settings.pipelining > 1 || load.commands * 2 < load.borrowings) return []
  return ['with pipelining above 1, ordinary commands would share 2 connections instead of borrowing one each']
}

function serverWords({ maxConnections }: AdviceOutcome, { server }: AdviceFacts): string {
  if (server.counts === undefined) {
    const why = server.state === 'refused' ? 'did not tell' : 'was not asked yet for'
    return `the server ${why} its maxclients: processes × maxConnections must stay below it`
  }
  const { maxClients, connected, ours } = server.counts
  const pools = Math.floor(Math.max(0, maxClients - connected + ours) / maxConnections)
  return `the server takes ${maxClients} clients and has ${connected}, ${ours} of them from here: beside the others there is room for ${pools} ${pools === 1 ? 'pool' : 'pools'} of this size`
}

function connections(count: number): string {
  return count === 1 ? '1 connection' : `${count} connections`
}

/** Three digits, as many as a person reads. */
function figure(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)))
}
