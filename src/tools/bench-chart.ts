// Owns the picture of a benchmark as SVG: for each scenario bars with the spread of the rounds, and the latencies by
// percentile, where the tail has as much room as the rest. Measures nothing.

import type { Cell } from './bench-course.js'
import { type Scenario, scenarioName } from './bench-plan.js'
import { type BenchMachine, groupsOf, ratioName } from './bench-report.js'
import {
  curve,
  decades,
  escapeXml,
  hue,
  line,
  linear,
  logarithmic,
  place,
  shortDuration,
  svgPage,
  text,
} from './svg.js'
import { number } from './terminal.js'

const WIDTH = 960
const LEFT = 24
const BARS = { from: 24, to: 430 }
const TAIL = { from: 560, to: 930 }
const HEAD = 84
const BAR = 44
const FOOT = 56
const LEAST = 200

export function benchSvg(machine: BenchMachine, cells: readonly Cell[]): string {
  const { respool, node, cpu, cpus, engine } = machine
  const groups = groupsOf(cells)
  const clients = [...new Set(cells.map(({ client }) => client))]
  const body = [
    text(LEFT, 34, `respool ${respool} bench`, 'title'),
    text(LEFT, 56, `${engine}; Node.js ${node}, ${cpus} CPUs (${cpu})`, 'dim'),
  ]
  let top = HEAD
  for (const [scenario, group] of groups) {
    const height = Math.max(LEAST, group.length * BAR + 70)
    body.push(text(LEFT, top + 14, scenarioName(scenario), 'title'))
    body.push(...bars(scenario, group, clients, top + 34), ...tail(group, clients, top + 34, top + height - 40))
    top += height + FOOT
  }
  const description = cells
    .map(
      ({ client, scenario, perSecond, latency }) =>
        `${scenarioName(scenario)}: ${client} ${number(perSecond)} per second, p99 ${latency.p99} ms.`,
    )
    .join(' ')
  return svgPage(WIDTH, top, `respool ${respool} bench`, description, body)
}

/** Closed loop: operations per second. Open loop, where all have the same: the p99. */
function measureOf({ loop }: Scenario): {
  name: string
  of: (cell: Cell) => number
  rounds: (cell: Cell) => number[]
  show: (value: number) => string
} {
  if (loop === 'closed') {
    return {
      name: 'operations per second; the thin line is from the slowest round to the fastest',
      of: ({ perSecond }) => perSecond,
      rounds: ({ rounds }) => rounds.map(({ perSecond }) => perSecond),
      show: (value) => number(Math.round(value)),
    }
  }
  return {
    name: 'p99, less is better; the thin line is from the best round to the worst',
    of: ({ latency }) => latency.p99,
    rounds: ({ rounds }) => rounds.map(({ p99 }) => p99),
    show: shortDuration,
  }
}

function bars(scenario: Scenario, cells: readonly Cell[], clients: readonly string[], top: number): string[] {
  const { name, of, rounds, show } = measureOf(scenario)
  const most = Math.max(...cells.flatMap((cell) => [of(cell), ...rounds(cell)]))
  const x = linear(0, most, BARS.from, BARS.to)
  return [
    ...cells.flatMap((cell, index) => {
      const y = top + index * BAR
      const [low, high] = [Math.min(...rounds(cell)), Math.max(...rounds(cell))]
      const middle = y + 27
      const ratio = cell.ratio === null ? '' : `, ${ratioName(scenario)} ${number(cell.ratio)}×`
      return [
        text(BARS.from, y + 12, `${cell.client}: ${show(of(cell))}${ratio}`),
        `<rect x="${place(BARS.from)}" y="${place(y + 18)}" width="${place(Math.max(1, x(of(cell)) - BARS.from))}" height="18" rx="2" \
fill="${hue(clients.indexOf(cell.client))}" fill-opacity="0.85"/>`,
        line(x(low), middle, x(high), middle, 'axis'),
        line(x(low), middle - 5, x(low), middle + 5, 'axis'),
        line(x(high), middle - 5, x(high), middle + 5, 'axis'),
      ]
    }),
    text(BARS.from, top + cells.length * BAR + 14, name, 'dim'),
  ]
}

/** Nines: 0, 90 %, 99 %, 99.9 % at equal distances. */
const nines = (share: number): number => -Math.log10(1 - share)

function tail(cells: readonly Cell[], clients: readonly string[], top: number, bottom: number): string[] {
  const latencies = cells.flatMap((cell) => cell.curve.map(({ latency }) => latency))
  const { from, to, ticks } = decades(latencies)
  const x = linear(0, 4, TAIL.from, TAIL.to)
  const y = logarithmic(from, to, bottom, top)
  return [
    ...ticks.flatMap((tick) => [
      line(TAIL.from, y(tick), TAIL.to, y(tick), 'grid'),
      text(TAIL.from - 8, y(tick) + 4, shortDuration(tick), 'dim end'),
    ]),
    ...[0.5, 0.9, 0.99, 0.999, 0.9999].flatMap((share) => [
      line(x(nines(share)), bottom, x(nines(share)), bottom + 4, 'axis'),
      text(x(nines(share)), bottom + 18, `${Number((share * 100).toFixed(2))} %`, 'dim middle'),
    ]),
    line(TAIL.from, bottom, TAIL.to, bottom, 'axis'),
    text((TAIL.from + TAIL.to) / 2, bottom + 36, 'of the calls took no longer', 'dim middle'),
    ...cells.map((cell) => {
      const points = cell.curve.map(({ share, latency }) => [x(nines(share)), y(latency)] as const)
      return `<g><title>${escapeXml(cell.client)}</title>${curve(points, hue(clients.indexOf(cell.client)))}</g>`
    }),
  ]
}
