// Owns blocking commands on a leased connection: giving up on one loses nothing that the server already popped.
// https://redis.io/docs/latest/commands/client-unblock/

import { type Clock, setDeadline, type Timer } from '../base/clock.js'
import { CommandTimeoutError, ReplyError } from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import { Request } from '../connection/request.js'
import type { Entry } from './roster.js'

/** How long a cancelled command may stay unanswered before its connection is ended, in ms. */
const GRACE = 1_000

/** Pause before CLIENT UNBLOCK is sent again because it came before the command it should unblock, in ms. */
const AGAIN = 5

export interface BlockingHost {
  readonly clock: Clock
  /** Sends an ordinary command on another connection. */
  execute(request: Request): void
  /** The entry must not change hands before `letGo` is called: a late UNBLOCK would hit its next holder. */
  hold(entry: Entry): void
  letGo(entry: Entry): void
}

/**
 * Sends `request` on the entry's connection. Its signal or deadline asks the server to unblock the connection and then
 * takes whichever reply wins: an element that was popped in the meantime is delivered, never dropped.
 */
export function sendBlocking(host: BlockingHost, entry: Entry, request: Request): void {
  const { clock } = host
  const { connection } = entry
  let deadline: Timer | undefined
  let reason: { error: unknown } | undefined

  const settle = (finish: () => void): void => {
    deadline?.cancel()
    request.signal?.removeEventListener('abort', aborted)
    finish()
  }
  const onWire = new Request(
    request.args,
    request.hash,
    () => {},
    (error) => settle(() => request.fail(reason !== undefined && isUnblocked(error) ? reason.error : error)),
  )
  const giveUp = (error: unknown): void => {
    if (reason !== undefined) return
    reason = { error }
    unblock(host, entry, onWire, error)
  }
  const aborted = (): void => giveUp(request.signal?.reason)

  onWire.mapping = request.mapping
  onWire.transform = (reply, protocol) => settle(() => request.succeed(reply, protocol))
  onWire.blocksFor = request.blocksFor
  request.disarm()
  request.state = 'sent'
  request.signal?.addEventListener('abort', aborted, { once: true })
  if (request.timeout > 0 && Number.isFinite(request.blocksFor)) {
    const { timeout, label: command } = request
    deadline = setDeadline(clock, timeout + request.blocksFor, () =>
      giveUp(new CommandTimeoutError(timeout, { command, outcome: 'rejected' })),
    )
  }
  connection.send(onWire)
}

function unblock(host: BlockingHost, entry: Entry, request: Request, cause: unknown): void {
  const { connection } = entry
  const grace = setDeadline(host.clock, GRACE, () => {
    if (request.state !== 'settled') connection.destroy('aborted', 'the server did not let go of a blocking command', cause)
  })
  const attempt = (): void => {
    host.hold(entry)
    const done = (): void => {
      host.letGo(entry)
      if (request.state === 'settled') grace.cancel()
      else host.clock.setTimeout(again, AGAIN)
    }
    host.execute(new Request(['CLIENT', 'UNBLOCK', String(connection.id), 'ERROR'], NO_KEY, done, done))
  }
  const again = (): void => {
    if (request.state === 'settled') grace.cancel()
    else attempt()
  }
  attempt()
}

function isUnblocked(error: unknown): boolean {
  return error instanceof ReplyError && error.kind === 'UNBLOCKED'
}
