// Owns two servers, one of which follows the other, and how they change places without losing a write that was
// acknowledged. Knows no client and judges nothing.

import { pause, until } from '../live/support-live.js'
import { type RedisOptions, RedisProcess } from '../support/redis-process.js'

/** Longer than any change of places takes, in ms. */
const PAUSE = '5000'

/** How the two change places. */
export interface Change {
  /** New connections lead to the new primary from now on. */
  lead(next: RedisProcess): void
  /** Milliseconds for which they still lead to the old one when that one refuses writes already. */
  readonly late?: number
  /** Makes the old primary another thing than a replica of the new one. */
  demote?(old: RedisProcess): Promise<void>
}

export class Couple implements AsyncDisposable {
  primary: RedisProcess
  replica: RedisProcess

  private constructor(primary: RedisProcess, replica: RedisProcess) {
    this.primary = primary
    this.replica = replica
  }

  static async start(config: RedisOptions['config'] = {}): Promise<Couple> {
    const primary = await RedisProcess.start({ config })
    try {
      const couple = new Couple(primary, await RedisProcess.start({ config, replicaOf: primary }))
      await couple.#inTouch()
      return couple
    } catch (error) {
      await primary.stop()
      throw error
    }
  }

  /**
   * The old primary keeps writes waiting until the other has all that came before, and then, demoted, refuses them.
   * `refusing` is told at that moment, before the first refusal.
   */
  async change({ lead, late = 0, demote }: Change, refusing: () => void = () => {}): Promise<void> {
    const [old, next] = [this.primary, this.replica]
    await old.cli('CLIENT', 'PAUSE', PAUSE, 'WRITE')
    await until('the replica has every write', async () => (await offset(next)) === (await offset(old)))
    await next.follow(undefined)
    if (late === 0) lead(next)
    await (demote === undefined ? old.follow(next) : demote(old))
    refusing()
    await old.cli('CLIENT', 'UNPAUSE')
    if (late > 0) {
      await pause(late)
      lead(next)
    }
    this.primary = next
    this.replica = old
  }

  /** The replica follows the primary, and has its data. */
  async reunite(): Promise<void> {
    await this.replica.follow(this.primary)
    await this.#inTouch()
  }

  /** After a copy of everything a primary keeps what is new until it hears from its replica, up to a second later. */
  async #inTouch(): Promise<void> {
    await this.replica.inSync()
    await this.primary.cli('PUBLISH', 'couple', 'in touch?')
    const since = Number(await offset(this.primary))
    await until('the replica gets what is new', async () => Number(await offset(this.replica)) >= since)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.primary.stop(), this.replica.stop()])
  }
}

async function offset(server: RedisProcess): Promise<string> {
  const { role, master_repl_offset: own = '', slave_repl_offset: read = '' } = await server.info('replication')
  return role === 'master' ? own : read
}
