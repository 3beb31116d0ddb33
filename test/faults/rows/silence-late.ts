// Row B5: replies come when their callers have given up, while others still wait behind them on the same connection.

import type { ConnectionPool } from '../../../src/index.js'
import { pause, until } from '../../live/support-live.js'
import type { ProxyLink } from '../../support/fault-link.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { between, type Random, seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import type { Entry } from '../history.js'
import { within } from '../recovery.js'
import type { Check, Context, Outcome } from '../row.js'
import { respool, respoolOn } from '../subject.js'
import { inTrouble } from '../trouble.js'
import { sumOf } from '../verdict.js'
import { type Report, startWorkload } from '../workload.js'
import { SETTINGS } from './settings.js'

/** How late replies are, in ms: always later than the deadline of most callers. */
export const LATE = { least: 600, most: 1_500 } as const
/** A connection that is late is not silent for so long that it ends. */
const OPTIONS = { ...SETTINGS, socketTimeout: 2_000 } as const
const HURRIED = 256
const PATIENT = 32
/** Of the patient callers: later than the latest reply. */
const PATIENCE = 3_000
/** Milliseconds between two strikes, so that what a connection thinks of its reply times is not of the last one. */
const CALM = 150
/** Replies to more than a dozen bursts of all callers: by then a lane has forgotten how long the last strike took. */
const BUSY = 5_000
/** From a command that is not answered to the last one written behind it, in ms: by then its connection is late. */
const NOTICED_WITHIN = 100
/** From a command that is not answered until its reply can come at the earliest, in ms. */
const SILENT_FOR = LATE.least - 100
/** Lanes that are wanted; a late one that finds them all in place is drained. */
const LANES = 2

export async function lateReplies(context: Context): Promise<Outcome> {
  const { seed, scale } = context
  const wanted = scale(500, 10_000)
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed })
  context.trace(proxy.log)
  const random = seeded(seed)
  const hurried = respool(proxy.url, OPTIONS)
  const patient = respoolOn(hurried.redis.withCommandOptions({ timeout: PATIENCE }))
  const { pool } = hurried.redis
  const plan = { operations: wanted, seed, deadline: OPTIONS.commandTimeout, callers: HURRIED }
  let others: Report | undefined
  const outcome = await inTrouble(hurried, server.port, plan, async ({ history }) => {
    const struck: LateLane[] = []
    let isOver = false
    const second = { operations: 1, seed: seed + 1, deadline: PATIENCE, callers: PATIENT, prefix: 'patient' }
    const workload = startWorkload(patient, server.port, { ...second, busy: () => !isOver })
    try {
      while (history.failed.ambiguous < wanted) struck.push(...(await strike(proxy, pool, random)))
    } finally {
      isOver = true
    }
    const report = await workload.report
    others = report
    return {
      faults: struck.length,
      recovery: [],
      checks: () => [
        { what: 'timeouts of what was written', value: history.failed.ambiguous, is: 'at least', limit: wanted },
        {
          what: 'late replies to who still waited behind them',
          value: report.history.entries.filter(isLate).length,
          is: 'at least',
          limit: scale(10, 200),
        },
        ...laneChecks(context, struck, pool),
      ],
    }
  })
  if (others === undefined) return outcome
  return {
    ...outcome,
    operations: outcome.operations + others.operations,
    verdict: sumOf([outcome.verdict, others.verdict]),
    examples: [...(outcome.examples ?? []), ...others.examples],
  }
}

function isLate({ state, calledAt, settledAt }: Entry): boolean {
  return state === 'ok' && settledAt - calledAt > SILENT_FOR
}

function laneChecks(context: Context, struck: readonly LateLane[], pool: ConnectionPool): readonly Check[] {
  const { counters, inFlight } = pool.stats()
  const drained = struck.filter(({ drains }) => drains)
  const latest = Math.max(...struck.map(({ latestWrite }) => latestWrite))
  return [
    within(context, 'the last command written behind one that is late', latest, NOTICED_WITHIN),
    { what: 'late lanes that others had replaced', value: drained.length, is: 'at least', limit: 1 },
    {
      what: 'commands written on these until they were drained',
      value: drained.reduce((sum, lane) => sum + lane.writtenInDrain, 0),
      is: 'exactly',
      limit: 0,
    },
    {
      what: 'replies that never came',
      value: counters.sent - counters.replies - inFlight,
      is: 'exactly',
      limit: 0,
    },
    {
      what: 'connections that ended',
      value: Object.values(counters.closed).reduce((sum, count) => sum + count, 0),
      is: 'exactly',
      limit: 0,
    },
  ]
}

/** Makes all lanes late, each by its own time, and waits until everything that they owe has come. */
async function strike(proxy: FaultProxy, pool: ConnectionPool, random: Random): Promise<readonly LateLane[]> {
  const before = new Map(proxy.links.map((link) => [link, link.replies]))
  const busy = () => proxy.links.filter((link) => link.replies - (before.get(link) ?? 0) > BUSY)
  await pause(CALM)
  await until('the lanes are busy', () => busy().length >= LANES)
  const lanes = busy().map((link) => new LateLane(link, between(random, LATE.least, LATE.most)))
  const look = (): boolean => {
    const { shared } = pool.stats().connections
    for (const lane of lanes) lane.look(shared)
    return lanes.every(({ isOver }) => isOver)
  }
  await until('all late replies have come', look)
  return lanes
}

/** One lane whose replies are late, seen from the network. */
class LateLane {
  isOver = false
  /** Milliseconds from the oldest unanswered command to the latest that was written behind it. */
  latestWrite = 0
  /** Whether there were lanes enough without it when it answered. */
  drains = false
  writtenInDrain = 0
  readonly #link: ProxyLink
  /** Since when it owes a reply. */
  #since: number | undefined
  #commands: number
  #replies: number
  #isAnswering = false

  constructor(link: ProxyLink, latency: number) {
    this.#link = link
    this.#commands = link.commands
    this.#replies = link.replies
    link.latency(latency, 0, 'down')
  }

  look(shared: number): void {
    const { commands, replies } = this.#link
    const now = performance.now()
    if (this.#since === undefined) {
      // What is on its way to the client at this moment was answered in time.
      this.#replies = replies
      if (commands > replies) this.#since = now
    } else if (replies > this.#replies) this.#answer()
    else {
      if (commands > this.#commands) this.latestWrite = now - this.#since
      this.drains = shared >= LANES
    }
    if (this.#isAnswering && replies < this.#commands) this.writtenInDrain = commands - this.#commands
    if (!this.#isAnswering) this.#commands = commands
    else if (replies >= this.#commands || this.#link.closed) this.isOver = true
  }

  /** The first late reply comes; those to later commands are not to be late. */
  #answer(): void {
    if (this.#isAnswering) return
    this.#isAnswering = true
    this.#link.latency(0, 0, 'down')
  }
}
