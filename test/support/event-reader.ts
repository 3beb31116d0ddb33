// Reads a stream of server-sent events as a page does: over HTTP, with the token in a header.

import { type IncomingMessage, request } from 'node:http'

export interface ServerEvent {
  readonly name: string
  readonly data: unknown
}

export class EventReader implements Disposable {
  readonly status: number
  readonly events: ServerEvent[] = []
  /** All that came, as it came. */
  text = ''
  isOver = false
  readonly #response: IncomingMessage
  readonly #waiting = new Set<() => void>()

  private constructor(response: IncomingMessage) {
    this.status = response.statusCode ?? 0
    this.#response = response
    response.setEncoding('utf8')
    let rest = ''
    response.on('data', (part: string) => {
      this.text += part
      const parts = (rest + part).split('\n\n')
      rest = parts.pop() ?? ''
      for (const each of parts) this.#take(each)
    })
    response.on('error', () => {})
    response.on('close', () => {
      this.isOver = true
      this.#wake()
    })
  }

  static open(port: number, token: string, path = '/api/stream'): Promise<EventReader> {
    return new Promise((resolve, reject) => {
      const headers = { Authorization: `Bearer ${token}` }
      request({ port, host: '127.0.0.1', path, headers, agent: false }, (response) =>
        resolve(new EventReader(response)),
      )
        .on('error', reject)
        .end()
    })
  }

  /** The data of the events of a name so far. */
  all(name: string): unknown[] {
    return this.events.filter((event) => event.name === name).map(({ data }) => data)
  }

  /** Resolves with what the function finds, looking again at each event. */
  async until<T>(find: () => T | undefined | false, within = 10_000): Promise<T> {
    const end = performance.now() + within
    for (;;) {
      const found = find()
      if (found !== undefined && found !== false) return found
      const left = end - performance.now()
      if (left <= 0 || this.isOver) throw new Error(`not within ${within} ms; heard:\n${this.text.slice(-2_000)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, left)
        const waiting = this.#waiting
        function done(): void {
          clearTimeout(timer)
          waiting.delete(done)
          resolve()
        }
        waiting.add(done)
      })
    }
  }

  /** Reads no more until told to. */
  pause(): void {
    this.#response.pause()
  }

  [Symbol.dispose](): void {
    this.#response.destroy()
  }

  #take(text: string): void {
    const [, name = '', data = 'null'] = /^event: (\w+)\ndata: (.*)$/.exec(text) ?? []
    this.events.push({ name, data: JSON.parse(data) })
    this.#wake()
  }

  #wake(): void {
    for (const each of [...this.#waiting]) each()
  }
}
