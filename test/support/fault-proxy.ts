// A seeded TCP proxy between a client and a server: delays, holds, slices, cuts and swaps. It may keep bytes back or
// end a connection, but it never loses a byte of one that goes on: no network does that.

import { connect, createServer, type Server, type Socket } from 'node:net'
import { seeded } from './random.js'
import { reset, resetAfterBytes } from './reset.js'

/** `up`: from client to server. `down`: from server to client. */
export type Direction = 'up' | 'down'
export type Ending = 'fin' | 'rst'

export interface FaultProxyOptions {
  port: number
  host?: string
  /** The same seed makes the same decisions. */
  seed?: number
}

interface Faults {
  latency: number
  jitter: number
  slice: number
  held: boolean
}

/** One client's connection and the one to the server that belongs to it. */
export class ProxyLink {
  readonly id: number
  readonly #ends: Record<Direction, Flow>
  readonly #sockets: readonly [Socket, Socket]
  closed = false

  constructor(id: number, client: Socket, upstream: Socket, proxy: FaultProxy, random: () => number) {
    this.id = id
    this.#sockets = [client, upstream]
    const note = (what: string) => proxy.note(id, what)
    this.#ends = {
      up: new Flow('up', client, upstream, proxy, this, random, note),
      down: new Flow('down', upstream, client, proxy, this, random, note),
    }
    for (const socket of this.#sockets) {
      socket.on('error', () => {})
      socket.on('close', (hadError) => this.#lost(hadError))
    }
  }

  /** Bytes passed on so far. */
  bytes(direction: Direction): number {
    return this.#ends[direction].passed
  }

  /** Ends the link once this many more bytes have gone this way, in the middle of a reply if need be. */
  cutAfter(bytes: number, ending: Ending, direction: Direction = 'down'): void {
    this.#ends[direction].cutAfter(bytes, ending)
  }

