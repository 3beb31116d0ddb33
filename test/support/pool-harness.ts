// A pool with real connections and the real codec against the model server, all in virtual time, and the books a test
// keeps about it: every call with what became of it, every event, what may be left at the end.

import assert from 'node:assert/strict'
import type { Clock, Timer } from '../../src/base/clock.js'
import type { ConnectionError, Outcome } from '../../src/base/errors.js'
import { hashOf, NO_KEY } from '../../src/command/key-hash.js'
import { orderingKeyOf } from '../../src/command/ordering.js'
import type { RetryMode } from '../../src/command/repeat.js'
import { blockingTimeoutOf } from '../../src/command/routing.js'
import { Connection } from '../../src/connection/connection.js'
import type { ConnectionOwner } from '../../src/connection/contract.js'
import { handshakeFor } from '../../src/connection/handshake.js'
import type { IntegrityMode } from '../../src/connection/integrity.js'
import { Request } from '../../src/connection/request.js'
import type { Resize } from '../../src/pool/contract.js'
import type { ConnectionPoolTimeoutError } from '../../src/pool/exhaustion.js'
import type { PoolLease } from '../../src/pool/lease.js'
import { type PoolOptions, readPoolOptions } from '../../src/pool/options.js'
import { type AcquireOptions, Pool } from '../../src/pool/pool.js'
import type { HolderStats, PoolStats } from '../../src/pool/stats.js'
import { FakeClock } from './fake-clock.js'
import { ModelServer } from './model-server.js'
import { seeded } from './random.js'

export interface WorldOptions extends PoolOptions {
  readonly seed?: number
  readonly database?: number
  readonly connectTimeout?: number
  readonly socketTimeout?: number
  readonly integrity?: IntegrityMode
}

export interface CallOptions {
  readonly timeout?: number
  /** By default what the pool's option says. */
  readonly retry?: RetryMode
  readonly signal?: AbortSignal
}

/** One command and what became of it. */
export class Call {
  readonly args: readonly string[]
  readonly startedAt: number
  state: 'pending' | 'answered' | 'failed' = 'pending'
  value: unknown
  error: unknown
  settledAt = Number.NaN
  /** How often it was settled; more than once is a bug. */
  settlements = 0
  readonly done: Promise<void>
  #resolveDone: () => void = () => {}

  constructor(args: readonly string[], now: number) {
    this.args = args
    this.startedAt = now
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve
    })
  }

  /** How long it took, in ms. */
  get took(): number {
    return this.settledAt - this.startedAt
  }

  get outcome(): Outcome | undefined {
    const outcome: unknown = this.error instanceof Error ? Reflect.get(this.error, 'outcome') : undefined
    return outcome === 'not-sent' || outcome === 'rejected' || outcome === 'ambiguous' ? outcome : undefined
  }

  settle(state: 'answered' | 'failed', result: unknown, now: number): void {
    this.settlements++
    this.state = state
    if (state === 'answered') this.value = result
    else this.error = result
    this.settledAt = now
    this.#resolveDone()
  }
}

/** One asked-for lease and what became of it. */
export class Loan {
  readonly startedAt: number
  state: 'waiting' | 'held' | 'failed' | 'released' = 'waiting'
  lease: PoolLease | undefined
  error: unknown
  settledAt = Number.NaN
  /** The server's number of its connection. */
  connection = 0

  constructor(now: number) {
    this.startedAt = now
  }

  get took(): number {
    return this.settledAt - this.startedAt
  }

  get held(): PoolLease {
    assert.ok(this.lease !== undefined && this.state === 'held', `the lease is ${this.state}, not held`)
    return this.lease
  }

  release(): void {
    this.held.release()
    this.state = 'released'
  }
}

/** Counts its own timers, so that the pool's are told apart from the server's. */
class CountingClock implements Clock {
  readonly #clock: FakeClock
  readonly #pending = new Set<Timer>()

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  get pendingTimers(): number {
    return this.#pending.size
  }

  now(): number {
    return this.#clock.now()
  }

  setTimeout(callback: () => void, ms: number, background?: boolean): Timer {
    const inner = this.#clock.setTimeout(
      () => {
        this.#pending.delete(timer)
        callback()
      },
      ms,
      background,
    )
    const timer: Timer = {
      cancel: () => {
        this.#pending.delete(timer)
        inner.cancel()
      },
    }
    this.#pending.add(timer)
    return timer
  }

  afterPoll(callback: (asked: number) => void): void {
    this.#clock.afterPoll(callback)
  }
}

