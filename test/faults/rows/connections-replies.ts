// Row A3: a connection ends inside a reply, at each of its bytes. The server is a scripted one, so that replies of every
// kind are there.

import { inspect } from 'node:util'
import { ConnectionError, Redis, ReplyError } from '../../../src/index.js'
import { type FakeConnection, FakeServer } from '../../support/fake-server.js'
import { resetAfterBytes } from '../../support/reset.js'
import type { Context, Outcome } from '../row.js'
import { CLEAN, type Verdict } from '../verdict.js'
import { type End, endOf, isSame, type ReplyKind, replyKinds } from './reply-kinds.js'
import { SETTINGS } from './settings.js'

/** Connections at once. */
const WORKERS = 16
const ENDINGS = ['fin', 'rst'] as const
/** Deadlines are not what this row is about. */
const DEADLINE = 5_000
/** Enough to see what is wrong. */
const EXAMPLES = 12

/** A reply, and how much of it comes. */
interface Cut extends ReplyKind {
  readonly length: number
  readonly ending: (typeof ENDINGS)[number]
}

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
  return replyKinds().flatMap((kind) =>
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
