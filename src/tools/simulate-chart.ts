// Owns the picture of `respool simulate`: wait percentiles against maxConnections, as SVG. Calculates no wait.

import type { SimulationPlan } from './simulate-plan.js'
import { answerOf, nameOf, percent, workloadWords } from './simulate-report.js'
import type { SizeResult } from './simulate-sweep.js'
import {
  curve,
  decades,
  type Frame,
  hue,
  line,
  linear,
  logarithmic,
  place,
  type Scale,
  shortDuration,
  svgPage,
  text,
} from './svg.js'
import { number } from './terminal.js'

const FRAME: Frame = { width: 860, height: 480, left: 76, right: 740, top: 96, bottom: 400 }
/** Shorter waits are drawn as none. */
const SHORTEST = 0.01

const CURVES = [
  { name: 'p99', colour: hue(0), of: ({ wait }: SizeResult) => wait.p99 },
  { name: 'p95', colour: hue(1), of: ({ wait }: SizeResult) => wait.p95 },
  { name: 'p50', colour: hue(3), of: ({ wait }: SizeResult) => wait.p50 },
] as const

export function simulationSvg(plan: SimulationPlan, results: readonly SizeResult[]): string {
  const { left, right, top, bottom, width, height } = FRAME
  const sizes = results.map(({ maxConnections }) => maxConnections)
  const waits = results.flatMap((result) => CURVES.map(({ of }) => Math.max(SHORTEST, of(result))))
  const { from, to, ticks } = decades([...waits, plan.targetWait])
  const x = linear(Math.min(...sizes), Math.max(...sizes), left + 16, right - 16)
  const y = logarithmic(from, to, bottom, top)
  const answer = answerOf(plan, results)
  const title = 'Wait for a connection, by maxConnections'
  const curves = CURVES.flatMap(({ name, of, colour }) => drawCurve(results, of, name, colour, x, y))
  return svgPage(width, height, title, `${answer.sentence} ${answer.notes.join(' ')}`, [
    text(left, 32, title, 'title'),
    text(left, 54, workloadWords(plan).join('; '), 'dim'),
    text(left, 74, answer.sentence, answer.maxConnections === null ? 'bad' : 'good'),
    ...grid(ticks, y),
    ...sizeTicks(results, x),
    line(left, y(plan.targetWait), right, y(plan.targetWait), 'target'),
    text(
      right - 6,
      y(plan.targetWait) - 6,
      `target ${shortDuration(plan.targetWait)} at ${nameOf(plan.percentile)}`,
      'good end',
    ),
    ...curves,
    ...marker(results, answer.maxConnections, x, y),
    ...keepApart(results, y),
  ])
}

function grid(ticks: readonly number[], y: Scale): string[] {
  const { left, right, bottom, top } = FRAME
  return [
    ...ticks.flatMap((tick) => [
      line(left, y(tick), right, y(tick), 'grid'),
      text(left - 8, y(tick) + 4, `${y(tick) === bottom ? '≤ ' : ''}${shortDuration(tick)}`, 'dim end'),
    ]),
    line(left, top, left, bottom, 'axis'),
    line(left, bottom, right, bottom, 'axis'),
  ]
}

/** Sizes below the axis, and below them who left in vain, where there is room for both. */
function sizeTicks(results: readonly SizeResult[], x: Scale): string[] {
  const { left, right, bottom } = FRAME
  let free = Number.NEGATIVE_INFINITY
  const labels = results.flatMap(({ maxConnections, timedOut, callers }) => {
    const at = x(maxConnections)
    if (at < free) return []
    const lost = timedOut === 0 ? '' : percent(timedOut / callers)
    free = at + 14 + 7 * Math.max(String(maxConnections).length, lost.length)
    return [
      line(at, bottom, at, bottom + 5, 'axis'),
      text(at, bottom + 20, number(maxConnections), 'dim middle'),
      ...(lost === '' ? [] : [text(at, bottom + 38, lost, 'bad middle')]),
    ]
  })
  const someLost = results.some(({ timedOut }) => timedOut > 0)
  return [
    ...labels,
    text((left + right) / 2, bottom + 62, 'maxConnections of each process', 'dim middle'),
    ...(someLost ? [text(left - 14, bottom + 38, 'timed out', 'bad end')] : []),
  ]
}

function drawCurve(
  results: readonly SizeResult[],
  of: (result: SizeResult) => number,
  name: string,
  colour: string,
  x: Scale,
  y: Scale,
): string[] {
  const points = results.map((result) => [x(result.maxConnections), y(of(result))] as const)
  return [
    curve(points, colour),
    ...points.map(([cx, cy], index) => {
      const result = results[index]
      const words =
        result === undefined ? name : `maxConnections ${result.maxConnections}: ${name} ${shortDuration(of(result))}`
      return `<circle cx="${place(cx)}" cy="${place(cy)}" r="3.5" fill="${colour}"><title>${words}</title></circle>`
    }),
  ]
}

/** Names of the curves at their right ends, moved upwards where they meet. */
function keepApart(results: readonly SizeResult[], y: Scale): string[] {
  const [last] = results.slice(-1)
  if (last === undefined) return []
  let free = FRAME.bottom
  return CURVES.toReversed().map(({ name, of, colour }) => {
    const at = Math.min(y(of(last)) + 4, free)
    free = at - 16
    return `<text x="${FRAME.right + 12}" y="${place(at)}" style="fill: ${colour}">${name} ${shortDuration(of(last))}</text>`
  })
}

function marker(results: readonly SizeResult[], size: number | null, x: Scale, y: Scale): string[] {
  const best = results.find(({ maxConnections }) => maxConnections === size)
  if (best === undefined) return []
  const [cx, cy] = [x(best.maxConnections), y(best.targetedWait)]
  return [
    `<circle cx="${place(cx)}" cy="${place(cy)}" r="9" fill="none" stroke="var(--good)" stroke-width="2.5"/>`,
    line(cx, cy + 9, cx, FRAME.bottom, 'target'),
  ]
}
