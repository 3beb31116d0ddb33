// Row B4: the process of the server is stopped. Its kernel goes on accepting connections, and nobody answers them.

import { ConnectTimeoutError, Redis } from '../../../src/index.js'
import { pause } from '../../live/support-live.js'
import { RedisProcess } from '../../support/redis-process.js'
import { recovery, recoveryCheck, within } from '../recovery.js'
import type { Context, Outcome } from '../row.js'
import { respool } from '../subject.js'
import { inTrouble, planOf } from '../trouble.js'
import { SETTINGS } from './settings.js'
import { CALM, detectionCheck, GIVEN_UP, LANES, RECOVERS_WITHIN, SLACK, StallWatch } from './silence-support.js'

const { maxConnections, connectTimeout, commandTimeout, socketTimeout } = SETTINGS
/** How much later than `connectTimeout` a dial may fail, in ms. */
const DIAL_SLACK = 50
/** Long enough for every busy connection to be given up, in ms. */
const FOUND_OUT = socketTimeout + 3 * SLACK

export async function stoppedServer(context: Context): Promise<Outcome> {
  const rounds = context.scale(1, 10)
  const stopped = context.scale(FOUND_OUT, 3_000)
  await using server = await RedisProcess.start()
  const subject = respool(server.url, SETTINGS)
  const stalls = new StallWatch(subject.redis)
  return await inTrouble(subject, server.port, planOf(context, commandTimeout), async () => {
    const detections: number[] = []
    const dials: number[] = []
    const recoveries: number[] = []
    let mostSockets = 0
    let givenUp = 0
    for (let round = 0; round < rounds; round++) {
      await pause(CALM)
      await server.kill('SIGSTOP')
      const since = performance.now()
      const sockets = countSockets(() => performance.now() - since < stopped)
      dials.push(await refusedAfter(server.url))
      mostSockets = Math.max(mostSockets, await sockets)
      givenUp += stalls.since(since).length
      detections.push(stalls.detection(since, LANES))
      await server.kill('SIGCONT')
      recoveries.push(await recovery(subject, GIVEN_UP))
    }
    return {
      faults: rounds,
      recovery: recoveries,
      checks: () => [
        { what: 'connections given up', value: givenUp, is: 'at least', limit: rounds * LANES },
        detectionCheck(context, detections),
        within(context, 'a new connection fails, latest', Math.max(...dials), connectTimeout + DIAL_SLACK),
        // One is that of the newcomer.
        { what: 'sockets while it was stopped, most', value: mostSockets, is: 'at most', limit: maxConnections + 1 },
        { what: 'sockets that were seen then', value: mostSockets, is: 'at least', limit: LANES },
        recoveryCheck(context, recoveries, RECOVERS_WITHIN),
      ],
    }
  })
}

/** Milliseconds until a newcomer is told that nobody answers; it was not told so when this is infinite. */
async function refusedAfter(url: string): Promise<number> {
  const newcomer = new Redis(url, SETTINGS)
  const started = performance.now()
  const error = await newcomer.connect().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  const took = performance.now() - started
  newcomer.destroy()
  return error instanceof ConnectTimeoutError ? took : Number.POSITIVE_INFINITY
}

/** The most TCP sockets that this process has at a time. */
async function countSockets(goesOn: () => boolean): Promise<number> {
  let most = 0
  while (goesOn()) {
    most = Math.max(most, process.getActiveResourcesInfo().filter((type) => type === 'TCPSocketWrap').length)
    await pause(1)
  }
  return most
}
