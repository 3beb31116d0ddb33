// Owns how the demo reads: results in, lines out, for a screen of any width. Measures nothing, writes nowhere.

import type { Comparison, Measured, Way } from './demo-comparison.js'
import type { Exhaustion } from './demo-exhaustion.js'
import { type Fate, type FateCounts, keptPromises, type Recovery } from './demo-recovery.js'
import { bar, number, paint, printable, type Screen, wrap } from './terminal.js'

export interface Machine {
  readonly respool: string
  readonly node: string
  readonly platform: string
  readonly cpus: number
  readonly engine: string
}

/** Below this, a row of figures becomes two lines. */
const NARROW = 72

const WAYS: Readonly<Record<Way, string>> = {
  'new-connection': 'new connection each time',
  borrowed: 'borrowed from a pool',
  shared: 'shared (default)',
}

const FATES: readonly (readonly [Fate, string])[] = [
  ['replied', 'replied'],
  ['not-sent', 'not sent'],
  ['rejected', 'rejected'],
  ['ambiguous', 'ambiguous'],
  ['failed', 'unexplained'],
]

export function headLines(machine: Machine, screen: Screen): string[] {
  const { respool, node, platform, cpus, engine } = machine
  return [
    paint(screen, 'bold', `respool ${respool} demo`),
    ...facts(screen, [
      ['server', printable(engine)],
      ['client', `Node.js ${node}, ${platform}, ${cpus} CPU${cpus === 1 ? '' : 's'}`],
    ]),
  ]
}

export function comparisonLines(comparison: Comparison, screen: Screen): string[] {
  const { operation, keys, valueBytes, maxConnections, measured } = comparison
  const lines = title(screen, '1', 'What is a pool worth?')
  lines.push(
    ...paragraph(screen, `An operation is ${operation}: ${valueBytes}-byte values, ${number(keys)} keys.`),
    ...paragraph(screen, `The pools may have ${maxConnections} connections. Times include connecting and waiting.`),
  )
  for (const callers of new Set(measured.map((each) => each.callers))) {
    const rows = measured.filter((each) => each.callers === callers)
    const heading = `${number(callers)} caller${callers === 1 ? '' : 's'}`
    lines.push('', ...(screen.columns < NARROW ? narrowRows(heading, rows, screen) : wideRows(heading, rows, screen)))
  }
  return lines
}

function wideRows(heading: string, rows: readonly Measured[], screen: Screen): string[] {
  const left = 26
  const widths = [9, 9, 9, 8] as const
  const cells = (...texts: readonly string[]) => texts.map((text, at) => text.padStart(widths[at] ?? 0)).join('')
  const bars = screen.columns - 2 - left - widths.reduce((sum, width) => sum + width, 0) - 2
  const most = Math.max(...rows.map((row) => row.opsPerSecond))
  const head = `  ${paint(screen, 'bold', heading.padEnd(left))}${paint(screen, 'dim', cells('ops/s', 'p50 ms', 'p99 ms', 'ratio'))}`
  return [
    head,
    ...rows.map((row) => {
      const figures = cells(number(row.opsPerSecond), row.p50.toFixed(2), row.p99.toFixed(2))
      const ratio = paint(screen, 'bold', ratioOf(row).padStart(widths[3]))
      const chart = bars >= 8 ? `  ${paint(screen, colourOf(row.way), bar(row.opsPerSecond, most, bars))}` : ''
      return `  ${WAYS[row.way].padEnd(left)}${figures}${ratio}${chart}`
    }),
  ]
}

function narrowRows(heading: string, rows: readonly Measured[], screen: Screen): string[] {
  const most = Math.max(...rows.map((row) => row.opsPerSecond))
  const room = screen.columns - 2
  return [
    paint(screen, 'bold', heading),
    ...rows.flatMap((row) => {
      const ratio = ratioOf(row)
      return [
        `  ${WAYS[row.way].padEnd(room - ratio.length)}${paint(screen, 'bold', ratio)}`,
        ...wrap(
          `${number(row.opsPerSecond)} ops/s, p50 ${row.p50.toFixed(2)}, p99 ${row.p99.toFixed(2)} ms`,
          room - 2,
        ).map((line) => `    ${line}`),
        `    ${paint(screen, colourOf(row.way), bar(row.opsPerSecond, most, room - 2))}`,
      ]
    }),
  ]
}

const ratioOf = ({ ratio }: Measured): string => `${ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(1)}x`

const colourOf = (way: Way) => (way === 'new-connection' ? 'yellow' : way === 'borrowed' ? 'cyan' : 'green')

