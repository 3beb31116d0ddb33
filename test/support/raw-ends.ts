// The two raw ends between which the proxy's faults are tested: a server that answers each command with its last word,
// and a client that keeps what it gets and how it ended. Neither knows the proxy.

import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { encodeCommand, encodeReply, toText, type Wire, WireReader } from './resp.js'

export class WordServer implements AsyncDisposable {
  /** The last words of all commands, in order. */
  readonly words: string[] = []
  /** How connections ended: `end` or an error's code. */
  readonly ends: string[] = []
  readonly sockets: Socket[] = []
  readonly #server: Server

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#serve(socket))
  }

  static async start(): Promise<WordServer> {
    const server = new WordServer()
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get port(): number {
    return portOf(this.#server)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(socket: Socket): void {
    this.sockets.push(socket)
    const reader = new WireReader()
    socket.on('error', (error) => this.ends.push(codeOf(error)))
    socket.on('end', () => {
      this.ends.push('end')
      socket.end()
    })
    socket.on('data', (bytes) => {
      reader.push(bytes)
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        const word = lastWord(frame.value)
        this.words.push(word)
        socket.write(encodeReply(word))
      }
    })
  }
}

export class RawClient {
  readonly socket: Socket
  /** What arrived, piece by piece. */
  readonly pieces: Buffer[] = []
  /** `end`, an error's code, or undefined as long as it goes on. */
  how: string | undefined

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    this.socket.on('data', (bytes: Buffer) => this.pieces.push(bytes))
    this.socket.on('end', () => {
      this.how ??= 'end'
    })
    this.socket.on('error', (error) => {
      this.how = codeOf(error)
    })
  }

  get text(): string {
    return Buffer.concat(this.pieces).toString('latin1')
  }

  send(...words: string[]): void {
    this.socket.write(Buffer.concat(words.map((word) => encodeCommand(['SAY', word]))))
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

/** What the server answers to these words. */
export function answer(...words: string[]): string {
  return words.map((word) => encodeReply(word).toString('latin1')).join('')
}

export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('this server does not listen on a port')
  return address.port
}

function lastWord(value: Wire): string {
  return Array.isArray(value) ? toText(value.at(-1) ?? null) : toText(value)
}

function codeOf(error: NodeJS.ErrnoException): string {
  return error.code ?? error.message
}
