// Owns blocking commands on a leased connection: giving up on one loses nothing that the server already popped.
// https://redis.io/docs/latest/commands/client-unblock/

import { randomBytes } from 'node:crypto'
import { onAbort } from '../base/abort.js'
import { type Clock, setDeadline, type Timer } from '../base/clock.js'
import { CommandTimeoutError, ConnectionError, ReplyError } from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import { lossOf } from '../connection/ending.js'
import { Request } from '../connection/request.js'
import type { Reply } from '../resp/types.js'
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

const NOBODY_TO_ASK = 'no other connection could tell the server to let go of a blocking command'

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
 * takes whichever reply wins: an element that was popped in the meantime is delivered, never dropped. Nothing else is
 * sent where a transaction may be open.
 */
export function sendBlocking(host: BlockingHost, entry: Entry, request: Request, inTransaction: boolean): void {
  new BlockingCall(host, entry, request).start(inTransaction)
}

class BlockingCall {
  readonly #host: BlockingHost
  readonly #entry: Entry
  readonly #request: Request
  /** Present once it was given up. */
  #reason: { readonly error: unknown } | undefined
  #isLetGo = false
  #unblocking: Timer | undefined
  #deadline: Timer | undefined
  #stopListening: (() => void) | undefined

  constructor(host: BlockingHost, entry: Entry, request: Request) {
    this.#host = host
    this.#entry = entry
    this.#request = request
  }

  start(inTransaction: boolean): void {
    const request = this.#request
    const { signal, deadline } = request
    const { connection } = this.#entry
    const { clock } = this.#host
    request.disarm()
    request.state = 'sent'
    if (signal !== undefined) this.#stopListening = onAbort(signal, () => this.#giveUp(signal.reason))
    if (Number.isFinite(deadline)) this.#deadline = setDeadline(clock, deadline - clock.now(), () => this.#expire())
    // Written together; until it is answered, silence is judged as after any other command.
    const wasSilent = clock.now() - connection.activeAt > PROOF_AFTER
    if (wasSilent && !inTransaction) connection.send(new Request(['PING'], NO_KEY, ignore, ignore))
    this.#send()
    // Granted by a listener of this very signal, it is told of no abort any more.
    if (signal?.aborted) this.#giveUp(signal.reason)
  }

  #send(): void {
    const { args, hash, mapping, blocksFor } = this.#request
    const onWire = new Request(args, hash, ignore, this.#failed)
    onWire.mapping = mapping
    onWire.transform = this.#answered
    onWire.blocksFor = blocksFor
    this.#entry.connection.send(onWire)
  }

  readonly #answered = (reply: Reply): void => {
    this.#end()
    this.#request.succeed(reply, this.#entry.connection)
  }

  readonly #failed = (error: unknown): void => {
    if (isUnblocked(error) && this.#reason !== undefined) {
      this.#isLetGo = true
      this.#prove(() => this.#fail(error))
    } else if (isUnblocked(error) && this.#host.isHeld(this.#entry)) {
      // Meant for the command before this one on the same lease. Nothing was popped, so it may be sent again.
      this.#prove(() => this.#send())
    } else if (isUnblocked(error) || this.#reason !== undefined) {
      this.#end()
      this.#request.fail(error)
    } else {
      this.#end()
      failOrRepeat(this.#host, this.#entry, this.#request, error)
    }
  }

  #fail(error: unknown): void {
    this.#end()
    this.#request.fail(this.#reason === undefined ? error : this.#reason.error)
  }

  #expire(): void {
    const { timeout, label: command } = this.#request
    this.#giveUp(new CommandTimeoutError(timeout, { command, outcome: 'rejected' }))
  }

  #giveUp(error: unknown): void {
    if (this.#reason !== undefined) return
    this.#reason = { error }
    this.#unblocking = unblock(this.#host, this.#entry, error, () => this.#isLetGo)
    // Where nobody could be asked, the connection has ended at once, and with it this.
    if (this.#request.state === 'settled') this.#unblocking.cancel()
  }

  /**
   * While clients are paused, servers let go of a command that they had not even begun, and run it all the same when
   * the pause is over: one answer more than there are commands (redis/redis#14164). So the one that was let go is over
   * when a PING has been answered in its place. A second answer is its own, and ends the connection. What its holder
   * had already sent behind it would get that answer, and a PING behind a MULTI would become a part of it.
   */
  #prove(inStep: () => void): void {
    const { connection } = this.#entry
    const { label, mapping } = this.#request
    const doubt = (): void => connection.destroy('aborted', `nothing proves that the server answered ${label} once`)
    const lost = (): void => {
      if (connection.error !== undefined) this.#failed(lossOf(label, 'ambiguous', connection.error))
    }
    if (connection.inFlight > 0) doubt()
    if (connection.isClosed) {
      lost()
      return
    }
    const nonce = randomBytes(8).toString('hex')
    const proof = new Request(['PING', nonce], NO_KEY, ignore, (error) => {
      // The refusal of a PING, as by a server that runs a script, or a second answer: who could tell?
      doubt()
      if (error instanceof ConnectionError) lost()
      else this.#fail(error)
    })
    proof.mapping = mapping
    proof.transform = (reply) => {
      if (isText(reply, nonce)) {
        inStep()
        return
      }
      connection.destroy('protocol-error', `the server answered ${label} twice`)
      if (reply === null) this.#fail(undefined)
      else this.#answered(reply)
    }
    connection.send(proof)
  }

  #end(): void {
    this.#deadline?.cancel()
    this.#unblocking?.cancel()
    this.#stopListening?.()
  }
}

/** Asks until it is cancelled, which is when the blocking command has been answered or lost. */
function unblock(host: BlockingHost, entry: Entry, cause: unknown, isLetGo: () => boolean): Timer {
  const { connection } = entry
  let over = false
  let again: Timer | undefined
  let asking: Request | undefined
  const grace = setDeadline(host.clock, GRACE, () => {
    connection.destroy('aborted', 'the server did not let go of a blocking command', cause)
  })
  const attempt = (): void => {
    if (!host.canReach(entry)) {
      if (!isLetGo()) connection.destroy('aborted', NOBODY_TO_ASK, cause)
      return
    }
    host.hold(entry)
    const done = (): void => {
      host.letGo(entry)
      if (!over) again = host.clock.setTimeout(attempt, AGAIN)
    }
    asking = new Request(['CLIENT', 'UNBLOCK', String(connection.id), 'ERROR'], NO_KEY, done, done)
    asking.isCall = false
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

function isText(reply: Reply, text: string): boolean {
  return (typeof reply === 'string' || reply instanceof Uint8Array) && reply.toString() === text
}
