// A tiny Redis in memory and in virtual time, behind the same Transport as a socket: it applies commands for real,
// keeps a log of what it applied in which order, and is slow, silent or gone as a test says. Knows no pool.

import type { Clock } from '../../src/base/clock.js'
import type { Dialer, Transport, TransportEvents } from '../../src/connection/transport.js'
import { encodeReply, OK, Simple, toText, type Wire, WireReader } from './resp.js'

/** One command that took effect. */
export interface Applied {
  readonly connection: number
  readonly args: readonly string[]
  readonly result: Wire
  readonly at: number
}

/** What becomes of a dial. `silent`: it is accepted, and nothing is ever answered. */
export type Welcome = 'accept' | 'refuse' | 'blackhole' | 'silent'

/** `requests`: what arrives is not read · `replies`: it is applied, and the answers are kept. */
export type Hold = 'nothing' | 'requests' | 'replies'

const EXEC_FREE: ReadonlySet<string> = new Set(['MULTI', 'EXEC', 'DISCARD', 'WATCH', 'UNWATCH'])

export class ModelServer {
  /** What took effect, in order, over all connections. */
  readonly applied: Applied[] = []
  /** Every connection ever dialed, in order. */
  readonly connections: ModelConnection[] = []
  /** When each dial began. */
  readonly dials: number[] = []
  /** Called at each dial, before its connection counts. */
  dialed: () => void = () => {}
  welcome: Welcome = 'accept'
  dialDelay = 1
  /** Milliseconds on the way to the server, for connections dialed from now on; answers take no time. */
  latency = 1
  /** An error for HELLO, such as `WRONGPASS no`. */
  helloError: string | undefined
  /** What CONFIG GET timeout says, in seconds. */
  timeout = 0
  /** Whether what is on its way when a client closes is still applied. */
  appliesOrphans = true
  readonly clock: Clock
  readonly dial: Dialer = (events) => {
    this.dials.push(this.clock.now())
    this.dialed()
    const connection = new ModelConnection(this, events, this.connections.length + 1)
    this.connections.push(connection)
    return connection
  }
  readonly #data = new Map<string, string | string[]>()
  readonly #versions = new Map<string, number>()
  readonly #blocked: ModelConnection[] = []
  #timers = 0

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Timers of this server; the rest of a clock's are the pool's. */
  get pendingTimers(): number {
    return this.#timers
  }

  /** Connections that exist for the client, those being dialed included. */
  get open(): ModelConnection[] {
    return this.connections.filter((connection) => connection.state !== 'closed')
  }

  /** Commands applied to a key, of the given names. */
  appliedTo(key: string, ...names: string[]): Applied[] {
    return this.applied.filter(({ args }) => args[1] === key && names.includes(args[0] ?? ''))
  }

  later(ms: number, callback: () => void): { cancel(): void } {
    this.#timers++
    let pending = true
    const done = (): boolean => {
      if (pending) this.#timers--
      const was = pending
      pending = false
      return was
    }
    const timer = this.clock.setTimeout(() => {
      if (done()) callback()
    }, ms)
    return {
      cancel: () => {
        done()
        timer.cancel()
      },
    }
  }

  log(connection: number, args: readonly string[], result: Wire): void {
    this.applied.push({ connection, args, result, at: this.clock.now() })
  }

  version(key: string): number {
    return this.#versions.get(key) ?? 0
  }

  block(connection: ModelConnection): void {
    this.#blocked.push(connection)
  }

  unblock(connection: ModelConnection): boolean {
    const index = this.#blocked.indexOf(connection)
    if (index < 0) return false
    this.#blocked.splice(index, 1)
    return true
  }

  /** Runs a command that touches data; undefined when there is no such command. */
  touch(database: number, args: readonly string[]): Wire | undefined {
    const [name = '', bare = '', value = ''] = args
    const key = `${database}:${bare}`
    const found = this.#data.get(key)
    switch (name) {
      case 'GET':
        return Array.isArray(found) ? WRONGTYPE : (found ?? null)
      case 'SET':
        this.#store(key, value)
        return OK
      case 'TAG':
        // A write whose answer names it.
        this.#store(key, value)
        return value
      case 'APPEND':
        if (Array.isArray(found)) return WRONGTYPE
        this.#store(key, (found ?? '') + value)
        return (found ?? '').length + value.length
      case 'INCR':
        return this.#increment(key, found)
      case 'DEL':
        this.#store(key, undefined)
        return found === undefined ? 0 : 1
      case 'RPUSH':
        return this.#push(key, found, args.slice(2))
      case 'LPOP':
        return Array.isArray(found) ? (this.pop(key) ?? null) : found === undefined ? null : WRONGTYPE
      default:
        return undefined
    }
  }

