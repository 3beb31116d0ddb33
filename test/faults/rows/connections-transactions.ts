// Row A11: connections end while transactions are under way, plain ones on shared connections and others on leases that
// watch what they read.

import type { Redis } from '../../../src/index.js'
import { WatchError } from '../../../src/index.js'
import { pause, Witness } from '../../live/support-live.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { pick, seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import { check, type Findings } from '../checker.js'
import { type Entry, History, uniqueValue } from '../history.js'
import type { Check, Context, Outcome } from '../row.js'
import { dropReply, type Strike, storm } from '../storm.js'
import { respool, type Subject } from '../subject.js'
import { sumOf } from '../verdict.js'
import { Keys, prepare, readState } from '../workload-keys.js'
import { SETTINGS } from './settings.js'

export const EVERY = 2
const CALLERS = 4
/** Replies of a handshake and two transactions. */
const PROVEN = 20
/** Two for sharing. */
const MAX_CONNECTIONS = CALLERS + 2
const { commandTimeout, acquireTimeout } = SETTINGS
/** WATCH, GET and EXEC, once the connection is there. */
const WATCHED_DEADLINE = acquireTimeout + 3 * commandTimeout

/** The connection was lost before EXEC: nothing of the transaction had been sent. */
class NotBegun extends Error {}

type Unit = Keys['units'][number]
type Call = (unit: Unit, value: string) => Promise<unknown>

export async function lostTransactions(context: Context): Promise<Outcome> {
  const { seed, scale } = context
  const kills = scale(200, 2_000)
  const wanted = scale(2_000, 20_000)
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed })
  context.trace(proxy.log)
  const subject = respool(proxy.url, { ...SETTINGS, maxConnections: MAX_CONNECTIONS })
  const { redis } = subject
  const random = seeded(seed)
  const ways: readonly Strike[] = [(link) => link.kill('rst'), dropReply]
  try {
    let storming = true
    const plain = new Callers('plain', subject, ({ list, counter, markOf }, value) =>
      subject.transaction({ list, counter, mark: markOf(value) }, value),
    )
    const watched = new Callers('watched', subject, (unit, value) => watchAndSet(redis, unit, value))
    const both = [plain, watched]
    const count = (): number => both.reduce((sum, { history }) => sum + history.entries.length, 0)
    await using witness = await Witness.connect(server.port)
    for (const { keys } of both) await prepare(witness, keys)
    const goesOn = (): boolean => storming || count() < wanted
    const calling = Promise.all(both.map((callers, index) => callers.run(seed * 2 + index, goesOn)))
    const strike: Strike = (link) => pick(random, ways)(link)
    const { recoveries } = await storm(proxy, subject, plain, { kills, every: EVERY, seed, strike, proven: PROVEN })
    storming = false
    await calling
    const findings = [
      await plain.judge(witness, commandTimeout),
      // Callers with connections of their own are in no order among each other.
      withoutOrder(await watched.judge(witness, WATCHED_DEADLINE)),
    ]
    return {
      operations: count(),
      faults: recoveries.length,
      verdict: sumOf(findings.map(({ verdict }) => verdict)),
      examples: findings.flatMap(({ examples }) => examples),
      recovery: recoveries,
      checks: [
        { what: 'transactions', value: count(), is: 'at least', limit: wanted },
        { what: 'connections ended', value: recoveries.length, is: 'at least', limit: kills },
        ...checksOf(plain, watched, redis),
      ],
    }
  } finally {
    await subject.close()
  }
}

function checksOf(plain: Callers, watched: Callers, redis: Redis): readonly Check[] {
  const { acquired, released } = redis.pool.stats().counters
  return [
    { what: 'EXEC applied, its reply lost, shared', value: plain.appliedInDoubt, is: 'at least', limit: 1 },
    { what: 'on a lease', value: watched.appliedInDoubt, is: 'at least', limit: 1 },
    { what: 'leases lost before EXEC', value: watched.notBegun, is: 'at least', limit: 1 },
    { what: 'refused because of WATCH', value: watched.refused, is: 'at least', limit: 1 },
    {
      what: 'errors that do not say what happened',
      value: plain.history.untyped + watched.history.untyped,
      is: 'exactly',
      limit: 0,
    },
    { what: 'leases not given back', value: acquired - released, is: 'exactly', limit: 0 },
  ]
}

/** What is read is written back one higher, unless somebody else did so in between. */
async function watchAndSet(redis: Redis, { list, counter, markOf }: Unit, value: string): Promise<unknown> {
  let isBegun = false
  try {
    return await redis.lease(async (lease) => {
      await lease.watch(counter)
      const count = Number(await lease.get(counter)) + 1
      isBegun = true
      const transaction = lease.multi().rPush(list, value).set(counter, String(count)).set(markOf(value), value)
      const [length, , mark] = await transaction.exec()
      return [length, count, mark]
    })
  } catch (cause) {
    throw isBegun ? cause : new NotBegun('the lease was lost before EXEC', { cause })
  }
}

/** Callers of one kind of transaction, and their history. */
class Callers {
  readonly keys: Keys
  readonly history: History
  notBegun = 0
  refused = 0
  appliedInDoubt = 0
  readonly #call: Call

  constructor(prefix: string, subject: Subject, call: Call) {
    this.keys = new Keys(prefix)
    this.#call = call
    this.history = new History((error) => {
      if (error instanceof WatchError) this.refused++
      if (!(error instanceof NotBegun)) return subject.outcomeOf(error)
      this.notBegun++
      return subject.outcomeOf(error.cause) === undefined ? undefined : 'not-sent'
    })
  }

  async run(seed: number, goesOn: () => boolean): Promise<void> {
    const random = seeded(seed)
    await Promise.all(Array.from({ length: CALLERS }, (_, caller) => this.#run(caller, random, goesOn)))
  }

  async judge(witness: Witness, deadline: number): Promise<Findings> {
    const state = await readState(witness, this.keys, this.history)
    const there = new Set([...state.units.values()].flatMap(({ list }) => list))
    const isInDoubt = (entry: Entry): boolean => entry.state === 'ambiguous' && there.has(uniqueValue(entry))
    this.appliedInDoubt = this.history.entries.filter(isInDoubt).length
    return check(this.history.entries, state, deadline)
  }

  async #run(caller: number, random: () => number, goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      const unit = pick(random, this.keys.units)
      const succeeded = await this.history.record(caller, 'transaction', unit.key, (value) => this.#call(unit, value))
      if (!succeeded) await pause(1)
    }
  }
}

function withoutOrder({ verdict, examples }: Findings): Findings {
  return { verdict: { ...verdict, disordered: 0 }, examples: examples.filter((text) => !text.startsWith('disordered')) }
}
