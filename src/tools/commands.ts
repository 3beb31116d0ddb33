// Owns which commands there are: the words of each, and the module that runs it, loaded when it is wanted.

import { BENCH } from './bench-spec.js'
import type { CommandSpec, Runner } from './command-spec.js'
import { COMPLETIONS } from './completions-spec.js'
import { DEMO } from './demo-spec.js'
import { DOCTOR } from './doctor-spec.js'
import { SIMULATE } from './simulate-spec.js'
import { TOP } from './top-spec.js'

export type CommandName = 'bench' | 'completions' | 'demo' | 'doctor' | 'simulate' | 'top'

export const SPECS: Readonly<Record<CommandName, CommandSpec>> = {
  demo: DEMO,
  bench: BENCH,
  simulate: SIMULATE,
  doctor: DOCTOR,
  top: TOP,
  completions: COMPLETIONS,
}

const MODULES: Readonly<Record<CommandName, () => Promise<{ readonly run: Runner }>>> = {
  demo: () => import('./demo-run.js'),
  bench: () => import('./bench-run.js'),
  simulate: () => import('./simulate-run.js'),
  doctor: () => import('./doctor-run.js'),
  top: () => import('./top-run.js'),
  completions: () => import('./completions-run.js'),
}

export async function runnerOf(name: CommandName): Promise<Runner> {
  const { run } = await MODULES[name]()
  return run
}
