// Owns how the text of one scalar reply becomes a value. Knows nothing of frames, chunks or handlers.
import { constants } from 'node:buffer'
import { ProtocolError, ReplyError } from '../base/errors.js'
import { RESP_TYPES, type Reply, type ReplyMapping, VerbatimString } from './types.js'

// Node has these methods on every Buffer; toString(encoding, start, end) costs a quarter more on short values.
declare global {
  interface Buffer {
    latin1Slice(start?: number, end?: number): string
    utf8Slice(start?: number, end?: number): string
  }
}

const CR = 13
const LF = 10
const PLUS = 43
const MINUS = 45
const ZERO = 48
const COLON = 58
const TRUE = 116
const FALSE = 102

/** Digits that a double holds exactly whatever they are. */
const EXACT_DIGITS = 15
const INT64_DIGITS = 19
const MAX_INT64 = '9223372036854775807'
const MIN_INT64 = '9223372036854775808'

const DOUBLE = /^[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?$/
const BIG_NUMBER = /^[+-]?\d+$/

// C0, DEL, C1, line separators and bidirectional controls: what can move a terminal's cursor or reorder its text.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

/** Index of the CR that ends the line, or -1 when the line is not complete. A lone CR or LF is an error. */
export function findLineEnd(bytes: Buffer, from: number, length: number): number {
  for (let at = from; at < length; at++) {
    const byte = bytes[at]!
    if (byte > CR) continue
    if (byte === LF) throw new ProtocolError('A line ends without a carriage return')
    if (byte !== CR) continue
    if (at + 1 === length) return -1
    if (bytes[at + 1] !== LF) throw new ProtocolError('A carriage return is not followed by a line feed')
    return at
  }
  return -1
}

export function toText(bytes: Buffer, start: number, end: number): string {
  checkTextLength(end - start)
  return bytes.utf8Slice(start, end)
}

export function checkTextLength(length: number): void {
  if (length <= constants.MAX_STRING_LENGTH) return
  throw new ProtocolError(`A reply of ${length} bytes is longer than a string can be; map it to Buffer`)
}

/** A copy: the caller's bytes are overwritten by the next read. */
export function toBuffer(bytes: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start)
  bytes.copy(copy, 0, start, end)
  return copy
}

export function toSimpleString(bytes: Buffer, start: number, end: number): string {
  const first = bytes[start]
  if (end - start === 4 && first === 80 && bytes.latin1Slice(start, end) === 'PONG') return 'PONG'
  if (end - start === 6 && first === 81 && bytes.latin1Slice(start, end) === 'QUEUED') return 'QUEUED'
  return toText(bytes, start, end)
}

export function toBoolean(bytes: Buffer, start: number, end: number): boolean {
  const letter = bytes[start]
  if (end - start !== 1 || (letter !== TRUE && letter !== FALSE)) throw new ProtocolError('A boolean is not t or f')
  return letter === TRUE
}

export function toInteger(bytes: Buffer, start: number, end: number, mapping: ReplyMapping | undefined): Reply {
  const sign = bytes[start]
  const first = sign === MINUS || sign === PLUS ? start + 1 : start
  if (first === end || end - start > INT64_DIGITS + 1) throw new ProtocolError('An integer has no or too many digits')
  let number = 0
  for (let at = first; at < end; at++) {
    const digit = bytes[at]! - ZERO
    if (digit < 0 || digit > 9) throw new ProtocolError('An integer holds something that is not a digit')
    number = number * 10 + digit
  }
  if (end - first > EXACT_DIGITS) number = toLargeInteger(bytes.latin1Slice(first, end), sign === MINUS)
  if (mapping !== undefined && mapping[RESP_TYPES.NUMBER] === String) return bytes.latin1Slice(start, end)
  return sign === MINUS && number !== 0 ? -number : number
}

/** The double nearest to `digits`, which must fit in 64 bits. */
function toLargeInteger(digits: string, negative: boolean): number {
  const limit = negative ? MIN_INT64 : MAX_INT64
  if (digits.padStart(INT64_DIGITS + 1, '0') > limit.padStart(INT64_DIGITS + 1, '0')) {
    throw new ProtocolError('An integer does not fit in 64 bits')
  }
  return Number(digits)
}

export function toBigNumber(bytes: Buffer, start: number, end: number, mapping: ReplyMapping | undefined): Reply {
  const text = bytes.latin1Slice(start, end)
  if (!BIG_NUMBER.test(text)) throw new ProtocolError('A big number holds something that is not a digit')
  const target = mapping?.[RESP_TYPES.BIG_NUMBER]
  if (target === String) return text
  return target === Number ? Number(text) : BigInt(text)
}

export function toDouble(bytes: Buffer, start: number, end: number, mapping: ReplyMapping | undefined): Reply {
  const text = bytes.latin1Slice(start, end)
  const number = DOUBLE.test(text) ? Number(text) : toSpecialDouble(text)
  return mapping?.[RESP_TYPES.DOUBLE] === String ? text : number
}

function toSpecialDouble(text: string): number {
  switch (text) {
    case 'inf':
    case '+inf':
      return Number.POSITIVE_INFINITY
    case '-inf':
      return Number.NEGATIVE_INFINITY
    // Older servers print the sign of a NaN.
    case 'nan':
    case '-nan':
      return Number.NaN
    default:
      throw new ProtocolError('A double is not a number')
  }
}

export function toVerbatimString(bytes: Buffer, start: number, end: number, target: unknown): Reply {
  const text = start + 4
  if (text > end || bytes[start + 3] !== COLON) throw new ProtocolError('A verbatim string lacks its format')
  if (target === Buffer) return toBuffer(bytes, text, end)
  if (target === VerbatimString) return new VerbatimString(toText(bytes, start, start + 3), toText(bytes, text, end))
  return toText(bytes, text, end)
}

/** The server's own words, safe to print: what it quotes may come from anybody. */
export function toReplyError(bytes: Buffer, start: number, end: number): ReplyError {
  return new ReplyError(toText(bytes, start, end).replace(UNPRINTABLE, escapeCharacter))
}

function escapeCharacter(character: string): string {
  switch (character) {
    case '\r':
      return '\\r'
    case '\n':
      return '\\n'
    case '\t':
      return '\\t'
    default:
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  }
}
