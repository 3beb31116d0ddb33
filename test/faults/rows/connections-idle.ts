// Row A8: the server closes connections that are idle for a second, while pools are busy and idle by turns.

import { pause } from '../../live/support-live.js'
import { between, seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import type { Check, Context, Outcome } from '../row.js'
import { respool } from '../subject.js'
import { sumOf } from '../verdict.js'
import { type Report, startWorkload } from '../workload.js'
import { atLeast, atMost, endedConnections, exactly, failedCalls } from './figures.js'
import { SETTINGS } from './settings.js'

const OPERATIONS = 2_000
const DURATION = 60_000
/** Shorter and longer than what the server allows, in ms. */
const IDLE = { least: 500, most: 3_000 } as const
const PING_INTERVAL = 500
/** Of the calls of a pool that cannot know when the server closes its connections, this share may fail. */
const UNLUCKY = 0.001

/** One pool, and how it comes to know what the server does. */
interface Way {
  readonly name: string
  readonly user: string
  readonly pingInterval: number
}

const WAYS: readonly Way[] = [
  { name: 'that pings', user: 'blind', pingInterval: PING_INTERVAL },
  { name: 'that reads the setting', user: 'default', pingInterval: 0 },
  { name: 'that does neither', user: 'blind', pingInterval: 0 },
]

export async function idleCloses(context: Context): Promise<Outcome> {
  await using server = await RedisProcess.start({ config: { timeout: 1 } })
  await server.cli('ACL', 'SETUSER', 'blind', 'on', '>blind', 'allkeys', '+@all', '-config')
  const lives = await Promise.all(WAYS.map((way, index) => live(server, way, context.seed * 10 + index)))
  const reports = lives.flatMap((life) => life.reports)
  return {
    operations: reports.reduce((sum, { operations }) => sum + operations, 0),
    faults: lives.reduce((sum, { pauses }) => sum + pauses, 0),
    verdict: sumOf(reports.map(({ verdict }) => verdict)),
    examples: reports.flatMap(({ examples }) => examples),
    checks: lives.flatMap(checksOf),
  }
}

interface Life {
  readonly way: Way
  readonly reports: readonly Report[]
  /** Times of idleness that were longer than the server allows. */
  readonly pauses: number
  readonly closedByServer: number
  readonly ended: number
}

async function live(server: RedisProcess, way: Way, seed: number): Promise<Life> {
  const random = seeded(seed)
  const { user, pingInterval } = way
  const login = user === 'default' ? {} : { username: user, password: user }
  const subject = respool(server.url, { ...SETTINGS, ...login, pingInterval })
  const reports: Report[] = []
  let pauses = 0
  try {
    for (const end = performance.now() + DURATION; performance.now() < end; ) {
      const plan = { operations: OPERATIONS, seed, deadline: SETTINGS.commandTimeout, callers: 8 }
      reports.push(
        await startWorkload(subject, server.port, { ...plan, prefix: `${way.name} ${reports.length}` }).report,
      )
      const idle = between(random, IDLE.least, IDLE.most)
      if (idle > 1_200) pauses++
      await pause(idle)
    }
    const stats = subject.redis.pool.stats()
    const closedByServer = stats.counters.closed['server-closed'] ?? 0
    return { way, reports, pauses, closedByServer, ended: endedConnections(stats) }
  } finally {
    await subject.close()
  }
}

function checksOf({ way, reports, pauses, closedByServer }: Life): readonly Check[] {
  const calls = reports.reduce((sum, { operations }) => sum + operations, 0)
  const failed = reports.reduce((sum, { history }) => sum + failedCalls(history), 0)
  const pool = `a pool ${way.name}`
  const isBlind = way.user !== 'default' && way.pingInterval === 0
  return [
    atLeast(`times for which ${pool} was idle for longer than a second`, pauses, 5),
    isBlind
      ? atMost(`calls of ${pool} that failed`, failed, Math.floor(calls * UNLUCKY))
      : exactly(`calls of ${pool} that failed`, failed, 0),
    isBlind
      ? atLeast(`connections of ${pool} that the server closed`, closedByServer, 1)
      : exactly(`connections of ${pool} that the server closed`, closedByServer, 0),
  ]
}
