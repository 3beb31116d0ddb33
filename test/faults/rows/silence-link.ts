// Row B2: a real link goes down and up. Packets are lost without a word, and later the kernels go on where they were.

import { Redis } from '../../../src/index.js'
import { pause, until } from '../../live/support-live.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { HalfOpenServer, halfOpenSkip } from '../../support/half-open.js'
import { type Entry, uniqueValue } from '../history.js'
import { recovery, within } from '../recovery.js'
import type { Context, Outcome } from '../row.js'
import { respool } from '../subject.js'
import { inTrouble, planOf } from '../trouble.js'
import { SETTINGS } from './settings.js'
import { CALM, detectionCheck, GIVEN_UP, LANES, RECOVERS_WITHIN, SLACK, StallWatch } from './silence-support.js'

const { socketTimeout, commandTimeout, connectTimeout } = SETTINGS
const DOWN = 22_000
const PING_INTERVAL = 500
/** What is on its way when the link goes down arrives. */
const ON_ITS_WAY = 50
/** The kernels send again what was not acknowledged, after pauses that double: 25 s after the first time is the next. */
const LATE_BYTES = 5_000

/** A busy pool, and one whose connection nobody uses but its own pings. */
export async function halfOpenLink(context: Context): Promise<Outcome> {
  const obstacle = halfOpenSkip()
  if (obstacle !== false) throw new Error(`this row cannot run here: ${obstacle}`)
  const { seed } = context
  await using server = await HalfOpenServer.start()
  // For the witness alone, who knows no other hosts than this one.
  await using door = await FaultProxy.start({ host: server.host, port: server.port, seed })
  const subject = respool(server.url, SETTINGS)
  const idle = new Redis(server.url, { ...SETTINGS, pingInterval: PING_INTERVAL })
  const stalls = new StallWatch(subject.redis)
  const idleStalls = new StallWatch(idle)
  try {
    await idle.connect()
    return await inTrouble(subject, door.port, planOf(context, commandTimeout), async ({ history }) => {
      await until('calls succeed', () => history.succeeded > 1_000)
      await pause(CALM + PING_INTERVAL)
      await server.down()
      const since = performance.now()
      await pause(DOWN)
      const detection = stalls.detection(since, LANES)
      const idleDetection = idleStalls.detection(since, 1)
      const applied = new Set(await appended(server))
      const up = performance.now()
      await server.up()
      const recovered = await recovery(subject, GIVEN_UP)
      await pause(LATE_BYTES)
      return {
        faults: 1,
        recovery: [recovered],
        checks: ({ state }) => [
          detectionCheck(context, [detection]),
          within(context, 'an idle one', idleDetection, PING_INTERVAL + socketTimeout + SLACK),
          { what: 'calls whose reply was lost', value: history.failed.ambiguous, is: 'at least', limit: LANES },
          {
            what: 'replies delivered while the link was down, or too late',
            value: history.entries.filter((entry) => isImpossible(entry, since + ON_ITS_WAY, up)).length,
            is: 'exactly',
            limit: 0,
          },
          {
            what: 'writes that took effect when they were given up long since',
            value: history.entries.filter(
              (entry) =>
                entry.state === 'ambiguous' &&
                entry.settledAt < up &&
                entry.kind === 'push' &&
                !applied.has(uniqueValue(entry)) &&
                state.lists.get(entry.key)?.includes(uniqueValue(entry)),
            ).length,
            is: 'exactly',
            limit: 0,
          },
          // The first packet of a dial that is lost is sent again after a second, when the next dial has begun.
          within(context, 'recovery', recovered, connectTimeout + RECOVERS_WITHIN),
        ],
      }
    })
  } finally {
    idle.destroy()
  }
}

/** Nothing came while the link was down; and what was called before comes too late for whoever had given up by then. */
function isImpossible({ state, calledAt, settledAt }: Entry, down: number, up: number): boolean {
  return state === 'ok' && settledAt > down && (settledAt < up || calledAt < up - commandTimeout)
}

/** Elements of all lists of the workload. */
async function appended(server: HalfOpenServer): Promise<readonly string[]> {
  const keys = await server.cli('KEYS', 'w:list:*')
  const lists = await Promise.all([keys].flat().map((key) => server.cli('LRANGE', String(key), '0', '-1')))
  return lists.flat().map(String)
}
