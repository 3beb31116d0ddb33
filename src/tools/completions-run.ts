// Owns how `respool completions` is run from the command line.

import { OptionError } from '../index.js'
import { type CommandContext, EXIT } from './command-spec.js'
import { completionsFor } from './completions.js'
import { SHELLS } from './completions-spec.js'

export async function run({ values, terminal, specs }: CommandContext): Promise<number> {
  const shell = SHELLS.find((name) => name === values.get('shell'))
  if (shell === undefined) throw new OptionError(`shell: expected one of ${SHELLS.join(', ')}`)
  terminal.result(completionsFor(shell, specs).trimEnd())
  return EXIT.done
}
