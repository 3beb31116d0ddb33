// Rows E8 to E11: replies cut anywhere, names that mean something to JavaScript, arguments of any bytes, and input made
// by chance.

import { RESP_TYPES, Redis } from '../../../src/index.js'
import { RESP_TYPES as TYPES } from '../../../src/resp/types.js'
import { printOf } from '../../support/decoded-print.js'
import { FakeServer } from '../../support/fake-server.js'
import { seeded } from '../../support/random.js'
import { type RandomArgument, randomArgument, sent } from '../../support/random-arguments.js'
import { RedisProcess } from '../../support/redis-process.js'
import { byteByByte, decode, FIXTURES, HOSTILE_FIXTURES, inTwo } from '../../support/resp-fixtures.js'
import { cut, input } from '../../support/resp-mutator.js'
import type { Context, Outcome, Row } from '../row.js'
import { CLEAN } from '../verdict.js'

/** Frames this short are cut at every two places. */
const SHORT = 80

async function everySplit(_: Context): Promise<Outcome> {
  const started = performance.now()
  let [cases, different] = [0, 0]
  const judge = (
    parts: readonly Buffer[],
    mapping: object | undefined,
    limits: object | undefined,
    whole: string,
  ): void => {
    cases++
    if (printOf(decode(parts, mapping, limits)) !== whole) different++
  }
  for (const fixture of [...FIXTURES, ...HOSTILE_FIXTURES]) {
    const { bytes } = fixture
    const mapping = 'mapping' in fixture ? fixture.mapping : undefined
    const limits = 'limits' in fixture ? fixture.limits : undefined
    const whole = printOf(decode([bytes], mapping, limits))
    judge(byteByByte(bytes), mapping, limits, whole)
    for (let first = 0; first <= bytes.length; first++) {
      judge(inTwo(bytes, first), mapping, limits, whole)
      if (bytes.length > SHORT) continue
      for (let second = first; second <= bytes.length; second++) {
        judge([bytes.subarray(0, first), ...inTwo(bytes.subarray(first), second - first)], mapping, limits, whole)
      }
    }
  }
  const took = (performance.now() - started) / 1_000
  return {
    operations: cases,
    faults: cases,
    verdict: { ...CLEAN, crossed: different },
    checks: [
      { what: 'ways to cut', value: cases, is: 'at least', limit: 50_000 },
      { what: 'decoded to something else', value: different, is: 'exactly', limit: 0 },
      { what: 'took', value: took, is: 'at most', limit: 5, unit: 's' },
    ],
  }
}

const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  '__defineGetter__',
  'then',
  'length',
  '0',
  '-1',
  '',
  '\0',
  '😀',
]

/** Everything that all objects inherit. */
const prototypes = (): string =>
  [Object.prototype, Array.prototype, Function.prototype, Map.prototype, String.prototype, Promise.prototype]
    .map((each) => Reflect.ownKeys(each).map(String).join())
    .join(';')

