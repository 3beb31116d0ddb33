// Owns the reading of what is typed after `respool`, and the answer to a typing error. Runs nothing and prints nothing.

import { parseArgs } from 'node:util'
import { type CommandSpec, GLOBAL_OPTIONS, type OptionSpec, type OptionValues } from './command-spec.js'
import { type CommandName, SPECS } from './commands.js'
import { helpOf, overview } from './help.js'

export type CommandLine =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'run'; readonly command: CommandName; readonly values: OptionValues }
  | { readonly kind: 'wrong'; readonly complaint: string }

/** What the words after `respool` ask for. */
export function readCommandLine(words: readonly string[], width: number): CommandLine {
  const { tokens } = parseArgs({
    args: [...words],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: parseTable({ ...GLOBAL_OPTIONS, ...allOptions() }),
  })
  const positionals = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []))
  const helpWanted = positionals[0] === 'help'
  const [name, ...operands] = helpWanted ? positionals.slice(1) : positionals
  if (name !== undefined && !isCommand(name)) return wrong(name, Object.keys(SPECS), 'command')

  const spec: CommandSpec | undefined = name === undefined ? undefined : SPECS[name]
  const options = spec?.options ?? GLOBAL_OPTIONS
  const read: ReadValues = { switches: new Set(), values: new Map(), lists: new Map() }
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined
    if (option === undefined) return wrong(token.rawName, typed(options), 'option', name)
    const complaint = readOption(option, token, read)
    if (complaint !== undefined) return { kind: 'wrong', complaint: `respool: ${complaint}` }
  }
  if (read.switches.has('version')) return { kind: 'version' }
  if (name === undefined || spec === undefined) return { kind: 'help', text: overview(SPECS, width) }
  const complaint = readOperand(name, spec, operands, helpWanted || read.switches.has('help'), read)
  if (complaint !== undefined) return { kind: 'wrong', complaint }
  if (helpWanted || read.switches.has('help')) return { kind: 'help', text: helpOf(name, spec, width) }
  return { kind: 'run', command: name, values: read }
}

interface ReadValues extends OptionValues {
  readonly switches: Set<string>
  readonly values: Map<string, string>
  readonly lists: Map<string, string[]>
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
  { switches, values, lists }: ReadValues,
): string | undefined {
  if (spec.value === undefined) {
    if (value !== undefined) return `${rawName} takes no value`
    switches.add(name)
    return undefined
  }
  // `--url --json` is an option whose value was forgotten.
  if (!value || (value.startsWith('-') && !inlineValue)) return `${rawName} needs a value: ${rawName} <${spec.value}>`
  if (spec.choices?.includes(value) === false) return `${rawName}: expected one of ${spec.choices.join(', ')}`
  values.set(name, value)
  lists.set(name, [...(lists.get(name) ?? []), value])
  return undefined
}

/** Notes the word behind the command as the value of its name, or says what is wrong with it. */
function readOperand(
  name: CommandName,
  { operand }: CommandSpec,
  words: readonly string[],
  optional: boolean,
  { values }: ReadValues,
): string | undefined {
  const extra = words[operand === undefined ? 0 : 1]
  if (extra !== undefined) return `respool ${name}: unexpected '${shown(extra)}'`
  if (operand === undefined) return undefined
  const [word] = words
  const known = operand.choices.join(', ')
  if (word === undefined) return optional ? undefined : `respool ${name}: expected a ${operand.name}: ${known}`
  if (!operand.choices.includes(word))
    return `respool ${name}: unknown ${operand.name} '${shown(word)}'; known: ${known}`
  values.set(operand.name, word)
  return undefined
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
