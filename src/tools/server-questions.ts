// Owns how a server is asked about itself, and what is said where it does not answer: a refusal is an answer like any
// other, a lost connection is not. Shows none of the server's own words.

import { ReplyError } from '../index.js'

/** What may keep a server from answering: no right, no such command (also where it was renamed), or something else. */
export type RefusalKind = 'forbidden' | 'unknown' | 'failed'

export interface Refusal {
  /** What was asked: `CONFIG GET`. */
  readonly question: string
  readonly kind: RefusalKind
  readonly because: string
  readonly remedy: string
}

export type Answer<T> =
  | { readonly value: T; readonly refused?: undefined }
  | { readonly refused: Refusal; readonly value?: undefined }

/** A command and its subcommand, in capitals. */
export type Question = 'INFO' | 'CONFIG GET' | 'CLIENT LIST' | 'SLOWLOG GET' | 'HELLO' | 'PING'

/**
 * The server's answer, or why it gave none.
 * @throws what is not the answer of the server: a lost connection, a timeout
 */
export async function ask<T>(question: Question, send: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await send() }
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error
    return { refused: refusalOf(question, error) }
  }
}

export const mapped = <T, U>(answer: Answer<T>, change: (value: T) => U): Answer<U> =>
  answer.refused === undefined ? { value: change(answer.value) } : answer

function refusalOf(question: Question, { kind, message }: ReplyError): Refusal {
  const right = `+${question.toLowerCase().replace(' ', '|')}`
  if (kind === 'NOPERM') {
    const remedy = `grant it: ACL SETUSER <user> ${right} (before Redis 7: the command as a whole)`
    return { question, kind: 'forbidden', because: 'the user has no right to ask (NOPERM)', remedy }
  }
  if (/^ERR unknown (sub)?command/i.test(message)) {
    const because = 'the server knows no such command, or not by this name'
    return { question, kind: 'unknown', because, remedy: 'many hosted servers hide it; look into their own console' }
  }
  const remedy = `try ${question} by hand; the user needs ${right}`
  return { question, kind: 'failed', because: `it answered with an error (${kind})`, remedy }
}