async function tellingNames(_: Context): Promise<Outcome> {
  const before = prototypes()
  let [cases, wrong] = [0, 0]
  const judge = (isRight: boolean): void => {
    cases++
    if (!isRight) wrong++
  }
  const isOwn = (object: unknown, name: string, value: unknown): boolean => {
    const found = Object.getOwnPropertyDescriptor(Object(object), name)
    return found?.value === value
  }
  await using server = await RedisProcess.start()
  for (const protocol of [2, 3] as const) {
    await using redis = new Redis(server.url, { protocol })
    const byName = redis.withTypeMapping({ [RESP_TYPES.MAP]: Map })
    for (const name of NAMES) {
      const key = `names:${protocol}:${name}`
      await redis.hSet(
        key,
        [
          [name, 'value'],
          ['other', 'x'],
        ].flat(),
      )
      await redis.xAdd(`stream:${key}`, '*', Object.fromEntries([[name, 'value']]))
      const fields = await redis.hGetAll(key)
      judge(isOwn(fields, name, 'value') && Object.keys(fields).length === 2)
      judge((await byName.sendCommand<Map<string, string> | string[]>(['HGETALL', key])).constructor !== undefined)
      const entry = (await redis.xRange(`stream:${key}`, '-', '+'))?.[0]
      judge(isOwn(entry?.message, name, 'value'))
      judge((await redis.hGet(key, name)) === 'value')
      judge(
        isOwn(
          await redis
            .multi()
            .hGetAll(key)
            .exec()
            .then(([reply]) => reply),
          name,
          'value',
        ),
      )
    }
  }
  const odd = ['_', ':1', ',1.5', '#t', '(7', '*0', '*1\r\n+a', '%0', '~1\r\n+a', '-ERR k', '$-1']
  await using fake = await FakeServer.start()
  for (const [index, key] of odd.entries()) {
    const twice = `%3\r\n${key}\r\n+first\r\n${key}\r\n+second\r\n$9\r\n__proto__\r\n%1\r\n+polluted\r\n+yes\r\n`
    fake.expect('GET', String(index)).raw(twice).always()
  }
  await using redis = new Redis(fake.url)
  for (const [index] of odd.entries()) {
    const reply: unknown = await redis.sendCommand(['GET', String(index)])
    judge(Object.hasOwn(Object(reply), '__proto__') && Object.getPrototypeOf(reply) === null)
    judge(Object.values(Object(reply)).includes('second') && Reflect.get(Object(reply), 'polluted') === undefined)
  }
  judge(prototypes() === before && Reflect.get({}, 'polluted') === undefined)
  return {
    operations: cases,
    faults: cases,
    verdict: { ...CLEAN, lost: wrong },
    checks: [
      { what: 'cases', value: cases, is: 'at least', limit: 150 },
      { what: 'names that were lost or did something', value: wrong, is: 'exactly', limit: 0 },
    ],
  }
}

const VALUE = 64
const HUGE = 16 * 1024 * 1024

async function randomArguments(context: Context): Promise<Outcome> {
  const random = seeded(context.seed)
  const count = context.scale(10_000, 100_000)
  await using server = await RedisProcess.start()
  await using redis = new Redis(server.url, { clientInfo: false })
  const bytes = redis.withTypeMapping({ [TYPES.BLOB_STRING]: Buffer })
  await redis.connect()
  await server.cli('CONFIG', 'RESETSTAT')
  let [accepted, refused, different, wronglyRefused, wronglyAccepted] = [0, 0, 0, 0, 0]
  const tryOne = async ({ value, bytes: expected }: RandomArgument, index: number): Promise<void> => {
    const key = `argument:${index % VALUE}:${index}`
    try {
      await Reflect.apply(bytes.sendCommand, bytes, [['SET', key, value]])
    } catch (error) {
      if (expected !== undefined || Reflect.get(Object(error), 'code') !== 'ERR_ARGUMENT') wronglyRefused++
      refused++
      return
    }
    accepted++
    const stored = await bytes.sendCommand<Buffer>(['GET', key])
    if (expected === undefined) wronglyAccepted++
    else if (!expected.equals(stored)) different++
    await redis.del(key)
  }
  const cases = [sent('x'.repeat(HUGE)), sent(Buffer.alloc(HUGE, '\r\n')), sent('€'.repeat(HUGE / 4))]
  while (cases.length < count) cases.push(randomArgument(random))
  for (let at = 0; at < count; at += VALUE) {
    await Promise.all(cases.slice(at, at + VALUE).map((each, index) => tryOne(each, at + index)))
  }
  const executed = await commandsExecuted(server)
  return {
    operations: accepted * 3 + refused,
    faults: count,
    verdict: { ...CLEAN, crossed: different, falselyRejected: wronglyAccepted },
    checks: [
      { what: 'arguments tried', value: count, is: 'at least', limit: 10_000 },
      { what: 'of them impossible to send, and refused', value: refused, is: 'at least', limit: count / 20 },
      { what: 'came back as other bytes', value: different, is: 'exactly', limit: 0 },
      { what: 'refused without need, or not by an ArgumentError', value: wronglyRefused, is: 'exactly', limit: 0 },
      { what: 'commands that the server executed', value: executed.ours, is: 'exactly', limit: accepted * 3 },
      { what: 'commands that nobody sent', value: executed.others, is: 'exactly', limit: 0 },
    ],
  }
}

