// `npm run faults` (scripts/faults.js): the process that runs rows one after the other, prints what they found, and
// says by its exit code whether all are green.

import { writeFileSync } from 'node:fs'
import { Terminal } from '../../src/tools/terminal.js'
import { HELP, readArguments, type WantedRun } from './arguments.js'
import { type Contender, compare } from './comparison.js'
import { pageOf } from './page.js'
import { HOW_TO_GET_PEERS, installedPeers } from './peers.js'
import { heading, resultLines, sideBySideLines, summary, troubleLines } from './print.js'
import { documentOf, machine } from './report.js'
import { ROWS } from './rows.js'
import { isGreen, type Result, runRow } from './runner.js'

const EXIT = { green: 0, red: 1, usage: 2 } as const
/** From the root of the repository, where the script goes first. */
const PAGE = 'docs/reliability.md'
const PEERS = 2
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const

const terminal = new Terminal(process.stdout, process.stderr, process.env)
// Nobody reads on (`npm run faults | head`): then there is nobody to find out for.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(EXIT.red)
})

process.exitCode = await main(process.argv.slice(2))

async function main(words: readonly string[]): Promise<number> {
  const wanted = readArguments(words, ROWS)
  switch (wanted.kind) {
    case 'help':
      terminal.result(HELP)
      return EXIT.green
    case 'wrong':
      terminal.complain(wanted.complaint)
      return EXIT.usage
    case 'run':
      return runMatrix(wanted)
    default:
      return wanted satisfies never
  }
}

async function runMatrix(wanted: WantedRun): Promise<number> {
  const { chosen, seed, tier, json, write, whole } = wanted
  if (write && installedPeers().length < PEERS) {
    terminal.complain(`npm run faults: --write needs the other clients; run \`${HOW_TO_GET_PEERS}\` first`)
    return EXIT.usage
  }
  const results: Result[] = []
  const contenders: Contender[] = []
  const show = (): void => {
    if (json) terminal.result(JSON.stringify(documentOf({ tier, seed, results, contenders }), null, 2))
    else terminal.result(`\n${summary(terminal.out, results, chosen.length)}`)
  }
  endOnSignal(show)
  await runAll(wanted, results)
  if (whole && (write || tier === 'nightly')) contenders.push(...(await sideBySide(seed, json)))
  show()
  const green = results.length === chosen.length && results.every(isGreen)
  if (write && green) writePage(results, contenders, seed)
  if (write && !green) terminal.complain(`${PAGE} stays as it was: not all rows are green`)
  return green ? EXIT.green : EXIT.red
}

async function sideBySide(seed: number, json: boolean): Promise<readonly Contender[]> {
  if (installedPeers().length === 0) {
    terminal.complain(`side by side: skipped, the other clients are not installed (${HOW_TO_GET_PEERS})`)
    return []
  }
  const contenders = await compare(seed, (line) => terminal.progress('side by side', line))
  if (!json) terminal.result(`\n${sideBySideLines(terminal.out, contenders).join('\n')}`)
  return contenders
}

function writePage(results: readonly Result[], contenders: readonly Contender[], seed: number): void {
  const date = new Date().toISOString().slice(0, 10)
  writeFileSync(PAGE, pageOf({ rows: ROWS, results, contenders, machine: machine(), seed, date }))
  terminal.complain(`wrote ${PAGE}`)
}

async function runAll({ chosen, seed, minutes, json }: WantedRun, results: Result[]): Promise<void> {
  terminal.complain(`seed ${seed}`)
  if (!json) for (const line of heading(terminal.out)) terminal.result(line)
  for (const { row, size } of chosen) {
    const title = `${row.id} ${row.fault}`
    terminal.progress(title)
    const result = await runRow({ row, size, seed, minutes, note: (line) => terminal.progress(title, line) })
    results.push(result)
    if (!json) {
      const lines = [...resultLines(terminal.out, result), ...troubleLines(terminal.out, result)]
      terminal.result(lines.join('\n'))
    }
    if (result.hangs) {
      terminal.complain(`${row.id} does not end, so nothing that runs beside it could be trusted`)
      break
    }
  }
}

/** Shows what there is; servers end with the process that started them. */
function endOnSignal(show: () => void): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      show()
      process.exit(SIGNALS[signal])
    })
  }
}
