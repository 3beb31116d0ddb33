// Owns the reading of what is typed after `respool`, the help text, and the answer to a typing error. Runs nothing and
// prints nothing.

import { parseArgs } from 'node:util'
import { CODES, HELP, type OptionSpec, type OptionValues } from './command-spec.js'
import { type CommandName, SPECS } from './commands.js'
import { wrap } from './terminal.js'

export type CommandLine =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'run'; readonly command: CommandName; readonly values: OptionValues }
  | { readonly kind: 'wrong'; readonly complaint: string }

const GLOBAL: Readonly<Record<string, OptionSpec>> = { help: HELP, version: { short: 'v', doc: 'Show the version' } }

/** What the words after `respool` ask for. */
export function readCommandLine(words: readonly string[], width: number): CommandLine {
  const { tokens } = parseArgs({
    args: [...words],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: parseTable({ ...GLOBAL, ...allOptions() }),
  })
  const positionals = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []))
  const [first, ...rest] = positionals
  const helpWanted = first === 'help'
  const name = helpWanted ? rest[0] : first
  const extra = positionals[helpWanted ? 2 : 1]
  if (name !== undefined && !isCommand(name)) return wrong(name, Object.keys(SPECS), 'command')
  if (extra !== undefined) return { kind: 'wrong', complaint: `respool ${first}: unexpected '${shown(extra)}'` }

  const options = name === undefined ? GLOBAL : SPECS[name].options
  const switches = new Set<string>()
  const values = new Map<string, string>()
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const spec = Object.hasOwn(options, token.name) ? options[token.name] : undefined
    if (spec === undefined) return wrong(token.rawName, typed(options), 'option', name)
    const complaint = readOption(spec, token, switches, values)
    if (complaint !== undefined) return { kind: 'wrong', complaint: `respool: ${complaint}` }
  }
  if (switches.has('version')) return { kind: 'version' }
  if (helpWanted || switches.has('help') || name === undefined) return { kind: 'help', text: helpOf(name, width) }
  return { kind: 'run', command: name, values: { switches, values } }
}

interface OptionToken {
  readonly name: string
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

/** Notes the option, or says what is wrong with its value. */
function readOption(
  spec: OptionSpec,
  { name, rawName, value, inlineValue }: OptionToken,
  switches: Set<string>,
  values: Map<string, string>,
): string | undefined {
  if (spec.value === undefined) {
    if (value !== undefined) return `${rawName} takes no value`
    switches.add(name)
    return undefined
  }
  // `--url --json` is an option whose value was forgotten.
  if (!value || (value.startsWith('-') && !inlineValue)) return `${rawName} needs a value: ${rawName} <${spec.value}>`
  values.set(name, value)
  return undefined
}

function helpOf(name: CommandName | undefined, width: number): string {
  const flow = (text: string) => wrap(text, width)
  if (name === undefined) {
    const commands = Object.entries(SPECS).map(([command, { doc }]) => [command, doc] as const)
    return [
      ...flow('respool: a Redis client built around its connection pool'),
      '',
      'Usage: respool <command> [options]',
      '',
      ...columns(commands, width),
      '',
      ...columns(optionRows(GLOBAL), width),
      '',
      ...flow(CODES),
      'More: respool <command> --help',
    ].join('\n')
  }
  const { about, options, codes = CODES } = SPECS[name]
  const paragraphs = about.flatMap((text) => [...flow(text), ''])
  const usage = `Usage: respool ${name} [options]`
  return [usage, '', ...paragraphs, ...columns(optionRows(options), width), '', ...flow(codes)].join('\n')
}

function optionRows(options: Readonly<Record<string, OptionSpec>>): (readonly [string, string])[] {
  return Object.entries(options).map(([name, { value, short, doc }]) => [
    `${short === undefined ? '    ' : `-${short}, `}--${name}${value === undefined ? '' : ` <${value}>`}`,
    doc,
  ])
}

/** Two columns, or one below the other where both have no room. */
function columns(rows: readonly (readonly [string, string])[], width: number): string[] {
  const left = Math.max(...rows.map(([name]) => name.length)) + 4
  return rows.flatMap(([name, doc]) => {
    if (width < left + 24) return [`  ${name}`, ...wrap(doc, width - 10).map((line) => `          ${line}`)]
    const [first = '', ...more] = wrap(doc, width - left)
    return [`  ${name.padEnd(left - 2)}${first}`, ...more.map((line) => ' '.repeat(left) + line)]
  })
}

function wrong(word: string, known: readonly string[], what: string, command?: string): CommandLine {
  const near = nearest(word, known)
  const where = command === undefined ? 'respool' : `respool ${command}`
  const hint = near === undefined ? `known: ${known.join(', ')}` : `did you mean ${near}?`
  return { kind: 'wrong', complaint: `${where}: unknown ${what} '${shown(word)}'; ${hint}` }
}

const isCommand = (name: string): name is CommandName => Object.hasOwn(SPECS, name)

const typed = (options: Readonly<Record<string, OptionSpec>>): string[] =>
  Object.keys(options).map((name) => `--${name}`)

const allOptions = (): Record<string, OptionSpec> =>
  Object.assign({}, ...Object.values(SPECS).map(({ options }) => options))

function parseTable(options: Readonly<Record<string, OptionSpec>>) {
  return Object.fromEntries(
    Object.entries(options).map(([name, { value, short }]) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), ...(short ? { short } : {}) },
    ]),
  )
}

/** A word as it may be shown again: it could be a URL with a password in it. */
function shown(word: string): string {
  return /^[\w-]{1,30}$/.test(word) ? word : '…'
}

/** The known word that takes the fewest edits, if there are few enough. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const wanted = word.toLowerCase()
  const ranked = known
    .map((name) => ({ name, edits: name.startsWith(wanted) && wanted.length > 2 ? 0 : distance(wanted, name) }))
    .sort((a, b) => a.edits - b.edits)
  const [best] = ranked
  return best !== undefined && best.edits <= Math.max(1, Math.floor(best.name.length / 3)) ? best.name : undefined
}

/** Edits, where two letters swapped count as one. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)]
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0
  for (let i = 1; i <= Math.min(a.length, 64); i++) {
    const row = [i]
    rows.push(row)
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      row[j] = Math.min(at(i - 1, j - 1) + same, at(i - 1, j) + 1, at(i, j - 1) + 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) row[j] = Math.min(at(i, j), at(i - 2, j - 2) + 1)
    }
  }
  return at(rows.length - 1, b.length)
}
