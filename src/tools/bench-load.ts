// Owns the two ways of calling, closed and open, and what one turn of a client gives. Knows no client by name.

import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Subject } from './bench-peers.js'
import type { BenchPlan, Op, Scenario } from './bench-plan.js'

/** One turn. Durations in milliseconds. */
export interface Sample {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** Share of the time that the event loop of this process was not idle. */
  readonly loopUse: number
  /** Open loop: how late calls were made, at the 99th percentile. */
  readonly lateP99: number
  readonly errors: number
}

/** All that a turn works with. */
export interface Turn {
  readonly subject: Subject
  readonly scenario: Scenario
  readonly plan: BenchPlan
  readonly keys: { readonly names: readonly string[]; readonly values: readonly string[] }
  readonly signal: AbortSignal
  /** Gets the latencies of this turn as well, in nanoseconds. */
  readonly latencies: RecordableHistogram
  /** Told of each call that failed or was answered wrongly. */
  failed(error: unknown): void
}

/** A call that takes longer will not be answered. */
const SETTLES_WITHIN = 10_000
const NANOS = 1e6

/** Undefined when it was interrupted. Calls that do not settle in time, in ms, are errors. */
export async function runTurn(turn: Turn, settlesWithin = SETTLES_WITHIN): Promise<Sample | undefined> {
  const counts = new Counts(turn)
  const { warmUpTime, turnTime } = turn.plan
  const begin = performance.now()
  counts.from = begin + warmUpTime
  counts.to = counts.from + turnTime
  const loop = performance.eventLoopUtilization()
  if (turn.scenario.loop === 'closed') {
    const deadline = counts.to + settlesWithin
    await until(deadline, turn.signal, closedLoop(turn.scenario.callers, counts))
  } else await openLoop(turn.scenario.rate, counts, settlesWithin)
  counts.close(settlesWithin)
  if (turn.signal.aborted) return undefined
  return counts.sample(performance.eventLoopUtilization(loop).utilization)
}

/** Ends with the work; without it at the deadline and at the signal. */
function until(deadline: number, signal: AbortSignal, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, Math.max(0, deadline - performance.now()))
    signal.addEventListener('abort', end)
    work.then(end, end)
    if (signal.aborted) end()
  })
}

/** Each caller calls again when its reply has come. */
async function closedLoop(callers: number, counts: Counts): Promise<void> {
  const call = async (): Promise<void> => {
    for (let now = performance.now(); now < counts.to && !counts.isOver; now = performance.now()) {
      await counts.call(now)
    }
  }
  await Promise.all(Array.from({ length: callers }, call))
}

/** Calls at random moments of that rate; those that could not be made in time are made at once, and count from then. */
async function openLoop(rate: number, counts: Counts, settlesWithin: number): Promise<void> {
  let due = performance.now()
  await new Promise<void>((resolve) => {
    const turn = (): void => {
      const now = performance.now()
      for (; due <= now && due < counts.to; due += (-Math.log(1 - Math.random()) / rate) * 1_000) {
        if (due >= counts.from) counts.lateness.record(Math.max(1, Math.round((now - due) * NANOS)))
        void counts.call(due)
      }
      if (due < counts.to && !counts.isOver) setImmediate(turn)
      else resolve()
    }
    turn()
  })
  const deadline = performance.now() + settlesWithin
  while (counts.pending > 0 && !counts.isOver && performance.now() < deadline) await sleep(2)
}

class Counts {
  from = 0
  to = 0
  pending = 0
  readonly lateness = createHistogram()
  readonly #latency = createHistogram()
  readonly #turn: Turn
  #done = 0
  #errors = 0
  #isClosed = false
  #next = Math.floor(Math.random() * 2 ** 20)

  constructor(turn: Turn) {
    this.#turn = turn
  }

  get isOver(): boolean {
    return this.#turn.signal.aborted
  }

  /** One call, from `since` on: now, or the moment that it was meant for. */
  async call(since: number): Promise<void> {
    const { subject, keys } = this.#turn
    // A step that is prime to most counts of keys, so that neighbours in time are none in the key space.
    this.#next = (this.#next + 7_919) % keys.names.length
    const index = this.#next
    const [key = '', value = ''] = [keys.names[index], keys.values[index]]
    this.pending++
    try {
      const isGet = this.#isGet(this.#turn.scenario.op)
      const reply = isGet ? await subject.get(key) : await subject.set(key, value)
      if (reply !== (isGet ? value : 'OK'))
        throw new Error(`${isGet ? 'GET' : 'SET'} was answered with what is not there`)
    } catch (error) {
      if (this.#isClosed) return
      this.#errors++
      this.#turn.failed(error)
    }
    if (this.#isClosed) return
    this.pending--
    const now = performance.now()
    if (since < this.from || since >= this.to) return
    this.#latency.record(Math.max(1, Math.round((now - since) * NANOS)))
    if (now < this.to) this.#done++
  }

  /** Nothing counts from now on; what is unanswered, unless it was given up, is an error. */
  close(settlesWithin: number): void {
    this.#isClosed = true
    if (this.pending === 0 || this.isOver) return
    this.#errors += this.pending
    this.#turn.failed(new Error(`${this.pending} calls were not answered within ${settlesWithin / 1_000} s`))
  }

  sample(loopUse: number): Sample {
    const seconds = (this.to - this.from) / 1_000
    this.#turn.latencies.add(this.#latency)
    return {
      perSecond: Math.round(this.#done / seconds),
      p50: milliseconds(this.#latency.percentile(50)),
      p99: milliseconds(this.#latency.percentile(99)),
      loopUse: Number(loopUse.toFixed(3)),
      lateP99: this.lateness.count === 0 ? 0 : milliseconds(this.lateness.percentile(99)),
      errors: this.#errors,
    }
  }

  #isGet(op: Op): boolean {
    return op === 'mix' ? Math.random() < this.#turn.plan.getShare : op === 'get'
  }
}

export const milliseconds = (nanos: number): number => Number((nanos / NANOS).toFixed(4))