export function exhaustionLines(exhaustion: Exhaustion, screen: Screen): string[] {
  const { maxConnections, acquireTimeout, error, servedAfter } = exhaustion
  const [first = '', ...rest] = error.message.split('\n').map((line) => printable(line.trim()))
  return [
    ...title(screen, '2', 'What does an exhausted pool say?'),
    ...paragraph(screen, `A pool of ${maxConnections}, both lent; a third caller waits up to ${acquireTimeout} ms.`),
    '',
    ...evenly(`${error.name}: ${first}`, screen.columns - 2).map((line) => `  ${paint(screen, 'red', line)}`),
    ...rest.flatMap((line) => evenly(line, screen.columns - 4).map((each) => `    ${each}`)),
    '',
    ...paragraph(screen, `One lease given back: the next in line was served after ${servedAfter.toFixed(2)} ms.`),
  ]
}

export function recoveryLines(recovery: Recovery, screen: Screen): string[] {
  const { callers, writes, kills, afterwards, checked } = recovery
  const times = kills.length === 1 ? 'once' : `${kills.length} times`
  const connections = kills.reduce((sum, each) => sum + each.connections, 0)
  const verdict = keptPromises(recovery)
    ? paint(screen, 'green', 'Every write is accounted for.')
    : paint(screen, 'red', 'A promise was broken: please report it.')
  return [
    ...title(screen, '3', 'What if all connections die under load?'),
    ...paragraph(screen, `${callers} callers write without a pause; CLIENT KILL ends all connections, ${times}.`),
    '',
    ...facts(screen, [
      ['connections killed', number(connections)],
      ['writing again after', recoveryTimes(kills.map((each) => each.recovery))],
      ['in flight at a kill', describeFates(kills.map((each) => each.inFlight))],
      ['of the ambiguous', `${number(checked.ambiguousApplied)} applied, ${number(checked.ambiguousNotApplied)} not`],
      ['called afterwards', `${number(afterwards.commands)} commands, ${number(afterwards.failed)} failed`],
      ['checked on the server', `${number(writes)} writes`],
      ['  applied twice', number(checked.appliedTwice)],
      ['  replied, but lost', number(checked.acknowledgedButLost)],
      ['  not sent, but applied', number(checked.deniedButApplied)],
    ]),
    '',
    `  ${verdict}`,
  ]
}

function recoveryTimes(times: readonly (number | null)[]): string {
  const known = times.filter((time) => time !== null).sort((a, b) => a - b)
  const missing = times.length - known.length
  const failed = missing > 0 ? `not at all in ${missing} of ${times.length}` : ''
  const [median, longest] = [known[Math.floor((known.length - 1) / 2)], known.at(-1)]
  if (median === undefined || longest === undefined) return failed
  const words =
    known.length === 1
      ? `${median.toFixed(1)} ms`
      : `${median.toFixed(1)} ms (median), at most ${longest.toFixed(1)} ms`
  return failed === '' ? words : `${words}; ${failed}`
}

function describeFates(counts: readonly FateCounts[]): string {
  const sum = (fate: Fate) => counts.reduce((total, each) => total + each[fate], 0)
  const words = FATES.filter(
    ([fate]) => sum(fate) > 0 || fate === 'replied' || fate === 'not-sent' || fate === 'ambiguous',
  )
  const total = FATES.reduce((all, [fate]) => all + sum(fate), 0)
  return `${number(total)}: ${words.map(([fate, word]) => `${number(sum(fate))} ${word}`).join(', ')}`
}

function title(screen: Screen, digit: string, text: string): string[] {
  return ['', ...wrap(`${digit}  ${text}`, screen.columns, '   ').map((line) => paint(screen, 'bold', line)), '']
}

function paragraph(screen: Screen, text: string): string[] {
  return wrap(text, screen.columns - 2).map((line) => `  ${line}`)
}

/** As few lines as it takes, of about the same length: a lonely last word is hard to read. */
function evenly(text: string, columns: number): string[] {
  const wrapped = (width: number) => wrap(text, width, '    ')
  const lines = wrapped(columns).length
  let width = columns
  while (width > 30 && wrapped(width - 1).length === lines) width--
  return wrapped(width)
}

/** Two columns; below each other where the screen has no room for both. */
function facts(screen: Screen, rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.max(...rows.map(([name]) => name.length)) + 2
  const stacked = screen.columns < NARROW && left > 12
  return rows.flatMap(([name, value]) => {
    const short = stacked && name.length + 2 + value.length + 2 <= screen.columns
    const pad = short ? Math.max(2, screen.columns - 2 - name.length - value.length) : left - name.length
    if (stacked && !short) {
      return [`  ${paint(screen, 'dim', name)}`, ...wrap(value, screen.columns - 4).map((line) => `    ${line}`)]
    }
    const [first = '', ...more] = short ? [value] : wrap(value, screen.columns - 2 - left)
    const head = `  ${paint(screen, 'dim', name)}${' '.repeat(pad)}${first}`
    return [head, ...more.map((line) => ' '.repeat(2 + left) + line)]
  })
}
