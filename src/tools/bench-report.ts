// Owns how a benchmark reads on a screen: a table for each scenario, and what to think of the figures. Measures nothing.

import type { Cell } from './bench-course.js'
import type { Missing } from './bench-peers.js'
import { type Scenario, scenarioName } from './bench-plan.js'
import { number, paint, printable, type Screen, wrap } from './terminal.js'

export interface BenchMachine {
  readonly respool: string
  readonly node: string
  readonly platform: string
  readonly cpu: string
  readonly cpus: number
  readonly engine: string
}

/** Below this, a table has fewer columns. */
const NARROW = 72
/** Above that, what is measured is this process rather than the client. */
const BUSY = 0.9
/** Later calls than that distort what an open loop shows, in ms. */
const LATE = 1

export function benchHead(
  { respool, node, platform, cpu, cpus, engine }: BenchMachine,
  settings: string,
  screen: Screen,
): string[] {
  return [
    paint(screen, 'bold', `respool ${respool} bench`),
    ...wrap(`server  ${printable(engine)}`, screen.columns, '        '),
    ...wrap(
      `client  Node.js ${node}, ${platform}, ${cpus} CPU${cpus === 1 ? '' : 's'} (${printable(cpu)})`,
      screen.columns,
      '        ',
    ),
    ...wrap(`respool ${settings}`, screen.columns, '        '),
  ]
}

export function groupsOf(cells: readonly Cell[]): (readonly [Scenario, readonly Cell[]])[] {
  const groups = new Map<Scenario, Cell[]>()
  for (const cell of cells) groups.set(cell.scenario, [...(groups.get(cell.scenario) ?? []), cell])
  return [...groups]
}

export function scenarioLines(scenario: Scenario, cells: readonly Cell[], screen: Screen): string[] {
  const wide = screen.columns >= NARROW
  const columns = columnsFor(scenario, cells, wide)
  const rows = cells.map((cell) => columns.map(({ of }) => of(cell)))
  const widths = columns.map(({ head }, index) =>
    Math.max(head.length, ...rows.map((row) => (row[index] ?? '').length)),
  )
  const put = (row: readonly string[]): string =>
    row
      .map((text, index) => text.padStart(widths[index] ?? 0))
      .join('  ')
      .trimEnd()
  const figures = widths.reduce((sum, width) => sum + width + 2, 0)
  const room = screen.columns - figures
  const longest = Math.max(...cells.map(({ client }) => client.length))
  // A name that has no room beside its figures stands above them.
  const beside = room >= Math.min(longest, 30)
  const nameWidth = Math.min(room, longest)
  const lines = [
    paint(screen, 'bold', scenarioName(scenario)),
    paint(screen, 'dim', ' '.repeat(beside ? nameWidth + 2 : 2) + put(columns.map(({ head }) => head))),
  ]
  for (const [index, { client }] of cells.entries()) {
    const figureText = put(rows[index] ?? [])
    if (beside) lines.push(`${printable(client).slice(0, nameWidth).padEnd(nameWidth)}  ${figureText}`)
    else lines.push(printable(client).slice(0, screen.columns), `  ${figureText}`)
  }
  return lines
}

/** What the ratio of a peer says, with a number behind it. */
export const ratioName = ({ loop }: Scenario): string => (loop === 'closed' ? 'respool is' : 'its p99 is')

interface Column {
  readonly head: string
  readonly of: (cell: Cell) => string
}

function columnsFor(scenario: Scenario, cells: readonly Cell[], wide: boolean): Column[] {
  const columns: Column[] = [
    { head: 'ops/s', of: ({ perSecond }) => number(Math.round(perSecond)) },
    { head: 'p50', of: ({ latency }) => ms(latency.p50) },
    { head: 'p99', of: ({ latency }) => ms(latency.p99) },
  ]
  if (wide) {
    columns.splice(1, 0, { head: '±', of: ({ noise }) => `${number(Math.round(noise * 100))} %` })
    columns.push({ head: 'p99.9', of: ({ latency }) => ms(latency.p999) })
    columns.push({ head: 'loop', of: ({ loopUse }) => `${Math.round(loopUse * 100)} %` })
    if (scenario.loop === 'open') columns.push({ head: 'late p99', of: ({ lateP99 }) => ms(lateP99) })
  }
  if (cells.some(({ ratio }) => ratio !== null)) {
    const times = ({ ratio }: Cell): string => (ratio === null ? '' : `${number(ratio)}×`)
    columns.push({ head: wide ? ratioName(scenario) : '', of: times })
  }
  if (cells.some(({ errors }) => errors > 0)) columns.push({ head: 'errors', of: ({ errors }) => number(errors) })
  return columns
}

const ms = (value: number): string => (value >= 1 ? number(Number(value.toPrecision(4))) : value.toFixed(3))

interface Findings {
  readonly cells: readonly Cell[]
  readonly missing: readonly Missing[]
  readonly firstError: string | null
}

/** What to know before the figures are believed, a sentence each. */
export function remarks({ cells, missing, firstError }: Findings, screen: Screen): string[] {
  const said = [
    'Latencies in ms, of all rounds together; ops/s is the median of the rounds, ± half their spread; loop is how busy \
the event loop of this process was.',
  ]
  const noisy = Math.max(0, ...cells.map(({ noise }) => noise))
  if (noisy > 0.1)
    said.push(
      `Rounds differ by up to ± ${Math.round(noisy * 100)} %: another load on this machine, or turns that are too short (--seconds).`,
    )
  const open = cells.filter(({ scenario }) => scenario.loop === 'open')
  const late = Math.max(0, ...open.map(({ lateP99 }) => lateP99))
  if (late > LATE) {
    said.push(
      `Calls were made up to ${ms(late)} ms late (p99), because this process was busy; their latency counts from when they were due.`,
    )
  }
  const short = open.filter(({ scenario, perSecond }) => scenario.loop === 'open' && perSecond < 0.95 * scenario.rate)
  if (short.length > 0) {
    said.push(
      `Not all calls of an open loop were answered in time by ${[...new Set(short.map(({ client }) => client))].join('; ')}: the rate is above what can be done.`,
    )
  }
  const busy = cells.some(({ loopUse, scenario }) => scenario.loop === 'closed' && loopUse > BUSY)
  if (busy) said.push('Where the loop was busy all the time, ops/s is what this one process could do with that client.')
  for (const { name, reason } of missing) said.push(`${name} is not measured: ${reason}.`)
  if (firstError !== null) said.push(`The first error: ${firstError}`)
  return said.flatMap((sentence) => wrap(printable(sentence), screen.columns))
}
