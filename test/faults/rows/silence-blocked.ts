// Row B10: the server is held up by a script, or our own process by a loop, for longer than callers would wait for a
// reply that is not there. One that is there must reach them.

import { nextTurn, pause, Witness } from '../../live/support-live.js'
import { RedisProcess } from '../../support/redis-process.js'
import type { Check, Context, Outcome } from '../row.js'
import { respool } from '../subject.js'
import { inTrouble, planOf, together } from '../trouble.js'
import { atLeast, endedConnections, exactly, failedCalls } from './figures.js'
import { SETTINGS } from './settings.js'

export const BLOCK = 300
/** Between two of them, in ms. */
const CALM = 60
/** A server on the same machine answers sooner, and the loop stops for longer. */
const HURRIED = { ...SETTINGS, commandTimeout: 200, socketTimeout: 250 } as const
/** From the beginning of a script until our loop stops as well, in ms. */
const AHEAD = BLOCK / 2
/** Longer than the script, and shorter than until the loop goes on. */
const LESS_HURRIED = { ...SETTINGS, commandTimeout: BLOCK + AHEAD / 2, socketTimeout: BLOCK + AHEAD / 2 } as const
/** Bounded, should TIME stand still while a script runs. */
const SCRIPT = `
  local function now() local t = redis.call('TIME'); return t[1] * 1000 + t[2] / 1000 end
  local start = now()
  for _ = 1, 3000000 do if now() - start >= ${BLOCK} then return end end`

export async function blockedLoops(context: Context): Promise<Outcome> {
  await using server = await RedisProcess.start()
  const parts = [
    await slowScript(context, server),
    await blockedLoop(context, server),
    await bothAtOnce(context, server),
  ]
  return together(parts)
}

async function slowScript(context: Context, server: RedisProcess): Promise<Outcome> {
  const rounds = context.scale(2, 20)
  await using culprit = await Witness.connect(server.port)
  return await underBlocks(context, server, rounds, 'a script', SETTINGS, () => culprit.ask('EVAL', SCRIPT, '0'))
}

function blockedLoop(context: Context, server: RedisProcess): Promise<Outcome> {
  return underBlocks(context, server, context.scale(3, 30), 'our own loop', HURRIED, async () => {
    // What was called in this turn is written, and answered while nobody can listen.
    await nextTurn()
    stop()
  })
}

/** Replies come while nobody can listen, and deadlines pass between them and the end of the pause. */
async function bothAtOnce(context: Context, server: RedisProcess): Promise<Outcome> {
  const rounds = context.scale(2, 20)
  await using culprit = await Witness.connect(server.port)
  return await underBlocks(context, server, rounds, 'both', LESS_HURRIED, async () => {
    const script = culprit.ask('EVAL', SCRIPT, '0')
    await pause(AHEAD)
    stop()
    await script
  })
}

/** This process does nothing, and leaves its time to the server. */
function stop(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCK)
}

function underBlocks(
  context: Context,
  server: RedisProcess,
  rounds: number,
  what: string,
  settings: Readonly<Record<keyof typeof SETTINGS, number>>,
  block: () => Promise<unknown>,
): Promise<Outcome> {
  const subject = respool(server.url, settings)
  const plan = { ...planOf(context, settings.commandTimeout), prefix: what, operations: 1 }
  return inTrouble(subject, server.port, plan, async ({ history }) => {
    let open = 0
    for (let round = 0; round < rounds; round++) {
      await pause(CALM)
      open += history.open
      await block()
    }
    const checks = (): readonly Check[] => [
      atLeast(`calls under way while ${what} blocked`, open, rounds * 8),
      exactly(`calls that failed while ${what} blocked`, failedCalls(history), 0),
      exactly(`connections that ended while ${what} blocked`, endedConnections(subject.redis.pool.stats()), 0),
    ]
    return { faults: rounds, recovery: [], checks }
  })
}
