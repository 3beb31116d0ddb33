// The process in which in-child.ts runs a piece of work. It ends by itself when the work left nothing behind.

import { nextTurn } from '../live/support-live.js'
import type { Assignment, Message, WorkName } from './in-child.js'
import type { Context, Outcome } from './row.js'
import { collectedObjects } from './rows/leaks-collection.js'
import { repeatedLives } from './rows/leaks-lives.js'
import { modelRuns, simulatedRuns } from './rows/pool-logic.js'
import { refusalsOfFullQueue } from './rows/pool-queue.js'
import { soak } from './soak/soak.js'
import { Strays, textOf } from './strays.js'

const WORK: Readonly<Record<WorkName, (context: Context) => Promise<Outcome>>> = {
  soak,
  simulation: simulatedRuns,
  model: modelRuns,
  'full queue': refusalsOfFullQueue,
  lives: repeatedLives,
  collection: collectedObjects,
}
/** Lines of each log that are handed on. */
const TAIL = 20
/** Closing takes the event loop a few turns, in ms. */
const PATIENCE = 1_000
/** What every child has: its output, and the way to whoever ordered the work. */
const OWN = new Set(['TTYWrap', 'PipeWrap'])

const { work, tier, seed, minutes }: Assignment = JSON.parse(process.argv[2] ?? '{}')
const logs: (readonly string[])[] = []
const strays = new Strays()
// Whoever ordered the work has gone.
const orphaned = (): void => process.exit(1)
process.on('disconnect', orphaned)
// A terminal sends it to all at once, and then nobody would end the servers.
process.on('SIGINT', () => {})

const message = await WORK[work]({
  tier,
  seed,
  minutes,
  scale: (commit, nightly) => (tier === 'commit' ? commit : nightly),
  note: (line) => tell({ kind: 'note', line }),
  trace: (log) => logs.push(log),
}).then(
  async (outcome): Promise<Message> => {
    return { kind: 'done', outcome: await withStrays(outcome), log: tails(), left: await left() }
  },
  (error: unknown): Message => ({ kind: 'failed', text: textOf(error), log: tails() }),
)
tell(message)
process.off('disconnect', orphaned)
process.disconnect?.()
async function withStrays(outcome: Outcome): Promise<Outcome> {
  const found = await strays.stop()
  const verdict = { ...outcome.verdict, uncaught: outcome.verdict.uncaught + found.length }
  return { ...outcome, verdict, examples: [...(outcome.examples ?? []), ...found.map((text) => `uncaught: ${text}`)] }
}

async function left(): Promise<readonly string[]> {
  const find = () => process.getActiveResourcesInfo().filter((type) => !OWN.has(type))
  for (const end = performance.now() + PATIENCE; find().length > 0 && performance.now() < end; ) await nextTurn()
  return find()
}

function tails(): readonly string[] {
  return logs.flatMap((log) => log.slice(-TAIL))
}

function tell(what: Message): void {
  process.send?.(what)
}
