// Owns the calls that a row makes while it hurts the connections: many callers, a seeded mix, unique values, and a
// look at the server afterwards that does not use the client under test. Knows no fault.

import { nextTurn, pause, Witness } from '../live/support-live.js'
import { pick, seeded } from '../support/random.js'
import { check, type FinalState, type Findings, GRACE } from './checker.js'
import { History } from './history.js'
import type { Subject } from './subject.js'
import { Keys, prepare, readState } from './workload-keys.js'

export interface Plan {
  /** Calls to make, at least. */
  readonly operations: number
  readonly seed: number
  /** Milliseconds by which each call has to settle: the `commandTimeout` that the subject was given. */
  readonly deadline: number
  /** Default 32. */
  readonly callers?: number
  /** The calls go on while this holds, so that every fault meets some. */
  readonly busy?: () => boolean
  /** What its keys begin with; give each of several workloads on one server its own. Default `w`. */
  readonly prefix?: string
}

export interface Report extends Findings {
  readonly operations: number
  readonly history: History
  readonly state: FinalState
}

/** A workload that runs; its history may be looked at meanwhile. */
export interface Workload {
  readonly history: History
  readonly report: Promise<Report>
}

const CALLERS = 32
/** What one history may hold; a row that needs more runs several, one after the other. */
const MOST = 2_000_000
/** Longest run of calls for one key that nobody waits for in between. */
const RUN = 8
/** Beyond deadline and grace: nothing moves any more. */
const PATIENCE = 500

/** Where the server is; asked again at the end when it may have moved. */
export type Whereabouts = number | (() => number)

/** Begins at once. The witness goes to `port`, which is the server itself and never a proxy. */
export function startWorkload(subject: Subject, port: Whereabouts, plan: Plan): Workload {
  const history = new History((error) => subject.outcomeOf(error))
  return { history, report: run(subject, port, plan, history) }
}

async function run(subject: Subject, port: Whereabouts, plan: Plan, history: History): Promise<Report> {
  const keys = new Keys(plan.prefix ?? 'w')
  await withWitness(port, (witness) => prepare(witness, keys))
  const end = { come: false }
  const goesOn = (): boolean => {
    if (history.entries.length >= MOST) throw new Error(`a history of ${MOST} calls is enough; split the row`)
    return !end.come && (history.entries.length < plan.operations || (plan.busy?.() ?? false))
  }
  const callers = Array.from({ length: plan.callers ?? CALLERS }, (_, index) =>
    call(subject, history, keys, index, seeded(plan.seed * 1_000 + index), goesOn),
  )
  try {
    await untilDone(Promise.all(callers), history, plan.deadline)
  } finally {
    end.come = true
  }
  // Where calls stand still, faults may go on.
  while (plan.busy?.()) await pause(10)
  // Another witness: faults of the server hit the connections of all.
  const state = await withWitness(port, (witness) => readState(witness, keys, history))
  const { verdict, examples } = check(history.entries, state, plan.deadline)
  const unbalanced = await imbalance(subject)
  return { operations: history.entries.length, history, state, examples, verdict: { ...verdict, unbalanced } }
}

/** What was given up may still be answered, and what was repeated be on its way. */
async function imbalance(subject: Subject): Promise<number> {
  const found = (): number => subject.unbalanced?.() ?? 0
  for (let left = 100; left > 0 && found() > 0; left--) await pause(10)
  return found()
}

async function withWitness<T>(port: Whereabouts, use: (witness: Witness) => Promise<T>): Promise<T> {
  await using witness = await Witness.connect(typeof port === 'number' ? port : port())
  return await use(witness)
}

/** A call that never settles keeps its caller for ever; then the others' calls decide when it is over. */
async function untilDone(callers: Promise<unknown>, history: History, deadline: number): Promise<void> {
  let done = false
  const finish = callers.finally(() => {
    done = true
  })
  const isStill = (): boolean => performance.now() - history.movedAt >= deadline + GRACE + PATIENCE
  const stalled = async (): Promise<void> => {
    while (!done) {
      await pause(10)
      // Where this very process stood still, what came meanwhile is read first.
      if (isStill()) await pause(GRACE)
      if (isStill()) return
    }
  }
  await Promise.race([finish, stalled()])
}

async function call(
  subject: Subject,
  history: History,
  keys: Keys,
  caller: number,
  random: () => number,
  goesOn: () => boolean,
): Promise<void> {
  while (goesOn()) {
    const step = chooseStep(subject, history, keys, caller, random)
    const alone = random() < 0.9
    const calls = Array.from({ length: alone ? 1 : 2 + Math.floor(random() * (RUN - 1)) }, step)
    const succeeded = await Promise.all(calls)
    // Who is refused at once and asks again at once would keep the event loop from everything else.
    if (succeeded.includes(false)) await pause(1)
    else if (random() < 0.01) await nextTurn()
  }
}

/** One kind of call on one key; called several times, it is a run of calls for that key. */
function chooseStep(
  subject: Subject,
  history: History,
  keys: Keys,
  caller: number,
  random: () => number,
): () => Promise<boolean> {
  const dice = random()
  if (dice < 0.25) return () => history.record(caller, 'echo', keys.echo, (nonce) => subject.echo(nonce))
  if (dice < 0.45) {
    const key = pick(random, keys.values)
    return () => history.record(caller, 'get', key, () => subject.get(key))
  }
  if (dice < 0.6) {
    const key = pick(random, keys.values)
    return () => history.record(caller, 'set', key, (value) => subject.set(key, value))
  }
  if (dice < 0.8) {
    const key = pick(random, keys.lists)
    return () => history.record(caller, 'push', key, (value) => subject.rpush(key, value))
  }
  if (dice < 0.95) {
    const { key } = pick(random, keys.counters)
    return () => history.record(caller, 'incr', key, () => subject.incr(key))
  }
  const unit = pick(random, keys.units)
  const { list, counter } = unit
  return () =>
    history.record(caller, 'transaction', unit.key, (value) =>
      subject.transaction({ list, counter, mark: unit.markOf(value) }, value),
    )
}
