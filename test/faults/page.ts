// Owns docs/reliability.md, which is made as a whole from one run. Measures nothing.

import { number } from '../../src/tools/terminal.js'
import { type Contender, EVERY } from './comparison.js'
import { checkText, recoveryText, verdictText } from './print.js'
import { PROMISES, type Promised } from './promises.js'
import type { Machine } from './report.js'
import type { Row, Tier } from './row.js'
import type { Result } from './runner.js'
import { isClean, sumOf, VERDICT_WORDS, VERDICTS, type Verdict } from './verdict.js'

export interface PageSource {
  readonly rows: readonly Row[]
  readonly results: readonly Result[]
  readonly contenders: readonly Contender[]
  readonly machine: Machine
  readonly seed: number
  /** Such as `2026-01-31`. */
  readonly date: string
}

export function pageOf(source: PageSource): string {
  return `${[
    ...opening(source),
    ...promises(source.rows),
    ...matrix(source),
    ...sideBySide(source.contenders),
    ...meaning(),
    ...missing(),
    ...repeating(source),
  ].join('\n')}\n`
}

/** The promises with those of their rows that exist; one that has none is not made. */
export function backedPromises(rows: readonly Row[]): readonly Promised[] {
  const ids = new Set(rows.map(({ id }) => id))
  return PROMISES.map((promise) => ({ ...promise, rows: promise.rows.filter((id) => ids.has(id)) })).filter(
    (promise) => promise.rows.length > 0,
  )
}

function opening({ results, machine, seed, date }: PageSource): string[] {
  const operations = sum(results, ({ outcome }) => outcome?.operations)
  const faults = sum(results, ({ outcome }) => outcome?.faults)
  const broken = sumOf(results.flatMap(({ outcome }) => (outcome ? [outcome.verdict] : [])))
  return [
    '# Reliability',
    '',
    '<!-- Written by `npm run faults -- --write`; changes by hand are lost. -->',
    '',
    'What respool promises when the network, the server or the caller misbehaves, and the run that shows it. Every row of the matrix below brings up real servers, hurts the connections to them in one way, and judges each single call by what the server holds afterwards.',
    '',
    `This page is one run: ${number(operations)} calls and ${number(faults)} faults on ${date}, with respool ${machine.respool}, redis-server ${machine.redis}, Node.js ${machine.node} on ${machine.platform}, ${machine.cores} cores, seed ${seed}. All rows together: ${verdictText(broken)}.`,
    '',
  ]
}