  pop(key: string): string | undefined {
    const list = this.#data.get(key)
    if (!Array.isArray(list)) return undefined
    const first = list.shift()
    this.#store(key, list.length > 0 ? list : undefined)
    return first
  }

  #increment(key: string, found: string | string[] | undefined): Wire {
    const next = Number(found ?? 0) + 1
    if (!Number.isInteger(next)) return new Error('ERR value is not an integer or out of range')
    this.#store(key, String(next))
    return next
  }

  #push(key: string, found: string | string[] | undefined, values: readonly string[]): Wire {
    if (typeof found === 'string') return WRONGTYPE
    const list = [...(found ?? []), ...values]
    this.#store(key, list)
    for (const connection of [...this.#blocked]) connection.offer(key)
    return list.length
  }

  #store(key: string, value: string | string[] | undefined): void {
    this.#versions.set(key, this.version(key) + 1)
    if (value === undefined) this.#data.delete(key)
    else this.#data.set(key, value)
  }
}

const WRONGTYPE = new Error('WRONGTYPE Operation against a key holding the wrong kind of value')

export class ModelConnection implements Transport {
  readonly id: number
  latency: number
  /** `ending`: the client has said goodbye and waits for the server's. */
  state: 'dialing' | 'open' | 'ending' | 'closed' = 'dialing'
  /** Bytes that the kernel would not take; a test sets it, and `drain` takes them. */
  pending = 0
  readonly #server: ModelServer
  readonly #events: TransportEvents
  readonly #reader = new WireReader()
  readonly #inbox: string[][] = []
  #outbox: Buffer[] = []
  #hold: Hold = 'nothing'
  #allowance = 0
  #lost = false
  #goodbye = false
  #arrivesAt = 0
  #database = 0
  #queued: string[][] | undefined
  #watched = new Map<string, number>()
  #waiting: { readonly args: string[]; readonly timer: { cancel(): void } | undefined } | undefined

