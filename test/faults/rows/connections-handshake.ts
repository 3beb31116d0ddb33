// Row A10: a connection ends behind each byte of its handshake, in both directions, while callers wait for it. The server
// is a scripted one, so that every byte it was given is known.

import { Redis } from '../../../src/index.js'
import { until } from '../../live/support-live.js'
import { FakeServer } from '../../support/fake-server.js'
import type { Direction } from '../../support/fault-flow.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import type { Wire } from '../../support/resp.js'
import { check } from '../checker.js'
import { History } from '../history.js'
import type { Context, Outcome } from '../row.js'
import { respoolOn } from '../subject.js'
import { sumOf, type Verdict } from '../verdict.js'
import { SETTINGS } from './settings.js'

const ENDINGS = ['fin', 'rst'] as const
/** Callers are to wait until the last byte had its turn. */
const PATIENCE = 20_000
const CALLERS = 8
const ID = 7
const GREETING = new Map<Wire, Wire>([
  ['server', 'redis'],
  ['proto', 3],
  ['id', ID],
])
/** What a connection may say before it is ready. */
const HANDSHAKE: ReadonlySet<string> = new Set(['HELLO', 'AUTH', 'SELECT', 'CLIENT', 'PING'])
const OPTIONS = {
  ...SETTINGS,
  username: 'app',
  password: 'secret',
  clientName: 'orders',
  database: 5,
  commandTimeout: PATIENCE,
  acquireTimeout: PATIENCE,
  // One after the other, so that the connections here are those of the server, in order.
  maxConnecting: 1,
  backoffMin: 1,
  backoffMax: 1,
} as const

/** One way through all bytes of a handshake. */
interface Series {
  readonly hello: 'known' | 'unknown'
  readonly direction: Direction
}

interface Findings {
  readonly verdict: Verdict
  readonly examples: readonly string[]
  /** Ends inside a handshake: those that were planned, and those that came about. */
  readonly planned: number
  readonly ended: number
  /** Connections whose handshake was ended, and which were given bytes that are not of one. */
  readonly betrayed: number
  /** Connections of the pool that were ready although no handshake had been let through. */
  readonly halfMade: number
  readonly calls: number
  readonly answered: number
}

export async function cutHandshakes(context: Context): Promise<Outcome> {
  const all: readonly Series[] = (['known', 'unknown'] as const).flatMap((hello) =>
    (['up', 'down'] as const).map((direction) => ({ hello, direction })),
  )
  const findings = await Promise.all(all.map((series) => run(context, series)))
  const sum = (of: (each: Findings) => number): number => findings.reduce((total, each) => total + of(each), 0)
  const [planned, ended, calls] = [sum((each) => each.planned), sum((each) => each.ended), sum((each) => each.calls)]
  return {
    operations: calls + ended,
    faults: ended,
    verdict: sumOf(findings.map(({ verdict }) => verdict)),
    examples: findings.flatMap(({ examples }) => examples),
    checks: [
      { what: 'handshakes ended, of all bytes', value: ended, is: 'exactly', limit: planned },
      { what: 'connections ready too soon', value: sum((each) => each.halfMade), is: 'exactly', limit: 0 },
      { what: 'connections that were given other bytes', value: sum((each) => each.betrayed), is: 'exactly', limit: 0 },
      { what: 'calls answered in the end', value: sum((each) => each.answered), is: 'exactly', limit: calls },
    ],
  }
}

async function run(context: Context, { hello, direction }: Series): Promise<Findings> {
  const lists = new Map<string, string[]>()
  await using server = await scriptedServer(hello, lists)
  await using proxy = await FaultProxy.start({ port: server.port, seed: context.seed })
  context.trace(proxy.log)
  const { up, down } = await lengthOf(proxy)
  const ends = endsOf(context, direction === 'up' ? up : down)
  let ended = 0
  proxy.meet((link) => {
    const end = ends[ended]
    if (end === undefined) return
    ended++
    link.cutAfter(end.bytes, end.ending, direction)
  })
  const subject = respoolOn(new Redis(proxy.url, OPTIONS))
  const { pool } = subject.redis
  let halfMade = 0
  pool.on('connect', () => {
    if (ended < ends.length) halfMade++
  })
  const history = new History((error) => subject.outcomeOf(error))
  try {
    await Promise.all(Array.from({ length: CALLERS }, (_, caller) => push(history, subject.redis, caller)))
  } finally {
    await subject.close()
  }
  const ready = proxy.total - 1 - ended
  await until('the server has met all', () => server.connections.length === proxy.total)
  const cut = server.connections.slice(1, 1 + ended)
  const betrayed = cut.filter(({ received, bytesReceived }) => bytesReceived > up || received.some(isForeign)).length
  const state = { values: new Map(), lists, counters: new Map(), units: new Map() }
  return {
    ...check(history.entries, state, PATIENCE),
    planned: ends.length,
    ended,
    betrayed,
    halfMade: halfMade + Math.max(0, pool.stats().counters.opened - ready),
    calls: history.entries.length,
    answered: history.succeeded,
  }
}

/** Every second caller wants a connection to itself, and then stands in another line. */
function push(history: History, redis: Redis, caller: number): Promise<boolean> {
  const isShared = caller % 2 === 0
  const key = isShared ? 'shared' : 'leased'
  return history.record(caller, 'push', key, (value) =>
    isShared ? redis.rPush(key, value) : redis.lease((lease) => lease.rPush(key, value)),
  )
}

function isForeign([name = '']: readonly string[]): boolean {
  return !HANDSHAKE.has(name.toUpperCase())
}

interface End {
  readonly bytes: number
  readonly ending: (typeof ENDINGS)[number]
}

/** Before every byte; at full size with both endings. */
function endsOf({ seed, scale }: Context, length: number): readonly End[] {
  const each = scale(1, ENDINGS.length)
  return Array.from({ length: length * each }, (_, index) => ({
    bytes: Math.floor(index / each),
    ending: ENDINGS[(index + seed) % ENDINGS.length] ?? 'fin',
  }))
}

/** How many bytes a handshake has in both directions, by one that is let through. */
async function lengthOf(proxy: FaultProxy): Promise<Record<Direction, number>> {
  const redis = new Redis(proxy.url, OPTIONS)
  try {
    await redis.connect()
    const [link] = proxy.links
    if (link === undefined) throw new Error('the connection is not one through the proxy')
    return { up: link.bytes('up'), down: link.bytes('down') }
  } finally {
    redis.destroy()
  }
}

/** All handshakes with it are equally long. */
async function scriptedServer(hello: Series['hello'], lists: Map<string, string[]>): Promise<FakeServer> {
  const append = ([name, key = '', value = '']: string[]): number | undefined => {
    if (name !== 'RPUSH') return undefined
    const list = lists.get(key) ?? []
    lists.set(key, list)
    return list.push(value)
  }
  const server = await FakeServer.start({ fallback: append })
  const expected = server.expect('HELLO').always()
  if (hello === 'unknown') expected.reply(new Error("ERR unknown command 'HELLO'"))
  else {
    expected.do((connection) => {
      connection.protocol = 3
    })
    expected.reply(GREETING)
  }
  server.expect('CLIENT', 'ID').always().reply(ID)
  return server
}
