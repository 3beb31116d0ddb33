// Owns one socket from dial to close: its slots, its flushes and its end. One life; it never reconnects.
// Knows no pool: what happened is told to an owner through callbacks.

import { type Clock, setDeadline, type Timer } from '../base/clock.js'
import {
  type CloseReason,
  ConnectionError,
  ConnectTimeoutError,
  type Outcome,
  ProtocolError,
  type ReplyError,
} from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import { Decoder, type ReplyHandler } from '../resp/decoder.js'
import { type Argument, Encoder } from '../resp/encoder.js'
import type { Reply, ReplyMapping } from '../resp/types.js'
import type { ConnectionOwner, ConnectionSettings, ConnectionState } from './contract.js'
import { endOf, lossOf } from './ending.js'
import { type Handshake, type HandshakeResult, handshakeError } from './handshake.js'
import { type Answer, Integrity } from './integrity.js'
import { Parting } from './parting.js'
import { confirmsSubscription, MESSAGE_MAPPING } from './push.js'
import { redacted } from './redaction.js'
import { Request } from './request.js'
import { RoundTrip } from './round-trip.js'
import { type OwedReplies, Slots } from './slots.js'
import type { Dialer, Transport, TransportEvents } from './transport.js'

/**
 * With no more than this in flight a command is written at once, so that the server starts while others are still being
 * called; with more, one write a tick costs less. Measured at 10 callers: 1.4 times the throughput at the same CPU time.
 */
const EAGER = 8

/** Bytes encoded and held back by the socket: beyond this no new commands are taken until it has drained. */
const HIGH_WATER = 256 * 1024

export class Connection implements ReplyHandler, TransportEvents {
  readonly address: string
  readonly createdAt: number
  /** When a byte last came, or was at last taken by the kernel. */
  activeAt: number
  /** When it was last given commands, pings not counted. */
  usedAt: number
  id = 0
  protocol: 2 | 3 = 3
  state: ConnectionState = 'connecting'
  readonly roundTrip = new RoundTrip()
  /** What it owes replies to. */
  readonly slots: OwedReplies
  error: ConnectionError | undefined
  errorReplies = 0
  /** When the newest chunk came. */
  readAt = 0
  bytesRead = 0
  bytesWritten = 0
  /** Whether the socket still holds back what was written. */
  saturated = false
  /** Tells messages from replies where both look alike: pub/sub under RESP2, where ECHO is refused, and MONITOR. */
  isMessage: ((reply: Reply) => boolean) | undefined

  readonly #settings: ConnectionSettings
  readonly #clock: Clock
  readonly #owner: ConnectionOwner
  readonly #transport: Transport
  readonly #handshake: Handshake
  readonly #decoder: Decoder
  readonly #encoder = new Encoder()
  readonly #slots = new Slots()
  readonly #parting: Parting
  /** Present while replies are proven before anybody sees them. */
  #integrity: Integrity | undefined
  #connectDeadline: Timer | undefined
  #flushScheduled = false
  /** Bytes that the transport held back when it was last looked at. */
  #pending = 0
  /** Replies to the handshake. */
  #greeted = Number.POSITIVE_INFINITY