  constructor(server: ModelServer, events: TransportEvents, id: number) {
    this.id = id
    this.latency = server.latency
    this.#server = server
    this.#events = events
    if (server.welcome === 'silent') this.#hold = 'requests'
    server.later(server.dialDelay, () => {
      if (this.state !== 'dialing' || server.welcome === 'blackhole') return
      this.state = server.welcome === 'refuse' ? 'closed' : 'open'
      if (this.state === 'open') events.opened()
      else events.closed(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))
    })
  }

  get database(): number {
    return this.#database
  }

  /** Keys this session watches, and whether it is inside MULTI. */
  get session(): { readonly watched: number; readonly multi: boolean } {
    return { watched: this.#watched.size, multi: this.#queued !== undefined }
  }

  // Knobs

  hold(what: Hold = 'requests'): void {
    this.#hold = what
  }

  /** Reads what came in and answers what is owed. */
  resume(): void {
    this.#hold = 'nothing'
    this.#handOver()
    this.#work()
  }

  /** Applies and answers so many of the commands that are held back. */
  step(count = 1): void {
    if (this.#hold === 'replies') return
    this.#handOver()
    this.#allowance = count
    this.#work()
    this.#allowance = 0
  }

  /** The connection breaks: `rst` or `fin`. What was received is applied or not; no answer comes. */
  cut(how: 'rst' | 'fin' = 'rst', received: 'applied' | 'dropped' = 'dropped'): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.#hold = 'nothing'
    if (received === 'applied') this.#work()
    this.#end()
    this.#events.closed(how === 'fin' ? undefined : Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  }

  /** The kernel takes what it held back. */
  drain(): void {
    this.pending = 0
    if (this.state === 'open') this.#events.drained()
  }

  /** Bytes that no command asked for. */
  inject(bytes: string): void {
    this.#deliver(Buffer.from(bytes))
  }

  // Transport

  write(chunk: Buffer): void {
    const bytes = Buffer.from(chunk)
    this.#afterBytes(() => {
      if (this.#lost) return
      this.#reader.push(bytes)
      for (let read = this.#reader.next(); read !== undefined; read = this.#reader.next()) {
        if (Array.isArray(read.value)) this.#inbox.push(read.value.map(toText))
      }
      this.#work()
    })
  }

  cork(): void {}
  uncork(): void {}

  end(): void {
    if (this.state === 'dialing') this.#lost = true
    this.state = 'ending'
    // It comes behind everything that was written.
    this.#afterBytes(() => {
      this.#goodbye = true
      if (this.#waiting !== undefined) this.#stopWaiting()
      this.#work()
    })
  }

  destroy(): void {
    this.state = 'closed'
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
    if (Array.isArray(result)) this.#server.log(this.id, args, result)
    this.#deliver(encodeReply(result))
    this.#work()
  }

  #stopWaiting(): void {
    this.#waiting?.timer?.cancel()
    this.#waiting = undefined
    this.#server.unblock(this)
  }

  #end(): void {
    this.#lost = true
    this.#inbox.length = 0
    if (this.#waiting !== undefined) this.#stopWaiting()
  }

  #afterBytes(callback: () => void): void {
    const now = this.#server.clock.now()
    this.#arrivesAt = Math.max(this.#arrivesAt, now + this.latency)
    this.#server.later(this.#arrivesAt - now, callback)
  }

  #work(): void {
    const answers: Buffer[] = []
    while ((this.#hold !== 'requests' || this.#allowance > 0) && this.#waiting === undefined) {
      const args = this.#inbox.shift()
      if (args === undefined) break
      this.#allowance--
      args[0] = args[0]?.toUpperCase() ?? ''
      const answer = this.#answer(args)
      if (answer !== undefined) answers.push(encodeReply(answer))
    }
    if (answers.length > 0) this.#deliver(Buffer.concat(answers))
    if (!this.#goodbye || this.#hold !== 'nothing' || this.state !== 'ending') return
    this.state = 'closed'
    this.#events.closed(undefined)
  }

  #handOver(): void {
    const kept = this.#outbox
    this.#outbox = []
    if (kept.length > 0) this.#deliver(Buffer.concat(kept))
  }

  #deliver(bytes: Buffer): void {
    if (this.#hold === 'replies' || this.#outbox.length > 0) this.#outbox.push(bytes)
    else if (this.state === 'open') {
      this.#events.received(bytes, bytes.length)
      // As a socket's read buffer is used again.
      bytes.fill(0x21)
    }
  }

  #answer(args: string[]): Wire | undefined {
    const name = args[0] ?? ''
    if (this.#queued !== undefined && !EXEC_FREE.has(name)) {
      this.#queued.push(args)
      return new Simple('QUEUED')
    }
    if (name === 'EXEC') return this.#exec()
    if (name === 'BLPOP') return this.#blockingPop(args)
    return this.#run(args)
  }

  #run(args: readonly string[]): Wire {
    const own = this.#session(args)
    const result = own === undefined ? this.#server.touch(this.#database, args) : own
    const answer = result === undefined ? new Error(`ERR unknown command '${args[0]}'`) : result
    this.#server.log(this.id, args, answer)
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
      case 'CONFIG':
        return new Map<Wire, Wire>([[third, String(this.#server.timeout)]])
      case 'CLIENT':
        return first === 'UNBLOCK' ? this.#unblock(Number(second), third) : first === 'ID' ? this.id : OK
      case 'MULTI':
        this.#queued = []
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

  #unblock(id: number, how: string): Wire {
    const target = this.#server.connections.find((connection) => connection.id === id)
    if (target === undefined || !this.#server.unblock(target)) return 0
    target.wake(how)
    return 1
  }

  #exec(): Wire {
    const queued = this.#queued
    if (queued === undefined) return new Error('ERR EXEC without MULTI')
    const dirty = [...this.#watched].some(([key, version]) => this.#server.version(key) !== version)
    this.#queued = undefined
    this.#watched.clear()
    return dirty ? null : queued.map((args) => this.#run(args))
  }

  #blockingPop(args: string[]): Wire | undefined {
    for (const key of args.slice(1, -1)) {
      const element = this.#server.pop(`${this.#database}:${key}`)
      if (element === undefined) continue
      const result = [key, element]
      this.#server.log(this.id, args, result)
      return result
    }
    if (this.state !== 'open') return undefined
    const seconds = Number(args.at(-1))
    const timer = seconds > 0 ? this.#server.later(seconds * 1_000, () => this.#answerWaiting(null)) : undefined
    this.#waiting = { args, timer }
    this.#server.block(this)
    return undefined
  }
}
