// Owns what a handle has in common with a single client beside commands: events, and the names that node-redis gives to
// its states and endings. Knows no command.

import { ArgumentError } from '../base/errors.js'
import type { CloseOptions } from './call-options.js'
import { type ConnectionPool, type HandleEvents, insideOf } from './connection-pool.js'

type Event = keyof HandleEvents
type Listener<Name extends Event> = (...args: HandleEvents[Name]) => void

/** What other clients tell of a subscription, and nobody tells here. */
const EVENTS_OF_SUBSCRIPTIONS = /^[ps]?(message|(un)?subscribe)(_?buffer)?$/i

/** What an EventEmitter takes as the name of an event. */
type AnyName = string | symbol

export abstract class Handle {
  /** The connections behind this handle. */
  abstract readonly pool: ConnectionPool

  abstract close(options?: CloseOptions): Promise<void>
  abstract destroy(): void

  /**
   * Whether it is in use: `connect()` or a command was called, and it was not closed. False before, so that
   * `if (!redis.isOpen) await redis.connect()` connects.
   */
  get isOpen(): boolean {
    return this.pool.isOpen
  }

  /** Whether a command would be served now. Connections that end because nobody uses them change nothing. */
  get isReady(): boolean {
    return this.pool.isReady
  }

  /** Listens to an event of the handles of this pool. */
  on<Name extends Event>(event: Name, listener: Listener<Name>): this {
    return this.#listen('on', event, listener)
  }

  once<Name extends Event>(event: Name, listener: Listener<Name>): this {
    return this.#listen('once', event, listener)
  }

  off<Name extends Event>(event: Name, listener: Listener<Name>): this {
    return this.#listen('off', event, listener)
  }

  addListener<Name extends Event>(event: Name, listener: Listener<Name>): this {
    return this.#listen('on', event, listener)
  }

  prependListener<Name extends Event>(event: Name, listener: Listener<Name>): this {
    return this.#listen('prependListener', event, listener)
  }

  prependOnceListener<Name extends Event>(event: Name, listener: Listener<Name>): this {
    return this.#listen('prependOnceListener', event, listener)
  }

  removeListener<Name extends Event>(event: Name, listener: Listener<Name>): this {
    return this.#listen('off', event, listener)
  }

  /** Removes what was added through handles of this pool; listeners on the pool itself stay. */
  removeAllListeners(event?: AnyName): this {
    const { events } = insideOf(this.pool)
    if (event === undefined) events.removeAllListeners()
    else events.removeAllListeners(event)
    return this
  }

  listenerCount(event: AnyName): number {
    return insideOf(this.pool).events.listenerCount(event)
  }

  listeners(event: AnyName): unknown[] {
    return insideOf(this.pool).events.listeners(event)
  }

  eventNames(): AnyName[] {
    return insideOf(this.pool).events.eventNames()
  }

  setMaxListeners(count: number): this {
    insideOf(this.pool).events.setMaxListeners(count)
    return this
  }

  getMaxListeners(): number {
    return insideOf(this.pool).events.getMaxListeners()
  }

  /** Calls the listeners of an event; an `error` without a listener is dropped here too. */
  emit(event: AnyName, ...args: unknown[]): boolean {
    const { events } = insideOf(this.pool)
    return events.listenerCount(event) > 0 && Reflect.apply(events.emit, events, [event, ...args])
  }

  /**
   * As `close()`, with the reply of the command QUIT.
   * @deprecated use `close()`
   */
  async quit(callback?: never): Promise<string> {
    if (typeof callback === 'function') {
      throw new ArgumentError('quit() takes no callback: it returns a promise', { outcome: 'not-sent' })
    }
    await this.close()
    return 'OK'
  }

  /** @deprecated use `close()` */
  QUIT(callback?: never): Promise<string> {
    return this.quit(callback)
  }

  /**
   * As `destroy()`.
   * @deprecated use `destroy()`
   */
  async disconnect(): Promise<void> {
    this.destroy()
  }

  /** Nothing to do: no caller leaves anything behind on a shared connection, and a lease comes back clean. */
  async reset(): Promise<void> {}

  /** The same handle: commands go out at once, and none can overtake another. */
  asap(): this {
    return this
  }

  /** From now on open connections keep the process alive, as they do by default. */
  ref(): void {
    insideOf(this.pool).keepAlive(true)
  }

  /** From now on the process may end while connections are open; see the option `unref`. */
  unref(): void {
    insideOf(this.pool).keepAlive(false)
  }

  /** Not supported: throws. */
  legacy(): never {
    throw new ArgumentError('legacy() with callbacks is not supported: commands return promises', {
      outcome: 'not-sent',
    })
  }

  /** Connections that nobody uses, as node-redis's pool counts them; `pool.stats()` tells all. */
  get idleClients(): number {
    return this.pool.stats().connections.idle
  }

  /** Connections in use, shared ones included. */
  get clientsInUse(): number {
    const { shared, late, draining, leased } = this.pool.stats().connections
    return shared + late + draining + leased
  }

  /** All connections, those being made or ending included. */
  get totalClients(): number {
    return this.pool.stats().connections.total
  }

  /** Callers that wait for a connection. */
  get tasksQueueLength(): number {
    return this.pool.stats().waiting.total
  }

  /** Whether it was told to close and has not yet. */
  get isClosing(): boolean {
    return this.pool.stats().state === 'closing'
  }

  #listen<Name extends Event>(
    method: 'on' | 'once' | 'off' | 'prependListener' | 'prependOnceListener',
    event: Name,
    listener: Listener<Name>,
  ): this {
    if (method !== 'off' && EVENTS_OF_SUBSCRIPTIONS.test(String(event))) {
      const message = `${event} is no event of a handle: give subscribe() or pSubscribe() a listener`
      throw new ArgumentError(message, { outcome: 'not-sent' })
    }
    const { events } = insideOf(this.pool)
    Reflect.apply(events[method], events, [event, listener])
    return this
  }
}
