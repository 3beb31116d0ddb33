// Owns what a handle is made of: a pool, how its commands are sent, and what it listens through. Handles that come from
// one another share all but the settings. Knows no command.

import type { CommandSettings } from './command-set.js'
import { type ConnectionPool, insideOf, isConnectionPool, poolFrom } from './connection-pool.js'
import type { Extended } from './extensions.js'
import { type GivenOptions, readClientOptions } from './options.js'
import { Listening } from './pubsub.js'

/** Whose options a handle was made with: that decides how `connect()` and `duplicate()` read what they are given. */
export type Dialect = 'respool' | 'node-redis'

export class View {
  readonly pool: ConnectionPool
  readonly settings: CommandSettings
  readonly dialect: Dialect
  readonly listening: Listening
  /** Modules, functions and scripts; undefined without any. */
  readonly extended: Extended | undefined

  constructor({ pool, settings, dialect, listening, extended }: Omit<View, 'with'>) {
    this.pool = pool
    this.settings = settings
    this.dialect = dialect
    this.listening = listening
    this.extended = extended
  }

  /** The same with other settings. */
  with(settings: CommandSettings): View {
    return new View({ ...this, settings })
  }
}

export function openView(given: GivenOptions, dialect: Dialect = 'respool', extended?: Extended): View {
  const read = readClientOptions(isConnectionPool, given)
  const pool = read.shared ?? poolFrom(read, given)
  const { typeMapping, keyPrefix } = read.client
  const { commandTimeout: timeout, retry } = pool.options
  const { kernel, announce } = insideOf(pool)
  const settings = { typeMapping, keyPrefix, signal: undefined, timeout, retry }
  return new View({ pool, settings, dialect, listening: new Listening(kernel, announce), extended })
}
