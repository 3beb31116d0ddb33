// Owns a connection on which MONITOR was sent, and the next one after a loss. Knows nothing of other commands.
// https://redis.io/docs/latest/commands/monitor/

import { onAbort } from '../base/abort.js'
import { PoolClosedError, ReplyError } from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import { isMonitored } from '../connection/push.js'
import { Request } from '../connection/request.js'
import { closedError } from '../pool/endings.js'
import type { PoolLease } from '../pool/lease.js'
import type { Pool } from '../pool/pool.js'
import type { Listener } from '../pool/roster.js'
import type { Reply } from '../resp/types.js'

export interface MonitorOptions {
  /** Called with each line. */
  readonly tell: (line: Buffer) => void
  /** Ends it. */
  readonly signal: AbortSignal | undefined
}

export class Monitor implements Listener {
  readonly #pool: Pool
  readonly #tell: (line: Buffer) => void
  readonly #signal: AbortSignal | undefined
  /** Until the server has begun for the first time. */
  #waiting: { resolve(): void; reject(error: unknown): void } | undefined
  #lease: PoolLease | undefined
  #isOver = false
  #stopListening: (() => void) | undefined

  constructor(pool: Pool, { tell, signal }: MonitorOptions) {
    this.#pool = pool
    this.#tell = tell
    this.#signal = signal
  }

  /** Resolves once the server has begun; rejects when it does not. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const signal = this.#signal
      if (signal?.aborted) return reject(signal.reason)
      this.#waiting = { resolve, reject }
      if (signal !== undefined) this.#stopListening = onAbort(signal, () => this.#end(signal.reason))
      void this.#open()
    })
  }

  received(line: Reply): void {
    if (Buffer.isBuffer(line)) this.#tell(line)
  }

  /** What is executed until it has begun again is not told. */
  lost(): void {
    this.#lease = undefined
    void this.#open()
  }

  recalled(): void {
    this.#lease?.release()
    this.lost()
  }

  async #open(): Promise<void> {
    while (!this.#isOver) {
      const timeout = this.#waiting === undefined ? Number.POSITIVE_INFINITY : undefined
      try {
        const lease = await this.#pool.acquire({ label: 'MONITOR', kind: 'stream', timeout, signal: this.#signal })
        this.#listen(lease)
        return
      } catch (error) {
        if (this.#waiting !== undefined || error instanceof PoolClosedError) this.#end(error)
      }
    }
  }

  #listen(lease: PoolLease): void {
    this.#lease = lease
    // It was granted to who came before the end.
    if (this.#isOver || this.#pool.phase !== 'open') {
      this.#end(closedError())
      return
    }
    const begun = (): void => {
      this.#waiting?.resolve()
      this.#waiting = undefined
    }
    const failed = (error: unknown): void => {
      // A lost connection is told to the listener, which begins again.
      if (error instanceof ReplyError || this.#pool.phase !== 'open') this.#end(error)
    }
    lease.listen(this, isMonitored)
    if (lease.released) return
    lease.send(new Request(['MONITOR'], NO_KEY, begun, failed))
  }

  #end(reason: unknown): void {
    this.#isOver = true
    this.#stopListening?.()
    const lease = this.#lease
    this.#lease = undefined
    lease?.release()
    this.#waiting?.reject(reason)
    this.#waiting = undefined
  }
}
