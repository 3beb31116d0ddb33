// Row A3: a connection ends inside a reply, at each of its bytes. The server is a scripted one, so that replies of every
// kind are there.

import { inspect, isDeepStrictEqual } from 'node:util'
import { ConnectionError, Redis, ReplyError } from '../../../src/index.js'
import { type FakeConnection, FakeServer } from '../../support/fake-server.js'
import { resetAfterBytes } from '../../support/reset.js'
import { FIXTURES } from '../../support/resp-fixtures.js'
import type { Context, Outcome } from '../row.js'
import { CLEAN, type Verdict } from '../verdict.js'
import { SETTINGS } from './settings.js'

const KINDS = [
  'the simple string OK',
  'an error with a code',
  'a negative integer',
  'a null bulk string',
  'an empty bulk string',
  'a bulk string that holds CRLF',
  'a bulk string with characters of 1 to 4 bytes',
  'a null array',
  'an empty array',
  'an array with several branches',
  'a null',
  'true',
  'a double',
  'a negative big number',
  'a verbatim string',
  'a bulk error',
  'a set',
  'a map',
  'a reply after an attribute',
  'a push with a number and a simple string',
] as const

/** Stands behind a push, which answers nothing. */
const ANSWER = '+PONG\r\n'
/** What RESP2 has as well. */
const OLD = /^[-+:$*]/
/** Connections at once. */
const WORKERS = 16
const ENDINGS = ['fin', 'rst'] as const
/** Deadlines are not what this row is about. */
const DEADLINE = 5_000
/** Enough to see what is wrong. */
const EXAMPLES = 12

/** A reply, and how much of it comes. */
interface Cut {
  readonly kind: string
  readonly protocol: 2 | 3
  readonly bytes: Buffer
  readonly length: number
  readonly ending: (typeof ENDINGS)[number]
  /** What a call that gets all of it ends with. */
  readonly whole: End
}

type End = { readonly value: unknown } | { readonly error: unknown }

export async function cutReplies(context: Context): Promise<Outcome> {
  const cuts = cutsOf(context)
  const partial = cuts.filter(isPartial).length
  await using server = await FakeServer.start()
  const findings = new Findings()
  const script = new Script(cuts)
  for (const name of ['GET', 'INCR']) server.expect(name).always().do(script.answer)
  const queues = ([2, 3] as const).map((protocol) => ({
    protocol,
    queue: [...cuts.entries()].filter(([, cut]) => cut.protocol === protocol).values(),
  }))
  const workers = Array.from({ length: WORKERS }, (_, index) => queues[index % queues.length])
  await Promise.all(workers.map((each) => each && work(server.url, each.protocol, each.queue, findings)))
  const { verdict, examples, operations } = findings
  return {
    operations,
    faults: script.ended,
    verdict,
    examples,
    checks: [
      { what: 'kinds of replies', value: new Set(cuts.map(({ kind }) => kind)).size, is: 'exactly', limit: 20 },
      { what: 'replies ended, two for each byte', value: script.ended, is: 'exactly', limit: cuts.length * 2 },
      { what: 'reads sent again', value: script.readAgain, is: 'exactly', limit: partial },
      { what: 'writes sent again', value: script.writtenAgain, is: 'exactly', limit: 0 },
      { what: 'whole replies that did not arrive', value: findings.missed, is: 'exactly', limit: 0 },
    ],
  }
}

/** By default each byte with one of the endings; at full size with both. */
function cutsOf({ seed, scale }: Context): readonly Cut[] {
  const each = scale(1, ENDINGS.length)
  const kinds = KINDS.flatMap((kind) => {
    const fixture = FIXTURES.find(({ name }) => name === kind)
    const event = fixture?.expected[0]
    if (fixture === undefined || event === undefined) throw new Error(`there is no '${kind}'`)
    const bytes = event.kind === 'push' ? Buffer.concat([fixture.bytes, Buffer.from(ANSWER)]) : fixture.bytes
    const answer: End = event.kind === 'reply' ? { value: event.value } : { value: 'PONG' }
    const whole: End = event.kind === 'error' ? { error: event.error } : answer
    const protocols = OLD.test(bytes.toString('latin1', 0, 1)) ? ([2, 3] as const) : ([3] as const)
    return protocols.map((protocol) => ({ kind, protocol, bytes, whole }))
  })
  return kinds.flatMap((kind) =>
    Array.from({ length: kind.bytes.length * each }, (_, index) => ({
      ...kind,
      length: Math.floor(index / each) + 1,
      ending: ENDINGS[(index + seed) % ENDINGS.length] ?? 'fin',
    })),
  )
}

