// Owns the calls that a row makes while it hurts the connections: many callers, a seeded mix, unique values, and a
// look at the server afterwards that does not use the client under test. Knows no fault.

import { nextTurn, pause, pick, seeded, Witness } from '../live/support-live.js'
import { type Findings, type FinalState, check, GRACE } from './checker.js'
import { History, type Kind } from './history.js'
import type { Subject, TransactionKeys } from './subject.js'

export interface Plan {
  /** Calls to make, at least. */
  readonly operations: number
  readonly seed: number
  /** Milliseconds by which each call has to settle: the `commandTimeout` that the subject was given. */
  readonly deadline: number
  readonly callers?: number
  /** The calls go on while this holds, so that every fault meets some. */
  readonly busy?: () => boolean
  /** What its keys begin with; give each of several workloads on one server its own. */
  readonly prefix?: string
}

export interface Report extends Findings {
  readonly operations: number
  readonly history: History
}

/** A workload that runs; `history` may be looked at meanwhile. */
export interface Workload {
  readonly history: History
  readonly report: Promise<Report>
}