export function requestOf(
  call: Call,
  clock: Clock,
  { timeout = 0, retry = 'safe', signal }: CallOptions = {},
): Request {
  const key = orderingKeyOf(call.args)
  const request = new Request(
    call.args,
    key === undefined ? NO_KEY : hashOf(key),
    (value) => call.settle('answered', value, clock.now()),
    (error) => call.settle('failed', error, clock.now()),
  )
  request.timeout = timeout
  request.retry = retry
  request.signal = signal
  request.blocksFor = blockingTimeoutOf(call.args) ?? 0
  return request
}

export class World {
  readonly clock = new FakeClock()
  readonly server = new ModelServer(this.clock)
  readonly pool: Pool
  readonly calls: Call[] = []
  readonly loans: Loan[] = []
  /** Loans in the order in which they were granted. */
  readonly granted: Loan[] = []
  readonly opened: number[] = []
  readonly closed: { readonly id: number; readonly error: ConnectionError }[] = []
  readonly connectErrors: ConnectionError[] = []
  readonly leaks: HolderStats[] = []
  readonly exhaustions: ConnectionPoolTimeoutError[] = []
  readonly resizes: Resize[] = []
  /** Connections that existed at dials that went above the limit. */
  readonly tooMany: number[] = []
  releases = 0
  /** Whether somebody waits, as the pool told it last. */
  isAwaited = false
  /** Called from inside the pool's events, as a user's listener is. */
  readonly on: {
    made: (connection: Connection, owner: ConnectionOwner) => void
    opened: () => void
    closed: () => void
    connectFailed: () => void
    released: () => void
  } = {
    made: () => {},
    opened: () => {},
    closed: () => {},
    connectFailed: () => {},
    released: () => {},
  }
  readonly #poolClock = new CountingClock(this.clock)
  readonly #retry: RetryMode

  constructor(options: WorldOptions = {}) {
    const {
      seed = 1,
      database = 0,
      connectTimeout = 5_000,
      socketTimeout = 30_000,
      integrity = 'off',
      ...pool
    } = options
    const clock = this.#poolClock
    const handshake = handshakeFor({
      protocol: 3,
      database,
      clientName: undefined,
      library: undefined,
      login: () => ({}),
    })
    this.server.dialed = () => {
      const before = this.server.openCount
      if (before >= this.pool.limits.maxConnections) this.tooMany.push(before)
    }
    this.#retry = pool.retry ?? 'safe'
    const settings = { address: 'model:1', connectTimeout, socketTimeout, maxReplySize: 2 ** 20, integrity }
    this.pool = new Pool({
      address: 'model:1',
      database,
      connectTimeout,
      settings: readPoolOptions(pool),
      connect: (owner) => {
        const connection = new Connection(this.server.dial, handshake, settings, clock, owner)
        this.on.made(connection, owner)
        return connection
      },
      clock,
      random: seeded(seed),
      events: {
        opened: (connection) => {
          this.opened.push(connection.id)
          this.on.opened()
        },
        closed: (connection, error) => {
          this.closed.push({ id: connection.id, error })
          this.on.closed()
        },
        connectFailed: (error) => {
          this.connectErrors.push(error)
          this.on.connectFailed()
        },
        released: () => {
          this.releases++
          this.on.released()
        },
        leaked: (holder) => this.leaks.push(holder),
        exhausted: (error) => this.exhaustions.push(error),
        resized: (change) => this.resizes.push(change),
        pushed: () => {},
      },
      keepAlive: (isWanted) => {
        this.isAwaited = isWanted
      },
    })
  }

  get stats(): PoolStats {
    return this.pool.stats()
  }

  get poolTimers(): number {
    return this.#poolClock.pendingTimers
  }

  /** Sends a command on the shared handle. */
  send(...args: string[]): Call {
    return this.sendWith({}, ...args)
  }

