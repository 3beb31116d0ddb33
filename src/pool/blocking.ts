// Owns blocking commands on a leased connection: giving up on one loses nothing that the server already popped.
// https://redis.io/docs/latest/commands/client-unblock/

import { onAbort } from '../base/abort.js'
import { type Clock, setDeadline, type Timer } from '../base/clock.js'
import { CommandTimeoutError, ConnectionError, ReplyError } from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import { Request } from '../connection/request.js'
import type { Entry } from './roster.js'

/** How long a cancelled command may stay unanswered before its connection is ended, in ms. */
const GRACE = 1_000

/**
 * A connection that was silent for longer, in ms, has to prove that it is alive before a command waits on it for hours:
 * keep-alive does not end a socket that has unacknowledged bytes. https://www.rfc-editor.org/rfc/rfc1122#page-101
 */
const PROOF_AFTER = 500

/** Pause before CLIENT UNBLOCK is sent again because it came before the command it should unblock, in ms. */
const AGAIN = 5

export interface BlockingHost {
  readonly clock: Clock
  /** Sends an ordinary command on another connection. */
  execute(request: Request): void
  /** The entry must not change hands before `letGo` is called: a late UNBLOCK would hit its next holder. */
  hold(entry: Entry): void
  letGo(entry: Entry): void
  isHeld(entry: Entry): boolean
  /** Whether the request is sent again instead of failing. */
  takesBack(entry: Entry, request: Request, error: ReplyError | ConnectionError): boolean
  /** Whether another connection than this one is there, may be made, or comes back by itself. */
  canReach(entry: Entry): boolean
}

/**
 * Sends `request` on the entry's connection. Its signal or deadline asks the server to unblock the connection and then
 * takes whichever reply wins: an element that was popped in the meantime is delivered, never dropped.
 */
export function sendBlocking(host: BlockingHost, entry: Entry, request: Request): void {
  const { clock } = host
  const { connection } = entry
  let reason: { error: unknown } | undefined
  let unblocking: Timer | undefined
  let stopListening: (() => void) | undefined

  const settle = (finish: () => void): void => {
    deadline?.cancel()
    unblocking?.cancel()
    stopListening?.()
    finish()
  }
  const failed = (error: unknown): void => {
    if (!isUnblocked(error))
      settle(() => (reason === undefined ? failOrRepeat(host, entry, request, error) : request.fail(error)))
    else if (reason !== undefined) settle(() => request.fail(reason?.error))
    // Meant for the command before this one on the same lease. Nothing was popped, so it may be sent again.
    else if (host.isHeld(entry) && !connection.isClosed) connection.send(onWire())
    else settle(() => request.fail(error))
  }
  const onWire = (): Request => {
    const copy = new Request(request.args, request.hash, () => {}, failed)
    copy.mapping = request.mapping
    copy.transform = (reply, protocol) => settle(() => request.succeed(reply, protocol))
    copy.blocksFor = request.blocksFor
    return copy
  }
  const giveUp = (error: unknown): void => {
    if (reason !== undefined) return
    reason = { error }
    unblocking = unblock(host, entry, error)
    // Where nobody could be asked, the connection has ended at once, and with it this.
    if (request.state === 'settled') unblocking.cancel()
  }
  const aborted = (): void => giveUp(request.signal?.reason)

  request.disarm()
  request.state = 'sent'
  if (request.signal !== undefined) stopListening = onAbort(request.signal, aborted)
  const deadline = Number.isFinite(request.deadline) ? expiry(clock, request, giveUp) : undefined
  // Written together; until it is answered, silence is judged as after any other command.
  if (clock.now() - connection.activeAt > PROOF_AFTER) connection.send(new Request(['PING'], NO_KEY, ignore, ignore))
  connection.send(onWire())
  // Granted by a listener of this very signal, it is told of no abort any more.
  if (request.signal?.aborted) aborted()
}

function expiry(clock: Clock, { deadline, timeout, label: command }: Request, giveUp: (error: Error) => void): Timer {
  return setDeadline(clock, deadline - clock.now(), () =>
    giveUp(new CommandTimeoutError(timeout, { command, outcome: 'rejected' })),
  )
}

/** Asks until it is cancelled, which is when the blocking command has been answered or lost. */
function unblock(host: BlockingHost, entry: Entry, cause: unknown): Timer {
  const { connection } = entry
  let over = false
  let again: Timer | undefined
  let asking: Request | undefined
  const grace = setDeadline(host.clock, GRACE, () => {
    connection.destroy('aborted', 'the server did not let go of a blocking command', cause)
  })
  const attempt = (): void => {
    if (!host.canReach(entry)) {
      connection.destroy('aborted', 'no other connection could tell the server to let go of a blocking command', cause)
      return
    }
    host.hold(entry)
    const done = (): void => {
      host.letGo(entry)
      if (!over) again = host.clock.setTimeout(attempt, AGAIN)
    }
    asking = new Request(['CLIENT', 'UNBLOCK', String(connection.id), 'ERROR'], NO_KEY, done, done)
    host.execute(asking)
  }
  attempt()
  return {
    cancel: () => {
      over = true
      grace.cancel()
      again?.cancel()
      // While it waits for a connection, it may be for this very one.
      if (asking?.state === 'waiting') asking.fail(cause)
    },
  }
}

function ignore(): void {}

function failOrRepeat(host: BlockingHost, entry: Entry, request: Request, error: unknown): void {
  const isOurs = error instanceof ReplyError || error instanceof ConnectionError
  if (!isOurs || !host.takesBack(entry, request, error)) request.fail(error)
  else if (request.signal !== undefined) request.arm(request.signal)
}

function isUnblocked(error: unknown): boolean {
  return error instanceof ReplyError && error.kind === 'UNBLOCKED'
}
