// A tiny Redis in memory and in virtual time, behind the same Transport as a socket: it applies commands for real,
// keeps a log of what it applied in which order, and is slow, silent, unwilling or gone as a test says. Knows no pool.

import type { Clock } from '../../src/base/clock.js'
import type { Dialer } from '../../src/connection/transport.js'
import { ModelConnection } from './model-connection.js'
import { OK, type Wire } from './resp.js'

export { ModelConnection } from './model-connection.js'

/** One command that took effect. */
export interface Applied {
  readonly connection: number
  readonly args: readonly string[]
  readonly result: Wire
  readonly at: number
}

/**
 * What becomes of a dial. `silent`: it is accepted, and nothing is ever answered · `full`: it is told that there are too
 * many clients, and closed · `hang-up`: it is closed after `hangUpAfter`.
 */
export type Welcome = 'accept' | 'refuse' | 'blackhole' | 'silent' | 'full' | 'hang-up'

/** `ready`, or refusing: everything while the data set loads or a script runs, writes where it is read-only. */
export type Mood = 'ready' | 'loading' | 'busy' | 'readonly'

/** `requests`: what arrives is not read · `replies`: it is applied, and the answers are kept. */
export type Hold = 'nothing' | 'requests' | 'replies'

/** Sees what passes on the wire, in the order in which it does. */
export interface Witness {
  /** The client has handed over a whole command. */
  wrote(connection: ModelConnection, args: readonly string[]): void
  /** The client writes on a connection that it has ended, or that was ended under it. */
  wroteAfterEnd(connection: ModelConnection): void
  /** The server is about to run the command, or to queue it inside MULTI. */
  reached(connection: ModelConnection, args: readonly string[]): void
  /** It was run, and took effect unless the result is an error. */
  applied(connection: ModelConnection, args: readonly string[], result: Wire): void
  /** The last byte of the reply is about to be handed to the client. */
  delivered(connection: ModelConnection, args: readonly string[], result: Wire): void
}

const NOBODY: Witness = { wrote() {}, wroteAfterEnd() {}, reached() {}, applied() {}, delivered() {} }

const WRITES: ReadonlySet<string> = new Set(['SET', 'TAG', 'APPEND', 'INCR', 'DEL', 'RPUSH', 'LPOP', 'BLPOP'])

/** What a server that is not ready runs all the same. */
const ALWAYS: Readonly<Record<'loading' | 'busy', ReadonlySet<string>>> = {
  loading: new Set(['HELLO', 'SELECT', 'CLIENT', 'MULTI', 'EXEC', 'DISCARD', 'WATCH', 'UNWATCH']),
  busy: new Set(['HELLO', 'RESET', 'MULTI', 'EXEC', 'DISCARD', 'WATCH', 'UNWATCH']),
}

export class ModelServer {
  /** What took effect, in order, over all connections. */
  readonly applied: Applied[] = []
  /** Every connection ever dialed, in order. */
  readonly connections: ModelConnection[] = []
  /** When each dial began. */
  readonly dials: number[] = []
  /** Called at each dial, before its connection counts. */
  dialed: () => void = () => {}
  witness: Witness = NOBODY
  welcome: Welcome = 'accept'
  mood: Mood = 'ready'
  /**
   * Takes what only those who listen send, and gives its reply; without one it answers by what it pushes, or not at all.
   * Undefined for any other command.
   */
  listened: (connection: ModelConnection, args: readonly string[]) => { readonly reply?: Wire } | undefined = () =>
    undefined
  dialDelay = 1
  /** Milliseconds after which a connection that met `hang-up` is closed. */
  hangUpAfter = 1
  /** Milliseconds on the way to the server, for connections dialed from now on; answers take no time. */
  latency = 1
  /** An error for HELLO, such as `WRONGPASS no`. */
  helloError: string | undefined
  /** What CONFIG GET timeout says, in seconds. */
  timeout = 0
  /** What INFO clients says of others' connections and of maxclients; undefined where the user may not ask. */
  clients: { readonly max: number; readonly others: number } | undefined
  /** Whether what is on its way when a client closes is still applied. */
  appliesOrphans = true
  readonly clock: Clock
  readonly dial: Dialer = (events) => {
    this.dials.push(this.clock.now())
    this.dialed()
    const connection = new ModelConnection(this, events, this.connections.length + 1)
    this.connections.push(connection)
    this.#open++
    return connection
  }
  readonly #data = new Map<string, string | string[]>()
  readonly #versions = new Map<string, number>()
  readonly #blocked: ModelConnection[] = []
  #timers = 0
  #open = 0
  /** What was told to clients while they could not listen; undefined while they can. */
  #kept: (() => void)[] | undefined

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Timers of this server; the rest of a clock's are the pool's. */
  get pendingTimers(): number {
    return this.#timers
  }

  /** Connections that exist for the client, those being dialed included. */
  get open(): ModelConnection[] {
    return this.connections.filter((connection) => connection.state !== 'closed')
  }