function isPartial({ bytes, length }: Cut): boolean {
  return length < bytes.length
}

/** What the server does: the key names the cut. A read that is sent again is answered in full. */
class Script {
  /** Replies that ended where they should. */
  ended = 0
  readAgain = 0
  writtenAgain = 0
  readonly #cuts: readonly Cut[]
  readonly #seen = new Set<string>()

  constructor(cuts: readonly Cut[]) {
    this.#cuts = cuts
  }

  readonly answer = async (connection: FakeConnection, [name = '', key = '']: string[]): Promise<void> => {
    const cut = this.#cuts[Number(key)]
    if (cut === undefined) throw new Error(`nobody planned ${name} ${key}`)
    const call = `${name} ${key}`
    if (this.#seen.has(call)) {
      if (name === 'GET') this.readAgain++
      else this.writtenAgain++
      connection.send(cut.bytes)
      return
    }
    this.#seen.add(call)
    this.ended++
    connection.send(cut.bytes.subarray(0, cut.length))
    if (cut.ending === 'fin') connection.fin()
    else await resetAfterBytes(connection.socket)
  }
}

async function work(url: string, protocol: 2 | 3, queue: Iterable<[number, Cut]>, findings: Findings): Promise<void> {
  const options = { ...SETTINGS, commandTimeout: DEADLINE, maxConnections: 1 }
  const redis = protocol === 2 ? new Redis(url, { ...options, protocol }) : new Redis(url, options)
  try {
    for (const [index, cut] of queue) {
      const key = String(index)
      // A connection that has answered is replaced without a pause; and what a cut left behind would show here.
      findings.judgeWhole(cut, { value: key }, await endOf(redis.echo(key)))
      const written = await endOf(redis.sendCommand(['INCR', key]))
      if (isPartial(cut)) findings.judgePartial(cut, written)
      else findings.judgeWhole(cut, cut.whole, written)
      findings.judgeWhole(cut, { value: key }, await endOf(redis.echo(key)))
      findings.judgeWhole(cut, cut.whole, await endOf(redis.sendCommand(['GET', key])))
    }
  } finally {
    redis.destroy()
  }
}

function endOf(call: Promise<unknown>): Promise<End> {
  return call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
}

class Findings {
  operations = 0
  /** Replies that came in full, and whose caller was told something else. */
  missed = 0
  readonly verdict: Record<keyof Verdict, number> = { ...CLEAN }
  readonly examples: string[] = []

  /** The server had applied it when its reply ended too soon. */
  judgePartial(cut: Cut, end: End): void {
    this.operations++
    const isDelivered = !('error' in end) || end.error instanceof ReplyError
    if (isDelivered) this.#find('crossed', cut, end)
    else if (!(end.error instanceof ConnectionError) || end.error.outcome !== 'ambiguous') {
      this.#find('falselyRejected', cut, end)
    }
  }

  judgeWhole(cut: Cut, expected: End, end: End): void {
    this.operations++
    const isAnswer = !('error' in end) || end.error instanceof ReplyError
    if (!isAnswer) this.missed++
    else if (!isSame(expected, end)) this.#find('crossed', cut, end)
  }

  #find(what: keyof Verdict, { kind, protocol, bytes, length, ending }: Cut, end: End): void {
    this.verdict[what]++
    const where = `${kind} in RESP${protocol}, ${ending} behind ${length} of ${bytes.length} bytes`
    if (this.examples.length < EXAMPLES) this.examples.push(`${what}: ${where}: ${inspect(end)}`)
  }
}

function isSame(expected: End, end: End): boolean {
  if ('value' in expected || 'value' in end) return isDeepStrictEqual(expected, end)
  return String(expected.error) === String(end.error)
}
