// A relay to a server whose connections can be held one by one, so that one lane is slow while the others are not.

import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

class Link {
  readonly #ends: readonly [client: Socket, server: Socket]
  #allowed = Number.POSITIVE_INFINITY

  constructor(client: Socket, server: Socket) {
    this.#ends = [client, server]
  }

  /** Commands, or replies, stay where they are until `release`; nothing of them is lost. */
  hold(what: 'commands' | 'replies'): void {
    this.#ends[what === 'commands' ? 0 : 1].pause()
  }

  /** Lets so many more bytes of commands through and holds the rest. */
  holdAfter(bytes: number): void {
    this.#allowed = bytes
  }

  /** @internal */
  passUp(bytes: Buffer): void {
    const [client, server] = this.#ends
    const now = bytes.subarray(0, this.#allowed)
    this.#allowed -= now.length
    server.write(now)
    if (now.length === bytes.length) return
    client.pause()
    client.unshift(bytes.subarray(now.length))
  }

  release(): void {
    this.#allowed = Number.POSITIVE_INFINITY
    for (const end of this.#ends) end.resume()
  }
}

export class Relay implements AsyncDisposable {
  readonly links: Link[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(port: number) {
    this.#server = createServer({ noDelay: true, allowHalfOpen: false }, (client) => this.#join(client, port))
  }

  static async start(port: number): Promise<Relay> {
    const relay = new Relay(port)
    relay.#server.listen(0, '127.0.0.1')
    await once(relay.#server, 'listening')
    return relay
  }

  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the relay does not listen')
    return `redis://127.0.0.1:${address.port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(client: Socket, port: number): void {
    const server = connect({ host: '127.0.0.1', port, noDelay: true })
    const link = new Link(client, server)
    this.links.push(link)
    client.on('data', (bytes: Buffer) => link.passUp(bytes))
    server.on('data', (bytes) => client.write(bytes))
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        const at = this.links.indexOf(link)
        if (at >= 0) this.links.splice(at, 1)
        other.destroy()
      })
    }
  }
}
