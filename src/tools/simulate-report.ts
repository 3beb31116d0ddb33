// Owns what `respool simulate` says on a screen: table, chart, and the answer in a sentence. Calculates no wait.

import type { HoldTimes, Phase } from './simulate-draws.js'
import type { SimulationPlan } from './simulate-plan.js'
import { keptBeside, offeredLoad, type SizeResult, spanOf } from './simulate-sweep.js'
import { decades, logarithmic, shortDuration } from './svg.js'
import { number, paint, type Screen, wrap } from './terminal.js'

export interface Answer {
  /** The smallest size that was tried and keeps to the target; null when none does. */
  readonly maxConnections: number | null
  readonly sentence: string
  /** What else there is to know, a sentence each. */
  readonly notes: readonly string[]
}

export function answerOf(plan: SimulationPlan, results: readonly SizeResult[]): Answer {
  const best = results.find(({ meetsTarget }) => meetsTarget)
  const [last] = results.slice(-1)
  const target = `${shortDuration(plan.targetWait)} target`
  const name = nameOf(plan.percentile)
  if (last === undefined) return { maxConnections: null, sentence: 'No size was simulated to its end.', notes: [] }
  const notes = notesOn(plan, best ?? last)
  if (best === undefined) {
    const sentence = `None of the sizes keeps to the ${target}: with maxConnections ${last.maxConnections} the ${name} wait is \
${shortDuration(last.targetedWait)}.`
    return { maxConnections: null, sentence, notes }
  }
  const isSearched =
    plan.sizes === undefined || results.some(({ maxConnections }) => maxConnections === best.maxConnections - 1)
  const among = isSearched || best.maxConnections === 1 ? '' : ' of those tried'
  const sentence = `maxConnections ${best.maxConnections} is the smallest${among} that keeps to the ${target}: \
its ${name} wait is ${best.targetedWait < 0.001 ? 'nothing' : shortDuration(best.targetedWait)}.`
  return { maxConnections: best.maxConnections, sentence, notes }
}

function notesOn(
  plan: SimulationPlan,
  { maxConnections, connectionsWanted, refused, serverUse, timedOut }: SizeResult,
): string[] {
  const load = offeredLoad(plan)
  const lent = Math.max(1, maxConnections - keptBeside(plan, maxConnections))
  const notes: string[] = []
  if (plan.traffic === 'leases' && load >= lent) {
    notes.push(`Callers hold ${number(load)} connections on average in a process, and ${number(lent)} can be lent: \
the line grows for as long as that lasts.`)
  }
  const share = plan.maxClients === 0 ? '' : ` (${number((connectionsWanted / plan.maxClients) * 100)} %)`
  const fleet = `${plan.processes === 1 ? 'One process' : `${number(plan.processes)} processes`} may then have \
${number(connectionsWanted)} of the ${number(plan.maxClients)} connections that the server lets in${share}.`
  notes.push(fleet)
  if (refused > 0) notes.push(`The server would be full: it refuses a connection ${number(refused)} times.`)
  else if (connectionsWanted > plan.maxClients) notes.push('That is more than it lets in; this load did not need all.')
  if (timedOut > 0) {
    notes.push(
      `${timedOut === 1 ? 'One caller gets' : `${number(timedOut)} callers get`} ConnectionPoolTimeoutError after ${shortDuration(plan.acquireTimeout)}.`,
    )
  }
  if (serverUse !== null && serverUse > 0.9) {
    notes.push(`The server works ${number(serverUse * 100)} % of the time: more connections do not make it faster.`)
  }
  return notes
}

export const nameOf = (percentile: number): string => `p${Number((percentile * 100).toFixed(3))}`

export function workloadWords(plan: SimulationPlan): string[] {
  const { processes, phases, pattern, traffic, server } = plan
  const [first] = phases
  const rate = phases.reduce((sum, each) => sum + each.arrivalsPerSecond * each.duration, 0) / spanOf(plan)
  const how = pattern.kind === 'bursty' ? `in bursts of ${pattern.size}` : pattern.kind
  const who = traffic === 'leases' ? 'callers' : 'commands'
  const rates = `${number(rate * processes)} ${who}/s in all, ${how}`
  const holds =
    plan.recorded || first === undefined
      ? `recorded: ${number(phases.length)} interval${phases.length === 1 ? '' : 's'}, ${meanWords(phases)} each`
      : `${traffic === 'leases' ? 'held' : 'answered after'} ${holdWords(first.hold)}`
  const lines = [
    `${number(processes)} process${processes === 1 ? '' : 'es'}, ${rates}`,
    `${holds}; ${number(spanOf(plan) / 1_000)} s, seed ${plan.seed}`,
  ]
  if (server !== undefined) {
    const { commands, commandTime } = server
    lines.push(
      `and ${number(commands)} command${commands === 1 ? '' : 's'}, ${shortDuration(commandTime)} of the server's time each`,
    )
  }
  return lines
}

function meanWords(phases: readonly Phase[]): string {
  const mean = phases.reduce((sum, { duration }) => sum + duration, 0) / phases.length
  return shortDuration(mean)
}

function holdWords(hold: HoldTimes): string {
  switch (hold.kind) {
    case 'constant':
      return shortDuration(hold.mean)
    case 'exponential':
      return `${shortDuration(hold.mean)} on average, exponential`
    case 'lognormal':
      return `${shortDuration(hold.mean)} on average, p99 ${shortDuration(hold.p99)}`
    case 'two-point':
      return `${shortDuration(hold.usual)}, or ${shortDuration(hold.slow)} in ${number(hold.share * 100)} % of cases`
    default:
      return hold satisfies never
  }
}

