// A RESP server that does what a test scripts, down to the byte: half replies, silence, resets. It answers the
// handshake by itself and knows no data.

import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reset, resetAfterBytes } from './reset.js'
import { encodePush, encodeReply, OK, type Protocol, Simple, toText, type Wire, WireReader } from './resp.js'

/** How a connection that was accepted behaves. */
export type Manner = 'answering' | 'silent' | 'closing' | 'resetting'

export interface FakeServerOptions {
  /** Listen on a unix socket instead of a port. */
  unix?: boolean
  /** What it says of itself in HELLO. */
  version?: string
  /** Answers commands that no expectation and no handshake covers. */
  fallback?: (args: string[], connection: FakeConnection) => Wire | undefined
}

type Step = (connection: FakeConnection, args: string[]) => unknown

/** One command that is awaited, and the steps it sets off. */
export class Expectation {
  readonly #pattern: readonly string[]
  readonly #steps: Step[] = []
  #left = 1

  constructor(pattern: readonly string[]) {
    this.#pattern = pattern
  }

  /** How often it still applies. */
  get left(): number {
    return this.#left
  }

  get text(): string {
    return this.#pattern.join(' ')
  }

  times(count: number): this {
    this.#left = count
    return this
  }

  always(): this {
    return this.times(Number.POSITIVE_INFINITY)
  }

  reply(...values: (Wire | ((args: string[]) => Wire))[]): this {
    for (const value of values) {
      this.do((connection, args) => connection.reply(typeof value === 'function' ? value(args) : value))
    }
    return this
  }

  /** Bytes as they are, however wrong. */
  raw(...chunks: (string | Buffer)[]): this {
    for (const chunk of chunks) this.do((connection) => connection.send(chunk))
    return this
  }

  push(...values: Wire[]): this {
    return this.do((connection) => connection.push(values))
  }

  /** Holds everything behind it, later commands' replies too, until the promise settles. */
  wait(until: Promise<unknown> | (() => Promise<unknown>)): this {
    return this.do(() => (typeof until === 'function' ? until() : until))
  }

  /** Never answers again on this connection, and keeps it open. */
  stall(): this {
    return this.do(() => new Promise(() => {}))
  }

  fin(): this {
    return this.do((connection) => connection.fin())
  }

  rst(): this {
    return this.do((connection) => resetAfterBytes(connection.socket))
  }

  do(step: Step): this {
    this.#steps.push(step)
    return this
  }

  /** @internal */
  matches(args: readonly string[]): boolean {
    if (this.#left <= 0) return false
    return this.#pattern.every((want, i) =>
      i === 0 ? want.toUpperCase() === args[0]?.toUpperCase() : want === args[i],
    )
  }

  /** @internal */
  async run(connection: FakeConnection, args: string[]): Promise<void> {
    for (const step of this.#steps) await step(connection, args)
  }

  /** @internal */
  spend(): void {
    this.#left--
  }
}

export class FakeConnection {
  readonly id: number
  readonly socket: Socket
  /** Commands in the order in which they came. */
  readonly received: string[][] = []
  /** Bytes that came. */
  bytesReceived = 0
  protocol: Protocol = 2
  closed = false

  constructor(id: number, socket: Socket) {
    this.id = id
    this.socket = socket
  }

  reply(value: Wire): void {
    this.send(encodeReply(value, this.protocol))
  }

  push(values: readonly Wire[]): void {
    this.send(encodePush(values))
  }

  send(bytes: string | Buffer): void {
    if (this.socket.writable) this.socket.write(bytes)
  }

  /** Ends in good order; what was sent before still arrives. */
  fin(): void {
    this.socket.end()
  }

  /** Resets; what the peer has not read is lost. */
  rst(): void {
    reset(this.socket)
  }
}

let nextPath = 0

export class FakeServer implements AsyncDisposable {
  /** Connections so far, closed ones included. */
  readonly connections: FakeConnection[] = []
  manner: Manner = 'answering'
  readonly #options: FakeServerOptions
  readonly #expectations: Expectation[] = []
  readonly #path: string | undefined
  #server: Server | undefined
  #port = 0

  private constructor(options: FakeServerOptions) {
    this.#options = options
    this.#path = options.unix ? join(tmpdir(), `respool-fake-${process.pid}-${nextPath++}.sock`) : undefined
  }

  static async start(options: FakeServerOptions = {}): Promise<FakeServer> {
    const server = new FakeServer(options)
    await server.listen()
    return server
  }

  get port(): number {
    return this.#port
  }

