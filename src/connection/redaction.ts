// Owns what an error must not repeat of the command that it answers. Knows the arguments of few commands, and no reply.

import { ReplyError } from '../base/errors.js'
import type { Argument } from '../resp/encoder.js'

/** Shorter than this, a secret may be a part of any word, and is only taken out where it is quoted. */
const TELLING = 6

/** The error without the arguments that the server quotes, as it does those of an unknown command, and without secrets. */
export function redacted(error: ReplyError, args: readonly Argument[]): ReplyError {
  let message = error.message.replace(/,? with args beginning with.*/s, '')
  for (const secret of secretsOf(args)) {
    if (secret.length >= TELLING) message = message.replaceAll(secret, '[redacted]')
    else if (secret !== '') message = message.replaceAll(`'${secret}'`, "'[redacted]'")
  }
  return message === error.message ? error : new ReplyError(message)
}

function secretsOf(args: readonly Argument[]): string[] {
  const [name = '', first = ''] = args
  switch (String(name).toUpperCase()) {
    case 'AUTH':
      return args.slice(-1).map(String)
    case 'HELLO':
    case 'MIGRATE':
      return behindAuth(args)
    case 'ACL':
      // A rule such as `>password` or `#hash`; an error may quote it with or without its sign.
      return args.slice(3).flatMap((rule) => (/^[><#!]/.test(String(rule)) ? [String(rule).slice(1)] : []))
    case 'CONFIG':
      return String(first).toUpperCase() === 'SET' ? args.filter((_, at) => at >= 3 && at % 2 === 1).map(String) : []
    default:
      return []
  }
}

/** `AUTH username password` of HELLO, `AUTH password` and `AUTH2 username password` of MIGRATE. */
function behindAuth(args: readonly Argument[]): string[] {
  const at = args.findIndex((arg) => /^auth2?$/i.test(String(arg)))
  if (at < 0) return []
  const hasUser = !/^migrate$/i.test(String(args[0])) || /2$/.test(String(args[at]))
  return args.slice(at + 1 + Number(hasUser), at + 2 + Number(hasUser)).map(String)
}