  /** Ends it now: `fin` to both ends in good order, `rst` at once. */
  kill(ending: Ending = 'rst'): void {
    if (this.closed) return
    this.closed = true
    for (const flow of Object.values(this.#ends)) flow.stop()
    for (const socket of this.#sockets) {
      if (ending === 'fin') socket.end()
      else reset(socket)
    }
  }

  /** @internal */
  wake(): void {
    for (const flow of Object.values(this.#ends)) flow.wake()
  }

  /** Destroys both ends without a word; what the other side sees is a close. */
  destroy(): void {
    this.closed = true
    for (const flow of Object.values(this.#ends)) flow.stop()
    for (const socket of this.#sockets) socket.destroy()
  }

  #lost(hadError: boolean): void {
    if (this.closed) return
    if (hadError) this.kill('rst')
    else if (this.#sockets.every((socket) => socket.destroyed)) this.closed = true
  }
}

/** The bytes of one direction, in order. `null` stands for the end of the stream. */
class Flow {
  passed = 0
  readonly #direction: Direction
  readonly #target: Socket
  readonly #proxy: FaultProxy
  readonly #link: ProxyLink
  readonly #random: () => number
  readonly #note: (what: string) => void
  readonly #queue: { bytes: Buffer | null; due: number }[] = []
  #cut: { left: number; ending: Ending } | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #latest = 0

  constructor(
    direction: Direction,
    source: Socket,
    target: Socket,
    proxy: FaultProxy,
    link: ProxyLink,
    random: () => number,
    note: (what: string) => void,
  ) {
    this.#direction = direction
    this.#target = target
    this.#proxy = proxy
    this.#link = link
    this.#random = random
    this.#note = note
    source.on('data', (bytes: Buffer) => this.#arrive(bytes))
    source.on('end', () => this.#arrive(null))
  }

  cutAfter(bytes: number, ending: Ending): void {
    this.#note(`${this.#direction}: ${ending} after ${bytes} bytes`)
    this.#cut = { left: bytes, ending }
    if (bytes === 0) this.#end()
  }

  wake(): void {
    if (this.#stopped || this.#timer !== undefined) return
    while (this.#queue.length > 0 && !this.#proxy.faults[this.#direction].held) {
      const head = this.#queue[0]!
      const wait = head.due - performance.now()
      if (wait > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined
          this.wake()
        }, wait)
        return
      }
      this.#queue.shift()
      if (head.bytes === null) this.#target.end()
      else if (!this.#pass(head.bytes)) return
    }
  }

  stop(): void {
    this.#stopped = true
    this.#queue.length = 0
    clearTimeout(this.#timer)
  }

  #arrive(bytes: Buffer | null): void {
    if (this.#stopped) return
    const { latency, jitter, slice } = this.#proxy.faults[this.#direction]
    const pieces = bytes !== null && slice > 0 ? this.#sliced(bytes, slice) : [bytes]
    for (const piece of pieces) {
      // Jitter never lets a later piece overtake an earlier one.
      const due = performance.now() + latency + jitter * this.#random()
      this.#latest = latency + jitter > 0 || this.#queue.length > 0 ? Math.max(this.#latest, due) : 0
      this.#queue.push({ bytes: piece, due: this.#latest })
    }
    this.wake()
  }

  #sliced(bytes: Buffer, size: number): Buffer[] {
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + Math.floor(this.#random() * size)
      pieces.push(bytes.subarray(at, at + length))
      at += length
    }
    return pieces
  }

  /** False when the cut came. */
  #pass(bytes: Buffer): boolean {
    const part = this.#cut ? bytes.subarray(0, this.#cut.left) : bytes
    this.passed += part.length
    if (this.#target.writable && part.length > 0) this.#target.write(part)
    if (!this.#cut) return true
    this.#cut.left -= part.length
    if (this.#cut.left > 0) return true
    this.#end()
    return false
  }

  #end(): void {
    const ending = this.#cut?.ending ?? 'rst'
    this.#note(`${this.#direction}: ${ending}`)
    this.stop()
    if (ending === 'fin') this.#link.kill('fin')
    else void resetAfterBytes(this.#target).then(() => this.#link.kill('rst'))
  }
}

export class FaultProxy implements AsyncDisposable {
  /** @internal */
  readonly faults: Record<Direction, Faults> = {
    up: { latency: 0, jitter: 0, slice: 0, held: false },
    down: { latency: 0, jitter: 0, slice: 0, held: false },
  }
  /** Every decision, in order; print it with the seed when a test fails. */
  readonly log: string[] = []
  readonly seed: number
  readonly #random: () => number
  readonly #links: ProxyLink[] = []
  #target: { host: string; port: number }
  #server: Server | undefined
  #port = 0

  private constructor({ port, host = '127.0.0.1', seed = 1 }: FaultProxyOptions) {
    this.#target = { host, port }
    this.seed = seed
    this.#random = seeded(seed)
  }

  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options)
    await proxy.accept()
    return proxy
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`
  }

  /** Links that are open. */
  get links(): ProxyLink[] {
    return this.#links.filter(({ closed }) => !closed)
  }

  /** Links so far, closed ones included. */
  get total(): number {
    return this.#links.length
  }

  /** From now on each piece takes `ms`, and up to `jitter` more, in order. */
  latency(ms: number, jitter = 0, direction?: Direction): void {
    this.#set({ latency: ms, jitter }, direction)
  }

  /** From now on bytes travel in pieces of 1 to `size` bytes; 0 leaves them whole. */
  slice(size: number, direction?: Direction): void {
    this.#set({ slice: size }, direction)
  }

  /** Keeps all bytes back until `release`; the connections stay open, like those to a host that vanished. */
  hold(direction?: Direction): void {
    this.#set({ held: true }, direction)
  }

  release(direction?: Direction): void {
    this.#set({ held: false }, direction)
    for (const link of this.links) link.wake()
  }

  /** Each link that is open ends once this many more bytes have gone through it. */
  cutAfter(bytes: number, ending: Ending, direction: Direction = 'down'): void {
    for (const link of this.links) link.cutAfter(bytes, ending, direction)
  }

  killAll(ending: Ending = 'rst'): void {
    this.note(0, `kill all: ${ending}`)
    for (const link of this.links) link.kill(ending)
  }

  /** New connections lead to another server, as after a failover; those that are open stay where they are. */
  retarget(port: number, host = '127.0.0.1'): void {
    this.note(0, `retarget ${host}:${port}`)
    this.#target = { host, port }
  }

  /** New connections are refused until `accept`. */
  refuse(): void {
    this.note(0, 'refuse')
    this.#server?.close()
    this.#server = undefined
  }

  /** Listens, again after `refuse` on the same port. */
  async accept(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#link(client))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, '127.0.0.1', resolve)
    })
    const address = server.address()
    if (typeof address === 'object' && address !== null) this.#port = address.port
  }

  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    const closed = server && new Promise((resolve) => server.close(resolve))
    for (const link of this.#links) link.destroy()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** @internal */
  note(link: number, what: string): void {
    this.log.push(`seed ${this.seed}, link ${link}: ${what}`)
  }

  #link(client: Socket): void {
    const upstream = connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    this.#links.push(new ProxyLink(this.#links.length + 1, client, upstream, this, this.#random))
  }

  #set(change: Partial<Faults>, direction: Direction | undefined): void {
    this.note(0, `${direction ?? 'both'}: ${JSON.stringify(change)}`)
    for (const one of direction ? [direction] : (['up', 'down'] as const)) Object.assign(this.faults[one], change)
  }
}
