// Rows E4 to E7: replies that break the format, that promise or nest more than any memory holds, and honest big ones.

import { Redis, RespoolError } from '../../../src/index.js'
import { Decoder } from '../../../src/resp/decoder.js'
import { nextTurn, pause, percentile } from '../../live/support-live.js'
import { type FakeConnection, FakeServer } from '../../support/fake-server.js'
import type { Cost } from '../../support/memory-child.js'
import { costsOf } from '../../support/memory-cost.js'
import { NOISE } from '../../support/noise.js'
import { seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import { HOSTILE_FIXTURES } from '../../support/resp-fixtures.js'
import { cut } from '../../support/resp-mutator.js'
import type { Check, Context, Outcome, Row } from '../row.js'
import { CLEAN } from '../verdict.js'

const MEBIBYTE = 2 ** 20
const REFUSED_WITHIN = 10

/** Those that the limits of every connection refuse. */
const FRAMES = HOSTILE_FIXTURES.filter(({ limits }) => limits === undefined)

/** A server that answers GET with these bytes, in these parts; `sent` is told of each that has gone. */
async function serve(bytesFor: (key: string) => readonly Buffer[], sent: () => void = () => {}): Promise<FakeServer> {
  const server = await FakeServer.start()
  server
    .expect('GET')
    .do(async (connection, [, key = '']) => {
      for (const [index, part] of bytesFor(key).entries()) {
        if (index > 0) await nextTurn()
        connection.send(part)
        sent()
      }
    })
    .always()
  return server
}

async function hostileFrames(context: Context): Promise<Outcome> {
  const random = seeded(context.seed)
  const rounds = context.scale(1, 10)
  const cases = Array.from({ length: rounds }, (_, round) =>
    FRAMES.map(({ bytes }) => (round === 0 ? [bytes] : cut(bytes, random, 3))),
  ).flat()
  let sentAt = 0
  await using server = await serve(
    (key) => cases[Number(key)] ?? [],
    () => {
      sentAt = performance.now()
    },
  )
  await using redis = new Redis(server.url, {
    maxConnections: 1,
    retry: 'none',
    clientInfo: false,
    backoffMin: 1,
    backoffMax: 20,
  })
  let [refused, served] = [0, 0]
  const times: number[] = []
  for (const [index] of cases.entries()) {
    const error = await redis.get(String(index)).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    times.push(performance.now() - sentAt)
    if (error instanceof RespoolError && Reflect.get(error, 'reason') === 'protocol-error') refused++
    else context.note(`case ${index}: ${JSON.stringify(cases[index]?.join('|').slice(0, 80))} gave ${error}`)
    if ((await redis.echo(`after ${index}`)) === `after ${index}`) served++
  }
  const closed = redis.pool.stats().counters.closed['protocol-error'] ?? 0
  return {
    operations: cases.length * 2,
    faults: cases.length,
    verdict: CLEAN,
    checks: [
      { what: 'different hostile frames', value: FRAMES.length, is: 'at least', limit: 200 },
      { what: 'refused by an error that says so', value: refused, is: 'exactly', limit: cases.length },
      { what: 'connections destroyed', value: closed, is: 'exactly', limit: cases.length },
      { what: 'next command served by a new connection', value: served, is: 'exactly', limit: cases.length },
      {
        what: 'refused after, median',
        value: percentile(times, 0.5),
        is: 'at most',
        limit: REFUSED_WITHIN,
        unit: 'ms',
      },
      {
        what: 'refused after, longest',
        value: Math.max(...times),
        is: 'at most',
        limit: REFUSED_WITHIN + NOISE,
        unit: 'ms',
      },
    ],
  }
}

/** Bytes that cost their sender little, and a client that believes them everything. */
const BOMBS: Readonly<Record<string, Buffer>> = {
  'twenty arrays of 33 million': Buffer.from('*33000000\r\n'.repeat(20)),
  'twenty arrays of 16 million, which are allowed': Buffer.from('*16000000\r\n'.repeat(20)),
  'maps of 16 million': Buffer.from('%16000000\r\n+k\r\n'.repeat(20)),
  'sets of 16 million': Buffer.from('~16000000\r\n'.repeat(20)),
  'attributes of 16 million': Buffer.from('|16000000\r\n+k\r\n'.repeat(20)),
  'a push of 16 million': Buffer.from('>16000000\r\n'),
  'a string of 500 MB': Buffer.from('$524288000\r\nx'),
  'an error of 500 MB': Buffer.from('!524288000\r\nx'),
  'a verbatim string of 500 MB': Buffer.from('=524288000\r\ntxt:x'),
  'arrays nested 200 times': Buffer.from('*1\r\n'.repeat(200)),
}

/** Streams that never end. */
const STREAMS: Readonly<Record<string, string>> = {
  'a line without end': 'x',
  'an array of numbers without end': ':1\r\n',
  'an array of empty arrays without end': '*0\r\n',
  'an array of maps without end': '%1\r\n+a\r\n+b\r\n',
  'an array of errors without end': '-\r\n',
  'an array of strings without end': '$2\r\nab\r\n',
}

const HEAP = 128
const ALLOWED_PER_BOMB = 8 * MEBIBYTE
const LARGEST_STRING = MEBIBYTE
/** Such a reply ends at 16 MiB of what is counted; the smallest strings take several times of it, garbage included. */
const ALLOWED_ENDLESS = 160 * MEBIBYTE

async function memoryBombs(_: Context): Promise<Outcome> {
  const bombs = Object.entries(BOMBS)
  const streams = Object.entries(STREAMS)
  await using server = await FakeServer.start()
  server.expect('BOMB').do(explode).always()
  server.expect('STREAM').do(flood).always()
  const short = await costsOf({ url: server.url, heap: HEAP, commands: bombs.map((_, index) => `text BOMB ${index}`) })
  const endless = await costsOf({
    url: server.url,
    heap: HEAP,
    commands: streams.map((_, index) => `text STREAM ${index}`),
    redis: { maxReplySize: LARGEST_STRING },
  })
  const refused = [...short, ...endless].filter(
    ({ outcome }) => outcome === 'protocol-error' || outcome === 'server-closed',
  )
  const most = Math.max(...short.map(({ memory }) => memory)) / MEBIBYTE
  return {
    operations: short.length + endless.length,
    faults: short.length + endless.length,
    verdict: CLEAN,
    checks: [
      { what: 'survived with a heap of 128 MB', value: short.length, is: 'exactly', limit: bombs.length },
      { what: 'endless replies survived', value: endless.length, is: 'exactly', limit: streams.length },
      {
        what: 'refused, or ended with the connection',
        value: refused.length,
        is: 'exactly',
        limit: short.length + endless.length,
      },
      {
        what: 'memory of a bomb, at most',
        value: most,
        is: 'at most',
        limit: ALLOWED_PER_BOMB / MEBIBYTE,
        unit: 'MiB',
      },
      {
        what: 'memory of an endless reply with maxReplySize of 1 MiB',
        value: Math.max(...endless.map(({ memory }) => memory)) / MEBIBYTE,
        is: 'at most',
        limit: ALLOWED_ENDLESS / MEBIBYTE,
        unit: 'MiB',
      },
    ],
  }
}

async function explode(connection: FakeConnection, [, index = '']: string[]): Promise<void> {
  connection.send(Object.values(BOMBS)[Number(index)] ?? '')
  // What is still believed to come never does.
  await pause(20)
  connection.fin()
}

async function flood(connection: FakeConnection, [, index = '']: string[]): Promise<void> {
  const part = Object.values(STREAMS)[Number(index)] ?? ''
  connection.send(part === 'x' ? '+' : '*16000000\r\n')
  const chunk = part.repeat(Math.ceil(65_536 / part.length))
  while (!connection.closed) {
    if (connection.socket.writableLength < MEBIBYTE) connection.send(chunk)
    await pause(0)
  }
}

async function deepReplies(context: Context): Promise<Outcome> {
  const depth = 1_000_000
  const handler = { onReply() {}, onErrorReply() {}, onPush() {}, replyMapping: () => undefined }
  const nested = ['*1\r\n', '~1\r\n', '%1\r\n+k\r\n', '|1\r\n+k\r\n', '%1\r\n', '*2\r\n:1\r\n']
  const bytes = nested.map((header) => Buffer.from(header.repeat(depth)))
  const times: number[] = []
  let [refused, overflowed] = [0, 0]
  for (let round = context.scale(5, 100); round > 0; round--) {
    for (const each of bytes) {
      const decoder = new Decoder(handler)
      const started = performance.now()
      try {
        for (let at = 0; at < each.length; at += 65_536) decoder.write(each.subarray(at, at + 65_536))
      } catch (error) {
        times.push(performance.now() - started)
        if (/maxDepth/.test(String(error))) refused++
        if (error instanceof RangeError) overflowed++
      }
    }
  }
  await using server = await serve((key) => [bytes[Number(key)] ?? Buffer.alloc(0)])
  await using redis = new Redis(server.url, { retry: 'none' })
  const calls = await Promise.allSettled(nested.map((_, index) => redis.get(String(index))))
  const rejected = calls.filter(({ status }) => status === 'rejected').length
  return {
    operations: times.length + calls.length,
    faults: times.length + calls.length,
    verdict: CLEAN,
    checks: [
      {
        what: 'refused by the limit of depth',
        value: refused,
        is: 'exactly',
        limit: context.scale(5, 100) * nested.length,
      },
      { what: 'call stack overflowed', value: overflowed, is: 'exactly', limit: 0 },
      { what: 'refused over a socket', value: rejected, is: 'exactly', limit: nested.length },
      { what: 'refused after, p99', value: percentile(times, 0.99), is: 'at most', limit: 10, unit: 'ms' },
    ],
  }
}

const BIG = 512 * MEBIBYTE
const ELEMENTS = 1_000_000
const TIMES = 5

async function bigReplies(context: Context): Promise<Outcome> {
  await using server = await RedisProcess.start()
  context.note('filling the server')
  await server.cli('SETRANGE', 'bytes', String(BIG - 1), 'x')
  // Text cannot be longer than this in JavaScript.
  const longest = BIG - 32
  await server.cli('SETRANGE', 'text', String(longest - 1), 'x')
  const element = 'v'.repeat(64)
  const fill = `for i = 1, ${ELEMENTS / 1_000} do redis.call('RPUSH', 'list', unpack(ARGV)) end`
  await server.cli('EVAL', fill, '0', ...Array.from({ length: 1_000 }, (_, index) => `${element}${index}`))
  const framed = Buffer.byteLength(`$67\r\n${element}999\r\n`)
  const sizes = { 'bytes as Buffer': BIG, 'bytes as text': longest, 'an array of a million': ELEMENTS * framed }
  const commands = ['buffer GET bytes', 'text GET text', 'text LRANGE list 0 -1']
  const checks: Check[] = []
  for (const [index, [what, size]] of Object.entries(sizes).entries()) {
    context.note(what)
    const costs: Cost[] = []
    while (costs.length < TIMES) costs.push(...(await costsOf({ url: server.url, commands: [commands[index] ?? ''] })))
    const replies = costs.filter(({ outcome }) => outcome === 'ok').length
    const memory = Math.max(...costs.map((cost) => cost.memory)) / size
    const pauses = costs.map(({ stall }) => stall)
    checks.push(
      { what: `${what}: replies`, value: replies, is: 'exactly', limit: TIMES },
      { what: `${what}: memory at the peak, per byte`, value: memory, is: 'at most', limit: 2.2 },
      // The collector has its say in a single one.
      { what: `${what}: longest pause, median`, value: percentile(pauses, 0.5), is: 'at most', limit: 50, unit: 'ms' },
    )
  }
  return { operations: commands.length * TIMES, faults: commands.length * TIMES, verdict: CLEAN, checks }
}

export const hostileReplies: readonly Row[] = [
  {
    id: 'E4',
    fault: 'Replies break the format',
    injection: 'a server answers with each frame of a corpus that no server may send, whole and cut',
    expected: 'the command fails, its connection ends, the next command is served by another',
    tiers: ['commit', 'nightly'],
    run: hostileFrames,
  },
  {
    id: 'E5',
    fault: 'Replies promise more than any memory holds',
    injection: 'headers of millions and streams without end, to a process with 128 MB',
    expected: 'nothing is allocated on the word of a header; what never ends meets a limit',
    tiers: ['commit', 'nightly'],
    run: memoryBombs,
  },
  {
    id: 'E6',
    fault: 'Replies are nested a million deep',
    injection: 'a server answers with arrays, sets, maps and attributes inside each other',
    expected: 'refused at the limit of depth, without recursion',
    tiers: ['commit', 'nightly'],
    run: deepReplies,
  },
  {
    id: 'E7',
    fault: 'Replies are honest and huge',
    injection: 'a string of 512 MiB and an array of a million, from a real server to a process of its own',
    expected: 'decoded while they come, without a second copy',
    tiers: ['nightly'],
    run: bigReplies,
  },
]
