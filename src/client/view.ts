// Owns what a handle is made of: a pool, how its commands are sent, and what it listens through. Handles that come from
// one another share all but the settings. Knows no command.

import { ArgumentError } from '../base/errors.js'
import type { RedisArgument } from '../command/definitions.js'
import { wireNameOf } from '../command/names.js'
import { isClientName } from '../connection/options.js'
import { RESP_TYPES } from '../resp/types.js'
import type { CommandSettings } from './command-set.js'
import { type ConnectionPool, insideOf, isConnectionPool, poolFrom } from './connection-pool.js'
import type { Extended } from './extensions.js'
import { type GivenOptions, readClientOptions } from './options.js'
import { Listening } from './pubsub.js'
import { refusal } from './refusals.js'

/** Whose options a handle was made with: that decides how `connect()` and `duplicate()` read what they are given. */
export type Dialect = 'respool' | 'node-redis'

export class View {
  readonly pool: ConnectionPool
  readonly settings: CommandSettings
  readonly dialect: Dialect
  readonly listening: Listening
  /** Modules, functions and scripts; undefined without any. */
  readonly extended: Extended | undefined

  constructor({ pool, settings, dialect, listening, extended }: Omit<View, 'with' | 'session'>) {
    this.pool = pool
    this.settings = settings
    this.dialect = dialect
    this.listening = listening
    this.extended = extended
  }

  /** Where a program written for node-redis names its connection, all are named; other commands of sessions are refused. */
  async session(args: readonly RedisArgument[]): Promise<unknown> {
    if (this.dialect !== 'node-redis' || wireNameOf(args) !== 'CLIENT SETNAME') throw refusal(args)
    const name = String(args[2])
    if (name !== '' && !isClientName(name)) {
      const message = 'CLIENT SETNAME: expected printable ASCII characters without spaces'
      throw new ArgumentError(message, { command: 'CLIENT SETNAME', outcome: 'not-sent' })
    }
    await insideOf(this.pool).rename(name)
    return this.settings.typeMapping?.[RESP_TYPES.SIMPLE_STRING] === Buffer ? Buffer.from('OK') : 'OK'
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
  const { kernel, announce, report } = insideOf(pool)
  const settings = { typeMapping, keyPrefix, signal: undefined, timeout, retry }
  return new View({ pool, settings, dialect, listening: new Listening(kernel, announce, report), extended })
}