  sendWith(options: CallOptions, ...args: string[]): Call {
    const call = this.#call(args)
    this.pool.execute(requestOf(call, this.clock, { retry: this.#retry, ...options }))
    return call
  }

  /** Sends a command on a lease. */
  sendOn(loan: Loan, ...args: string[]): Call {
    return this.sendOnWith({}, loan, ...args)
  }

  sendOnWith(options: CallOptions, loan: Loan, ...args: string[]): Call {
    const call = this.#call(args)
    loan.held.send(requestOf(call, this.clock, options))
    return call
  }

  /** Sends several commands that must be written one behind the other. */
  sendChain(...commands: string[][]): Call[] {
    const calls = commands.map((args) => this.#call(args))
    // As a pipeline with a write in it: it is not sent again.
    const requests = calls.map((call) => requestOf(call, this.clock, { retry: 'none' }))
    for (const [index, request] of requests.entries()) request.next = requests[index + 1]
    const [first] = requests
    if (first !== undefined) this.pool.execute(first)
    return calls
  }

  lease(options: AcquireOptions = {}): Loan {
    const loan = new Loan(this.clock.now())
    this.loans.push(loan)
    this.pool.acquire(options).then(
      (lease) => {
        loan.settledAt = this.clock.now()
        loan.lease = lease
        loan.connection = lease.connectionId
        loan.state = 'held'
        this.granted.push(loan)
      },
      (error: unknown) => {
        loan.settledAt = this.clock.now()
        loan.error = error
        loan.state = 'failed'
      },
    )
    return loan
  }

  /** A lease that must be there after a moment. */
  async leased(options: AcquireOptions = {}): Promise<Loan> {
    const loan = this.lease(options)
    await this.run(10)
    assert.equal(loan.state, 'held', `no lease: ${loan.error}`)
    return loan
  }

  /** Opens the pool's first connection and its lane. */
  async warm(): Promise<void> {
    const call = this.send('PING')
    await this.run(10)
    assert.equal(call.state, 'answered', `no answer to PING: ${call.error}`)
  }

  run(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  /** Runs what is ready without moving time. */
  settle(): Promise<void> {
    return this.clock.settle()
  }

  /** The numbers of a snapshot fit each other and what the server saw. */
  assertBooks(): void {
    const { connections, counters, maxConnections, waiting, inFlight } = this.stats
    const { total, connecting, closing, leased } = connections
    const ended = Object.values(counters.closed).reduce((sum, count) => sum + count, 0)
    const { calls, succeeded, failed, waited, served, timedOut, expired, turnedAway, abandoned } = counters
    const { 'connect-failed': refused = 0, 'handshake-failed': unready = 0, ...ends } = counters.closed
    const closed = Object.values(ends).reduce((sum, count) => sum + count, 0)
    assert.equal(counters.opened - closed, total - connecting - closing, 'opened - closed = live')
    // A dial that its own pool gave up was no failure, and has no reason.
    assert.ok(counters.dialed - ended >= total - closing, 'dialed - closed = live')
    assert.ok(abandoned >= 0, 'nobody waits twice at once')
    assert.equal(waited - served - timedOut - expired - turnedAway - abandoned, waiting.total, 'every wait ends once')
    assert.ok(calls - succeeded - failed >= 0, 'a call ends once')
    assert.equal(refused + unready, this.connectErrors.length, 'every failed dial is told and counted')
    assert.equal(counters.acquired - counters.released, leased, 'acquired - released = leased')
    assert.equal(this.server.open.length, total, 'the pool knows every open transport')
    assert.ok(counters.sent >= counters.replies + inFlight, 'no reply without a command')
    assert.deepEqual(this.tooMany, [], 'no dial above the limit')
    const canLend = leased < (maxConnections === 1 ? 1 : maxConnections - 1)
    assert.ok(!(canLend && connections.idle > 0 && waiting.leases > 0), 'nobody waits for what is free')
    for (const call of this.calls) assert.ok(call.settlements <= 1, `${call.args[0]} was settled twice`)
  }

  /** After close() or destroy(): no timer, no transport, nobody unsettled. */
  async assertNothingLeft(): Promise<void> {
    await this.settle()
    assert.equal(this.poolTimers, 0, 'timers are left')
    assert.deepEqual(
      this.server.open.map(({ id }) => id),
      [],
      'transports are left',
    )
    const { connections, waiting, inFlight, state } = this.stats
    assert.deepEqual(
      { state, total: connections.total, waiting: waiting.total, inFlight },
      { state: 'closed', total: 0, waiting: 0, inFlight: 0 },
    )
    for (const call of this.calls) assert.equal(call.settlements, 1, `${call.args.join(' ')} is unsettled`)
    for (const loan of this.loans) assert.notEqual(loan.state, 'waiting', 'somebody still waits for a lease')
  }

  #call(args: string[]): Call {
    const call = new Call(args, this.clock.now())
    this.calls.push(call)
    return call
  }
}