  constructor(dial: Dialer, handshake: Handshake, settings: ConnectionSettings, clock: Clock, owner: ConnectionOwner) {
    this.address = settings.address
    this.#settings = settings
    this.#clock = clock
    this.#owner = owner
    this.#handshake = handshake
    this.#decoder = new Decoder(this, { maxReplySize: settings.maxReplySize })
    this.slots = this.#slots
    this.createdAt = clock.now()
    this.activeAt = this.createdAt
    this.usedAt = this.createdAt
    this.#connectDeadline = setDeadline(clock, settings.connectTimeout, () => {
      const message = `no connection to ${this.address} was ready within ${settings.connectTimeout} ms`
      this.destroy('connect-failed', new ConnectTimeoutError(message, 'connect-failed', this.address))
    })
    this.#transport = dial(this)
    this.#parting = new Parting(this.#transport, clock, () => owner.gone())
  }

  /** Commands written or about to be, whose replies are owed. */
  get inFlight(): number {
    return this.#slots.inFlight
  }

  /** When the command was written whose reply was last taken. */
  get writtenAt(): number {
    return this.roundTrip.writtenAt(this.#slots.answered - 1)
  }

  get isAwaited(): boolean {
    return this.#slots.isAwaited || (this.#integrity?.isAwaited ?? false)
  }

  /** Whether it has ever answered more than the handshake. */
  get hasServed(): boolean {
    return this.#slots.answered > this.#greeted
  }

  get isClosed(): boolean {
    return this.state === 'closed'
  }

  /** Encodes the request and its followers, gives each a slot, and writes them: at once, or at the end of this tick. */
  send(first: Request): void {
    try {
      this.#encodeChain(first)
    } catch (error) {
      first.turnAway(error)
      // Half a chain must never reach the server: a MULTI without its EXEC would swallow everybody's commands.
      if (first.next !== undefined) this.destroy('aborted', 'a command could not be encoded', error)
      return
    }
    const isMuch = this.#encoder.pending + this.#pending > HIGH_WATER
    const isScheduled = this.#flushScheduled
    if (isMuch || (!isScheduled && this.#slots.inFlight <= EAGER && this.#transport.pending === 0)) this.flush()
    else if (!isScheduled) {
      this.#flushScheduled = true
      process.nextTick(flush, this)
    }
  }

  #encodeChain(first: Request): void {
    for (let request: Request | undefined = first; request !== undefined; request = request.next) this.#add(request)
    if (this.isMessage === undefined) this.#add(this.#integrity?.wrote(first))
  }

  #add(request: Request | undefined): void {
    if (request === undefined) return
    this.#encoder.encode(request.args)
    this.#slots.push(request)
  }

  /** Whether the oldest unanswered command waits longer than RFC 6298 expects. */
  isLate(now: number): boolean {
    const oldest = this.roundTrip.oldest
    return oldest !== undefined && now - oldest > this.roundTrip.timeout
  }

  /** Judges deadlines and silence. Call it only after the event loop has polled its sockets. */
  check(now: number): void {
    if (this.state !== 'ready') return
    this.#slots.expire(now)
    this.#integrity?.expire(now)
    const before = this.#pending
    this.#pending = this.#transport.pending
    if (this.#pending < before) this.activeAt = now
    const oldest = this.roundTrip.oldest
    const allowed = this.#settings.socketTimeout
    if (oldest === undefined || allowed === 0) return
    const silence = now - Math.max(oldest, this.activeAt)
    if (silence > allowed + (this.#slots.oldest?.blocksFor ?? 0)) {
      this.destroy('stalled', `no byte came from ${this.address} for ${Math.round(silence)} ms while replies were owed`)
    }
  }

  /** Ends now. What was handed to the socket is ambiguous, what was not is `not-sent`. */
  destroy(reason: CloseReason, problem: string | ConnectionError, cause?: unknown): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.#connectDeadline?.cancel()
    this.#encoder.clear()
    const details = cause === undefined ? {} : { cause }
    const error = typeof problem === 'string' ? new ConnectionError(problem, reason, this.address, details) : problem
    this.error = error
    const culprit = cause instanceof ProtocolError ? this.#slots.oldest : undefined
    for (const request of this.#integrity?.held() ?? []) this.#lose(request, 'ambiguous', error)
    // Whatever broke the protocol would break it again.
    this.#slots.abandon((request, outcome) => this.#lose(request, outcome, error, request !== culprit))
    this.#owner.closed(error)
    this.#parting.begin(reason)
  }

  #lose(request: Request, outcome: Outcome, cause: ConnectionError, mayRepeat = true): void {
    if (request.state === 'settled') return
    const error = lossOf(request.label, outcome, cause)
    request.startedAt ??= this.roundTrip.oldest
    if (!mayRepeat || !this.#owner.lost(request, error)) request.fail(error)
  }

  /** Stops waiting for the server to close its side. */
  forget(): void {
    this.#parting.end()
  }

  flush(): void {
    this.#flushScheduled = false
    if (!this.#encoder.isIntact) this.destroy('aborted', 'a Buffer was detached before it could be sent')
    if (this.isClosed) return
    if (this.isMessage === undefined) this.#add(this.#integrity?.mark(this.#slots.newest?.blocksFor))
    if (!this.#slots.flush()) return
    const now = this.#clock.now()
    this.usedAt = now
    this.roundTrip.flushed(this.#slots.sent, now, !this.#slots.endsBlocked)
    const transport = this.#transport
    const several = this.#encoder.isSplit
    if (several) transport.cork()
    this.#encoder.flush((chunk) => {
      this.bytesWritten += chunk.length
      transport.write(chunk)
      return transport.pending === 0
    })
    if (several) transport.uncork()
    this.#pending = transport.pending
    if (this.#pending > HIGH_WATER) this.saturated = true
  }

  // TransportEvents

  opened(): void {
    const ask = (args: readonly Argument[]): Promise<unknown> =>
      new Promise((resolve, reject) => this.send(new Request(args, NO_KEY, resolve, reject)))
    this.#handshake(ask).then(
      (result) => this.#becomeReady(result),
      (error: unknown) => this.#handshakeFailed(error),
    )
  }

  received(chunk: Buffer, length: number): void {
    if (this.state === 'closed') return
    const now = this.#clock.now()
    this.readAt = now
    this.bytesRead += length
    try {
      this.#decoder.write(chunk, length)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.destroy('protocol-error', `${this.address} broke the protocol: ${message}`, error)
      return
    }
    if (this.isClosed) return
    this.activeAt = now
    const sample = this.roundTrip.answered(this.#slots.answered, now)
    if (sample >= 0) this.#owner.replied(sample)
    if (this.state === 'connecting') return
    if (this.#slots.inFlight === 0) this.#owner.answeredAll()
    else this.#owner.room()
  }

  drained(): void {
    this.#pending = 0
    if (!this.saturated) return
    this.saturated = false
    this.activeAt = this.#clock.now()
    if (this.state === 'ready') this.#owner.room()
  }

  closed(cause: Error | undefined): void {
    if (this.state === 'closed') {
      this.forget()
      return
    }
    const error = endOf(this.address, this.state === 'ready', cause)
    this.destroy(error.reason, error)
  }

  // ReplyHandler

  onReply(value: Reply): void {
    if (this.isMessage?.(value)) {
      this.#owner.push(value)
      return
    }
    const request = this.#slots.take()
    if (request === undefined) throw new ProtocolError('a reply came that no command asked for')
    if (this.#integrity === undefined) request.succeed(value, this)
    else this.#integrity.answered(request, { reply: value })
  }

  onErrorReply(error: ReplyError): void {
    const request = this.#slots.take()
    if (request === undefined) {
      // A server that is full says so before it was asked anything.
      if (this.state !== 'connecting') throw error
      this.#handshakeFailed(error)
      return
    }
    this.errorReplies++
    if (this.#integrity === undefined) this.#refuse(request, error)
    else this.#integrity.answered(request, { error })
  }

  #refuse(request: Request, reply: ReplyError): void {
    const error = redacted(reply, request.args).answering(request.label)
    if (request.unit !== undefined) request.unit.refusal ??= error
    request.startedAt ??= this.writtenAt
    if (!this.#owner.refused(request, error)) request.fail(error)
  }

  /** Ends at once: whatever stands behind it in the same chunk must not be delivered either. */
  readonly #distrust = (why: string): void => {
    this.destroy('protocol-error', `replies of ${this.address} cannot be trusted: ${why}`)
  }

  readonly #settle = (request: Request, answer: Answer): void => {
    if ('error' in answer) this.#refuse(request, answer.error)
    else request.succeed(answer.reply, this)
  }

  onPush(items: Reply[]): void {
    const request = this.#slots.oldest
    if (request !== undefined && confirmsSubscription(request.args, items)) this.onReply(items)
    else this.#owner.push(items)
  }

  replyMapping(): ReplyMapping | undefined {
    return this.isMessage === undefined ? this.#slots.oldest?.mapping : MESSAGE_MAPPING
  }

  #becomeReady(result: HandshakeResult): void {
    if (this.state !== 'connecting') return
    this.#connectDeadline?.cancel()
    this.id = result.id
    this.protocol = result.protocol
    this.state = 'ready'
    this.#greeted = this.#slots.answered
    const { integrity } = this.#settings
    if (integrity !== 'off') this.#integrity = new Integrity(integrity, this.#settle, this.#distrust)
    this.#owner.ready(result)
  }

  /** Not even a soft failure may leave a half-made connection: its reply stream cannot be trusted. */
  #handshakeFailed(error: unknown): void {
    if (this.state === 'connecting') this.destroy('handshake-failed', handshakeError(this.address, error), error)
  }
}

function flush(connection: Connection): void {
  connection.flush()
}
