// What the live tests share: a witness with a socket of its own beside the library, and small waits.
// Judges nothing itself.

import { connect, type Socket } from 'node:net'
import { encodeCommand, toText, type Wire, WireReader } from '../support/resp.js'

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Waits until `holds` gives true, and fails with `what` when it never does. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, within = 5_000): Promise<void> {
  const end = performance.now() + within
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${within} ms: ${what}`)
    await pause(2)
  }
}

export type ClientLine = Readonly<Record<string, string>>

/** A raw connection that the pool knows nothing of; its own line never counts. */
export class Witness implements AsyncDisposable {
  readonly #socket: Socket
  readonly #reader = new WireReader()
  readonly #callers: { resolve(reply: Wire): void; reject(error: Error): void }[] = []
  #id = ''

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#reader.push(chunk)
      for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
        const caller = this.#callers.shift()
        if (frame.value instanceof Error) caller?.reject(frame.value)
        else caller?.resolve(frame.value)
      }
    })
    const end = (error: Error): void => {
      for (const { reject } of this.#callers.splice(0)) reject(error)
    }
    socket.on('error', end)
    socket.on('close', () => end(new Error('the connection of the witness was closed')))
  }

  static async connect(port: number): Promise<Witness> {
    const witness = new Witness(connect({ host: '127.0.0.1', port }))
    witness.#id = String(await witness.ask('CLIENT', 'ID'))
    return witness
  }

  ask(...args: string[]): Promise<Wire> {
    return new Promise((resolve, reject) => {
      this.#callers.push({ resolve, reject })
      this.#socket.write(encodeCommand(args))
    })
  }

  async text(...args: string[]): Promise<string> {
    return toText(await this.ask(...args))
  }

  /** CLIENT LIST without this connection. */
  async clients(): Promise<ClientLine[]> {
    return clientLines(await this.text('CLIENT', 'LIST')).filter(({ id }) => id !== this.#id)
  }

  /** A number of INFO. */
  async figure(section: string, name: string): Promise<number> {
    const info = await this.text('INFO', section)
    return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy()
  }
}

/** The lines of CLIENT LIST or CLIENT INFO, field by field. */
export function clientLines(text: string): ClientLine[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => Object.fromEntries(line.split(' ').map((field) => split(field))))
}

function split(field: string): [string, string] {
  const at = field.indexOf('=')
  return [field.slice(0, at), field.slice(at + 1)]
}

/** Looks at the server's clients again and again. */
export class Census {
  looks = 0
  most = 0
  latest: ClientLine[] = []
  /** The list that had the most in it. */
  fullest: ClientLine[] = []
  readonly #witness: Witness
  #running: Promise<void> | undefined
  #stop = false

  constructor(witness: Witness) {
    this.#witness = witness
    this.#running = this.#run()
  }

  async end(): Promise<void> {
    this.#stop = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#stop) {
      this.latest = await this.#witness.clients()
      this.looks++
      if (this.latest.length > this.most) {
        this.most = this.latest.length
        this.fullest = this.latest
      }
      await nextTurn()
    }
  }
}
