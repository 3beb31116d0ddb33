// One connection of the model server: what came in, what is owed, and everything that can go wrong between the two.
// Knows commands of sessions and transactions; what touches data is the server's.

import type { Transport, TransportEvents } from '../../src/connection/transport.js'
import type { Hold, ModelServer } from './model-server.js'
import { encodePush, encodeReply, OK, Simple, toText, type Wire, WireReader } from './resp.js'

const EXEC_FREE: ReadonlySet<string> = new Set(['MULTI', 'EXEC', 'DISCARD', 'WATCH', 'UNWATCH', 'RESET'])

/** Bytes on their way to the client. */
interface Answer {
  readonly bytes: Buffer
  /** The command they answer; a push answers none, and what comes behind bytes that nobody asked for answers nothing. */
  readonly to: { readonly args: readonly string[]; readonly result: Wire } | 'nobody' | 'garbled'
}

export class ModelConnection implements Transport {
  readonly id: number
  latency: number
  /** Milliseconds that answers take. */
  replyLatency = 0
  /** Gives the sizes of the pieces in which answers arrive, a few in a millisecond; undefined: they come whole. */
  pieces: (() => number) | undefined
  /** Bytes that the kernel would not take; a test sets it, and `drain` takes them. */
  pending = 0
  /** Commands that the client handed over whole, and answers that it was given whole. */
  written = 0
  delivered = 0
  /** Ended by the client in a way that makes its kernel forget what it holds. */
  wasReset = false
  /** When a command last came in. */
  heardAt: number
  readonly #server: ModelServer
  readonly #events: TransportEvents
  readonly #reader = new WireReader()
  readonly #inbox: string[][] = []
  #state: 'dialing' | 'open' | 'ending' | 'closed' = 'dialing'
  #outbox: Answer[] = []
  /** Bytes of the first answer that are out. */
  #begun = 0
  #isPumping = false
  #isGarbled = false
  #hold: Hold = 'nothing'
  #allowance = 0
  #lost = false
  /** The client has said goodbye; then that has arrived; then the client wants to hear nothing more. */
  #saidGoodbye = false
  #goodbye = false
  #over = false
  #arrivesAt = 0
  #database = 0
  #queued: string[][] | undefined
  #aborted = false
  #marked = false
  #watched = new Map<string, number>()
  #waiting: { readonly args: string[]; readonly timer: { cancel(): void } | undefined } | undefined

