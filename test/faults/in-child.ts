// Runs a piece of work in a node process of its own: one with a garbage collector that can be called, and without the
// hooks with which the runner looks for leaks. What the work found comes back as if it had run here.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Context, Outcome } from './row.js'

const CHILD = fileURLToPath(new URL('child.js', import.meta.url))
/** Objects in the heap are counted by a function that node calls experimental. */
const FLAGS = ['--expose-gc', '--disable-warning=ExperimentalWarning']
/** With nothing left in it a process ends by itself, in ms. */
const ENDS_WITHIN = 2_000

export type WorkName = 'soak' | 'slow line' | 'simulation' | 'model' | 'full queue' | 'lives' | 'collection'

/** What the child is told. */
export interface Assignment {
  readonly work: WorkName
  readonly tier: Context['tier']
  readonly seed: number
  readonly minutes: number
}

/** What the child tells at last. `left`: kinds of handles that it could not let go of. */
export type Ending =
  | {
      readonly kind: 'done'
      readonly outcome: Outcome
      readonly log: readonly string[]
      readonly left: readonly string[]
    }
  | { readonly kind: 'failed'; readonly text: string; readonly log: readonly string[] }

export type Message = Ending | { readonly kind: 'note'; readonly line: string }

export async function inChild(work: WorkName, { tier, seed, minutes, note, trace }: Context): Promise<Outcome> {
  const assignment: Assignment = { work, tier, seed, minutes }
  const child = fork(CHILD, [JSON.stringify(assignment)], { execArgv: FLAGS, serialization: 'advanced' })
  let last: Ending | undefined
  child.on('message', (message) => {
    if (!isMessage(message)) return
    if (message.kind === 'note') note(message.line)
    else last = message
  })
  const disconnected = once(child, 'disconnect')
  const exited = once(child, 'exit')
  try {
    // Its end without a word is one of the ways to come here.
    await disconnected
    const ending = last
    if (ending === undefined) throw new Error(`the process of '${work}' ended without a word`)
    trace(ending.log)
    if (ending.kind === 'failed') throw new Error(ending.text)
    if (ending.left.length > 0) throw new Error(`'${work}' left behind: ${ending.left.join(', ')}`)
    if (!(await within(ENDS_WITHIN, exited))) throw new Error(`something keeps the process of '${work}' alive`)
    return ending.outcome
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await exited
    }
  }
}

async function within(ms: number, event: Promise<unknown>): Promise<boolean> {
  const patience = new AbortController()
  const late = sleep(ms, false, patience).catch(() => false)
  const came = await Promise.race([event.then(() => true), late])
  patience.abort()
  return came
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && 'kind' in value
}
