// Owns what else a program does with its pool while the judged calls go on: leases, blocking commands, calls that are
// given up. It knows only whether a reply was its own and whether it ended.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from '../../../src/index.js'
import { between, type Random, seededFor } from '../../support/random.js'

/** What they do in a round. */
export interface Bystanders {
  /** Replies of others that they were given. */
  readonly crossed: readonly string[]
  /** Ends them, and rejects when they do not end. */
  end(): Promise<void>
}

/** A lease waits a second, and its commands have half a second each. */
const END_WITHIN = 5_000
const BURST = 20
/** With what a caller gives up that has nothing against what it called. */
const GIVEN_UP = new Error('given up')

type Check = (what: string, got: unknown, expected: string) => void

export function startBystanders(redis: Redis, seed: number, prefix: string): Bystanders {
  const crossed: string[] = []
  const state = { over: false }
  let calls = 0
  const nonce = (): string => `${prefix}:${++calls}`
  const check: Check = (what, got, expected) => {
    if (got !== expected) crossed.push(`crossed: ${what} got ${JSON.stringify(got)} instead of '${expected}'`)
  }
  const kinds = [borrow, borrow, pop, giveUp]
  const loops = kinds.map(async (kind, index) => {
    const random = seededFor(seed, index)
    while (!state.over) {
      // What fails is the faults' doing; that nothing is crossed and everything ends is ours.
      await kind(redis, random, nonce, check).catch(() => sleep(5))
      await sleep(between(random, 0, 5))
    }
  })
  return {
    crossed,
    end: async () => {
      state.over = true
      const abandoned = Symbol('abandoned')
      const patience = new AbortController()
      const late = sleep(END_WITHIN, abandoned, patience).catch(() => undefined)
      const ended = await Promise.race([Promise.all(loops), late])
      patience.abort()
      if (ended === abandoned) throw new Error('a lease, a blocking command or a call that was given up did not end')
    },
  }
}

async function borrow(redis: Redis, random: Random, nonce: () => string, check: Check): Promise<void> {
  const asked = nonce()
  await redis.lease(async (lease) => {
    const dice = random()
    if (dice < 0.3) await lease.watch(asked)
    else if (dice < 0.4) await lease.select(between(random, 1, 15))
    else if (dice < 0.5) await lease.sendCommand(['CLIENT', 'SETNAME', 'bystander'])
    check('ECHO on a lease', await lease.echo(asked), asked)
    const [reply] = await lease.multi().echo(asked).exec()
    check('a transaction on a lease', reply, asked)
  })
}

/** Waits for an element that another call brings, or for nothing; some give up before it comes. */
async function pop(redis: Redis, random: Random, nonce: () => string, check: Check): Promise<void> {
  const key = nonce()
  const given = new AbortController()
  const popped = redis.withAbortSignal(given.signal).blPop(key, 0.05)
  const giver = random() < 0.5 ? redis.rPush(key, key) : sleep(between(random, 0, 20)).then(() => given.abort(GIVEN_UP))
  const [element] = await Promise.allSettled([popped, giver])
  if (element.status === 'fulfilled' && element.value !== null) check('BLPOP', element.value.element, key)
}

async function giveUp(redis: Redis, random: Random, nonce: () => string, check: Check): Promise<void> {
  const given = new AbortController()
  const impatient = redis.withAbortSignal(given.signal)
  const calls = Array.from({ length: BURST }, async () => {
    const asked = nonce()
    check('ECHO that may be given up', await impatient.echo(asked), asked)
  })
  const settled = Promise.allSettled(calls)
  for (let turns = between(random, 0, 3); turns > 0; turns--) await sleep(0)
  given.abort(GIVEN_UP)
  await settled
}
