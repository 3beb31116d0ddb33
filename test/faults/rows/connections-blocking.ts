// Row A12: connections end under blocking commands, before, while and after the server has an element for them.

import { setImmediate as turn } from 'node:timers/promises'
import { type Outcome as Known, type Lease, Redis, RespoolError } from '../../../src/index.js'
import { pause, until, Witness } from '../../live/support-live.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { between, type Random, seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import { toText, type Wire } from '../../support/resp.js'
import { GRACE } from '../checker.js'
import { within } from '../recovery.js'
import type { Context, Outcome } from '../row.js'
import { ended } from '../storm.js'
import { CLEAN, type Verdict } from '../verdict.js'
import { SETTINGS } from './settings.js'

/** In each round, on connections of their own. */
const CALLS = 6
const FREED_WITHIN = 50
/** Enough to see what is wrong. */
const EXAMPLES = 12

const WAYS = ['before the element', 'together with it', 'behind it'] as const

/** A blocking command and what became of it. */
interface Call {
  readonly name: 'BLPOP' | 'BLMOVE'
  readonly key: string
  readonly end: Promise<End>
}

type End = { readonly state: 'ok'; readonly reply: string } | { readonly state: Known | 'untyped' | 'open' }

interface Stage {
  readonly redis: Redis
  readonly proxy: FaultProxy
  readonly witness: Witness
  readonly random: Random
  readonly books: Books
}

export async function lostBlockingCommands(context: Context): Promise<Outcome> {
  const { seed } = context
  const kills = context.scale(200, 2_000)
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed })
  await using witness = await Witness.connect(server.port)
  context.trace(proxy.log)
  const redis = new Redis(proxy.url, { ...SETTINGS, maxConnections: CALLS + 1 })
  const stage: Stage = { redis, proxy, witness, random: seeded(seed), books: new Books() }
  const freed: number[] = []
  let killed = 0
  try {
    for (let round = 0; killed < kills; round++) {
      const found = await play(stage, round)
      freed.push(found.freedWithin)
      killed += found.killed
    }
    const { acquired, released } = redis.pool.stats().counters
    const { verdict, examples, pushed, received, left, moved, inDoubt, untyped } = stage.books
    return {
      operations: freed.length * CALLS,
      faults: killed,
      verdict,
      examples,
      checks: [
        { what: 'connections ended', value: killed, is: 'at least', limit: kills },
        within(context, 'until none is lent any more, longest', Math.max(...freed), FREED_WITHIN),
        {
          what: 'elements received, left, moved or in doubt',
          value: received + left + moved + inDoubt,
          is: 'exactly',
          limit: pushed,
        },
        { what: 'of these in doubt', value: inDoubt, is: 'at least', limit: 1 },
        { what: 'errors that do not say what happened', value: untyped, is: 'exactly', limit: 0 },
        { what: 'connections not given back', value: acquired - released, is: 'exactly', limit: 0 },
      ],
    }
  } finally {
    redis.destroy()
  }
}

interface Round {
  readonly killed: number
  readonly freedWithin: number
}

async function play(stage: Stage, round: number): Promise<Round> {
  const { redis, proxy, witness, books } = stage
  await serveOnAll(redis)
  const calls = Array.from({ length: CALLS }, (_, index) => block(redis, `${round}:${index}`, index))
  await until('all are parked', async () => (await witness.figure('clients', 'blocked_clients')) === CALLS)
  const killed = proxy.links.length
  const since = await strike(stage, round, calls)
  await until('none is lent', () => redis.pool.stats().connections.leased === 0)
  const freedWithin = performance.now() - since
  const latest = pause(GRACE).then((): End => ({ state: 'open' }))
  for (const call of calls) {
    const end = await Promise.race([call.end, latest])
    books.enter(call, end, await holds(witness, call.key), await holds(witness, targetOf(call.key)))
  }
  return { killed, freedWithin }
}

/** A connection that has answered a caller is replaced without a pause. */
async function serveOnAll(redis: Redis): Promise<void> {
  const leases = await Promise.all(Array.from({ length: CALLS }, () => redis.lease()))
  await Promise.all(leases.map((lease) => lease.ping()))
  for (const lease of leases) lease.release()
}