/** By the server's own count: SET, GET and DEL, and all that is neither these nor a question of ours. */
async function commandsExecuted(server: RedisProcess): Promise<{ ours: number; others: number }> {
  let [ours, others] = [0, 0]
  for (const [name, figures] of Object.entries(await server.info('commandstats'))) {
    const calls = Number(/calls=(\d+)/.exec(figures)?.[1])
    if (/^cmdstat_(?:set|get|del)$/.test(name)) ours += calls
    // What a connection says when it is opened, and a pool once: it asks for the server's own timeout.
    else if (!/^cmdstat_(?:info|config\|resetstat|config\|get|hello|ping)$/.test(name)) others += calls
  }
  return { ours, others }
}

const MAPPINGS: readonly (object | undefined)[] = [
  undefined,
  { [TYPES.SET]: Set, [TYPES.MAP]: Map, [TYPES.BLOB_STRING]: Buffer },
  { [TYPES.MAP]: Array, [TYPES.NUMBER]: String, [TYPES.BIG_NUMBER]: String, [TYPES.SIMPLE_STRING]: Buffer },
]
const SLOW = 250

async function fuzz(context: Context): Promise<Outcome> {
  const random = seeded(context.seed)
  const inputs = context.scale(100_000, 2_000_000)
  const limits = { maxElements: 10_000, maxReplySize: 100_000, maxLineLength: 64 }
  let [values, refused, failed, different, slow] = [0, 0, 0, 0, 0]
  for (let index = 0; index < inputs; index++) {
    // The loop of a row must not stand still for minutes.
    if (index % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve))
    const bytes = input(random)
    const mapping = MAPPINGS[index % MAPPINGS.length]
    const started = performance.now()
    try {
      const whole = decode([bytes], mapping, limits)
      const print = printOf(whole)
      if (whole.failure === undefined) values++
      else refused++
      if (printOf(decode(cut(bytes, random), mapping, limits)) !== print) {
        different++
        context.note(`input ${index}, cut, gives something else: ${JSON.stringify(bytes.toString('latin1'))}`)
      }
    } catch (error) {
      failed++
      context.note(`input ${index} throws ${error}: ${JSON.stringify(bytes.toString('latin1'))}`)
    }
    if (performance.now() - started > SLOW) slow++
  }
  return {
    operations: inputs * 2,
    faults: inputs,
    verdict: { ...CLEAN, crossed: different },
    checks: [
      { what: 'inputs', value: inputs, is: 'at least', limit: context.scale(100_000, 2_000_000) },
      { what: 'of them decoded', value: values, is: 'at least', limit: inputs / 5 },
      { what: 'of them refused by a ProtocolError', value: refused, is: 'at least', limit: inputs / 5 },
      { what: 'threw anything else', value: failed, is: 'exactly', limit: 0 },
      { what: 'gave something else when cut', value: different, is: 'exactly', limit: 0 },
      { what: `took longer than ${SLOW} ms`, value: slow, is: 'exactly', limit: 0 },
    ],
  }
}

export const values: readonly Row[] = [
  {
    id: 'E8',
    fault: 'Replies are cut anywhere',
    injection: 'each frame of the corpus in every two parts, short ones in every three, and byte by byte',
    expected: 'the same values, or the same refusal',
    tiers: ['commit', 'nightly'],
    run: everySplit,
  },
  {
    id: 'E9',
    fault: 'Names mean something to JavaScript',
    injection:
      'fields such as __proto__ in hashes and streams; maps with the same key twice, and with keys that are no text',
    expected: 'all of it is data; no prototype changes',
    tiers: ['commit', 'nightly'],
    run: tellingNames,
  },
  {
    id: 'E10',
    fault: 'Arguments of any bytes and kinds',
    injection: 'CR, LF, NUL, RESP, half characters, nothing, 16 MiB, and what is neither text nor bytes',
    expected: 'the same bytes come back, or the call is refused; the server executes what was called and nothing else',
    tiers: ['commit', 'nightly'],
    run: randomArguments,
  },
  {
    id: 'E11',
    fault: 'Input made by chance',
    injection: 'frames by the grammar and the corpus, damaged and cut',
    expected: 'values or a ProtocolError, the same however it is cut',
    tiers: ['commit', 'nightly'],
    run: fuzz,
  },
]