interface Column {
  readonly head: string
  readonly of: (result: SizeResult) => string
}

export function percent(share: number): string {
  if (share > 0 && share < 0.0001) return '<0.01 %'
  return `${number(Number((share * 100).toFixed(share < 0.1 ? 2 : 1)))} %`
}

function columnsFor(plan: SimulationPlan, columns: number): Column[] {
  const lost: Column = {
    head: 'timed out',
    of: ({ timedOut, callers }) => (timedOut === 0 ? '–' : percent(timedOut / callers)),
  }
  const narrow: Column[] = [
    { head: 'size', of: ({ maxConnections }) => number(maxConnections) },
    { head: 'p50', of: ({ wait }) => waitOf(wait.p50) },
    { head: 'p95', of: ({ wait }) => waitOf(wait.p95) },
    { head: 'p99', of: ({ wait }) => waitOf(wait.p99) },
    lost,
  ]
  if (columns < 72) return narrow
  const named = narrow.map((column, index) => (index === 0 ? { ...column, head: 'maxConnections' } : column))
  named.splice(4, 0, { head: 'longest', of: ({ wait }) => waitOf(wait.max) })
  const use = plan.traffic === 'leases' ? 'in use' : 'in flight'
  named.push({ head: use, of: (result) => (plan.traffic === 'leases' ? percent(result.use) : number(result.use)) })
  named.push({ head: 'connections', of: ({ connectionsWanted }) => number(connectionsWanted) })
  return named
}

const waitOf = (ms: number): string => (ms < 0.005 ? '0' : number(Number(ms.toPrecision(4))))

export function tableLines(plan: SimulationPlan, results: readonly SizeResult[], screen: Screen): string[] {
  const columns = columnsFor(plan, screen.columns)
  const best = answerOf(plan, results).maxConnections
  const rows = results.map((result) => columns.map(({ of }) => of(result)))
  const widths = columns.map(({ head }, index) =>
    Math.max(head.length, ...rows.map((row) => (row[index] ?? '').length)),
  )
  const put = (cells: readonly string[]): string =>
    cells.map((cell, index) => cell.padStart(widths[index] ?? 0)).join(screen.columns < 72 ? ' ' : '  ')
  const lines = rows.map((row, index) => {
    const chosen = results[index]?.maxConnections === best
    const text = `${chosen ? '▸' : ' '} ${put(row)}`
    return chosen ? paint(screen, ['bold', 'green'], text) : text
  })
  const title = 'wait for a connection, in ms'
  return [paint(screen, 'bold', title), '', paint(screen, 'dim', `  ${put(columns.map(({ head }) => head))}`), ...lines]
}

/** A bar for each size on a logarithmic axis: to the p50, on to the p95, on to the p99; the target is a line. */
export function chartLines(plan: SimulationPlan, results: readonly SizeResult[], screen: Screen): string[] {
  const best = answerOf(plan, results).maxConnections
  const label = Math.max(...results.map(({ maxConnections }) => String(maxConnections).length), 1)
  const width = screen.columns - label - 4
  const all = results.flatMap(({ wait }) => [wait.p50, wait.p95, wait.p99])
  const { from, to, ticks } = decades([...all.map((wait) => Math.max(wait, 0.01)), plan.targetWait])
  const scale = logarithmic(from, to, 0, width - 1)
  const target = Math.round(scale(plan.targetWait))
  const lines = results.map(({ maxConnections, wait }) => {
    const ends = [wait.p50, wait.p95, wait.p99].map((ms) => (ms < from ? 0 : Math.round(scale(ms))))
    const cells = Array.from({ length: width }, (_, at) => cellAt(at, ends, target))
    const chosen = maxConnections === best
    const row = `${chosen ? '▸' : ' '} ${String(maxConnections).padStart(label)} ${cells.join('').trimEnd()}`
    return paint(screen, chosen ? ['bold', 'green'] : 'cyan', row)
  })
  const indent = ' '.repeat(label + 3)
  const legend = `█ to p50  ▓ to p95  ░ to p99  ┊ target`
  return [
    ...lines,
    paint(screen, 'dim', indent + axis(ticks, scale, width)),
    ...wrap(`  ${legend}`, screen.columns, '  '),
  ]
}

function cellAt(at: number, [p50 = 0, p95 = 0, p99 = 0]: readonly number[], target: number): string {
  if (at < p50) return '█'
  if (at < p95) return '▓'
  if (at < p99) return '░'
  return at === target ? '┊' : ' '
}

/** Ticks where they have room. */
function axis(ticks: readonly number[], scale: (value: number) => number, width: number): string {
  let text = ''
  for (const tick of ticks) {
    const label = shortDuration(tick)
    const at = Math.min(
      width - label.length,
      Math.max(0, Math.round(scale(tick)) - (tick === ticks[0] ? 0 : label.length >> 1)),
    )
    if (at < text.length + (text === '' ? 0 : 1)) continue
    text = text.padEnd(at) + label
  }
  return text
}

export function reportLines(plan: SimulationPlan, results: readonly SizeResult[], screen: Screen): string[] {
  const { sentence, notes, maxConnections } = answerOf(plan, results)
  const flow = (words: string) => wrap(words, screen.columns)
  const head = workloadWords(plan).flatMap(flow)
  const tail = [
    ...flow(sentence).map((each) => paint(screen, ['bold', maxConnections === null ? 'red' : 'green'], each)),
  ]
  const body =
    results.length === 0 ? [] : [...tableLines(plan, results, screen), '', ...chartLines(plan, results, screen), '']
  return [...head, '', ...body, ...tail, ...notes.flatMap(flow)]
}
