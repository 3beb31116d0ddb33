// Row B9: CLIENT PAUSE makes the server keep commands back for a while. A pause that is shorter than `socketTimeout` is
// none of the pool's business.

import { CommandTimeoutError, type Redis } from '../../../src/index.js'
import { pause } from '../../live/support-live.js'
import { RedisProcess } from '../../support/redis-process.js'
import { within } from '../recovery.js'
import type { Context, Outcome } from '../row.js'
import { respool } from '../subject.js'
import { inTrouble, planOf } from '../trouble.js'
import { failedCalls } from './figures.js'
import { SETTINGS } from './settings.js'
import { CALM } from './silence-support.js'

const PAUSE = 800
const MODES = ['ALL', 'WRITE'] as const
/** From the beginning of a pause to the reply of a SET that was called in it, in ms. */
const DONE_WITHIN = 900
/** It looks a hundred times a second whether a pause is over; ten times would be all that there is to measure. */
const PUNCTUAL = { hz: 100 }
/** Keys that are written in each pause, so that all lanes share in them. */
const KEYS = 16
/** There is time for a whole pause, and there is not. */
const PATIENT = { ...SETTINGS, commandTimeout: SETTINGS.acquireTimeout }
const IMPATIENT = { ...SETTINGS, commandTimeout: 200 }

export async function pausedServer(context: Context): Promise<Outcome> {
  const rounds = context.scale(1, 10)
  await using server = await RedisProcess.start({ config: PUNCTUAL })
  const patient = respool(server.url, PATIENT)
  const impatient = respool(server.url, IMPATIENT)
  const writes: number[] = []
  let timeouts = 0
  try {
    return await inTrouble(patient, server.port, planOf(context, PATIENT.commandTimeout), async () => {
      for (let round = 0; round < rounds; round++) {
        for (const mode of MODES) {
          await pause(CALM)
          await server.cli('CLIENT', 'PAUSE', String(PAUSE), mode)
          const late = sets(impatient.redis)
          writes.push(...(await sets(patient.redis)).map(({ took }) => took))
          timeouts += (await late).filter(({ error }) => error instanceof CommandTimeoutError).length
        }
      }
      return {
        faults: rounds * MODES.length,
        recovery: [],
        checks: ({ history }) => [
          within(context, 'a SET that was called in a pause, longest', Math.max(...writes), DONE_WITHIN),
          // Commands were kept back indeed.
          { what: 'the shortest of these', value: Math.min(...writes), is: 'at least', limit: PAUSE - 50, unit: 'ms' },
          { what: 'calls that failed, with time for it', value: failedCalls(history), is: 'exactly', limit: 0 },
          {
            what: 'calls that timed out, without',
            value: timeouts,
            is: 'exactly',
            limit: rounds * MODES.length * KEYS,
          },
          { what: 'connections ended', value: ended(patient.redis) + ended(impatient.redis), is: 'exactly', limit: 0 },
        ],
      }
    })
  } finally {
    await impatient.close()
  }
}

interface Write {
  /** Milliseconds. */
  readonly took: number
  readonly error?: unknown
}

async function sets(redis: Redis): Promise<readonly Write[]> {
  const started = performance.now()
  const since = (): number => performance.now() - started
  const set = async (_: unknown, key: number): Promise<Write> =>
    await redis.set(`paused:${key}`, 'x').then(
      () => ({ took: since() }),
      (error: unknown) => ({ took: since(), error }),
    )
  return await Promise.all(Array.from({ length: KEYS }, set))
}

/** For whatever reason, those included that never were ready. */
function ended({ pool }: Redis): number {
  return Object.values(pool.stats().counters.closed).reduce((sum, count) => sum + count, 0)
}
