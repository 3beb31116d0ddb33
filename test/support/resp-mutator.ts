// Makes RESP out of chance: whole frames by the grammar, then damage to them, then cuts. A seed repeats it all.
// Knows no decoder.

import { FIXTURES, HOSTILE_FIXTURES } from './resp-fixtures.js'

export type Chance = () => number

const below = (chance: Chance, limit: number): number => Math.floor(chance() * limit)

function pick<T>(chance: Chance, items: readonly [T, ...T[]]): T {
  return items[below(chance, items.length)] ?? items[0]
}

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
const TELLING = Buffer.from('\r\n0129-+:$*%~>|_#,(=!?;.@')

/** One frame, mostly right. */
export function frame(chance: Chance, depth = 0): string {
  const kind = below(chance, depth > 5 ? 9 : 14)
  const end = chance() < 0.98 ? '\r\n' : pick(chance, BREAKS)
  const line = (text: string): string => text.replace(/[\r\n]/g, ' ')
  switch (kind) {
    case 0:
      return `+${line(pick(chance, TEXTS))}${end}`
    case 1:
      return `-ERR ${line(pick(chance, TEXTS))}${end}`
    case 2:
      return `:${chance() < 0.7 ? below(chance, 1e6) : pick(chance, NUMBERS)}${end}`
    case 3:
      return `,${chance() < 0.7 ? chance() * 100 : pick(chance, DOUBLES)}${end}`
    case 4:
      return pick(chance, ['_', '#t', '#f', '#x', '_x', '$-1', '*-1', '$-2']) + end
    case 5:
      return `(${chance() < 0.7 ? '9'.repeat(below(chance, 40)) : pick(chance, NUMBERS)}${end}`
    case 6:
    case 7:
    case 8:
      return bulk(chance, end)
    default:
      return aggregate(chance, depth, end)
  }
}

function bulk(chance: Chance, end: string): string {
  const type = pick(chance, ['$', '$', '$', '=', '!'])
  const body = (type === '=' ? 'txt:' : '') + Buffer.from(pick(chance, TEXTS)).toString('latin1')
  const length = chance() < 0.95 ? String(body.length) : pick(chance, COUNTS)
  return `${type}${length}\r\n${body}${end}`
}

function aggregate(chance: Chance, depth: number, end: string): string {
  const type = pick(chance, ['*', '*', '*', '~', '%', '%', '>', '|'])
  const count = below(chance, 4)
  const pairs = type === '%' || type === '|' ? 2 : 1
  const told = chance() < 0.95 ? String(count) : pick(chance, COUNTS)
  const items = Array.from({ length: count * pairs }, () => frame(chance, depth + 1))
  return `${type}${told}${end}${items.join('')}`
}

/** Several frames in a row, from the grammar or the corpus, and mostly damaged. */
export function input(chance: Chance): Buffer {
  const frames = Array.from(
    { length: 1 + below(chance, 3) },
    (): Buffer =>
      chance() < 0.5 ? Buffer.from(frame(chance), 'latin1') : (CORPUS[below(chance, CORPUS.length)] ?? Buffer.alloc(0)),
  )
  let bytes: Buffer = Buffer.concat(frames)
  for (let damages = below(chance, 4); damages > 0; damages--) bytes = damaged(bytes, chance)
  return bytes
}

function damaged(bytes: Buffer, chance: Chance): Buffer {
  const at = below(chance, bytes.length + 1)
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)]
  const length = 1 + below(chance, 12)
  const byte = chance() < 0.7 ? (TELLING[below(chance, TELLING.length)] ?? 0) : below(chance, 256)
  switch (below(chance, 6)) {
    case 0:
      return Buffer.concat([head, Buffer.from([byte]), tail.subarray(1)])
    case 1:
      return Buffer.concat([head, tail.subarray(length)])
    case 2:
      return Buffer.concat([head, Buffer.from([byte]), tail])
    case 3:
      return Buffer.concat([head, tail.subarray(0, length), tail])
    case 4:
      return Buffer.concat([head, Buffer.from(frame(chance), 'latin1'), tail])
    default:
      return head
  }
}

/** The same bytes in up to `most` parts; now and then one by one. */
export function cut(bytes: Buffer, chance: Chance, most = 5): Buffer[] {
  if (chance() < 0.1) return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
  const places = Array.from({ length: below(chance, most) }, () => below(chance, bytes.length + 1)).sort(
    (a, b) => a - b,
  )
  return [...places, bytes.length].map((end, index) => bytes.subarray(places[index - 1] ?? 0, end))
}