/** Half of them on a lease of their caller, half on one of their own. */
function block(redis: Redis, key: string, index: number): Call {
  const name = index % 2 === 0 ? 'BLPOP' : 'BLMOVE'
  const send = async (on: Redis | Lease): Promise<string> => {
    if (name === 'BLMOVE') return String(await on.blMove(key, targetOf(key), 'LEFT', 'RIGHT', 0))
    const reply = await on.blPop(key, 0)
    return reply?.key === key ? reply.element : `an element of ${reply?.key}`
  }
  const call = index % 4 < 2 ? send(redis) : redis.lease(send)
  const end = call.then(
    (reply): End => ({ state: 'ok', reply }),
    (error: unknown): End => ({ state: (error instanceof RespoolError ? error.outcome : undefined) ?? 'untyped' }),
  )
  return { name, key, end }
}

/** Gives the moment at which the connections ended. */
async function strike({ proxy, witness, random }: Stage, round: number, calls: readonly Call[]): Promise<number> {
  const push = (): Promise<unknown> => Promise.all(calls.map(({ key }) => witness.ask('RPUSH', key, elementOf(key))))
  const { links } = proxy
  const killAll = (): number => {
    proxy.killAll(round % 2 === 0 ? 'fin' : 'rst')
    return performance.now()
  }
  const way = WAYS[round % WAYS.length] ?? 'before the element'
  switch (way) {
    case 'before the element': {
      const since = killAll()
      await push()
      return since
    }
    case 'together with it': {
      const pushing = push()
      for (let left = between(random, 0, 3); left > 0; left--) await turn()
      const since = killAll()
      await pushing
      return since
    }
    case 'behind it':
      for (const link of links) link.dropReplyThenRst()
      await push()
      await Promise.all(links.map(ended))
      return performance.now()
    default:
      return way satisfies never
  }
}

async function holds(witness: Witness, key: string): Promise<readonly string[]> {
  const reply: Wire = await witness.ask('LRANGE', key, '0', '-1')
  return Array.isArray(reply) ? reply.map((element) => toText(element)) : []
}

function elementOf(key: string): string {
  return `element of ${key}`
}

function targetOf(key: string): string {
  return `${key}:moved`
}

/** Where each element went. Each call has a list of its own with one element, so that nothing is left to guess. */
class Books {
  pushed = 0
  received = 0
  left = 0
  moved = 0
  inDoubt = 0
  untyped = 0
  readonly examples: string[] = []
  readonly verdict: Record<keyof Verdict, number> = { ...CLEAN }

  enter(call: Call, end: End, source: readonly string[], target: readonly string[]): void {
    this.pushed++
    const isReceived = end.state === 'ok' && call.name === 'BLPOP'
    const places = source.length + target.length + (isReceived ? 1 : 0)
    if (end.state === 'ok' && end.reply !== elementOf(call.key)) this.#find('crossed', call, end)
    if (end.state === 'open') this.#find('unsettled', call, end)
    if (end.state === 'untyped') this.untyped++
    if (places > 1) this.#find('duplicated', call, end)
    if ((end.state === 'not-sent' || end.state === 'rejected') && source.length === 0) {
      this.#find('falselyRejected', call, end)
    }
    if (isReceived) this.received++
    else if (source.length > 0) this.left++
    else if (target.length > 0) this.moved++
    else if (end.state === 'ambiguous' && call.name === 'BLPOP') this.inDoubt++
    else this.#find('lost', call, end)
    // An element that BLMOVE answered with has to have gone where it was to go.
    if (end.state === 'ok' && call.name === 'BLMOVE' && target.length === 0) this.#find('lost', call, end)
  }

  #find(what: keyof Verdict, { name, key }: Call, end: End): void {
    this.verdict[what]++
    if (this.examples.length < EXAMPLES) this.examples.push(`${what}: ${name} ${key} ended with ${JSON.stringify(end)}`)
  }
}
