// Owns which commands there are: the words of each, and the module that runs it, loaded when it is wanted.

import type { CommandSpec, Runner } from './command-spec.js'
import { DEMO } from './demo-spec.js'
import { SIMULATE } from './simulate-spec.js'

export type CommandName = 'demo' | 'simulate'

export const SPECS: Readonly<Record<CommandName, CommandSpec>> = {
  demo: DEMO,
  simulate: SIMULATE,
}

const MODULES: Readonly<Record<CommandName, () => Promise<{ readonly run: Runner }>>> = {
  demo: () => import('./demo-run.js'),
  simulate: () => import('./simulate-run.js'),
}

export async function runnerOf(name: CommandName): Promise<Runner> {
  const { run } = await MODULES[name]()
  return run
}
