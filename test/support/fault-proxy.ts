// A seeded TCP proxy between a client and a server: it delays, paces, slices, holds, cuts, refuses and leads elsewhere.
// It accepts and knows the links; what happens to bytes is in fault-flow.ts. Over TLS only faults by bytes mean anything.

import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Direction, Flow, FlowSettings } from './fault-flow.js'
import type { Ending } from './fault-gate.js'
import { ProxyLink } from './fault-link.js'
import { FaultVerbs } from './fault-verbs.js'

export interface FaultProxyOptions {
  port: number
  host?: string
  /** Where it listens; by default on a free port of 127.0.0.1. */
  listen?: { readonly host: string; readonly port: number }
  /** The same seed makes the same decisions. */
  seed?: number
  /**
   * How many bytes of one direction of one connection wait here when they are held or the way on is slow, before their
   * sender is read no further; what a real network keeps in socket buffers. A sender that is not read is not seen to end
   * or reset either, as behind a window of zero. 16 MiB by default.
   */
  buffer?: number
  /** Log the size and the jitter of each piece as well; long. */
  logPieces?: boolean
}

const CALM: Readonly<FlowSettings> = { latency: 0, jitter: 0, rate: 0, slice: 0, coalesce: 0, held: false }

/** Its faults by bytes and replies hit the links that are open; its settings hold for those to come as well. */
export class FaultProxy extends FaultVerbs implements AsyncDisposable {
  /** Every decision, in order; print it with the seed when a test fails. */
  readonly log: string[] = []
  readonly seed: number
  readonly #options: { readonly buffer: number; readonly logPieces: boolean }
  readonly #settings: Record<Direction, FlowSettings> = { up: { ...CALM }, down: { ...CALM } }
  #links: ProxyLink[] = []
  #total = 0
  #target: { host: string; port: number }
  #server: Server | undefined
  readonly #address: string
  #port: number
  #silent = false
  #handshakeCommands: number | undefined
  #met: ((link: ProxyLink) => void) | undefined

  private constructor(options: FaultProxyOptions) {
    super()
    const { port, host = '127.0.0.1', seed = 1, buffer = 16 * 2 ** 20, logPieces = false } = options
    const { listen = { host: '127.0.0.1', port: 0 } } = options
    this.#address = listen.host
    this.#port = listen.port
    this.#target = { host, port }
    this.seed = seed
    this.#options = { buffer, logPieces }
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
    return `redis://${this.#address}:${this.#port}`
  }

  /** Links that are open. */
  get links(): ProxyLink[] {
    return this.#links.filter(({ closed }) => !closed)
  }

  /** Links so far, closed ones included. */
  get total(): number {
    return this.#total
  }

  flows(direction?: Direction): Flow[] {
    return this.links.flatMap((link) => link.flows(direction))
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

  /** New connections are accepted and never told anything, until `accept`; no server hears of them. */
  acceptSilent(): void {
    this.note(0, 'accept and be silent')
    this.#silent = true
  }

  /** On new connections so many commands reach the server, and those behind them are held; `undefined` lets all through. */
  stallHandshake(commands: number | undefined): void {
    this.note(0, `stall handshakes after ${commands ?? 'no'} commands`)
    this.#handshakeCommands = commands
  }

  /** Hands over each new connection before a byte of it has passed, for a fault of its own; `undefined` ends that. */
  meet(fault: ((link: ProxyLink) => void) | undefined): void {
    this.#met = fault
  }

  /** Listens and answers, again after `refuse` on the same port. */
  async accept(): Promise<void> {
    this.#silent = false
    if (this.#server) return
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#link(client))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, this.#address, resolve)
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

  protected set(change: Partial<FlowSettings>, direction: Direction | undefined): void {
    this.note(0, `${direction ?? 'both'}: ${JSON.stringify(change)}`)
    for (const one of direction ? [direction] : (['up', 'down'] as const)) Object.assign(this.#settings[one], change)
    for (const flow of this.flows(direction)) flow.set(change)
  }

  /** In hours of faults there are too many to remember. */
  #forgetGone(): void {
    for (const link of this.#links) if (link.gone) link.destroy()
    this.#links = this.#links.filter(({ gone }) => !gone)
  }

  #link(client: Socket): void {
    const id = ++this.#total
    this.#forgetGone()
    const server = this.#silent ? undefined : connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    const link = new ProxyLink(client, server, {
      id,
      seed: this.seed,
      ...this.#options,
      settings: this.#settings,
      note: (what) => this.note(id, what),
    })
    this.#links.push(link)
    if (this.#handshakeCommands !== undefined) link.holdAfter({ commands: this.#handshakeCommands })
    this.#met?.(link)
  }
}
