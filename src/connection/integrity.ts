// Owns the proof that replies are in step with commands: a nonce is echoed behind each batch or command, and replies are
// held until it comes back. It finds what no client can see otherwise: a server or proxy that loses, repeats or swaps one.

import { randomBytes } from 'node:crypto'
import { CommandTimeoutError, type ReplyError } from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import type { Reply } from '../resp/types.js'
import { Request } from './request.js'

/** How often replies are proven: never, once per write to the socket, or behind each command. */
export type IntegrityMode = 'off' | 'batch' | 'command'

/** What came for a request. */
export type Answer = { readonly reply: Reply } | { readonly error: ReplyError }

export class Integrity {
  readonly #mode: IntegrityMode
  readonly #settle: (request: Request, answer: Answer) => void
  readonly #distrust: (why: string) => void
  readonly #prefix = randomBytes(8).toString('hex')
  readonly #marks: { readonly request: Request; readonly nonce: string }[] = []
  #held: { readonly request: Request; readonly answer: Answer }[] = []
  #count = 0
  #inTransaction = false
  #unmarked = false

  /**
   * @param settle called with what is proven, in order
   * @param distrust called when nothing that came or comes can be trusted
   */
  constructor(
    mode: IntegrityMode,
    settle: (request: Request, answer: Answer) => void,
    distrust: (why: string) => void,
  ) {
    this.#mode = mode
    this.#settle = settle
    this.#distrust = distrust
  }

  /** Replies that came and are not proven yet, oldest first. */
  *held(): Generator<Request> {
    for (const { request } of this.#held) yield request
  }

  /** Whether somebody waits for what is held. */
  get isAwaited(): boolean {
    return this.#held.some(({ request }) => request.state !== 'settled')
  }

  /** Call it after a command or a whole chain; gives the command that must be written behind it, if any. */
  wrote(first: Request): Request | undefined {
    for (let request: Request | undefined = first; request !== undefined; request = request.next) {
      // Inside a transaction an ECHO would be one more command of it.
      if (request.label === 'MULTI') this.#inTransaction = true
      else if (request.label === 'EXEC' || request.label === 'DISCARD') this.#inTransaction = false
    }
    this.#unmarked = true
    return this.#mode === 'command' ? this.mark(first.blocksFor) : undefined
  }

  /** What must be written behind a batch, if anything of it is not marked yet. */
  mark(blocksFor = 0): Request | undefined {
    if (!this.#unmarked || this.#inTransaction) return undefined
    this.#unmarked = false
    const nonce = `${this.#prefix}${this.#count++}`
    const request = new Request(['ECHO', nonce], NO_KEY, ignore, ignore)
    request.blocksFor = blocksFor
    this.#marks.push({ request, nonce })
    return request
  }

  /** Holds what came for `request`, or releases all that is held when it is the nonce. */
  answered(request: Request, answer: Answer): void {
    const next = this.#marks[0]
    // Inside a transaction made by hand nothing proves the replies but the nonce behind EXEC.
    if (next === undefined) this.#settle(request, answer)
    else if (request === next.request) this.#prove(answer, next.nonce)
    else {
      this.#held.push({ request, answer })
      if (isReply(answer, next.nonce)) this.#distrust('one is missing, since the nonce behind it came too soon')
    }
  }

  #prove(answer: Answer, nonce: string): void {
    if ('error' in answer) this.#distrust(`the nonce behind them was refused: ${answer.error.message}`)
    else if (!isReply(answer, nonce)) this.#distrust('the nonce behind them came back as something else')
    else {
      this.#marks.shift()
      const proven = this.#held
      this.#held = []
      for (const held of proven) this.#settle(held.request, held.answer)
    }
  }

  /** Fails what has run out of time; its reply stays held. */
  expire(now: number): void {
    for (const request of this.held()) {
      if (request.state === 'settled' || request.deadline > now) continue
      request.fail(new CommandTimeoutError(request.timeout, { outcome: 'ambiguous', command: request.label }))
    }
  }
}

function isReply(answer: Answer, nonce: string): boolean {
  if ('error' in answer) return false
  const { reply } = answer
  return (Buffer.isBuffer(reply) ? reply.toString('latin1') : reply) === nonce
}

function ignore(): void {}
