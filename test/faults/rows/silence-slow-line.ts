// Row B8: far more is written than the line to the server can carry. Runs in a process whose garbage can be collected,
// so that what is buffered shows in its memory.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type Outcome as Fate, PoolFullError, type Redis, RespoolError } from '../../../src/index.js'
import { pause, until } from '../../live/support-live.js'
import { PacedLine } from '../../support/paced-line.js'
import { RedisProcess } from '../../support/redis-process.js'
import { usedBuffers } from '../memory.js'
import { recovery, within } from '../recovery.js'
import type { Context, Outcome } from '../row.js'
import { respool } from '../subject.js'
import { inTrouble, planOf } from '../trouble.js'
import { SETTINGS } from './settings.js'
import { GIVEN_UP } from './silence-support.js'

/** Bytes a second, on each connection. */
const RATE = 10 * 1_024
const MEGABYTE = 2 ** 20
const WRITES = 50 * MEGABYTE
const VALUE = 'x'.repeat(8 * 1_024)
/** Half of the writes are called at once, the others in so many portions. */
const PORTIONS = 200
/** Milliseconds between two of them. */
const EVERY = 100
/** Portions between two looks at the memory: collecting the garbage for it takes time as well. */
const LOOK_EVERY = 10
/** What the client may keep of each connection's bytes, and what else there is to allow for. */
const BUFFERED = SETTINGS.maxConnections * 256 * 1_024 + MEGABYTE
const LOOP_DELAY = 50

export async function slowLine(context: Context): Promise<Outcome> {
  await using server = await RedisProcess.start()
  await using line = await PacedLine.start({ port: server.port, seed: context.seed })
  const subject = respool(line.url, { ...SETTINGS, maxWaiting: 1_000 })
  const delays = monitorEventLoopDelay({ resolution: 1 })
  return await inTrouble(subject, server.port, planOf(context, SETTINGS.commandTimeout), async ({ history }) => {
    await until('calls succeed', () => history.succeeded > 1_000)
    const flood = new Flood(subject.redis)
    line.rate(RATE)
    const before = await usedBuffers()
    delays.enable()
    flood.write(WRITES / 2)
    let most = 0
    for (let portion = 0; portion < PORTIONS; portion++) {
      await pause(EVERY)
      if (portion % LOOK_EVERY === 0) most = Math.max(most, (await usedBuffers()) - before)
      flood.write(WRITES / 2 / PORTIONS)
    }
    delays.disable()
    line.rate(0)
    const recovered = await recovery(subject, GIVEN_UP)
    await flood.over()
    const applied = Number(await server.cli('EXISTS', ...flood.unsent))
    const mb = (bytes: number): number => bytes / MEGABYTE
    return {
      faults: 1,
      recovery: [recovered],
      checks: () => [
        { what: 'written', value: mb(flood.bytes), is: 'at least', limit: mb(WRITES), unit: 'MB' },
        { what: 'buffered, most', value: mb(most), is: 'at most', limit: mb(BUFFERED), unit: 'MB' },
        { what: 'refused because too many waited', value: flood.refused, is: 'at least', limit: 1 },
        { what: 'called not sent, and there all the same', value: applied, is: 'exactly', limit: 0 },
        within(context, 'delay of the event loop, p99', delays.percentile(99) / 1e6, LOOP_DELAY),
      ],
    }
  })
}

/** Writes that nobody waits for, all of the same value, so that only what is buffered costs memory. */
class Flood {
  bytes = 0
  refused = 0
  readonly unsent: string[] = []
  readonly #redis: Redis
  readonly #calls: Promise<void>[] = []

  constructor(redis: Redis) {
    this.#redis = redis
  }

  write(bytes: number): void {
    for (const end = this.bytes + bytes; this.bytes < end; this.bytes += VALUE.length) {
      const key = `flood:${this.#calls.length}`
      const call = this.#redis.set(key, VALUE).then(
        () => {},
        (error: unknown) => this.#fail(key, error),
      )
      this.#calls.push(call)
    }
  }

  async over(): Promise<void> {
    await Promise.all(this.#calls)
  }

  #fail(key: string, error: unknown): void {
    if (error instanceof PoolFullError) this.refused++
    const fate: Fate | undefined = error instanceof RespoolError ? error.outcome : undefined
    if (fate === 'not-sent') this.unsent.push(key)
  }
}