  /** How many there are of these. */
  get openCount(): number {
    return this.#open
  }

  /** Commands applied to a key, of the given names. */
  appliedTo(key: string, ...names: string[]): Applied[] {
    return this.applied.filter(({ args }) => args[1] === key && names.includes(args[0] ?? ''))
  }

  later(ms: number, callback: () => void): { cancel(): void } {
    this.#timers++
    let pending = true
    const done = (): boolean => {
      if (pending) this.#timers--
      const was = pending
      pending = false
      return was
    }
    const timer = this.clock.setTimeout(() => {
      if (done()) callback()
    }, ms)
    return {
      cancel: () => {
        done()
        timer.cancel()
      },
    }
  }

  /** Tells a client something: now, or once its process goes on. */
  tell(event: () => void): void {
    if (this.#kept === undefined) event()
    else this.#kept.push(event)
  }

  /** The client's process stands still for so long; what reaches it meanwhile it sees after its own timers. */
  async pauseClient(ms: number, stall: (ms: number, arrive: () => void) => Promise<void>): Promise<void> {
    this.#kept = []
    await stall(ms, () => {
      const kept = this.#kept ?? []
      this.#kept = undefined
      for (const event of kept) event()
    })
  }

  /** Closes what has said nothing for as long as `timeout` allows. */
  closeIdle(): void {
    if (this.timeout === 0) return
    const before = this.clock.now() - this.timeout * 1_000
    for (const connection of this.open) if (connection.isQuiet && connection.heardAt < before) connection.cut('fin')
  }

  /** A connection does not exist for the client any more. */
  left(): void {
    this.#open--
  }

  log(connection: ModelConnection, args: readonly string[], result: Wire): void {
    this.applied.push({ connection: connection.id, args, result, at: this.clock.now() })
    this.witness.applied(connection, args, result)
  }

  /** Why a command is not run now. */
  refusal(name: string): Error | undefined {
    switch (this.mood) {
      case 'ready':
        return undefined
      case 'loading':
        return ALWAYS.loading.has(name) ? undefined : new Error('LOADING Redis is loading the dataset in memory')
      case 'busy':
        return ALWAYS.busy.has(name) ? undefined : new Error('BUSY Redis is busy running a script.')
      case 'readonly':
        return WRITES.has(name) ? new Error("READONLY You can't write against a read only replica.") : undefined
      default:
        return this.mood satisfies never
    }
  }

  version(key: string): number {
    return this.#versions.get(key) ?? 0
  }

  block(connection: ModelConnection): void {
    this.#blocked.push(connection)
  }

  unblock(connection: ModelConnection): boolean {
    const index = this.#blocked.indexOf(connection)
    if (index < 0) return false
    this.#blocked.splice(index, 1)
    return true
  }

  /** Runs a command that touches data; undefined when there is no such command. */
  touch(database: number, args: readonly string[]): Wire | undefined {
    const [name = '', bare = '', value = ''] = args
    const key = `${database}:${bare}`
    const found = this.#data.get(key)
    switch (name) {
      case 'GET':
        return Array.isArray(found) ? WRONGTYPE : (found ?? null)
      case 'SET':
        this.#store(key, value)
        return OK
      case 'TAG':
        // A write whose answer names it.
        this.#store(key, value)
        return value
      case 'APPEND':
        if (Array.isArray(found)) return WRONGTYPE
        this.#store(key, (found ?? '') + value)
        return (found ?? '').length + value.length
      case 'INCR':
        return this.#increment(key, found)
      case 'DEL':
        this.#store(key, undefined)
        return found === undefined ? 0 : 1
      case 'RPUSH':
        return this.#push(key, found, args.slice(2))
      case 'LPOP':
        return Array.isArray(found) ? (this.pop(key) ?? null) : found === undefined ? null : WRONGTYPE
      default:
        return undefined
    }
  }

  pop(key: string): string | undefined {
    const list = this.#data.get(key)
    if (!Array.isArray(list)) return undefined
    const first = list.shift()
    this.#store(key, list.length > 0 ? list : undefined)
    return first
  }

  #increment(key: string, found: string | string[] | undefined): Wire {
    const next = Number(found ?? 0) + 1
    if (!Number.isInteger(next)) return new Error('ERR value is not an integer or out of range')
    this.#store(key, String(next))
    return next
  }

  #push(key: string, found: string | string[] | undefined, values: readonly string[]): Wire {
    if (typeof found === 'string') return WRONGTYPE
    const list = [...(found ?? []), ...values]
    this.#store(key, list)
    for (const connection of [...this.#blocked]) connection.offer(key)
    return list.length
  }

  #store(key: string, value: string | string[] | undefined): void {
    this.#versions.set(key, this.version(key) + 1)
    if (value === undefined) this.#data.delete(key)
    else this.#data.set(key, value)
  }
}

const WRONGTYPE = new Error('WRONGTYPE Operation against a key holding the wrong kind of value')
