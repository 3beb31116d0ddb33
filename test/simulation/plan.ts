// What a seed decides before a run begins: the options of the pool, and how much of everything happens in it.

import type { RetryMode } from '../../src/command/repeat.js'
import type { WorldOptions } from '../support/pool-harness.js'
import { CALLS } from './callers.js'
import type { Dice } from './dice.js'
import { TROUBLES } from './trouble.js'

type Known = 'pipelining' | 'database' | 'acquireTimeout' | 'connectTimeout' | 'socketTimeout' | 'backoffMax'

export interface Plan {
  readonly options: WorldOptions & Readonly<Record<Known, number>> & { readonly retry: RetryMode }
  /** Names of what may happen, each as often as it should; drawn from at each step. */
  readonly deck: readonly string[]
  /** Whether callers call again as soon as they have a result, and listeners of the pool's events call too. */
  readonly restless: boolean
  /** The step at which the pool is closed, and how; beyond the last step: never. */
  readonly endsAt: number
}

export function planFrom(dice: Dice, steps: number): Plan {
  const maxConnections = dice.between(1, 8)
  const backoffMin = dice.pick(2, 10)
  return {
    options: {
      seed: dice.below(2 ** 31),
      maxConnections,
      minConnections: dice.once(4) ? dice.between(0, maxConnections) : 0,
      lanes: Math.min(maxConnections, dice.pick(1, 2, 2, 3, 4)),
      pipelining: dice.pick(1, 1, 2, 3, 8, 1_000, 1_000, 1_000),
      acquireTimeout: dice.pick(0, 30, 150, 150, 150, 500, 500),
      maxWaiting: dice.pick(2, 6, 100_000, 100_000, 100_000, 100_000),
      maxConnecting: dice.between(1, 4),
      idleTimeout: dice.pick(0, 60, 300),
      maxLifetime: dice.pick(0, 0, 200, 1_500),
      pingInterval: dice.pick(0, 60, 400),
      leakThreshold: dice.pick(0, 0, 100),
      backoffMin,
      backoffMax: dice.pick(20, 200),
      connectTimeout: dice.pick(40, 200),
      socketTimeout: dice.pick(0, 120, 120, 400),
      database: dice.pick(0, 0, 1),
      retry: dice.pick('safe', 'safe', 'safe', 'none', 'idempotent', 'at-least-once'),
      integrity: dice.pick('off', 'off', 'off', 'off', 'batch', 'command'),
    },
    deck: deckFrom(dice),
    restless: dice.once(3),
    endsAt: dice.once(4) ? dice.below(steps) : Number.POSITIVE_INFINITY,
  }
}

/** Each seed does some things often and others never: together they go where an even mix does not. */
function deckFrom(dice: Dice): string[] {
  const deck: string[] = []
  for (const [name, { weight }] of Object.entries(CALLS)) add(deck, name, weight * dice.pick(0, 1, 1, 2, 4))
  const calm = dice.pick(0, 1, 1, 3)
  for (const [name, { weight }] of Object.entries(TROUBLES)) add(deck, name, weight * dice.pick(0, 0, 1, 2) * calm)
  add(deck, 'write', 10)
  add(deck, 'wait', Math.max(6, Math.round(deck.length * dice.pick(0.2, 0.5, 1))))
  return deck
}

function add(deck: string[], name: string, times: number): void {
  for (let left = times; left > 0; left--) deck.push(name)
}
