// Owns 20 kinds of replies, in RESP3 and where it has them in RESP2, and what a call ends with that gets one. Sends none.

import { isDeepStrictEqual } from 'node:util'
import { FIXTURES } from '../../support/resp-fixtures.js'

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

export interface ReplyKind {
  readonly kind: string
  readonly protocol: 2 | 3
  readonly bytes: Buffer
  /** What a call that gets all of it ends with. */
  readonly whole: End
}

export type End = { readonly value: unknown } | { readonly error: unknown }

export function replyKinds(): readonly ReplyKind[] {
  return KINDS.flatMap((kind) => {
    const fixture = FIXTURES.find(({ name }) => name === kind)
    const event = fixture?.expected[0]
    if (fixture === undefined || event === undefined) throw new Error(`there is no '${kind}'`)
    const bytes = event.kind === 'push' ? Buffer.concat([fixture.bytes, Buffer.from(ANSWER)]) : fixture.bytes
    const answer: End = event.kind === 'reply' ? { value: event.value } : { value: 'PONG' }
    const whole: End = event.kind === 'error' ? { error: event.error } : answer
    const protocols = OLD.test(bytes.toString('latin1', 0, 1)) ? ([2, 3] as const) : ([3] as const)
    return protocols.map((protocol) => ({ kind, protocol, bytes, whole }))
  })
}

export function endOf(call: Promise<unknown>): Promise<End> {
  return call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
}

export function isSame(expected: End, end: End): boolean {
  if ('value' in expected || 'value' in end) return isDeepStrictEqual(expected, end)
  return String(expected.error) === String(end.error)
}
