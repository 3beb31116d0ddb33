// Owns the errors for commands that a handle cannot send. Knows no connection.

import { ArgumentError } from '../base/errors.js'
import type { RedisArgument } from '../command/definitions.js'
import { wireNameOf } from '../command/names.js'
import { refusalOf } from '../command/routing.js'

/** These end the rule of one reply for one command, which everything else relies on. */
const UNANSWERABLE: ReadonlySet<string> = new Set(['CLIENT REPLY', 'MONITOR', 'SYNC', 'PSYNC'])

/** Under RESP2 these have as many replies as arguments; under RESP3 their replies are pushes. */
const SUBSCRIPTIONS = /^[PS]?(UN)?SUBSCRIBE$/

/** For a command that concerns one connection, called where there are many. */
export function refusal(args: readonly RedisArgument[]): ArgumentError {
  const message = refusalOf(args) ?? 'this command needs a lease'
  return new ArgumentError(message, { outcome: 'not-sent', command: wireNameOf(args) })
}

/** Throws for a command whose replies could not be told from those of others. */
export function rejectUnanswerable(args: readonly RedisArgument[], protocol: 2 | 3): void {
  const command = wireNameOf(args)
  if (!UNANSWERABLE.has(command) && !(protocol === 2 && SUBSCRIPTIONS.test(command))) return
  const instead = command === 'MONITOR' || SUBSCRIPTIONS.test(command) ? 'call it on the handle' : 'it is not supported'
  const message = `${command} would leave commands without replies of their own: ${instead}`
  throw new ArgumentError(message, { command, outcome: 'not-sent' })
}
