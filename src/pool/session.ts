// Owns what a lease did to the session of its connection, and the cheapest way to undo it. Knows no socket.

import type { RedisArgument } from '../command/definitions.js'
import { sessionEffectOf } from '../command/routing.js'

type Mark = 'watch' | 'select' | 'multi' | 'unknown'

/** Judged from the commands sent, not from their replies: whatever is in doubt counts as changed. */
export class Session {
  readonly #marks = new Set<Mark>()
  readonly #database: number

  /** @param database what the next holder expects to be selected */
  constructor(database: number) {
    this.#database = database
  }

  note(args: readonly RedisArgument[]): void {
    const effect = sessionEffectOf(args)
    switch (effect) {
      case 'none':
        return
      case 'watch':
      case 'select':
      case 'multi':
      case 'unknown':
        this.#marks.add(effect)
        return
      case 'unwatch':
        if (!this.#marks.has('multi')) this.#marks.delete('watch')
        return
      case 'exec':
      case 'discard':
        // Without MULTI the server refuses both, and the watched keys stay watched.
        if (this.#marks.delete('multi')) this.#marks.delete('watch')
        return
      default:
        effect satisfies never
    }
  }

  /** Whether a transaction may be open, which every command would become part of. */
  get isInTransaction(): boolean {
    return this.#marks.has('multi')
  }

  /** The commands that leave the session as it was found, or undefined when only a new connection would. */
  cleanup(): RedisArgument[][] | undefined {
    if (this.#marks.has('unknown')) return undefined
    const commands: RedisArgument[][] = []
    if (this.#marks.has('multi')) commands.push(['DISCARD'])
    else if (this.#marks.has('watch')) commands.push(['UNWATCH'])
    if (this.#marks.has('select')) commands.push(['SELECT', String(this.#database)])
    return commands
  }
}