  /** The unix socket's path, when there is one. */
  get path(): string {
    if (this.#path === undefined) throw new Error('this fake server listens on a port; start it with { unix: true }')
    return this.#path
  }

  get url(): string {
    return this.#path === undefined ? `redis://127.0.0.1:${this.#port}` : `unix://${this.#path}`
  }

  /** Connections that are open. */
  get open(): FakeConnection[] {
    return this.connections.filter((connection) => !connection.closed)
  }

  /** Everything that came, over all connections, in the order of connections. */
  get received(): string[][] {
    return this.connections.flatMap((connection) => connection.received)
  }

  /** The next command that begins with these words goes to this expectation, once; the first that fits wins. */
  expect(...pattern: string[]): Expectation {
    const expectation = new Expectation(pattern)
    this.#expectations.push(expectation)
    return expectation
  }

  /** Fails when something that was expected did not come. */
  verify(): void {
    const missing = this.#expectations.filter(({ left }) => left > 0 && Number.isFinite(left))
    if (missing.length > 0) throw new Error(`never came: ${missing.map(({ text }) => text).join(', ')}`)
  }

  /** Resolves once `count` commands of this name have come. */
  async until(name: string, count = 1): Promise<void> {
    const wanted = name.toUpperCase()
    const seen = () => this.received.filter(([first]) => first?.toUpperCase() === wanted).length
    while (seen() < count) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Listens, again after `refuse` on the same port. */
  async listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      if (this.#path === undefined) server.listen(this.#port, '127.0.0.1', resolve)
      else server.listen(this.#path, resolve)
    })
    const address = server.address()
    if (typeof address === 'object' && address !== null) this.#port = address.port
  }

  /** Listens no more: new connections are refused, those that are open stay. */
  refuse(): void {
    this.#server?.close()
    this.#server = undefined
  }

  /** Closes all that is open and listens no more. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    const closed = server && new Promise((resolve) => server.close(resolve))
    for (const { socket } of this.connections) socket.destroy()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #accept(socket: Socket): void {
    const connection = new FakeConnection(this.connections.length + 1, socket)
    this.connections.push(connection)
    socket.on('error', () => {})
    socket.on('close', () => {
      connection.closed = true
    })
    const reader = new WireReader()
    // Replies leave in the order of the commands, also when one of them has to wait.
    let turn: Promise<void> | undefined
    socket.on('data', (chunk) => {
      connection.bytesReceived += chunk.length
      reader.push(chunk)
      for (let frame = reader.next(); frame; frame = reader.next()) {
        const args = Array.isArray(frame.value) ? frame.value.map(toText) : [toText(frame.value)]
        connection.received.push(args)
        if (this.manner === 'silent') continue
        const expectation = this.#expectations.find((candidate) => candidate.matches(args))
        expectation?.spend()
        const answer = () => (expectation ? expectation.run(connection, args) : this.#answer(connection, args))
        if (expectation || turn) turn = turn ? turn.then(answer) : Promise.resolve(answer())
        else void answer()
      }
    })
    if (this.manner === 'closing') connection.fin()
    if (this.manner === 'resetting') connection.rst()
  }

  async #answer(connection: FakeConnection, args: string[]): Promise<void> {
    const own = this.#options.fallback?.(args, connection)
    if (own !== undefined) connection.reply(own)
    else connection.reply(this.#handshake(connection, args))
  }

  #handshake(connection: FakeConnection, args: string[]): Wire {
    const [name = '', first = ''] = args.map((arg) => arg.toUpperCase())
    switch (name) {
      case 'HELLO':
        connection.protocol = first === '2' ? 2 : first === '3' ? 3 : connection.protocol
        return this.#hello(connection)
      case 'PING':
        return args[1] ?? new Simple('PONG')
      case 'ECHO':
        return args[1] ?? ''
      case 'AUTH':
      case 'SELECT':
      case 'UNWATCH':
      case 'WATCH':
      case 'QUIT':
        return OK
      case 'RESET':
        return new Simple('RESET')
      case 'CLIENT':
        return first === 'ID' ? connection.id : first === 'UNBLOCK' ? 0 : OK
      case 'CONFIG':
        return new Map()
      default:
        return new Error(`ERR unknown command '${args[0]}', and the test did not expect it`)
    }
  }

  #hello(connection: FakeConnection): Wire {
    return new Map<Wire, Wire>([
      ['server', 'redis'],
      ['version', this.#options.version ?? '7.0.15'],
      ['proto', connection.protocol],
      ['id', connection.id],
      ['mode', 'standalone'],
      ['role', 'master'],
      ['modules', []],
    ])
  }
}
