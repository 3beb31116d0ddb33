// Owns what is said about the measurements: tables, ratios, verdicts, and their three forms. Measures nothing.
import { cpus, totalmem } from 'node:os'
import { contender, contenders, versions } from './contenders.js'
import { median, spread } from './engine.js'

/**
 * @typedef {import('./engine.js').Cell} Cell
 * @typedef {{ title: string, head: string[], rows: string[][], notes?: string[] }} Table
 * @typedef {'ok' | 'missed' | 'not measured'} Verdict
 * @typedef {{ line: string, against: string, target: string, reached: Record<string, number>, verdict: Verdict }} Ratio
 */

const SCHEMA = 'respool-bench/1'
const BEST = 'the best peer'

/**
 * The ratios that the project promises. Both GET and SET must reach `want`.
 * @type {Array<{ of?: string, against: string, callers: number, measure: 'perSecond' | 'p99' | 'cpuMicros', want: number }>}
 */
const TARGETS = [
  { against: 'ioredis-auto', callers: 100, measure: 'perSecond', want: 4.5 },
  { against: 'ioredis-auto', callers: 1_000, measure: 'perSecond', want: 6 },
  { against: 'ioredis', callers: 100, measure: 'perSecond', want: 6 },
  { against: 'node-redis', callers: 100, measure: 'perSecond', want: 12 },
  { against: 'glide', callers: 100, measure: 'perSecond', want: 6 },
  { against: 'node-redis-pool', callers: 100, measure: 'perSecond', want: 25 },
  { against: 'generic-pool', callers: 100, measure: 'perSecond', want: 10 },
  { against: BEST, callers: 100, measure: 'cpuMicros', want: 0.2 },
  { against: 'floor', callers: 100, measure: 'perSecond', want: 0.6 },
  { against: BEST, callers: 10, measure: 'perSecond', want: 1.3 },
  { against: BEST, callers: 10, measure: 'p99', want: 1 },
  { against: BEST, callers: 1, measure: 'perSecond', want: 1 },
  { against: BEST, callers: 1, measure: 'p99', want: 1 },
  { of: 'respool-classic', against: 'node-redis-pool', callers: 100, measure: 'perSecond', want: 2.5 },
  { of: 'respool-classic', against: 'generic-pool', callers: 100, measure: 'perSecond', want: 1.1 },
]

const MEASURES = { perSecond: 'operations per second', p99: 'p99', cpuMicros: 'client CPU time per command' }

/** @param {Cell[]} cells @returns {Ratio[]} */
export function ratios(cells) {
  return TARGETS.map(({ of = 'respool', against, callers, measure, want }) => {
    /** @type {Record<string, number>} */
    const reached = {}
    /** @type {Set<string>} */
    const opponents = new Set()
    for (const op of /** @type {const} */ (['get', 'set'])) {
      const here = cells.filter((cell) => cell.callers === callers && cell.op === op)
      const ours = here.find((cell) => cell.contender === of)
      const theirs = against === BEST ? best(here, measure) : here.find((cell) => cell.contender === against)
      if (!ours || !theirs) continue
      opponents.add(contender(theirs.contender).title)
      reached[op] = median(ours.samples.map((sample, i) => sample[measure] / (theirs.samples[i]?.[measure] ?? NaN)))
    }
    const who = against === BEST ? `${BEST} (${[...opponents].join('; ')})` : contender(against).title
    const atLeast = measure === 'perSecond'
    const target = atLeast ? `≥ ${want}` : measure === 'p99' ? `< ${want}` : `≤ ${want}`
    const line = `${contender(of).title}: ${MEASURES[measure]}, ${plural(callers, 'caller')}`
    return { line, against: who, target, reached, verdict: verdict(Object.values(reached), target, 2) }
  })
}

/** @param {number[]} reached @param {string} target @param {number} needed @returns {Verdict} */
export function verdict(reached, target, needed = 1) {
  if (reached.length < needed || reached.some(Number.isNaN)) return 'not measured'
  const [sign, text] = target.split(' ')
  const want = Number(text)
  const meets = (/** @type {number} */ value) =>
    sign === '≥' ? value >= want : sign === '<' ? value < want : value <= want
  return reached.every(meets) ? 'ok' : 'missed'
}

/** Whether one may speak of the best peer. @param {import('./contenders.js').Contender[]} measured */
export const allPeersIn = (measured) => contenders.every((each) => each.role !== 'peer' || measured.includes(each))

/** The peer that is best at `measure`; none unless all peers were measured. @param {Cell[]} cells @param {'perSecond' | 'p99' | 'cpuMicros'} measure */
function best(cells, measure) {
  const peers = cells.filter((cell) => contender(cell.contender).role === 'peer')
  if (!allPeersIn(peers.map((cell) => contender(cell.contender)))) return undefined
  const direction = measure === 'perSecond' ? -1 : 1
  const middle = (/** @type {Cell} */ cell) => median(cell.samples.map((sample) => sample[measure]))
  return peers.sort((a, b) => direction * (middle(a) - middle(b)))[0]
}

