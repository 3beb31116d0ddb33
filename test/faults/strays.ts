// Owns the errors that reach nobody: it hears them while it listens, and the process goes on. Judges nothing.

export class Strays {
  readonly #seen: string[] = []
  readonly #note = (error: unknown): void => {
    this.#seen.push(textOf(error))
  }

  constructor() {
    process.on('uncaughtException', this.#note)
    process.on('unhandledRejection', this.#note)
  }

  async stop(): Promise<readonly string[]> {
    // A rejection is called unhandled only after the microtasks of its turn.
    await new Promise((resolve) => setImmediate(resolve))
    process.off('uncaughtException', this.#note)
    process.off('unhandledRejection', this.#note)
    return this.#seen
  }
}

export function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
