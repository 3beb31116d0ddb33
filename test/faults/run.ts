// `npm run faults` (scripts/faults.js): the process that runs rows one after the other, prints what they found, and
// says by its exit code whether all are green.

import { Terminal } from '../../src/tools/terminal.js'
import { type Chosen, HELP, readArguments } from './arguments.js'
import { heading, resultLines, summary, troubleLines } from './print.js'
import { documentOf } from './report.js'
import { ROWS } from './rows.js'
import { isGreen, type Result, runRow } from './runner.js'

const EXIT = { green: 0, red: 1, usage: 2 } as const
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
    case 'run': {
      const { chosen, seed, tier, json } = wanted
      const results: Result[] = []
      const show = (): void => {
        if (json) terminal.result(JSON.stringify(documentOf({ tier, seed, results }), null, 2))
        else terminal.result(`\n${summary(terminal.out, results, chosen.length)}`)
      }
      endOnSignal(show)
      await runAll(chosen, seed, json, results)
      show()
      return results.length === chosen.length && results.every(isGreen) ? EXIT.green : EXIT.red
    }
    default:
      return wanted satisfies never
  }
}

async function runAll(chosen: readonly Chosen[], seed: number, json: boolean, results: Result[]): Promise<void> {
  terminal.complain(`seed ${seed}`)
  if (!json) for (const line of heading(terminal.out)) terminal.result(line)
  for (const { row, size } of chosen) {
    const title = `${row.id} ${row.fault}`
    terminal.progress(title)
    const result = await runRow({ row, size, seed, note: (line) => terminal.progress(title, line) })
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
