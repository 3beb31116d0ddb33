// Runs the command line as a shell does: words in, streams and an exit code out.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../../src/tools/cli.js', import.meta.url))

export interface CliOutcome {
  code: number | null
  stdout: string
  stderr: string
}

export interface CliRun {
  readonly child: ChildProcess
  readonly done: Promise<CliOutcome>
}

export function startCli(words: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string): CliRun {
  const { REDIS_URL, COLUMNS, ...inherited } = process.env
  const child = spawn(process.execPath, [CLI, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inherited, ...env },
    cwd,
  })
  const outcome: CliOutcome = { code: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    outcome.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    outcome.stderr += text
  })
  return { child, done: once(child, 'close').then(([code]) => ({ ...outcome, code: Number(code) })) }
}
