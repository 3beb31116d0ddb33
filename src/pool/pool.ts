// Owns what a pool offers: commands, leases, sizes, an end and a snapshot. How connections live is core.ts's.

import { backoff } from '../base/backoff.js'
import type { Clock, Timer } from '../base/clock.js'
import type { CloseReason } from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import type { Connection } from '../connection/connection.js'
import { Request } from '../connection/request.js'
import type { Argument } from '../resp/encoder.js'
import type { Advice } from './advice.js'
import type { AdviceTerms } from './advice-options.js'
import { Advisor } from './advisor.js'
import { Autosize } from './autosize.js'
import type { Phase, PoolDependencies } from './contract.js'
import { PoolCore } from './core.js'
import { closedError } from './endings.js'
import type { ConnectionPoolTimeoutError } from './exhaustion.js'
import type { HistoryNews, Recording, RecordSettings } from './history.js'
import { PoolLease } from './lease.js'
import type { PoolLimits } from './options.js'
import { Recorder, tapped } from './recorder.js'
import type { Entry } from './roster.js'
import { snapshot } from './snapshot.js'
import type { PoolStats, StatsOptions } from './stats.js'
import type { VainWait } from './waiting-room.js'

export interface AcquireOptions {
  /** Names the holder in errors and stats. Default `lease`. */
  readonly label?: string | undefined
  /** `stream`: it listens for as long as it is there, which is no leak. Default `lease`. */
  readonly kind?: 'lease' | 'stream' | undefined
  /** Longest wait in ms. Default: the pool's `acquireTimeout`. */
  readonly timeout?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** A lease has no timeout of its own beyond that of its wait. */
const NO_TIMEOUT = { timeout: 0, deadline: Number.POSITIVE_INFINITY } as const

export class Pool {
  readonly #deps: PoolDependencies
  readonly #core: PoolCore
  readonly #madeAt: number
  readonly #advisor: Advisor
  readonly #autosize: Autosize | undefined
  readonly #recorders = new Set<Recorder>()
  /** Who wants to know when it begins to end. */
  readonly #whenEnding = new Set<() => void>()
  #ending: { readonly promise: Promise<void>; done(): void } | undefined
  /** When the end comes at the latest. */
  #limit: Timer | undefined
  #limitAt = Number.POSITIVE_INFINITY

