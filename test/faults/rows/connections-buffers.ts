// Row A9: the server closes connections whose replies are not fetched, because they fill its memory.

import { setImmediate as turn } from 'node:timers/promises'
import type { Redis } from '../../../src/index.js'
import { pause, until } from '../../live/support-live.js'
import type { CliReply } from '../../support/ask.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { versionAtLeast } from '../../support/redis-binary.js'
import { RedisProcess } from '../../support/redis-process.js'
import { check, type Findings } from '../checker.js'
import { type Entry, History, uniqueValue } from '../history.js'
import { recovery, recoveryCheck } from '../recovery.js'
import type { Context, Outcome } from '../row.js'
import { respool, type Subject } from '../subject.js'
import { inTrouble } from '../trouble.js'
import { sumOf } from '../verdict.js'
import { SETTINGS } from './settings.js'

const RECOVERS_WITHIN = 50
/** A recovery that takes longer counts as this many milliseconds. */
const GIVEN_UP = 5_000
/** What the proxy takes in while it holds; the rest fills the sockets, and then the server. */
const PROXY_BUFFER = 2 ** 16
const REPLY_SIZE = 2 ** 16
/** Replies that no sockets hold back from the server. */
const TOO_MANY = 200
const LIST = 'glutton'
const NAME = 'slow'
/** Milliseconds in which all connections serve somebody. */
const CALM = 20
/** Appends, so that it shows when it is done twice, and answers with more than anybody asked for. */
const GLUTTON = "return { redis.call('RPUSH', KEYS[1], ARGV[1]), string.rep('x', ARGV[2]) }"

/** What makes the server close a connection: too much for this one, or too much for all together. */
const LIMITS: readonly Readonly<Record<string, string>>[] = [
  { 'client-output-buffer-limit': 'normal 1mb 0 0' },
  // Since 7.0: https://redis.io/docs/latest/develop/reference/clients/#client-eviction
  ...(versionAtLeast(7, 0) ? [{ 'client-output-buffer-limit': 'normal 0 0 0', 'maxmemory-clients': '2mb' }] : []),
]

export async function unfetchedReplies(context: Context): Promise<Outcome> {
  const { seed, scale } = context
  const rounds = scale(10, 50)
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed, buffer: PROXY_BUFFER })
  context.trace(proxy.log)
  const subject = respool(proxy.url, { ...SETTINGS, clientName: NAME })
  const plan = { operations: scale(1_000, 10_000), seed, deadline: SETTINGS.commandTimeout }
  const gluttons = new Gluttons(subject)
  let found: Findings | undefined
  const outcome = await inTrouble(subject, server.port, plan, async ({ history }) => {
    const recoveries: number[] = []
    await until('calls are answered', () => history.succeeded > 0)
    for (let round = 0; round < rounds; round++) {
      await pause(CALM)
      await server.configSet(LIMITS[Math.floor((round * LIMITS.length) / rounds)] ?? {})
      const calls = await closeOne(server, proxy, gluttons)
      recoveries.push(await recovery(subject, GIVEN_UP))
      await Promise.all(calls)
    }
    found = gluttons.judge(await server.cli('LRANGE', LIST, '0', '-1'))
    return {
      faults: rounds,
      recovery: recoveries,
      checks: () => [
        recoveryCheck(context, recoveries, RECOVERS_WITHIN),
        {
          what: 'large replies lost, their command applied',
          value: gluttons.appliedInDoubt,
          is: 'at least',
          limit: rounds,
        },
      ],
    }
  })
  if (found === undefined) return outcome
  return {
    ...outcome,
    operations: outcome.operations + gluttons.history.entries.length,
    verdict: sumOf([outcome.verdict, found.verdict]),
    examples: [...(outcome.examples ?? []), ...found.examples],
  }
}

/** Asks, and fetches nothing until the server has closed a connection; gives the calls, which have not settled. */
async function closeOne(
  server: RedisProcess,
  proxy: FaultProxy,
  gluttons: Gluttons,
): Promise<readonly Promise<boolean>[]> {
  const ids = async (): Promise<string[]> =>
    (await server.clientList()).flatMap(({ name, id = '' }) => (name === NAME ? [id] : []))
  const before = await ids()
  proxy.hold('down')
  let isClosed = false
  const closed = until('the server has closed a connection', async () => {
    const left = new Set(await ids())
    isClosed = before.some((id) => !left.has(id))
    return isClosed
  })
  const calls: Promise<boolean>[] = []
  while (!isClosed && calls.length < TOO_MANY) {
    calls.push(gluttons.ask())
    // Asked for at once, they would exceed the limit before the first is on its way.
    await turn()
  }
  await closed
  proxy.release('down')
  return calls
}

/** Callers of commands with large replies, and their history. */
class Gluttons {
  readonly history: History
  appliedInDoubt = 0
  readonly #redis: Redis

  constructor(subject: Subject & { readonly redis: Redis }) {
    this.#redis = subject.redis
    this.history = new History((error) => subject.outcomeOf(error))
  }

  ask(): Promise<boolean> {
    return this.history.record(0, 'push', LIST, async (value) => {
      const reply = await this.#redis.sendCommand(['EVAL', GLUTTON, '1', LIST, value, String(REPLY_SIZE)])
      return Array.isArray(reply) ? reply[0] : reply
    })
  }

  judge(list: CliReply): Findings {
    const elements = Array.isArray(list) ? list.map(String) : []
    const there = new Set(elements)
    const isInDoubt = (entry: Entry): boolean => entry.state === 'ambiguous' && there.has(uniqueValue(entry))
    this.appliedInDoubt = this.history.entries.filter(isInDoubt).length
    const state = { values: new Map(), lists: new Map([[LIST, elements]]), counters: new Map(), units: new Map() }
    return check(this.history.entries, state, SETTINGS.commandTimeout)
  }
}
