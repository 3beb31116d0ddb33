// Owns which commands there are: the words of each, and the module that runs it, loaded when it is wanted.

import type { CommandSpec, Runner } from './command-spec.js'
import { COMPLETIONS } from './completions-spec.js'
import { DEMO } from './demo-spec.js'
import { DOCTOR } from './doctor-spec.js'
import { TOP } from './top-spec.js'

export type CommandName = 'completions' | 'demo' | 'doctor' | 'top'

export const SPECS: Readonly<Record<CommandName, CommandSpec>> = {
  demo: DEMO,
  doctor: DOCTOR,
  top: TOP,
  completions: COMPLETIONS,
}

const MODULES: Readonly<Record<CommandName, () => Promise<{ readonly run: Runner }>>> = {
  demo: () => import('./demo-run.js'),
  doctor: () => import('./doctor-run.js'),
  top: () => import('./top-run.js'),
  completions: () => import('./completions-run.js'),
}

export async function runnerOf(name: CommandName): Promise<Runner> {
  const { run } = await MODULES[name]()
  return run
}
