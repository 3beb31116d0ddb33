// Owns the first part of the demo: the same operation over a new connection, a borrowed one and shared ones.
// In turns and after a warm-up, so that no way has the machine's better moment.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { Redis } from '../index.js'
import { clean, type DemoContext, type Plan } from './demo-context.js'

export type Way = 'new-connection' | 'borrowed' | 'shared'

export interface Measured {
  readonly way: Way
  readonly callers: number
  readonly operations: number
  /** The median of `rounds`. */
  readonly opsPerSecond: number
  /** In milliseconds, from the call to the last reply, connecting and waiting included. */
  readonly p50: number
  readonly p99: number
  /** Operations per second, against those over new connections. */
  readonly ratio: number
  /** Operations per second of each round, to see how steady they were. */
  readonly rounds: readonly number[]
}

export interface Comparison {
  readonly operation: string
  readonly keys: number
  readonly valueBytes: number
  readonly maxConnections: number
  readonly measured: readonly Measured[]
}

const KEYS = 1_000
const VALUE = 'x'.repeat(64)
const MAX_CONNECTIONS = 10

/** What a handle and a lease have in common. */
interface Commands {
  ping(): Promise<unknown>
  set(key: string, value: string): Promise<unknown>
  get(key: string): Promise<string | null>
}

/** The operation, the same for all: each command is sent when the one before it was answered. */
async function operate(redis: Commands, key: string): Promise<void> {
  await redis.ping()
  await redis.set(key, VALUE)
  if ((await redis.get(key)) !== VALUE) throw new Error('GET did not return what SET had stored')
}

interface Subject {
  readonly way: Way
  readonly most: number
  run(key: string): Promise<void>
  close(): Promise<void>
}

function subjectsOf({ url, plan, watch }: DemoContext): Subject[] {
  const pool = new Redis(url, { name: 'borrowed', maxConnections: MAX_CONNECTIONS, pipelining: 1 })
  const shared = new Redis(url, { name: 'shared', maxConnections: MAX_CONNECTIONS })
  watch(pool.pool)
  watch(shared.pool)
  const unlimited = Number.POSITIVE_INFINITY
  return [
    { way: 'new-connection', most: plan.maxDials, run: (key) => unpooled(url, key), close: async () => {} },
    {
      way: 'borrowed',
      most: unlimited,
      run: (key) => pool.lease((connection) => operate(connection, key)),
      close: () => pool.close(),
    },
    { way: 'shared', most: unlimited, run: (key) => operate(shared, key), close: () => shared.close() },
  ]
}

async function unpooled(url: string, key: string): Promise<void> {
  const redis = new Redis(url, { maxConnections: 1 })
  try {
    await operate(redis, key)
  } finally {
    await redis.close()
  }
}

/** What one way did, over all its rounds. */
class Tally {
  readonly latency: RecordableHistogram = createHistogram({ lowest: 1, highest: 60_000_000_000, figures: 3 })
  readonly rounds: number[] = []
  operations = 0

  /** One round that the machine spent on something else must not decide. */
  get opsPerSecond(): number {
    const sorted = this.rounds.toSorted((a, b) => a - b)
    const middle = (sorted.length - 1) / 2
    return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2
  }
}

/** Undefined when the run was ended before every way had a round. */
export async function compare(context: DemoContext): Promise<Comparison | undefined> {
  const subjects = subjectsOf(context)
  const measured: Measured[] = []
  try {
    for (const callers of context.plan.callers) {
      const tallies = await measure(context, subjects, callers)
      const [first] = tallies.values()
      if (context.signal.aborted && [...tallies.values()].some(({ rounds }) => rounds.length === 0)) break
      for (const [way, tally] of tallies) measured.push(resultOf(way, callers, tally, first?.opsPerSecond ?? 0))
    }
  } finally {
    await Promise.all(subjects.map((subject) => subject.close()))
    await clean(
      context,
      Array.from({ length: KEYS }, (_, index) => keyOf(context, index)),
    )
  }
  if (measured.length === 0) return undefined
  const operation = 'PING, SET and GET, one after another'
  return { operation, keys: KEYS, valueBytes: VALUE.length, maxConnections: MAX_CONNECTIONS, measured }
}

async function measure(context: DemoContext, subjects: readonly Subject[], callers: number): Promise<Map<Way, Tally>> {
  const { plan, signal } = context
  const tallies = new Map(subjects.map(({ way }) => [way, new Tally()]))
  for (let round = 0; round <= plan.rounds; round++) {
    // Another goes first each time: what one leaves to the machine must not always meet the same next.
    for (const [turn] of subjects.entries()) {
      const subject = subjects[(round + turn) % subjects.length]
      if (subject === undefined || signal.aborted) return tallies
      context.progress(`measuring with ${plural(callers, 'caller')}`, `· ${progressOf(plan, round, subject.way)}`)
      // Round 0 warms up, and counts for nothing.
      const tally = round === 0 ? new Tally() : (tallies.get(subject.way) ?? new Tally())
      await runRound(context, subject, callers, round === 0 ? plan.warmUpTime : plan.roundTime, tally)
    }
  }
  return tallies
}

async function runRound(
  context: DemoContext,
  subject: Subject,
  callers: number,
  time: number,
  tally: Tally,
): Promise<void> {
  const start = performance.now()
  let left = subject.most
  let done = 0
  const call = async (): Promise<void> => {
    while (left-- > 0 && !context.signal.aborted) {
      const called = performance.now()
      if (called - start >= time) return
      await subject.run(keyOf(context, done++ % KEYS))
      tally.latency.record(Math.max(1, Math.round((performance.now() - called) * 1e6)))
    }
  }
  const calls = await Promise.allSettled(Array.from({ length: callers }, call))
  for (const each of calls) if (each.status === 'rejected') throw each.reason
  const elapsed = performance.now() - start
  if (done === 0) return
  tally.operations += done
  tally.rounds.push(Math.round((done / elapsed) * 1_000))
}

const keyOf = ({ prefix }: DemoContext, index: number): string => `${prefix}key:${index}`

function resultOf(way: Way, callers: number, tally: Tally, base: number): Measured {
  return {
    way,
    callers,
    operations: tally.operations,
    opsPerSecond: Math.round(tally.opsPerSecond),
    p50: milliseconds(tally.latency.percentile(50)),
    p99: milliseconds(tally.latency.percentile(99)),
    ratio: base > 0 ? Number((tally.opsPerSecond / base).toFixed(2)) : 0,
    rounds: tally.rounds,
  }
}

const milliseconds = (nanoseconds: number): number => Number((nanoseconds / 1e6).toFixed(3))

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

const progressOf = (plan: Plan, round: number, way: Way): string =>
  `${round === 0 ? 'warm-up' : `round ${round} of ${plan.rounds}`} · ${way}`
