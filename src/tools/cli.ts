#!/usr/bin/env node
// Owns the process of the command line: words in, exit code out, signals and broken pipes in between.

import { OptionError, RespoolError, VERSION } from '../index.js'
import { readCommandLine } from './command-line.js'
import { EXIT, type OptionValues } from './command-spec.js'
import { type CommandName, runnerOf, SPECS } from './commands.js'
import { NoServerError } from './server.js'
import { Terminal } from './terminal.js'

const SIGNALS = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const

const terminal = new Terminal(process.stdout, process.stderr, process.env)
const ending = new AbortController()
let stoppedBy: keyof typeof SIGNALS | undefined

// Nobody reads on (`respool demo | head`): then there is nothing left to measure for.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (!hasNoReader(error)) throw error
  ending.abort()
})

// Results may have a reader still.
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (!hasNoReader(error)) throw error
  terminal.hush()
})

process.exitCode = await main(process.argv.slice(2))

/** A closed pipe, a terminal that is gone, a stream that ended with either. */
function hasNoReader({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EPIPE' || code === 'EIO' || code === 'ERR_STREAM_DESTROYED'
}

async function main(words: readonly string[]): Promise<number> {
  const line = readCommandLine(words, terminal.out.columns)
  switch (line.kind) {
    case 'help':
      terminal.result(line.text)
      return EXIT.done
    case 'version':
      terminal.result(VERSION)
      return EXIT.done
    case 'wrong':
      terminal.complain(line.complaint)
      return EXIT.usage
    case 'run':
      return run(line.command, line.values)
    default:
      return line satisfies never
  }
}

async function run(command: CommandName, values: OptionValues): Promise<number> {
  listen()
  try {
    const runner = await runnerOf(command)
    const code = await runner({ ...values, terminal, signal: ending.signal, specs: SPECS })
    return stoppedBy === undefined ? code : SIGNALS[stoppedBy]
  } catch (error) {
    return explain(error)
  }
}

function explain(error: unknown): number {
  if (error instanceof NoServerError) {
    terminal.complain(`respool: ${error.message}`)
    return EXIT.unavailable
  }
  if (error instanceof OptionError) {
    terminal.complain(`respool: ${error.message}`)
    return EXIT.usage
  }
  if (error instanceof RespoolError) {
    terminal.complain(`respool: cannot go on: ${error.name}: ${error.message}`)
    return EXIT.unavailable
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  terminal.complain(`respool: this should not have happened\n${text}`)
  return EXIT.internal
}

/** The first signal lets what runs come to an end, the second does not; servers of ours end with the process. */
function listen(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stoppedBy !== undefined) process.exit(SIGNALS[signal])
      stoppedBy = signal
      terminal.progress('ending; once more to end at once')
      ending.abort()
    })
  }
}
