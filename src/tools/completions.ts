// Owns how the words of the commands become scripts of bash, zsh and fish. Pure: tables in, text out.

import { type CommandSpec, GLOBAL_OPTIONS, type OptionSpec } from './command-spec.js'
import type { Shell } from './completions-spec.js'

type Specs = Readonly<Record<string, CommandSpec>>

export function completionsFor(shell: Shell, specs: Specs): string {
  switch (shell) {
    case 'bash':
      return bash(specs)
    case 'zsh':
      return zsh(specs)
    case 'fish':
      return fish(specs)
    default:
      return shell satisfies never
  }
}

/** What an option's value can be completed with. */
type Values = 'none' | 'files' | readonly string[]

function valuesOf({ value, choices }: OptionSpec): Values {
  if (choices !== undefined) return choices
  return value === 'FILE' || value === 'PATH' ? 'files' : 'none'
}

/** A word as all three shells read it: in single quotes, in which nothing acts. */
const quoted = (text: string, quote = `'\\''`): string => `'${text.replaceAll("'", quote)}'`

function typed(options: Readonly<Record<string, OptionSpec>>): string[] {
  return Object.entries(options).flatMap(([name, { short }]) => [`--${name}`, ...(short ? [`-${short}`] : [])])
}

function bash(specs: Specs): string {
  const names = Object.keys(specs)
  const values = Object.entries(specs).flatMap(([name, { options }]) =>
    Object.entries(options).flatMap(([option, spec]) =>
      spec.value === undefined ? [] : [`    ${name}:--${option}) ${bashValues(valuesOf(spec))}; return ;;`],
    ),
  )
  const words = Object.entries(specs).map(([name, { options, operand }]) => {
    const all = [...typed(options), ...(operand?.choices ?? [])]
    return `    ${name}) words=${quoted(all.join(' '))} ;;`
  })
  return `# Completes the words after respool. Made by: respool completions bash
_respool() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command='' word words
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in
      ${names.join('|')}) command="$word"; break ;;
    esac
  done
  case "$command:$previous" in
${values.join('\n')}
  esac
  case "$command" in
${words.join('\n')}
    *) words=${quoted([...names, 'help', ...typed(GLOBAL_OPTIONS)].join(' '))} ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _respool respool
`
}

function bashValues(values: Values): string {
  if (values === 'none') return ':'
  if (values === 'files') return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current"))'
  return `COMPREPLY=($(compgen -W ${quoted(values.join(' '))} -- "$current"))`
}

function zsh(specs: Specs): string {
  const commands = Object.entries(specs).map(([name, { doc }]) => `    ${quoted(`${zshText(name)}:${zshText(doc)}`)}`)
  const cases = Object.entries(specs).map(([name, { options, operand }]) => {
    const words = operand === undefined ? [] : [quoted(`1:${operand.name}:(${operand.choices.join(' ')})`)]
    const lines = [...zshOptions(options), ...words].map((line) => `        ${line}`)
    return `    ${name})\n      _arguments \\\n${lines.join(' \\\n')} ;;`
  })
  return `#compdef respool
# Completes the words after respool. Made by: respool completions zsh
_respool() {
  local curcontext="$curcontext" state line
  local -a commands=(
${commands.join('\n')}
  )
  _arguments -C \\
${zshOptions(GLOBAL_OPTIONS)
  .map((line) => `    ${line} \\`)
  .join('\n')}
    '1: :->command' \\
    '*:: :->words'
  case "$state" in
  command) _describe command commands ;;
  words)
    case "$line[1]" in
${cases.join('\n')}
    esac ;;
  esac
}
if [ "$funcstack[1]" = _respool ]; then _respool "$@"; else compdef _respool respool; fi
`
}

function zshOptions(options: Readonly<Record<string, OptionSpec>>): string[] {
  return Object.entries(options).map(([name, spec]) => {
    const doc = `[${zshText(spec.doc)}]`
    const value = spec.value === undefined ? '' : `:${spec.value}:${zshValues(valuesOf(spec))}`
    // Behind '*' an option may come again; in parentheses stands what it excludes.
    const often = spec.many ? '*' : ''
    const equals = spec.value === undefined ? '' : '='
    if (spec.short === undefined) return quoted(`${often}--${name}${equals}${doc}${value}`)
    return `'(-${spec.short} --${name})'{-${spec.short},--${name}}${quoted(`${doc}${value}`)}`
  })
}

function zshValues(values: Values): string {
  if (values === 'none') return ' '
  return values === 'files' ? '_files' : `(${values.join(' ')})`
}

const zshText = (text: string): string => text.replace(/[[\]:\\]/g, '\\$&')

function fish(specs: Specs): string {
  const names = Object.keys(specs)
  // In single quotes fish reads a backslash before a quote and before a backslash.
  const text = (word: string): string => quoted(word.replaceAll('\\', '\\\\'), "\\'")
  const none = `not __fish_seen_subcommand_from ${names.join(' ')}`
  const lines = [
    'complete -c respool -f',
    ...Object.entries(specs).map(([name, { doc }]) => `complete -c respool -n '${none}' -a ${name} -d ${text(doc)}`),
    ...fishOptions(none, GLOBAL_OPTIONS, text),
    ...Object.entries(specs).flatMap(([name, { options, operand }]) => {
      const here = `__fish_seen_subcommand_from ${name}`
      const words =
        operand === undefined ? [] : [`complete -c respool -n '${here}' -a ${text(operand.choices.join(' '))}`]
      return [...words, ...fishOptions(here, options, text)]
    }),
  ]
  return `# Completes the words after respool. Made by: respool completions fish\n${lines.join('\n')}\n`
}

function fishOptions(
  when: string,
  options: Readonly<Record<string, OptionSpec>>,
  text: (word: string) => string,
): string[] {
  return Object.entries(options).map(([name, spec]) => {
    const short = spec.short === undefined ? '' : ` -s ${spec.short}`
    const value = spec.value === undefined ? '' : ` ${fishValues(valuesOf(spec), text)}`
    return `complete -c respool -n '${when}' -l ${name}${short}${value} -d ${text(spec.doc)}`
  })
}

function fishValues(values: Values, text: (word: string) => string): string {
  if (values === 'none') return '-x'
  return values === 'files' ? '-r -F' : `-x -a ${text(values.join(' '))}`
}
