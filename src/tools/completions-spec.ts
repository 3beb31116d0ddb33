// Owns the words of `respool completions`. Only data.

import { type CommandSpec, HELP } from './command-spec.js'

export const SHELLS = ['bash', 'zsh', 'fish'] as const

export type Shell = (typeof SHELLS)[number]

export const COMPLETIONS: CommandSpec = {
  doc: 'Print what a shell needs to complete the words after respool',
  about: [
    'Prints a script for the shell named. It completes commands, options, and values where there is a fixed set of them \
or they are files. It is made from the same tables as this help, and asks nobody.',
  ],
  operand: { name: 'shell', choices: SHELLS, doc: 'Whose completions' },
  options: { help: HELP },
  examples: [
    { words: 'source <(respool completions bash)', doc: 'For this session of bash; in ~/.bashrc for all to come' },
    {
      words: 'respool completions zsh > ~/.zfunc/_respool',
      doc: 'For zsh, in a folder of your own that fpath names before compinit runs',
    },
    { words: 'respool completions fish > ~/.config/fish/completions/respool.fish', doc: 'For fish' },
  ],
}