  constructor(server: ModelServer, events: TransportEvents, id: number) {
    this.id = id
    this.latency = server.latency
    this.heardAt = server.clock.now()
    this.#server = server
    this.#events = events
    if (server.welcome === 'silent') this.#hold = 'requests'
    server.later(server.dialDelay, () => this.#accept())
  }

  /** `ending`: the client has said goodbye and waits for the server's. */
  get state(): 'dialing' | 'open' | 'ending' | 'closed' {
    return this.#state
  }

  get database(): number {
    return this.#database
  }

  /** Keys this session watches, and whether it is inside MULTI. */
  get session(): { readonly watched: number; readonly multi: boolean } {
    return { watched: this.#watched.size, multi: this.#queued !== undefined }
  }

  /** Whether the session was changed in a way that no command undoes but RESET. */
  get isMarked(): boolean {
    return this.#marked
  }

  /** Whether nothing was asked that is not answered yet. */
  get isQuiet(): boolean {
    return this.#inbox.length === 0 && this.#waiting === undefined && this.written === this.delivered
  }

  /** Whether what is told to the client reaches it within the same call. */
  get isPrompt(): boolean {
    return this.#outbox.length === 0 && this.#hold === 'nothing' && this.replyLatency === 0 && this.pieces === undefined
  }

  // Knobs

  hold(what: Hold = 'requests'): void {
    this.#hold = what
  }

  /** Reads what came in and answers what is owed. */
  resume(): void {
    this.#hold = 'nothing'
    this.#pump()
    this.#work()
  }

  /** Applies and answers so many of the commands that are held back. */
  step(count = 1): void {
    if (this.#hold === 'replies') return
    this.#pump()
    this.#allowance = count
    this.#work()
    this.#allowance = 0
  }

  /** The connection breaks: `rst` or `fin`. What was received is applied or not; no answer comes. */
  cut(how: 'rst' | 'fin' = 'rst', received: 'applied' | 'dropped' = 'dropped'): void {
    if (this.#state === 'closed') return
    this.#close()
    this.#hold = 'nothing'
    if (received === 'applied') this.#work()
    this.#end()
    const error = how === 'fin' ? undefined : Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    this.#tell(() => this.#events.closed(error))
  }

  /** The kernel takes what it held back. */
  drain(): void {
    this.pending = 0
    if (this.#state === 'open') this.#tell(() => this.#events.drained())
  }

  /** Bytes that no command asked for. */
  inject(bytes: string): void {
    if (this.#state !== 'open') return
    this.#outbox.push({ bytes: Buffer.from(bytes), to: 'garbled' })
    this.#pump()
  }

  push(...values: string[]): void {
    if (this.#state !== 'open') return
    this.#outbox.push({ bytes: encodePush(values), to: 'nobody' })
    this.#pump()
  }

  // Transport

  write(chunk: Buffer): void {
    if (this.#saidGoodbye || this.#over) this.#server.witness.wroteAfterEnd(this)
    const commands: string[][] = []
    this.#reader.push(Buffer.from(chunk))
    for (let read = this.#reader.next(); read !== undefined; read = this.#reader.next()) {
      if (!Array.isArray(read.value)) continue
      const args = read.value.map(toText)
      args[0] = args[0]?.toUpperCase() ?? ''
      commands.push(args)
      this.written++
      this.#server.witness.wrote(this, args)
    }
    this.#afterBytes(() => {
      if (this.#lost) return
      this.heardAt = this.#server.clock.now()
      this.#inbox.push(...commands)
      this.#work()
    })
  }

  cork(): void {}
  uncork(): void {}

  end(): void {
    if (this.#state === 'closed') return
    if (this.#state === 'dialing') this.#lost = true
    this.#state = 'ending'
    this.#saidGoodbye = true
    // It comes behind everything that was written.
    this.#afterBytes(() => {
      this.#goodbye = true
      if (this.#waiting !== undefined) this.#stopWaiting()
      this.#work()
    })
  }

  reset(): void {
    this.wasReset = true
    this.destroy()
  }

  destroy(): void {
    this.#over = true
    this.#close()
    if (!this.#server.appliesOrphans) this.#end()
    else if (this.#waiting !== undefined) this.#stopWaiting()
  }

  // The server's side

  /** An element may have come for a blocked client. */
  offer(key: string): void {
    const waiting = this.#waiting
    if (waiting === undefined || !waiting.args.slice(1, -1).some((each) => `${this.#database}:${each}` === key)) return
    const element = this.#server.pop(key)
    if (element === undefined) return
    this.#answerWaiting([key.slice(key.indexOf(':') + 1), element])
  }

  wake(how: string): void {
    this.#answerWaiting(how === 'ERROR' ? new Error('UNBLOCKED client unblocked via CLIENT UNBLOCK') : null)
  }

  #answerWaiting(result: Wire): void {
    const args = this.#waiting?.args ?? []
    this.#stopWaiting()
    if (Array.isArray(result)) this.#server.log(this, args, result)
    this.#owe(args, result)
    this.#pump()
    this.#work()
  }

  #stopWaiting(): void {
    this.#waiting?.timer?.cancel()
    this.#waiting = undefined
    this.#server.unblock(this)
  }

  #accept(): void {
    const { welcome, hangUpAfter } = this.#server
    if (this.#state !== 'dialing' || welcome === 'blackhole') return
    if (welcome === 'refuse') {
      this.#close()
      const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
      this.#tell(() => this.#events.closed(error))
      return
    }
    this.#state = 'open'
    this.#tell(() => this.#events.opened())
    if (welcome === 'hang-up') this.#server.later(hangUpAfter, () => this.cut('fin'))
    if (welcome !== 'full') return
    this.inject('-ERR max number of clients reached\r\n')
    this.cut('fin')
  }

  #close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#server.left()
  }

  #end(): void {
    this.#lost = true
    this.#inbox.length = 0
    if (this.#waiting !== undefined) this.#stopWaiting()
  }

  #tell(event: () => void): void {
    this.#server.tell(() => {
      if (!this.#over) event()
    })
  }

  #afterBytes(callback: () => void): void {
    const now = this.#server.clock.now()
    this.#arrivesAt = Math.max(this.#arrivesAt, now + this.latency)
    this.#server.later(this.#arrivesAt - now, callback)
  }

  #work(): void {
    while ((this.#hold !== 'requests' || this.#allowance > 0) && this.#waiting === undefined) {
      const args = this.#inbox.shift()
      if (args === undefined) break
      this.#allowance--
      this.#server.witness.reached(this, args)
      const result = this.#answer(args)
      if (result !== undefined) this.#owe(args, result)
    }
    this.#pump()
    if (!this.#goodbye || this.#hold !== 'nothing' || this.#state !== 'ending') return
    this.#close()
    this.#tell(() => this.#events.closed(undefined))
  }

  #owe(args: readonly string[], result: Wire): void {
    this.#outbox.push({ bytes: encodeReply(result), to: { args, result } })
  }

  /** Sends what is owed: at once, or after a while, or piece by piece. */
  #pump(): void {
    if (this.#isPumping || this.#outbox.length === 0 || this.#hold === 'replies') return
    const { pieces } = this
    if (this.replyLatency === 0 && pieces === undefined) {
      this.#handOver(Number.POSITIVE_INFINITY)
      return
    }
    this.#isPumping = true
    this.#server.later(this.replyLatency, () => {
      this.#isPumping = false
      if (this.#hold === 'replies') return
      for (let left = 3; left > 0 && this.#outbox.length > 0; left--) {
        this.#handOver(pieces?.() ?? Number.POSITIVE_INFINITY)
      }
      this.#pump()
    })
  }

  #handOver(limit: number): void {
    const chunks: Buffer[] = []
    const whole: Answer[] = []
    let left = limit
    for (let answer = this.#outbox[0]; answer !== undefined && left > 0; answer = this.#outbox[0]) {
      const rest = answer.bytes.subarray(this.#begun, this.#begun + left)
      chunks.push(rest)
      left -= rest.length
      this.#begun += rest.length
      if (this.#begun < answer.bytes.length) break
      this.#begun = 0
      this.#outbox.shift()
      whole.push(answer)
    }
    if (this.#state !== 'open') return
    const bytes = Buffer.concat(chunks)
    this.#tell(() => {
      for (const { to } of whole) {
        if (to === 'garbled') this.#isGarbled = true
        if (typeof to === 'string' || this.#isGarbled) continue
        this.delivered++
        this.#server.witness.delivered(this, to.args, to.result)
      }
      this.#events.received(bytes, bytes.length)
      // As a socket's read buffer is used again.
      bytes.fill(0x21)
    })
  }

  #answer(args: string[]): Wire | undefined {
    const name = args[0] ?? ''
    const refusal = this.#server.refusal(name)
    if (refusal !== undefined) {
      if (this.#queued !== undefined) this.#aborted = true
      return refusal
    }
    if (this.#queued !== undefined && !EXEC_FREE.has(name)) {
      this.#queued.push(args)
      return new Simple('QUEUED')
    }
    const heard = this.#server.listened(this, args)
    if (heard !== undefined) return heard.reply
    if (name === 'EXEC') return this.#exec()
    if (name === 'BLPOP') return this.#blockingPop(args)
    return this.#run(args)
  }

  #run(args: readonly string[]): Wire {
    const own = this.#session(args)
    const result = own === undefined ? this.#server.touch(this.#database, args) : own
    const answer = result === undefined ? new Error(`ERR unknown command '${args[0]}'`) : result
    this.#server.log(this, args, answer)
    return answer
  }

  #session(args: readonly string[]): Wire | undefined {
    const [name, first = '', second = '', third = ''] = args
    switch (name) {
      case 'HELLO':
        if (this.#server.helloError !== undefined) return new Error(this.#server.helloError)
        return new Map<Wire, Wire>([...Object.entries({ server: 'redis', proto: 3, id: this.id })])
      case 'PING':
        return args.length > 1 ? first : new Simple('PONG')
      case 'ECHO':
        return first
      case 'SELECT':
        this.#database = Number(first)
        return OK
      case 'INFO':
        return this.#info()
      case 'CONFIG':
        return new Map<Wire, Wire>([[third, String(this.#server.timeout)]])
      case 'CLIENT':
        if (first === 'NO-EVICT') this.#marked = true
        return first === 'UNBLOCK' ? this.#unblock(Number(second), third) : first === 'ID' ? this.id : OK
      case 'RESET':
        this.#database = 0
        this.#queued = undefined
        this.#marked = false
        this.#watched.clear()
        return new Simple('RESET')
      case 'MULTI':
        this.#queued = []
        this.#aborted = false
        return OK
      case 'DISCARD':
        if (this.#queued === undefined) return new Error('ERR DISCARD without MULTI')
        this.#queued = undefined
        this.#watched.clear()
        return OK
      case 'WATCH':
        for (const key of args.slice(1)) {
          const full = `${this.#database}:${key}`
          this.#watched.set(full, this.#server.version(full))
        }
        return OK
      case 'UNWATCH':
        this.#watched.clear()
        return OK
      default:
        return undefined
    }
  }

  #info(): Wire {
    const { clients, openCount } = this.#server
    if (clients === undefined) return new Error("NOPERM this user has no permissions to run the 'info' command")
    return `# Clients\r\nconnected_clients:${openCount + clients.others}\r\nmaxclients:${clients.max}\r\n`
  }

  #unblock(id: number, how: string): Wire {
    const target = this.#server.connections.find((connection) => connection.id === id)
    if (target === undefined || !this.#server.unblock(target)) return 0
    target.wake(how)
    return 1
  }

  #exec(): Wire {
    const queued = this.#queued
    if (queued === undefined) return new Error('ERR EXEC without MULTI')
    const aborted = this.#aborted || queued.some(([name = '']) => this.#server.refusal(name) !== undefined)
    const dirty = [...this.#watched].some(([key, version]) => this.#server.version(key) !== version)
    this.#queued = undefined
    this.#watched.clear()
    if (aborted) return new Error('EXECABORT Transaction discarded because of previous errors.')
    return dirty ? null : queued.map((args) => this.#run(args))
  }

  #blockingPop(args: string[]): Wire | undefined {
    for (const key of args.slice(1, -1)) {
      const element = this.#server.pop(`${this.#database}:${key}`)
      if (element === undefined) continue
      const result = [key, element]
      this.#server.log(this, args, result)
      return result
    }
    if (this.#state !== 'open') return undefined
    const seconds = Number(args.at(-1))
    const timer = seconds > 0 ? this.#server.later(seconds * 1_000, () => this.#answerWaiting(null)) : undefined
    this.#waiting = { args, timer }
    this.#server.block(this)
    return undefined
  }
}