/** @param {Cell[]} cells @returns {Table[]} */
export function closedLoopTables(cells) {
  const groups = new Map(cells.map((cell) => [`${cell.op.toUpperCase()}, ${plural(cell.callers, 'caller')}`, cell]))
  return [...groups].map(([title, { op, callers }]) => ({
    title,
    head: ['', 'ops/s', '±', 'p50 ms', 'p99 ms', 'CPU µs/cmd', 'loop busy'],
    rows: cells
      .filter((cell) => cell.op === op && cell.callers === callers)
      .sort((a, b) => order(a.contender) - order(b.contender))
      .map(({ contender: id, samples }) => {
        const row = summary(samples)
        return [
          contender(id).title,
          whole(row.perSecond),
          percent(row.spread),
          row.p50.toFixed(3),
          row.p99.toFixed(3),
          row.cpuMicros.toFixed(2),
          percent(row.elu),
        ]
      }),
    notes: failures(cells.filter((cell) => cell.op === op && cell.callers === callers)),
  }))
}

/** Medians over the rounds. @param {import('./engine.js').Sample[]} samples */
export function summary(samples) {
  const middle = (/** @type {'perSecond' | 'p50' | 'p99' | 'cpuMicros' | 'elu'} */ field) =>
    median(samples.map((sample) => sample[field]))
  return {
    perSecond: middle('perSecond'),
    spread: spread(samples.map((sample) => sample.perSecond)),
    p50: middle('p50'),
    p99: middle('p99'),
    cpuMicros: middle('cpuMicros'),
    elu: middle('elu'),
  }
}

/** @param {Ratio[]} lines @returns {Table} */
export function ratioTable(lines) {
  const columns = [...new Set(lines.flatMap((line) => Object.keys(line.reached)))]
  return {
    title: 'Ratios (the median of the ratios of neighbouring turns)',
    head: ['', 'against', 'target', ...columns.map((name) => name.toUpperCase()), ''],
    rows: lines.map(({ line, against, target, reached, verdict }) => [
      line,
      against,
      target,
      ...columns.map((name) => (reached[name] === undefined ? '' : Number(reached[name]).toFixed(2))),
      verdict,
    ]),
  }
}

/** @param {Array<{ contender: string, samples: Array<{ errors: number, firstError: string }> }>} cells */
export function failures(cells) {
  return cells.flatMap(({ contender: id, samples }) => {
    const count = samples.reduce((sum, sample) => sum + sample.errors, 0)
    const first = samples.find((sample) => sample.errors > 0)
    return first ? [`${contender(id).title}: ${count} calls FAILED, the first with: ${first.firstError}`] : []
  })
}

/** @param {import('./server.js').Server} server @param {import('./options.js').Options} options */
export function environment(server, options) {
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    server: server.version,
    packages: versions(options.contenders),
    rounds: options.rounds,
    secondsPerFigure: options.seconds,
  }
}

/**
 * Prints the results in the form asked for.
 * @param {'text' | 'json' | 'markdown'} format
 * @param {{ environment: ReturnType<typeof environment>, tables: Table[], ratios: Ratio[], data: object }} results
 */
export function print(format, { environment: where, tables, ratios: lines, data }) {
  if (format === 'json') {
    console.log(JSON.stringify({ schema: SCHEMA, environment: where, ...data, ratios: lines }, null, 2))
    return
  }
  const { packages, ...rest } = where
  const facts = { ...rest, packages: Object.entries(packages).map(([name, version]) => `${name} ${version}`) }
  const rows = Object.entries(facts).map(([name, value]) => [name, [value].flat().join(', ')])
  const all = [{ title: 'Where', head: ['', ''], rows }, ...tables, ...(lines.length > 0 ? [ratioTable(lines)] : [])]
  console.log(all.map(format === 'markdown' ? markdown : text).join('\n\n'))
}

/** @param {Table} table */
function text({ title, head, rows, notes = [] }) {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (/** @type {string[]} */ row) =>
    row.map((cell, i) => (isNumeric(rows, i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  ')
  const body = [head, ...rows].map((row) => `  ${line(row).trimEnd()}`).filter((row) => row.trim() !== '')
  return [title, ...body, ...notes.map((note) => `  ! ${note}`)].join('\n')
}

/** @param {Table} table */
function markdown({ title, head, rows, notes = [] }) {
  const line = (/** @type {string[]} */ row) => `| ${row.join(' | ')} |`
  const rule = `|${head.map((_, i) => (isNumeric(rows, i) ? '--:' : '---')).join('|')}|`
  return [`### ${title}`, '', line(head), rule, ...rows.map(line), ...notes.flatMap((note) => ['', note])].join('\n')
}

/** @param {string[][]} rows @param {number} column */
const isNumeric = (rows, column) => rows.every((row) => /^(\d[\d .]*( %)?)?$/.test(row[column] ?? ''))

/** A line of progress on stderr, overwritten where that is possible. @param {string} text */
export function progress(text) {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`)
}

export const whole = (/** @type {number} */ value) =>
  Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ' ')
export const percent = (/** @type {number} */ part) => `${(part * 100).toFixed(0)} %`
export const plural = (/** @type {number} */ count, /** @type {string} */ noun) =>
  `${whole(count)} ${noun}${count === 1 ? '' : 's'}`
export const order = (/** @type {string} */ id) => contenders.findIndex((each) => each.id === id)