  constructor(deps: PoolDependencies) {
    const events = tapped(deps.events, (event) => this.#note(event))
    const opened = (connection: Connection): void => {
      this.#autosize?.start()
      events.opened(connection)
    }
    this.#deps = { ...deps, events: { ...events, opened } }
    this.#madeAt = deps.clock.now()
    this.#core = new PoolCore(this.#deps, () => this.stats())
    this.#advisor = new Advisor(this.#core, deps.settings)
    const { autosize } = deps.settings
    this.#autosize =
      autosize && new Autosize(this.#core, this.#advisor, autosize, (to, because) => this.#setSize(to, because))
  }

  get clock(): Clock {
    return this.#deps.clock
  }

  get phase(): Phase {
    return this.#core.phase
  }

  get limits(): PoolLimits {
    const { maxConnections, minConnections } = this.#core.limits
    return { maxConnections, minConnections }
  }

  /** Whether it ever dialed. */
  get hasBegun(): boolean {
    return this.#core.roster.begun > 0
  }

  /** Whether a command would be served now as far as is known: dials do not fail, or the next try is the caller's. */
  get isServing(): boolean {
    const { roster, supply } = this.#core
    if (roster.ready > 0 || supply.failures === 0) return true
    return !supply.isPaused && roster.count('connecting') === 0
  }

  /** Whether the last dial failed in a way that dialing again would not change. */
  get isHopeless(): boolean {
    return this.#core.supply.isFinal
  }

  /** Whether the program's own backoff strategy said not to dial again. */
  get hasGivenUp(): boolean {
    return this.#core.supply.hasGivenUp
  }

  /** Callers that wait for a connection. */
  get waiting(): number {
    return this.#core.dispatch.waiting
  }

  /** Connections that could be used now. */
  get readyConnections(): number {
    return this.#core.roster.ready
  }

  /** Sends a command: on a shared connection, or alone on one where it blocks or the pool is a classic one. */
  execute(request: Request): void {
    const core = this.#core
    if (core.phase !== 'open') request.turnAway(closedError())
    else if (core.cache === undefined || !core.cache.answers(request)) core.execute(request)
  }

  /** Exclusive use of one connection; the caller must release it. */
  acquire(options: AcquireOptions = {}): Promise<PoolLease> {
    const core = this.#core
    return new Promise((resolve, reject) => {
      const { signal, timeout, label = 'lease', kind = 'lease' } = options
      if (core.phase !== 'open') return reject(closedError())
      if (signal?.aborted) return reject(signal.reason)
      const stack = this.#deps.settings.leakTracking ? new Error('lease taken').stack : undefined
      const grant = (entry: Entry): void => resolve(new PoolLease(entry, core))
      const lease = { kind, label, stack, grant, turnAway: reject, ...NO_TIMEOUT } as const
      core.borrow(lease, () => core.room.admitBorrower(lease, timeout, signal))
    })
  }

  /** How long `acquire` waits by default, in ms. */
  get patience(): number {
    return this.#core.room.allowed(this.#deps.settings.acquireTimeout, true)
  }

  /** What is told to who waited for a connection that somebody else acquires; it is counted as a wait in vain. */
  exhausted(wait: VainWait): ConnectionPoolTimeoutError {
    this.#core.counters.waited++
    const error = this.#core.room.exhausted(wait)
    this.#deps.events.exhausted(error)
    return error
  }

  /** How long to wait after so many failures in a row that only their caller knows of, in ms. */
  pauseAfter(failures: number): number {
    const { settings, random } = this.#deps
    return backoff(failures, settings.backoffMin, settings.backoffMax, random())
  }

  /** Somebody waits for what only its caller knows of: the process must not end meanwhile. The result ends that, once. */
  visit(): () => void {
    const { keeper, room } = this.#core
    room.visitors++
    keeper.attend()
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      room.visitors--
      keeper.lookAround()
    }
  }

  /** Calls back once when `close` or `destroy` begins; the result takes the call back. */
  whenEnding(callback: () => void): () => void {
    this.#whenEnding.add(callback)
    return () => this.#whenEnding.delete(callback)
  }

  /**
   * Opens what `minConnections` asks for, and at least one; rejects with the first failed dial.
   * @param isAwaited whether somebody waits for it, so that the process must not end meanwhile
   */
  connect(isAwaited = true): Promise<void> {
    const core = this.#core
    return new Promise((resolve, reject) => {
      if (core.phase !== 'open') return reject(closedError())
      const wanted = Math.max(1, core.limits.minConnections)
      if (this.readyConnections >= wanted) return resolve()
      core.warming.push({ isAwaited, resolve, reject })
      if (isAwaited) core.keeper.attend()
      core.serve()
    })
  }

  /** Changes the bounds by hand; what is above the new ones ends as soon as it is free. */
  resize(limits: PoolLimits): void {
    this.#autosize?.rest()
    this.#resize(limits, 'resize() was called')
  }

  #resize(limits: PoolLimits, because: string): void {
    const core = this.#core
    const from = core.limits.maxConnections
    core.limits.maxConnections = limits.maxConnections
    core.limits.minConnections = limits.minConnections
    core.limits.lanes = Math.min(this.#deps.settings.lanes, limits.maxConnections)
    const kept = core.dispatch.maxLeases < limits.maxConnections ? core.roster.at('shared').at(-1) : undefined
    const surplus = core.roster.total - limits.maxConnections
    const candidates = core.roster.all().filter((entry) => entry !== kept)
    for (const entry of candidates.slice(0, Math.max(0, surplus))) core.doom(entry, 'surplus')
    core.serve()
    const to = limits.maxConnections
    if (to !== from) this.#deps.events.resized({ from, to, because })
  }

  #setSize(maxConnections: number, because: string): void {
    this.#resize({ ...this.limits, maxConnections }, because)
  }

