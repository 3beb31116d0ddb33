// Makes RESP out of chance: whole frames by the grammar, then damage to them, then cuts. A seed repeats it all.
// Knows no decoder.

import { between, pick, type Random } from './random.js'
import { FIXTURES, HOSTILE_FIXTURES } from './resp-fixtures.js'

const below = (random: Random, limit: number): number => between(random, 0, limit - 1)

const CORPUS: readonly Buffer[] = [...FIXTURES, ...HOSTILE_FIXTURES].map(({ bytes }) => bytes.subarray(0, 400))
const COUNTS = [
  '0',
  '1',
  '2',
  '3',
  '-1',
  '-2',
  '00',
  '16777216',
  '16777217',
  '4294967295',
  '9'.repeat(25),
  '',
  '?',
  '+1',
] as const
const NUMBERS = [
  '0',
  '-1',
  '9007199254740993',
  '9223372036854775807',
  '9223372036854775808',
  '-0',
  '+7',
  'x',
  '',
] as const
const DOUBLES = ['1.5', '-inf', 'nan', '1e400', '.5', '1.', '0x1', '1e', '-0', ''] as const
const TEXTS = ['', 'OK', 'a\rb', 'a\nb', '\r\n', '€😀', '\xff\xfe', '__proto__', 'x'.repeat(70)] as const
const BREAKS = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n', ''] as const
/** Where the bytes of a frame turn. */
const TELLING = [...Buffer.from('\r\n0129-+:$*%~>|_#,(=!?;.@')]

/** One frame, mostly right. */
export function frame(random: Random, depth = 0): string {
  const kind = below(random, depth > 5 ? 9 : 14)
  const end = random() < 0.98 ? '\r\n' : pick(random, BREAKS)
  const line = (text: string): string => text.replace(/[\r\n]/g, ' ')
  switch (kind) {
    case 0:
      return `+${line(pick(random, TEXTS))}${end}`
    case 1:
      return `-ERR ${line(pick(random, TEXTS))}${end}`
    case 2:
      return `:${random() < 0.7 ? below(random, 1e6) : pick(random, NUMBERS)}${end}`
    case 3:
      return `,${random() < 0.7 ? random() * 100 : pick(random, DOUBLES)}${end}`
    case 4:
      return pick(random, ['_', '#t', '#f', '#x', '_x', '$-1', '*-1', '$-2']) + end
    case 5:
      return `(${random() < 0.7 ? '9'.repeat(below(random, 40)) : pick(random, NUMBERS)}${end}`
    case 6:
    case 7:
    case 8:
      return bulk(random, end)
    default:
      return aggregate(random, depth, end)
  }
}

function bulk(random: Random, end: string): string {
  const type = pick(random, ['$', '$', '$', '=', '!'])
  const body = (type === '=' ? 'txt:' : '') + Buffer.from(pick(random, TEXTS)).toString('latin1')
  const length = random() < 0.95 ? String(body.length) : pick(random, COUNTS)
  return `${type}${length}\r\n${body}${end}`
}

function aggregate(random: Random, depth: number, end: string): string {
  const type = pick(random, ['*', '*', '*', '~', '%', '%', '>', '|'])
  const count = below(random, 4)
  const pairs = type === '%' || type === '|' ? 2 : 1
  const told = random() < 0.95 ? String(count) : pick(random, COUNTS)
  const items = Array.from({ length: count * pairs }, () => frame(random, depth + 1))
  return `${type}${told}${end}${items.join('')}`
}

/** Several frames in a row, from the grammar or the corpus, and mostly damaged. */
export function input(random: Random): Buffer {
  const frames = Array.from(
    { length: 1 + below(random, 3) },
    (): Buffer => (random() < 0.5 ? Buffer.from(frame(random), 'latin1') : pick(random, CORPUS)),
  )
  let bytes: Buffer = Buffer.concat(frames)
  for (let damages = below(random, 4); damages > 0; damages--) bytes = damaged(bytes, random)
  return bytes
}

function damaged(bytes: Buffer, random: Random): Buffer {
  const at = below(random, bytes.length + 1)
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)]
  const length = 1 + below(random, 12)
  const byte = random() < 0.7 ? pick(random, TELLING) : below(random, 256)
  switch (below(random, 6)) {
    case 0:
      return Buffer.concat([head, Buffer.from([byte]), tail.subarray(1)])
    case 1:
      return Buffer.concat([head, tail.subarray(length)])
    case 2:
      return Buffer.concat([head, Buffer.from([byte]), tail])
    case 3:
      return Buffer.concat([head, tail.subarray(0, length), tail])
    case 4:
      return Buffer.concat([head, Buffer.from(frame(random), 'latin1'), tail])
    default:
      return head
  }
}

/** The same bytes in up to `most` parts; now and then one by one. */
export function cut(bytes: Buffer, random: Random, most = 5): Buffer[] {
  if (random() < 0.1) return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
  const places = Array.from({ length: below(random, most) }, () => below(random, bytes.length + 1)).sort(
    (a, b) => a - b,
  )
  return [...places, bytes.length].map((end, index) => bytes.subarray(places[index - 1] ?? 0, end))
}
