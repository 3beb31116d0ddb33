// Rows E1 to E3: messages between replies, replies that nobody asked for, and a server that miscounts.

import { Redis, type RedisOptions } from '../../../src/index.js'
import { until } from '../../live/support-live.js'
import { type FakeConnection, FakeServer } from '../../support/fake-server.js'
import { pick, seeded } from '../../support/random.js'
import { encodePush, encodeReply, type Wire } from '../../support/resp.js'
import type { Context, Outcome, Row } from '../row.js'
import { CLEAN } from '../verdict.js'

const CALLERS = 32
const DEADLINE = 2_000

const contentOf = (key: string): string => `the value of ${key}`

/** Asks for keys and judges whether each reply is that of its key. */
class Readers {
  asked = 0
  crossed = 0
  failed = 0
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  async read(): Promise<void> {
    const key = `key:${this.asked++}`
    const value = await this.#redis.get(key).catch(() => undefined)
    if (value === undefined) this.failed++
    else if (value !== contentOf(key)) this.crossed++
  }

  /** Many callers, until so many calls were made. */
  async run(calls: number): Promise<void> {
    const call = async (): Promise<void> => {
      while (this.asked < calls) await this.read()
    }
    await Promise.all(Array.from({ length: CALLERS }, call))
  }
}

const PUSHES: readonly (readonly Wire[])[] = [
  ['message', 'news', 'hello'],
  ['invalidate', ['key:1', 'key:2']],
  ['invalidate', null],
  ['subscribe', 'news', 1],
  ['unsubscribe', null, 0],
  ['sunsubscribe', 'news', 0],
  ['something new', new Map([['deep', [1, [2, [3]]]]])],
  ['get', contentOf('key:1')],
]

async function pushesBetween(context: Context): Promise<Outcome> {
  const random = seeded(context.seed)
  const calls = context.scale(10_000, 100_000)
  let pushed = 0
  await using server = await FakeServer.start()
  const push = (): Buffer => {
    pushed++
    return encodePush(pick(random, PUSHES))
  }
  server
    .expect('GET')
    .do((connection, [, key = '']) => {
      // Before it, behind it, and now and then several.
      const before = Array.from({ length: Math.floor(random() * 3) }, push)
      connection.send(Buffer.concat([...before, encodeReply(contentOf(key)), push()]))
    })
    .always()
  await using redis = new Redis(server.url, { commandTimeout: DEADLINE, clientInfo: false })
  const readers = new Readers(redis)
  await readers.run(calls)
  const { closed } = redis.pool.stats().counters
  return {
    operations: readers.asked,
    faults: pushed,
    verdict: { ...CLEAN, crossed: readers.crossed },
    checks: [
      { what: 'calls', value: readers.asked, is: 'at least', limit: calls },
      { what: 'messages between their replies', value: pushed, is: 'at least', limit: calls },
      { what: 'calls that failed', value: readers.failed, is: 'exactly', limit: 0 },
      { what: 'connections that ended', value: Object.keys(closed).length, is: 'exactly', limit: 0 },
    ],
  }
}

const UNASKED: readonly Buffer[] = [
  '+OK\r\n',
  ':1\r\n',
  '$5\r\nhello\r\n',
  '-ERR late\r\n',
  '*0\r\n',
  '_\r\n',
  '%0\r\n',
  '#t\r\n',
  '+OK\r\n+OK\r\n',
].map((frame) => Buffer.from(frame))

async function unasked(context: Context): Promise<Outcome> {
  const random = seeded(context.seed)
  const rounds = context.scale(200, 2_000)
  let [destroyed, served] = [0, 0]
  await using server = await FakeServer.start()
  server
    .expect('GET')
    .do((connection, [, key = '']) => connection.reply(contentOf(key)))
    .always()
  await using redis = new Redis(server.url, { maxConnections: 1, backoffMin: 1, backoffMax: 5, clientInfo: false })
  redis.on('close', (_, error) => {
    if (Reflect.get(error, 'reason') === 'protocol-error') destroyed++
  })
  const readers = new Readers(redis)
  for (let round = 0; round < rounds; round++) {
    await readers.read()
    const before = destroyed
    // Every other time the connection that is idle is lent to somebody.
    const lease = round % 2 === 0 ? undefined : await redis.lease()
    server.open.at(-1)?.send(pick(random, UNASKED))
    await until('the connection is destroyed', () => destroyed > before, DEADLINE).catch(() => {})
    lease?.release()
    await readers.read()
    served++
  }
  const busy = await miscount(context, 'insert', { integrity: 'batch' }, context.scale(1_000, 10_000))
  return {
    operations: readers.asked + busy.asked,
    faults: rounds + busy.faults,
    verdict: { ...CLEAN, crossed: readers.crossed + busy.crossed },
    checks: [
      { what: 'idle connections destroyed', value: destroyed, is: 'exactly', limit: rounds },
      { what: 'served again after it', value: served - readers.failed, is: 'exactly', limit: rounds },
      {
        what: 'between the replies of a busy connection, with integrity',
        value: busy.faults,
        is: 'at least',
        limit: context.scale(1_000, 10_000),
      },
      { what: 'wrong values given to a caller', value: busy.crossed, is: 'exactly', limit: 0 },
      { what: 'busy connections destroyed', value: busy.destroyed, is: 'at least', limit: busy.faults / CALLERS },
    ],
  }
}

