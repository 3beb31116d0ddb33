// Where a run takes place: the world, the books about it, and what actions share. Judges nothing.

import { DurationHistogram } from '../../src/base/histogram.js'
import type { RetryMode } from '../../src/command/repeat.js'
import type { Connection } from '../../src/connection/connection.js'
import type { AcquireOptions } from '../../src/pool/pool.js'
import { Entry } from '../../src/pool/roster.js'
import type { ModelConnection } from '../support/model-server.js'
import { type Loan, World } from '../support/pool-harness.js'
import type { Dice } from './dice.js'
import { Findings } from './laws.js'
import { type Deed, Ledger } from './ledger.js'
import type { Plan } from './plan.js'
import type { Trace } from './trace.js'

// A snapshot is read after every step, and its percentiles, which no law is about, would take most of the time.
DurationHistogram.prototype.percentile = () => 0

/** Both ends of one connection, and the pool's entry for it. */
export interface Link {
  readonly entry: Entry
  readonly connection: Connection
  readonly wire: ModelConnection
}

/** Who asked for a whole connection: with a lease, or by one command. */
export interface Borrower {
  readonly number: number
  readonly deed: Deed | undefined
  loan: { readonly loan: Loan; readonly dueBy: number } | undefined
}

export class Stage {
  readonly world: World
  readonly dice: Dice
  readonly trace: Trace
  readonly findings = new Findings()
  readonly ledger: Ledger
  readonly isClassic: boolean
  readonly retry: RetryMode
  /** How long a wait may last that was given no bound of its own. */
  readonly longestWait: number
  /** Those that the pool has or the server has not let go of. */
  links: Link[] = []
  /** Who waits for a whole connection, or did at the last look, in the order in which they asked. */
  line: Borrower[] = []
  /** What there was before: what is above a bound that was lowered may stay there, and not grow. */
  before = { leased: 0, total: 0 }
  /** How long the process has stood still in all. */
  stalled = 0
  /** How often the server was made to break the protocol. */
  brokenProtocols = 0
  /** Loans that are waited for or held. */
  loans: Loan[] = []
  readonly #connectTimeout: number
  readonly #controllers: AbortController[] = []

  constructor(plan: Plan, dice: Dice, trace: Trace) {
    this.dice = dice
    this.trace = trace
    this.world = new World(plan.options)
    this.isClassic = plan.options.pipelining === 1
    const { acquireTimeout, connectTimeout, retry, integrity } = plan.options
    this.retry = retry
    // With a timeout of 0 only a connection that may still be made is worth waiting for.
    this.longestWait = acquireTimeout > 0 ? acquireTimeout : connectTimeout
    this.#connectTimeout = connectTimeout
    const heldOn = (id: number): Loan | undefined => this.#heldOn(id)
    const { database } = plan.options
    this.ledger = new Ledger(this.findings, trace, { database, holdsReplies: integrity !== 'off', heldOn })
    this.world.server.witness = this.ledger
    this.world.on.made = (connection, owner) => {
      const wire = this.world.server.connections.at(-1)
      if (!(owner instanceof Entry) || wire === undefined) throw new Error('a connection was made by somebody else')
      this.links.push({ entry: owner, connection, wire })
      trace.note('dials', wire.id)
    }
  }

  /** A signal that is aborted now, later, or never. */
  readonly signal = (): AbortSignal => {
    const controller = new AbortController()
    if (this.dice.once(12)) controller.abort(new Error('aborted before'))
    else this.#controllers.push(controller)
    return controller.signal
  }

  abortSome(): void {
    const index = this.dice.below(this.#controllers.length)
    this.#controllers.splice(index, 1)[0]?.abort(new Error('aborted'))
  }

  abortAll(): void {
    for (const controller of this.#controllers.splice(0)) controller.abort(new Error('aborted at the end'))
  }

  readonly borrow = (options: AcquireOptions = {}): Loan => {
    const { world } = this
    const borrower: Borrower = { number: this.ledger.deeds.length, deed: undefined, loan: undefined }
    // Before it asks, for asking may call a listener that asks too.
    this.line.push(borrower)
    const loan = world.lease(options)
    const allowed = options.timeout ?? this.longestWait
    const dueBy = world.clock.now() + (allowed > 0 ? allowed : this.#connectTimeout)
    borrower.loan = { loan, dueBy }
    this.loans.push(loan)
    return loan
  }

  /** Call it after each step, and before a bound is lowered. */
  remember(): void {
    const leased = this.links.filter(({ entry }) => entry.place === 'leased').length
    this.before = { leased, total: this.world.server.openCount }
  }

  /** Forgets what is over. */
  tidy(): void {
    this.loans = this.loans.filter(({ state }) => state === 'waiting' || state === 'held')
    this.links = this.links.filter(({ connection, wire }) => !(connection.isClosed && wire.state === 'closed'))
  }

  #heldOn(connection: number): Loan | undefined {
    return this.loans.find(
      ({ state, lease, connection: own }) => own === connection && state === 'held' && lease?.released === false,
    )
  }
}
