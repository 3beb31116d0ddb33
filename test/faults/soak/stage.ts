// Owns what a soak runs on: the server that is the primary at the moment, the ways to it, and the clients that live
// through all of it. Hurts nobody itself.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from '../../../src/index.js'
import { until } from '../../live/support-live.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { type RedisOptions, RedisProcess } from '../../support/redis-process.js'
import { respool, type Subject } from '../subject.js'

export const DEADLINE = 500
export const MAX_CONNECTIONS = 6
/** Lines of a proxy's log that are kept. */
const LOG_KEPT = 200
/** A script is called busy after this many milliseconds; the data set is loaded in small steps. */
const SERVER: RedisOptions = { config: { 'lua-time-limit': 20 } }

/** One client and the way that it alone goes. */
export interface Stand {
  readonly name: string
  readonly subject: Subject & { readonly redis: Redis }
  readonly proxy: FaultProxy
  readonly callers: number
  /** Replies may be lost, repeated or swapped here: the client proves each of them. */
  readonly proven: boolean
}

export class Stage implements AsyncDisposable {
  readonly stands: readonly Stand[]
  #server: RedisProcess

  private constructor(server: RedisProcess, stands: readonly Stand[]) {
    this.#server = server
    this.stands = stands
  }

  static async open(seed: number): Promise<Stage> {
    const server = await RedisProcess.start(SERVER)
    const plain = await FaultProxy.start({ port: server.port, seed })
    const proven = await FaultProxy.start({ port: server.port, seed: seed + 1 })
    return new Stage(server, [
      { name: 'plain', subject: clientOf(plain, 'off'), proxy: plain, callers: 24, proven: false },
      { name: 'proven', subject: clientOf(proven, 'command'), proxy: proven, callers: 8, proven: true },
    ])
  }

  get server(): RedisProcess {
    return this.#server
  }

  /** Hands everything over to another server without losing a write; the old one refuses them, and then ends. */
  async handOver(): Promise<void> {
    const old = this.#server
    const next = await RedisProcess.start(SERVER)
    await next.follow(old)
    await next.inSync()
    await until('the old one knows', async () => /online/.test((await old.info('replication')).slave0 ?? ''))
    await old.cli('FAILOVER', 'TO', '127.0.0.1', String(next.port), 'TIMEOUT', '5000')
    await until('the new one leads', async () => (await next.info('replication')).role === 'master')
    this.#server = next
    for (const { proxy } of this.stands) proxy.retarget(next.port)
    await sleep(100)
    await old.stop()
  }

  /** Leaves every way as it was found, and what lasts for hours short. */
  calm(): void {
    for (const { proxy } of this.stands) {
      proxy.latency(0, 0)
      proxy.rate(0)
      proxy.slice(0)
      proxy.release()
      proxy.log.splice(0, Math.max(0, proxy.log.length - LOG_KEPT))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { subject, proxy } of this.stands) {
      await subject.close()
      await proxy.stop()
    }
    await this.#server.stop()
  }
}

function clientOf({ url }: FaultProxy, integrity: 'off' | 'command') {
  return respool(url, {
    maxConnections: MAX_CONNECTIONS,
    connectTimeout: 1_000,
    commandTimeout: DEADLINE,
    socketTimeout: 1_000,
    acquireTimeout: 1_000,
    backoffMin: 10,
    backoffMax: 200,
    integrity,
  })
}
