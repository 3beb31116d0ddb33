// Row C4: the server reads and does not write: its memory is full, it cannot save, or its replicas are gone.

import { mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from '../../../src/index.js'
import { until } from '../../live/support-live.js'
import { RedisProcess } from '../../support/redis-process.js'
import type { History } from '../history.js'
import { recovery, recoveryCheck } from '../recovery.js'
import type { Context, Outcome } from '../row.js'
import { respool } from '../subject.js'
import { inTrouble, planOf } from '../trouble.js'
import { atLeast, endedConnections, errorCount, exactly, failedCalls, succeedsAgain } from './figures.js'
import { SETTINGS } from './settings.js'

/** Calls that each kind has to refuse. */
const REFUSED = 1_000
/** As after anything that ends no connection. */
const RECOVERS_WITHIN = 50
const GIVEN_UP = 5_000
const READS: ReadonlySet<string> = new Set(['echo', 'get'])

/** A state in which the server refuses writes. */
interface Condition {
  /** What its refusals begin with. */
  readonly kind: 'OOM' | 'MISCONF' | 'NOREPLICAS'
  begin(server: RedisProcess): Promise<void>
  end(server: RedisProcess): Promise<void>
}

const CONDITIONS: readonly Condition[] = [
  {
    kind: 'OOM',
    begin: (server) => server.configSet({ maxmemory: 1 }),
    end: (server) => server.configSet({ maxmemory: 0 }),
  },
  {
    kind: 'MISCONF',
    async begin(server) {
      // Where the data are to be saved there is a folder.
      mkdirSync(join(server.dir, 'dump.rdb'))
      await server.configSet({ save: '3600 1000000' })
      await server.cli('BGSAVE')
      const failed = async () => (await server.info('persistence')).rdb_last_bgsave_status === 'err'
      await until('the server could not save', failed)
    },
    async end(server) {
      await server.configSet({ save: '' })
      rmdirSync(join(server.dir, 'dump.rdb'))
    },
  },
  {
    kind: 'NOREPLICAS',
    begin: (server) => server.configSet({ 'min-replicas-to-write': 1 }),
    end: (server) => server.configSet({ 'min-replicas-to-write': 0 }),
  },
]

export async function refusedWrites(context: Context): Promise<Outcome> {
  await using server = await RedisProcess.start()
  const subject = respool(server.url, SETTINGS)
  const { pool } = subject.redis
  return await inTrouble(subject, server.port, planOf(context, SETTINGS.commandTimeout), async ({ history }) => {
    const refused: number[] = []
    const recoveries: number[] = []
    let newcomers = 0
    for (let round = context.scale(1, 5); round > 0; round--) {
      for (const condition of CONDITIONS) {
        await until('calls succeed', succeedsAgain(history))
        const found = await under(condition, server, history)
        refused.push(found.refused)
        newcomers += found.newcomers
        recoveries.push(await recovery(subject, GIVEN_UP))
      }
    }
    return {
      faults: refused.length,
      recovery: recoveries,
      checks: () => [
        atLeast('calls that each state refused, fewest', Math.min(...refused), REFUSED),
        exactly('calls that failed in another way', failedCalls(history) - history.failed.rejected, 0),
        exactly('reads that failed', failedReads(history), 0),
        exactly('new clients that could read meanwhile', newcomers, refused.length),
        exactly('connections that ended', endedConnections(pool.stats()), 0),
        recoveryCheck(context, recoveries, RECOVERS_WITHIN),
      ],
    }
  })
}

interface Found {
  readonly refused: number
  readonly newcomers: number
}

/** Calls that were refused with the words of this state, and no others. */
async function under({ kind, begin, end }: Condition, server: RedisProcess, history: History): Promise<Found> {
  await begin(server)
  try {
    const [before, told] = [history.failed.rejected, await errorCount(server, kind)]
    const enough = () => history.failed.rejected - before >= REFUSED
    const [newcomers] = await Promise.all([reads(server.url), until(`${REFUSED} calls are refused`, enough)])
    const refused = history.failed.rejected - before
    // A transaction is refused more than once, and no call less often than once.
    return { refused: Math.min(refused, (await errorCount(server, kind)) - told), newcomers }
  } finally {
    await end(server)
  }
}

/** Gives 1 when a client that comes now is served. */
async function reads(url: string): Promise<number> {
  const redis = new Redis(url, SETTINGS)
  try {
    await redis.get('w:value:0')
    return 1
  } catch {
    return 0
  } finally {
    redis.destroy()
  }
}

function failedReads({ entries }: History): number {
  return entries.filter(({ kind, state }) => READS.has(kind) && state !== 'ok').length
}
