// Values that a program may hand to a command, good and bad, by chance. Knows no server.

import { between, pick, type Random } from './random.js'

export interface RandomArgument {
  readonly value: unknown
  /** The bytes that it stands for; undefined for what cannot be sent. */
  readonly bytes: Buffer | undefined
}

const TRICKY = [
  '',
  '\r\n',
  '\n',
  '\r',
  '\0',
  '$5\r\nhello\r\n',
  '*1\r\n$8\r\nFLUSHALL\r\n',
  '\r\nFLUSHALL\r\n',
  '😀',
  '\ud800',
  '\udc00',
  'a\ud83d',
  'é€',
  '\u2028',
  'NaN',
  'null',
  'undefined',
  '[object Object]',
  '__proto__',
  'x'.repeat(24),
  'é'.repeat(25),
]
const NOT_SENDABLE: readonly unknown[] = [
  undefined,
  null,
  {},
  [],
  true,
  Symbol('s'),
  () => '',
  new Date(),
  { toString: () => 'x' },
  new Uint8Array(3),
  7,
  Number.NaN,
  5n,
  new String('x'),
]
const SIZES = [0, 1, 24, 25, 170, 5_454, 16_383, 16_384, 21_845, 65_536]

export function randomArgument(random: Random): RandomArgument {
  const kind = random()
  if (kind < 0.1) return { value: NOT_SENDABLE[between(random, 0, NOT_SENDABLE.length - 1)], bytes: undefined }
  if (kind < 0.2) return sent(Buffer.alloc(pick(random, SIZES), 'é\r\n'))
  if (kind < 0.3) return sent('€\r\n'.repeat(pick(random, SIZES) / 3))
  if (kind < 0.4)
    return sent(Buffer.from(Array.from({ length: between(random, 0, 39) }, () => between(random, 0, 255))))
  const parts = Array.from({ length: between(random, 1, 4) }, () => pick(random, TRICKY))
  return sent(parts.join(random() < 0.5 ? '' : 'x'))
}

export function sent(value: string | Buffer): RandomArgument {
  return { value, bytes: Buffer.from(value) }
}
