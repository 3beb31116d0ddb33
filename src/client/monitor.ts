// Owns a connection on which MONITOR was sent, and the next one after a loss. Knows nothing of other commands.
// https://redis.io/docs/latest/commands/monitor/

import { onAbort } from '../base/abort.js'
import { type ConnectionError, PoolClosedError, ReplyError } from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import { isMonitored } from '../connection/push.js'
import { Request } from '../connection/request.js'
import { closedError } from '../pool/endings.js'
import type { PoolLease } from '../pool/lease.js'
import type { Pool } from '../pool/pool.js'
import type { Listener } from '../pool/roster.js'
import type { Reply } from '../resp/types.js'
import { Comeback, type Returning } from './comeback.js'
import { ListeningWait } from './listening-wait.js'

const COMMAND = 'MONITOR'

export interface MonitorOptions {
  /** Called with each line. */
  readonly tell: (line: Buffer) => void
  /** Is told why it ended, once it had begun; not where its signal or the pool ended it. */
  readonly ended: (error: unknown) => void
  /** Longest time until it has begun, as of any command; 0 for none. */
  readonly timeout: number
  /** Ends it. */
  readonly signal: AbortSignal | undefined
}

/** Somebody waits until the server has begun for the first time. */
interface Start {
  readonly wait: ListeningWait
  resolve(): void
  reject(error: unknown): void
}

export class Monitor implements Listener, Returning {
  readonly #pool: Pool
  readonly #options: MonitorOptions
  readonly #comeback: Comeback
  #start: Start | undefined
  #lease: PoolLease | undefined
  #isOver = false
  #stopListening: (() => void) | undefined

  constructor(pool: Pool, options: MonitorOptions) {
    this.#pool = pool
    this.#options = options
    this.#comeback = new Comeback(pool, COMMAND, this)
  }

  /** Resolves once the server has begun; rejects when it does not. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { signal, timeout } = this.#options
      if (signal?.aborted) return reject(signal.reason)
      if (this.#pool.phase !== 'open') return reject(closedError())
      const wait = new ListeningWait({
        pool: this.#pool,
        label: COMMAND,
        command: COMMAND,
        timeout,
        signal: undefined,
        failed: (error) => this.#end(error),
      })
      this.#start = { wait, resolve, reject }
      if (signal !== undefined) this.#stopListening = onAbort(signal, () => this.#end(signal.reason))
      wait.sought()
      this.#comeback.seek()
    })
  }

  received(line: Reply): void {
    if (Buffer.isBuffer(line)) this.#options.tell(line)
  }

  /** What is executed until it has begun again is not told. */
  lost(cause: ConnectionError): void {
    this.#begin(cause)
  }

  recalled(): void {
    this.#begin(undefined)
  }

  #begin(cause: ConnectionError | undefined): void {
    const lease = this.#lease
    if (lease === undefined) return
    this.#lease = undefined
    lease.release()
    this.#start?.wait.lost(cause)
    if (!this.#isOver) this.#comeback.again(cause)
  }

  granted(lease: PoolLease): void {
    this.#lease = lease
    const begun = (): void => {
      this.#start?.wait.end()
      this.#start?.resolve()
      this.#start = undefined
    }
    const failed = (error: unknown): void => {
      // A lost connection is told to the listener, which begins again.
      if (error instanceof ReplyError) this.#fail(error)
      else if (this.#pool.phase !== 'open') this.#end(error)
    }
    lease.listen(this, isMonitored)
    if (lease.released) return
    lease.send(new Request([COMMAND], NO_KEY, begun, failed))
    this.#start?.wait.sent()
  }

  /** Who waits is told; what had begun is tried again, until the pool ends or the program gives up. */
  failed(error: unknown): void {
    if (error instanceof PoolClosedError || this.#start !== undefined) this.#end(error)
    else if (this.#pool.hasGivenUp) this.#fail(error)
    else this.#comeback.seek()
  }

  /** It ends by what nobody asked for. */
  #fail(error: unknown): void {
    if (this.#start === undefined) this.#options.ended(error)
    this.#end(error)
  }

  #end(reason: unknown): void {
    this.#isOver = true
    this.#stopListening?.()
    this.#comeback.stop()
    const lease = this.#lease
    this.#lease = undefined
    lease?.release()
    this.#start?.wait.end()
    this.#start?.reject(reason)
    this.#start = undefined
  }
}
