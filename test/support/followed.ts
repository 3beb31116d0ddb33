// Listens to channels of node:diagnostics_channel for the length of a test, and keeps what was told in its order.

import { AsyncLocalStorage } from 'node:async_hooks'
import { channel, tracingChannel } from 'node:diagnostics_channel'

export type Step = 'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error'

export interface Told {
  readonly step: Step | 'told'
  /** As it was at that moment. */
  readonly message: Readonly<Record<string, unknown>>
  /** Whose context it was told in. */
  readonly caller: string | undefined
}

/** Who calls, for those that ask whether contexts hold. */
export const callers = new AsyncLocalStorage<string>()

export interface Following extends Disposable {
  readonly told: Told[]
  steps(): string[]
  /** What was told at one step. */
  at(step: Told['step']): Told['message'][]
}

const STEPS: readonly Step[] = ['start', 'end', 'asyncStart', 'asyncEnd', 'error']

export function followTrace(name: string, steps: readonly Step[] = STEPS): Following {
  const told: Told[] = []
  const traced = tracingChannel<object, object>(name)
  const listeners = steps.map((step) => {
    const listener = (message: unknown): void => {
      told.push({ step, message: { ...Object(message) }, caller: callers.getStore() })
    }
    traced[step].subscribe(listener)
    return () => traced[step].unsubscribe(listener)
  })
  return following(told, () => {
    for (const end of listeners) end()
  })
}

export function followChannel(name: string): Following {
  const told: Told[] = []
  const listener = (message: unknown): void => {
    told.push({ step: 'told', message: { ...Object(message) }, caller: callers.getStore() })
  }
  channel(name).subscribe(listener)
  return following(told, () => channel(name).unsubscribe(listener))
}

function following(told: Told[], end: () => void): Following {
  return {
    told,
    steps: () => told.map(({ step }) => step),
    at: (step) => told.flatMap((each) => (each.step === step ? [each.message] : [])),
    [Symbol.dispose]: end,
  }
}