function promises(rows: readonly Row[]): string[] {
  const items = backedPromises(rows).map(
    ({ title, text, rows: ids }) => `- **${title}.** ${text} (${ids.map((id) => `[${id}](#the-matrix)`).join(', ')})`,
  )
  return ['## The promises', '', ...items, '']
}

function matrix({ rows, results }: PageSource): string[] {
  const lines = rows.map((row) => {
    const result = results.find((each) => each.row.id === row.id)
    return cells([
      row.id,
      row.fault,
      row.injection,
      row.expected,
      result === undefined ? `not in this run (${row.tiers.join(', ')})` : sizeText(result.size),
      ...figures(result),
    ])
  })
  return [
    '## The matrix',
    '',
    'Broken promises are the sum of all verdicts below. The figures that decide a row stand next to their limits.',
    '',
    cells([
      'row',
      'fault',
      'how',
      'what has to happen',
      'size',
      'calls',
      'faults',
      'broken promises',
      'back, p99',
      'figures',
    ]),
    cells(['---', '---', '---', '---', '---', '---:', '---:', '---:', '---:', '---']),
    ...lines,
    '',
  ]
}

function figures(result: Result | undefined): string[] {
  const outcome = result?.outcome
  if (outcome === undefined) return ['–', '–', '–', '–', '–']
  return [
    number(outcome.operations),
    number(outcome.faults),
    brokenText(outcome.verdict),
    recoveryText(outcome.recovery),
    outcome.checks.map(checkText).join('<br>'),
  ]
}

function sizeText(size: Tier): string {
  return size === 'nightly' ? 'full' : size
}

function brokenText(verdict: Verdict): string {
  if (isClean(verdict)) return '0'
  return VERDICTS.flatMap((name) =>
    verdict[name] > 0 ? [`${VERDICT_WORDS[name]} ${number(verdict[name])}`] : [],
  ).join('<br>')
}

function sideBySide(contenders: readonly Contender[]): string[] {
  const [first] = contenders
  if (first === undefined) return []
  const lines = contenders.map(({ name, operations, resets, verdict, errors, untyped, recoveryP99 }) =>
    cells(
      [name]
        .concat([operations, resets].map(number))
        .concat([verdict.crossed, verdict.duplicated, verdict.lost, verdict.unsettled].map(number))
        .concat([number(errors), number(errors - untyped), `${number(recoveryP99)} ms`]),
    ),
  )
  const names = ['client', 'calls', 'resets', 'crossed', 'applied twice', 'acknowledged but lost', 'unsettled']
  const more = ['errors', 'of them, say what happened', 'back, p99']
  return [
    '## Side by side',
    '',
    `The same calls through the same proxy, which resets one connection every ${EVERY} ms; each client with the settings that it comes with.`,
    '',
    'An error after a reset is not a fault of a client: the reply was lost, and nobody can know whether the command was applied. A client that shows none has sent the command again, and then some writes are applied twice.',
    '',
    cells([...names, ...more]),
    cells(['---', ...[...names.slice(1), ...more].map(() => '---:')]),
    ...lines,
    '',
  ]
}

function meaning(): string[] {
  const words: Readonly<Record<keyof Verdict, string>> = {
    crossed: 'a reply that belongs to another call, or a write that landed under another key',
    lost: 'a write that was acknowledged and is not there',
    duplicated: 'a write that was applied more than once',
    falselyRejected: 'a write that was called `not-sent` or `rejected` and is there',
    unsettled: 'a call that had not settled 250 ms after its deadline',
    disordered:
      'acknowledged calls for one key that took effect in another order than they were made, or a read that went back in time',
    partial: 'a transaction of which a part was applied',
    unbalanced:
      'by how much the counters of the pool do not add up: dialed - closed = there, acquired - released = held, calls = replies + errors + those under way, waits = their ends',
    uncaught: 'an error that no caller was given',
  }
  return [
    '## What is counted',
    '',
    'Every value is written once and names its key and its call; replies are held against it, and so is what a plain socket reads from the server when the calls are over.',
    '',
    ...VERDICTS.map((name) => `- **${VERDICT_WORDS[name]}**: ${words[name]}`),
    '',
    '**back** is the time from the end of a fault until a call that began after it has succeeded for each of 16 keys, which all connections share in; the slowest counts.',
    '',
  ]
}

function missing(): string[] {
  return [
    '## What is not shown',
    '',
    'All of it happens on one machine, over loopback, with one server at a time behind an address or a name. respool does not follow Sentinel or Cluster yet, so their failovers, reshardings and redirects are not in the matrix. Packets that are lost one by one are not either: TCP hides them, as delay.',
    '',
  ]
}

function repeating({ seed }: PageSource): string[] {
  return [
    '## Do it again',
    '',
    '```sh',
    'npm ci && npm run faults                          # the rows that run with every change',
    'npm run faults -- --tier nightly                  # at full size',
    `npm run faults -- --row A1 --seed ${String(seed).padEnd(16)}# one row, with the chance of this run`,
    'npm --prefix bench ci                             # the other clients, for the side by side',
    'npm run faults -- --tier nightly --write          # this page',
    '```',
    '',
    'That the judge sees what it has to see is shown by `npm test -- faults`: for each verdict there are histories that are guilty of it, clients that lie, and mistakes put into respool itself that turn a row of the matrix red.',
  ]
}

function cells(texts: readonly string[]): string {
  return `| ${texts.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`
}

function sum<T>(items: readonly T[], figure: (item: T) => number | undefined): number {
  return items.reduce((total, item) => total + (figure(item) ?? 0), 0)
}
