// One client's connection through the proxy, and the one to the server that belongs to it: ends both when one is lost.

import type { Socket } from 'node:net'
import { type Direction, Flow, type FlowOwner, type FlowSettings } from './fault-flow.js'
import type { Ending } from './fault-gate.js'
import { FaultVerbs } from './fault-verbs.js'
import { reset } from './reset.js'

export interface LinkOptions extends Omit<FlowOwner, 'kill'> {
  readonly settings: Readonly<Record<Direction, FlowSettings>>
}

export class ProxyLink extends FaultVerbs {
  readonly id: number
  closed = false
  readonly #sockets: readonly Socket[]
  readonly #flows: readonly Flow[]
  readonly #note: (what: string) => void

  /** Without a server the client is listened to, and never told anything. */
  constructor(client: Socket, server: Socket | undefined, options: LinkOptions) {
    super()
    const { id, settings } = options
    this.id = id
    this.#note = options.note
    this.#sockets = server ? [client, server] : [client]
    for (const socket of this.#sockets) {
      socket.on('error', () => {})
      socket.on('close', () => {
        if (this.gone) this.closed = true
      })
    }
    const owner: FlowOwner = { ...options, kill: (ending) => this.kill(ending) }
    this.#flows = server
      ? [
          new Flow('up', client, server, owner, { ...settings.up }),
          new Flow('down', server, client, owner, { ...settings.down }),
        ]
      : []
    if (!server) client.on('end', () => client.end()).resume()
  }

  /** Both ends have let go. */
  get gone(): boolean {
    return this.#sockets.every(({ destroyed }) => destroyed)
  }

  flows(direction?: Direction): Flow[] {
    return this.#flows.filter((flow) => direction === undefined || flow.direction === direction)
  }

  /** Bytes passed on so far. */
  bytes(direction: Direction): number {
    return this.#flow(direction)?.passed ?? 0
  }

  /** Whole commands that the client sent, as far as they were passed on. */
  get commands(): number {
    return this.#flow('up')?.gate.frames ?? 0
  }

  get replies(): number {
    return this.#flow('down')?.gate.frames ?? 0
  }

  get pushes(): number {
    return this.#flow('down')?.gate.pushes ?? 0
  }

  /** Ends it now: `fin` to both ends in good order, `rst` at once. */
  kill(ending: Ending = 'rst'): void {
    if (this.closed) return
    this.closed = true
    this.#note(`killed: ${ending}`)
    for (const flow of this.#flows) flow.stop()
    for (const socket of this.#sockets) {
      if (ending === 'fin') socket.end()
      else reset(socket)
    }
  }

  /** Destroys both ends without a word; what the other side sees is a close. */
  destroy(): void {
    this.closed = true
    for (const flow of this.#flows) flow.stop()
    for (const socket of this.#sockets) socket.destroy()
  }

  protected set(change: Partial<FlowSettings>, direction: Direction | undefined): void {
    this.#note(`${direction ?? 'both'}: ${JSON.stringify(change)}`)
    for (const flow of this.flows(direction)) flow.set(change)
  }

  #flow(direction: Direction): Flow | undefined {
    return this.flows(direction)[0]
  }
}
