// Owns a line to a server whose pace can be changed, in a process of its own: what it holds back is nobody else's memory.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const CHILD = fileURLToPath(new URL('paced-line-child.js', import.meta.url))

export class PacedLine implements AsyncDisposable {
  readonly url: string
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.url = `redis://127.0.0.1:${port}`
  }

  static async start(options: { readonly port: number; readonly seed: number }): Promise<PacedLine> {
    const child = fork(CHILD, [JSON.stringify(options)])
    const [port] = await once(child, 'message')
    return new PacedLine(child, Number(port))
  }

  /** From now on so many bytes a second pass to the server on each connection; 0 lets them pass as they come. */
  rate(bytesPerSecond: number): void {
    this.#child.send(bytesPerSecond)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    await exit
  }
}