type Mistake = 'eat' | 'repeat' | 'swap' | 'insert'

/** One reply in so many is treated wrongly. */
const ONE_IN = 24

interface Miscounted {
  asked: number
  faults: number
  crossed: number
  failed: number
  destroyed: number
}

/** Callers of a server that makes this mistake, until it was made so many times. */
async function miscount(
  { seed }: Context,
  mistake: Mistake,
  options: RedisOptions,
  faults: number,
): Promise<Miscounted> {
  const random = seeded(seed)
  await using server = await FakeServer.start()
  const held = new WeakMap<FakeConnection, Buffer>()
  let made = 0
  server
    .expect('GET')
    .do((connection, [, key = '']) => {
      const reply = encodeReply(contentOf(key))
      const late = held.get(connection)
      held.delete(connection)
      if (late !== undefined) {
        made++
        connection.send(Buffer.concat([reply, late]))
      } else if (random() * ONE_IN >= 1) connection.send(reply)
      else if (mistake === 'swap') held.set(connection, reply)
      else {
        made++
        connection.send(mistaken(mistake, reply))
      }
    })
    .always()
  const settings = {
    maxConnections: 2,
    commandTimeout: 200,
    backoffMin: 1,
    backoffMax: 5,
    clientInfo: false,
    ...options,
  }
  await using redis = new Redis(server.url, settings)
  const readers = new Readers(redis)
  while (made < faults) await readers.run(readers.asked + 20 * CALLERS)
  const destroyed = redis.pool.stats().counters.closed['protocol-error'] ?? 0
  redis.destroy()
  return { asked: readers.asked, faults: made, crossed: readers.crossed, failed: readers.failed, destroyed }
}

function mistaken(mistake: 'eat' | 'repeat' | 'insert', reply: Buffer): Buffer {
  switch (mistake) {
    case 'eat':
      return Buffer.alloc(0)
    case 'repeat':
      return Buffer.concat([reply, reply])
    case 'insert':
      return Buffer.concat([encodeReply('nobody asked for this'), reply])
    default:
      return mistake satisfies never
  }
}

async function miscounting(context: Context): Promise<Outcome> {
  const faults = context.scale(600, 10_000)
  // Two replies that change places within a batch leave the nonce behind it where it was.
  const plans = [
    ['eat', 'batch'],
    ['repeat', 'batch'],
    ['eat', 'command'],
    ['repeat', 'command'],
    ['swap', 'command'],
  ] as const
  const runs: Miscounted[] = []
  for (const [mistake, integrity] of plans) {
    context.note(`${mistake}, integrity: ${integrity}`)
    runs.push(await miscount(context, mistake, { integrity }, faults))
  }
  context.note('swap, integrity: off')
  const unguarded = await miscount(context, 'swap', { integrity: 'off' }, 50)
  const sum = (field: keyof Miscounted): number => runs.reduce((total, run) => total + run[field], 0)
  return {
    operations: sum('asked') + unguarded.asked,
    faults: sum('faults') + unguarded.faults,
    verdict: { ...CLEAN, crossed: sum('crossed') },
    checks: [
      { what: 'replies eaten, repeated, swapped', value: sum('faults'), is: 'at least', limit: faults * plans.length },
      { what: 'wrong values given to a caller', value: sum('crossed'), is: 'exactly', limit: 0 },
      { what: 'connections destroyed', value: sum('destroyed'), is: 'at least', limit: sum('faults') / CALLERS },
      { what: 'wrong values without integrity mode', value: unguarded.crossed, is: 'at least', limit: 1 },
    ],
  }
}

export const replyOrder: readonly Row[] = [
  {
    id: 'E1',
    fault: 'Messages come between replies',
    injection: 'a server pushes one or more around each reply',
    expected: 'every reply goes to its caller',
    tiers: ['commit', 'nightly'],
    run: pushesBetween,
  },
  {
    id: 'E2',
    fault: 'Replies come that nobody asked for',
    injection: 'a server sends one on an idle connection, on a lent one, and between the replies of a busy one',
    expected: 'the connection is destroyed; with integrity mode, nobody gets it on a busy one either',
    tiers: ['commit', 'nightly'],
    run: unasked,
  },
  {
    id: 'E3',
    fault: 'The server miscounts',
    injection: 'replies are left out, sent twice, or swapped',
    expected: 'integrity mode gives nobody a wrong value, by batch, and where replies change places by command',
    tiers: ['commit', 'nightly'],
    run: miscounting,
  },
]
