// Owns how the words of a command become its help: the parts of a manual page, as wide as the screen. Prints nothing.

import { type CommandSpec, ENVIRONMENT, exitsOf, GLOBAL_OPTIONS, type OptionSpec } from './command-spec.js'
import { wrap } from './terminal.js'

const INDENT = '  '
/** Two columns have to leave so much for the second. */
const SECOND_COLUMN = 24

type Row = readonly [string, string]

/** What `respool --help` says. */
export function overview(specs: Readonly<Record<string, CommandSpec>>, width: number): string {
  const commands = Object.entries(specs).map(([command, { doc }]) => [command, doc] as const)
  return [
    ...wrap('respool: a Redis client built around its connection pool', width),
    '',
    ...wrap('Usage: respool <command> [options]', width, INDENT),
    '',
    ...section('Commands', columns(commands, width)),
    ...section('Options', columns(optionRows(GLOBAL_OPTIONS), width)),
    ...section('Environment', columns(Object.entries(ENVIRONMENT), width)),
    ...section('Exit codes', columns(exitRows({}), width)),
    ...wrap('More: respool <command> --help', width),
  ].join('\n')
}

/** What `respool <command> --help` says. */
export function helpOf(name: string, spec: CommandSpec, width: number): string {
  const { doc, about, operand, options, environment = {}, examples = [] } = spec
  const usage = `Usage: respool ${name}${operand === undefined ? '' : ` <${operand.name}>`} [options]`
  const operands = operand === undefined ? [] : [[operand.choices.join(', '), operand.doc] as const]
  const variables = Object.entries({ ...variablesOf(options), ...environment, ...ENVIRONMENT })
  return [
    ...wrap(`respool ${name}: ${doc}`, width, INDENT),
    '',
    ...wrap(usage, width, INDENT),
    '',
    ...about.flatMap((text) => [...wrap(text, width), '']),
    ...(operand === undefined ? [] : section(capital(operand.name), columns(operands, width))),
    ...section('Options', columns(optionRows(options), width)),
    ...section('Environment', columns(variables, width)),
    ...(examples.length === 0
      ? []
      : section(
          'Examples',
          examples.flatMap((each) => exampleLines(each, width)),
        )),
    ...section('Exit codes', columns(exitRows(spec), width)),
  ]
    .join('\n')
    .trimEnd()
}

const section = (title: string, lines: readonly string[]): string[] => [`${title}:`, ...lines, '']

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)

const exitRows = (spec: Pick<CommandSpec, 'exits'>): Row[] => exitsOf(spec).map(([code, text]) => [String(code), text])

function exampleLines({ words, doc }: { readonly words: string; readonly doc: string }, width: number): string[] {
  const deep = INDENT.repeat(3)
  return [
    ...wrap(words, width - INDENT.length, INDENT.repeat(2)).map((line) => INDENT + line),
    ...wrap(doc, width - deep.length).map((line) => deep + line),
  ]
}

/** Variables that stand for an option. */
function variablesOf(options: Readonly<Record<string, OptionSpec>>): Record<string, string> {
  const rows = Object.entries(options).flatMap(([name, { env }]) =>
    env === undefined ? [] : [[env, `Read where --${name} is not given`] as const],
  )
  return Object.fromEntries(rows)
}

function optionRows(options: Readonly<Record<string, OptionSpec>>): Row[] {
  return Object.entries(options).map(([name, spec]) => [
    `${spec.short === undefined ? '    ' : `-${spec.short}, `}--${name}${spec.value === undefined ? '' : ` <${spec.value}>`}`,
    sentenceOf(spec),
  ])
}

function sentenceOf({ doc, choices, many, default: preset }: OptionSpec): string {
  const facts = [
    ...(choices === undefined ? [] : [`one of ${choices.join(', ')}`]),
    ...(many ? ['may be given several times'] : []),
    ...(preset === undefined ? [] : [`default ${preset}`]),
  ]
  return facts.length === 0 ? doc : `${doc} (${facts.join('; ')})`
}

/** Two columns, or one below the other where both have no room. */
function columns(rows: readonly Row[], width: number): string[] {
  const left = Math.max(...rows.map(([name]) => name.length)) + 2 * INDENT.length
  return rows.flatMap(([name, doc]) => {
    if (width < left + SECOND_COLUMN) {
      const deep = INDENT.repeat(3)
      return [...wrap(`${INDENT}${name}`, width), ...wrap(doc, width - deep.length).map((line) => deep + line)]
    }
    const [first = '', ...more] = wrap(doc, width - left)
    return [INDENT + name.padEnd(left - INDENT.length) + first, ...more.map((line) => ' '.repeat(left) + line)]
  })
}
