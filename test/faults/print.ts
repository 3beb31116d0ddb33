// How the results of rows read on a terminal of any width. Writes nowhere.

import { number, paint, type Screen, wrap } from '../../src/tools/terminal.js'
import type { Contender } from './comparison.js'
import { p99 } from './recovery.js'
import { type Check, passes } from './row.js'
import { isGreen, type Result } from './runner.js'
import { isClean, VERDICT_WORDS, VERDICTS, type Verdict } from './verdict.js'

/** Below this the columns do not fit, and the figures stand under their row. */
const WIDE = 80
const GLUE = '\u00A0'
const INDENT = ' '.repeat(5)
const COLUMNS = [
  ['operations', 11],
  ['faults', 8],
  ['back p99', 10],
  ['took', 8],
] as const

export function heading(screen: Screen): string[] {
  if (screen.columns < WIDE) return []
  const left = `${'row'.padEnd(5)}${''.padEnd(5)}fault`
  const right = COLUMNS.map(([name, width]) => name.padStart(width)).join('')
  return [paint(screen, 'dim', left.padEnd(screen.columns - right.length) + right)]
}

export function resultLines(screen: Screen, result: Result): string[] {
  const { row, outcome } = result
  const figures = figuresOf(result)
  const lines = screen.columns < WIDE ? narrowHead(screen, result, figures) : wideHead(screen, result, figures)
  const flow = (text: string, style: 'dim' | 'red' = 'dim') => {
    // A name and its figure stay on one line.
    const whole = text.replaceAll(/(?<!·) (?!·)/g, GLUE)
    const wrapped = wrap(text.includes(' · ') ? whole : text, screen.columns - INDENT.length)
    lines.push(...wrapped.map((line) => INDENT + paint(screen, style, line.replaceAll(GLUE, ' '))))
  }
  flow(row.injection)
  if (outcome) {
    flow(verdictText(outcome.verdict), isClean(outcome.verdict) ? 'dim' : 'red')
    for (const check of outcome.checks) flow(checkText(check), passes(check) ? 'dim' : 'red')
  }
  return lines
}

/** What is needed to find out why a row is red. */
export function troubleLines(screen: Screen, result: Result): string[] {
  if (isGreen(result)) return []
  const { row, seed, size, problems, outcome, log } = result
  const lines = [...problems, ...(outcome?.examples ?? [])].flatMap((text) => text.split('\n'))
  if (log.length > 0) lines.push('the last decisions of the proxy:', ...log.map((line) => `  ${line}`))
  lines.push(`seed ${seed}; again: npm run faults -- --tier ${size} --row ${row.id} --seed ${seed}`)
  return lines.flatMap((line) => wrap(line, screen.columns - INDENT.length)).map((line) => INDENT + line)
}

/** What the same storm did to each client. */
export function sideBySideLines(screen: Screen, contenders: readonly Contender[]): string[] {
  return contenders.flatMap(({ name, operations, resets, verdict, errors, recoveryP99 }) => {
    const broken = VERDICTS.filter((each) => verdict[each] > 0).map(
      (each) => `${VERDICT_WORDS[each]} ${number(verdict[each])}`,
    )
    const figures = [`operations ${number(operations)}`, `resets ${resets}`, `errors ${number(errors)}`]
    const text = [
      ...figures,
      ...(broken.length > 0 ? broken : ['nothing broken']),
      `back p99 ${number(recoveryP99)} ms`,
    ]
    return [name, ...wrap(text.join(' · '), screen.columns - INDENT.length).map((line) => INDENT + line)]
  })
}

export function summary(screen: Screen, results: readonly Result[], planned: number): string {
  const red = results.filter((result) => !isGreen(result)).map(({ row }) => row.id)
  const green = results.length - red.length
  const missing = planned > results.length ? `, ${planned - results.length} not run` : ''
  const text = `${green} green, ${red.length} red${red.length > 0 ? ` (${red.join(', ')})` : ''}${missing}`
  return paint(screen, red.length > 0 || missing !== '' ? 'red' : 'green', text)
}

export function verdictText(verdict: Verdict): string {
  return VERDICTS.map((name) => `${VERDICT_WORDS[name]} ${number(verdict[name])}`).join(' · ')
}

/** The measured value next to its limit. */
export function checkText({ what, value, is, limit, unit }: Check): string {
  const withUnit = (figure: number) => (unit === undefined ? number(figure) : `${number(figure)} ${unit}`)
  return `${what}: ${withUnit(value)} (${is} ${withUnit(limit)})`
}

export function recoveryText(recovery: readonly number[] | undefined): string {
  return recovery === undefined || recovery.length === 0 ? '–' : `${number(p99(recovery))} ms`
}

function figuresOf({ outcome, took }: Result): readonly string[] {
  const counted = outcome ? [number(outcome.operations), number(outcome.faults)] : ['–', '–']
  return [...counted, recoveryText(outcome?.recovery), `${(took / 1000).toFixed(1)} s`]
}

function wideHead(screen: Screen, result: Result, figures: readonly string[]): string[] {
  const right = COLUMNS.map(([, width], index) => (figures[index] ?? '').padStart(width)).join('')
  const room = screen.columns - right.length - 10
  const [first = '', ...rest] = wrap(result.row.fault, room)
  const start = `${result.row.id.padEnd(5)}${stateOf(screen, result)}`
  return [start + first.padEnd(room) + right, ...rest.map((line) => ' '.repeat(10) + line)]
}

function narrowHead(screen: Screen, result: Result, figures: readonly string[]): string[] {
  const [head = '', ...rest] = wrap(result.row.fault, Math.max(10, screen.columns - 10))
  const start = `${result.row.id.padEnd(5)}${stateOf(screen, result)}`
  const text = COLUMNS.map(([name], index) => `${name} ${figures[index] ?? ''}`).join(' · ')
  const facts = wrap(text, screen.columns - INDENT.length).map((line) => INDENT + line)
  return [start + head, ...rest.map((line) => ' '.repeat(10) + line), ...facts]
}

function stateOf(screen: Screen, result: Result): string {
  return isGreen(result) ? paint(screen, 'green', 'ok'.padEnd(5)) : paint(screen, 'red', 'RED'.padEnd(5))
}