  /** Replaces every connection gracefully: none takes new work, each ends when it has answered. */
  retire(): void {
    const core = this.#core
    this.#note({ kind: 'retired' })
    for (const entry of core.roster.all()) core.doom(entry, 'retired')
    core.serve()
  }

  /** Forgets all replies that were kept. */
  clearCache(): void {
    this.#core.cache?.clear()
  }

  /**
   * Sends a command about sessions on all connections, and resolves when it was answered wherever it could be. One that
   * is held, or only in the making, is replaced instead when it comes free; one that somebody listens on is left as it is.
   */
  async tellAll(args: readonly Argument[]): Promise<void> {
    const core = this.#core
    const told = core.roster.all().map((entry): Promise<unknown> | undefined => {
      const { place, connection, listener } = entry
      const isHeld = place === 'leased' || place === 'connecting'
      if (isHeld && listener === undefined) core.doom(entry, 'retired')
      if (isHeld || place === 'closing') return undefined
      return new Promise((resolve) => connection.send(new Request(args, NO_KEY, resolve, resolve)))
    })
    await Promise.all(told)
  }

  /**
   * Takes nothing new and ends when what was accepted is done, at the latest after `timeout` ms; 0 for no limit. Of
   * several limits the first to pass counts.
   */
  close(timeout: number): Promise<void> {
    const core = this.#core
    if (core.phase === 'closed') return Promise.resolve()
    this.#limitEnd(timeout)
    if (this.#ending !== undefined) return this.#ending.promise
    core.phase = 'closing'
    this.#tellEnding()
    core.keeper.attend()
    for (const { listener } of [...core.roster.at('leased')]) listener?.recalled()
    core.dispatch.turnStreamsAway(closedError())
    let done = (): void => {}
    const promise = new Promise<void>((resolve) => {
      done = resolve
    })
    this.#ending = { promise, done }
    core.quiet = () => this.destroy('closed')
    core.serve()
    return promise
  }

  #limitEnd(timeout: number): void {
    const at = this.clock.now() + timeout
    if (timeout <= 0 || at >= this.#limitAt) return
    this.#limit?.cancel()
    this.#limitAt = at
    this.#limit = this.clock.setTimeout(() => this.destroy('closed'), timeout)
  }

  /** Ends now: rejects what waits and what is in flight. */
  destroy(reason: CloseReason): void {
    const core = this.#core
    if (core.phase === 'closed') return
    core.phase = 'closed'
    this.#tellEnding()
    this.#limit?.cancel()
    core.supply.stop()
    core.keeper.stop()
    this.#autosize?.stop()
    const error = closedError()
    core.dispatch.turnAway(error)
    core.room.stop()
    for (const { connection } of core.roster.all()) {
      connection.destroy(reason, 'the pool was closed')
      connection.forget()
    }
    for (const { reject } of core.warming.splice(0)) reject(error)
    this.#note({ kind: 'ended' })
    for (const recorder of [...this.#recorders]) recorder.stop()
    this.#ending?.done()
  }

  /**
   * Keeps a history from now on.
   * @param call calls a listener of the user's
   */
  record(settings: RecordSettings, call: (listener: () => void) => void): Recording {
    const { clock } = this
    const pool = { clock, counters: this.#core.counters, stats: () => this.stats() }
    const recorder = new Recorder(pool, settings, call, () => this.#recorders.delete(recorder))
    if (this.phase === 'closed') recorder.stop()
    else this.#recorders.add(recorder)
    return recorder
  }

  #note(news: HistoryNews): void {
    for (const recorder of this.#recorders) recorder.note(news)
  }

  #tellEnding(): void {
    for (const callback of [...this.#whenEnding]) if (this.#whenEnding.delete(callback)) callback()
  }

  /** From what is remembered now; what the server allows is asked for at the first call, and known at a later one. */
  advice(terms: AdviceTerms): Advice {
    return this.#advisor.advise(terms)
  }

  stats(options: StatsOptions = {}): PoolStats {
    return snapshot(this.#core, this.#deps, this.#madeAt, options)
  }
}
