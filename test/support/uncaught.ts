// Keeps uncaught errors that a test brings about on purpose from whoever else would call them failures.

export interface Uncaught {
  readonly errors: readonly unknown[]
  /** From now on they are uncaught for everybody again. */
  end(): void
}

export function catchUncaught(): Uncaught {
  const errors: unknown[] = []
  const catcher = (error: unknown): void => {
    errors.push(error)
  }
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', catcher)
  const end = (): void => {
    process.off('uncaughtException', catcher)
    for (const listener of others) process.on('uncaughtException', listener)
  }
  return { errors, end }
}
