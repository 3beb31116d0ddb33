// Owns what is told through node:diagnostics_channel: names, fields, and that nothing is made while nobody listens.
// Field names are those of node-redis where it has the same. No key, no argument of a command is ever told.

import { type Channel, channel, type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import type { CloseReason } from '../base/errors.js'
import { shownName } from '../command/names.js'
import type { Connection } from '../connection/connection.js'
import type { ConnectionEnd } from '../pool/contract.js'
import type { HolderStats } from '../pool/stats.js'

/** Whose news it is; part of every message. */
export interface TracedPool {
  /** One for each pool of the process. */
  readonly clientId: string
  /** The option `name`, else the address. */
  readonly poolName: string
  /** Host, or path of a unix socket. */
  readonly serverAddress: string
  /** undefined for a unix socket. */
  readonly serverPort: number | undefined
}

/** `respool:command`. A traced call's end adds `result`, its reply, or `error`, as every TracingChannel does. */
export interface CommandTrace extends TracedPool {
  /** Name in capitals. */
  readonly command: string
  /** The name, and `?` for each argument. */
  readonly args: readonly string[]
  readonly database: number
  /** The server's id of the connection, known where the command is sent on a lease. */
  readonly connectionId?: number
}

/** `respool:batch`. Its commands are not told one by one. */
export interface BatchTrace extends TracedPool {
  readonly batchMode: 'MULTI' | 'PIPELINE'
  readonly batchSize: number
  /** Names of its commands in their order. */
  readonly commands: readonly string[]
  readonly database: number
  readonly connectionId?: number
}

/** `respool:connect`: from the dial to the end of the handshake. */
export interface ConnectTrace extends TracedPool {
  /** The server's id of the connection, once it is ready. */
  connectionId?: number
}

/** `respool:acquire`: a caller's wait for a lease. `result` is not told: it is the lease. */
export interface AcquireTrace extends TracedPool {
  /** What the caller named the lease. */
  readonly label: string
  connectionId?: number
  /** How long it took, in ms, once it has ended. */
  waitMs?: number
}

/** `respool:connection:ready`. */
export interface ConnectionReadyMessage extends TracedPool {
  readonly connectionId: number
  /** From the dial, in ms. */
  readonly createTimeMs: number
}

/** `respool:connection:closed`: every end, that of a dial which was never ready included. */
export interface ConnectionClosedMessage extends TracedPool {
  /** 0 when it was never ready. */
  readonly connectionId: number
  readonly reason: CloseReason
  readonly wasConnected: boolean
  readonly error: Error
}

/** `respool:pool:release`: nobody holds the connection any more: a lease, or a command that took a whole connection. */
export interface ReleaseMessage extends TracedPool {
  readonly connectionId: number
  readonly useTimeMs: number
}

/** `respool:pool:leak`: a lease is held for longer than `leakThreshold`. */
export interface LeakMessage extends TracedPool {
  readonly holder: HolderStats
}

// Held here: a channel that nobody refers to is collected, and its subscribers with it.
const commands: TracingChannel<unknown, CommandTrace> = tracingChannel('respool:command')
const batches: TracingChannel<unknown, BatchTrace> = tracingChannel('respool:batch')
const connects: TracingChannel<unknown, ConnectTrace> = tracingChannel('respool:connect')
const acquires: TracingChannel<unknown, AcquireTrace> = tracingChannel('respool:acquire')
const readyChannel = channel('respool:connection:ready')
const closedChannel = channel('respool:connection:closed')
const releaseChannel = channel('respool:pool:release')
const leakChannel = channel('respool:pool:leak')

/** What is sent, as far as it is told. */
interface Sent {
  readonly args: readonly unknown[]
}

interface Dial {
  readonly trace: ConnectTrace
  readonly settle: (error: unknown) => void
}

/** The channels of a trace. */
type Followed = Readonly<
  Record<'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error', { readonly hasSubscribers: boolean }>
>

let pools = 0

/** Tells of one pool. */
export class PoolTracing {
  readonly #pool: TracedPool
  readonly #database: number
  readonly #dials = new WeakMap<Connection, Dial>()

  constructor(pool: Omit<TracedPool, 'clientId'>, database: number) {
    const { serverAddress, serverPort } = pool
    const at = serverPort === undefined ? serverAddress : `${serverAddress}:${serverPort}`
    this.#pool = { clientId: `${at}/${database}-${++pools}`, ...pool }
    this.#database = database
  }

  get clientId(): string {
    return this.#pool.clientId
  }

  /** Whether a command is to be sent through `command()`. Asked for each: it must cost nothing. */
  get followsCommands(): boolean {
    return isFollowed(commands)
  }

  command<T>({ args }: Sent, connectionId: number | undefined, send: () => Promise<T>): Promise<T> {
    const command = shownName(args[0])
    const shown = [command]
    for (let index = 1; index < args.length; index++) shown.push('?')
    const { clientId, poolName, serverAddress, serverPort } = this.#pool
    const database = this.#database
    // Field by field: spread, it would take longer than all the rest of a trace.
    const trace: CommandTrace =
      connectionId === undefined
        ? { clientId, poolName, serverAddress, serverPort, command, args: shown, database }
        : { clientId, poolName, serverAddress, serverPort, command, args: shown, database, connectionId }
    return commands.tracePromise(send, trace)
  }

  batch<T>(
    batchMode: BatchTrace['batchMode'],
    sent: readonly Sent[],
    connectionId: number | undefined,
    send: () => Promise<T>,
  ): Promise<T> {
    // An empty one sends nothing.
    if (sent.length === 0 || !isFollowed(batches)) return send()
    const names = sent.map(({ args }) => shownName(args[0]))
    const size = { batchMode, batchSize: sent.length, commands: names }
    return batches.tracePromise(send, { ...this.#pool, ...size, database: this.#database, ...at(connectionId) })
  }

  acquire<T extends { readonly connectionId: number }>(label = 'lease', take: () => Promise<T>): Promise<T> {
    if (!isFollowed(acquires)) return take()
    const trace: AcquireTrace = { ...this.#pool, label }
    const since = performance.now()
    const ended = (): void => {
      trace.waitMs = performance.now() - since
    }
    let lease: T | undefined
    const wait = async (): Promise<void> => {
      try {
        lease = await take()
        trace.connectionId = lease.connectionId
      } finally {
        ended()
      }
    }
    return acquires.tracePromise(wait, trace).then(() => {
      if (lease === undefined) throw new TypeError('a lease was granted and is not there')
      return lease
    })
  }

  /** A dial has begun. */
  dialed(connection: Connection): void {
    if (!isFollowed(connects)) return
    const trace: ConnectTrace = { ...this.#pool }
    const ended = new Promise<void>((resolve, reject) => {
      const settle = (error: unknown): void => (error === undefined ? resolve() : reject(error))
      this.#dials.set(connection, { trace, settle })
    })
    // Whoever waits for the dial is told of its failure by the pool.
    connects.tracePromise(() => ended, trace).catch(() => {})
  }

  ready(connection: Connection, createTimeMs: number): void {
    const connectionId = connection.id
    const dial = this.#dials.get(connection)
    if (dial !== undefined) {
      dial.trace.connectionId = connectionId
      dial.settle(undefined)
    }
    tell<ConnectionReadyMessage>(readyChannel, () => ({ ...this.#pool, connectionId, createTimeMs }))
  }

  ended(connection: Connection, { reason, error, wasReady, heldFor }: ConnectionEnd): void {
    this.#dials.get(connection)?.settle(error)
    this.released(connection, heldFor)
    const { id: connectionId } = connection
    const end = { connectionId, reason, wasConnected: wasReady, error }
    tell<ConnectionClosedMessage>(closedChannel, () => ({ ...this.#pool, ...end }))
  }

  released({ id: connectionId }: Connection, useTimeMs: number | undefined): void {
    if (useTimeMs === undefined) return
    tell<ReleaseMessage>(releaseChannel, () => ({ ...this.#pool, connectionId, useTimeMs }))
  }

  leaked(holder: HolderStats): void {
    tell<LeakMessage>(leakChannel, () => ({ ...this.#pool, holder }))
  }
}

/** Asks the channels themselves: not every runtime has `hasSubscribers` on a TracingChannel. */
function isFollowed({ start, end, asyncStart, asyncEnd, error }: Followed): boolean {
  if (start.hasSubscribers || asyncEnd.hasSubscribers || error.hasSubscribers) return true
  return end.hasSubscribers || asyncStart.hasSubscribers
}

function tell<Message>(told: Channel, make: () => Message): void {
  if (told.hasSubscribers) told.publish(make())
}

const at = (connectionId: number | undefined): { readonly connectionId?: number } =>
  connectionId === undefined ? {} : { connectionId }
