// Owns the whole error family. Every error has a class, a stable `code` and, where a command was
// involved, an `outcome` that says what happened to it. It never holds an argument, a key or a secret.

/**
 * What is known of a command that failed.
 * - `not-sent`: no byte of it was handed to a socket; it was not applied.
 * - `rejected`: the server refused it without applying it.
 * - `ambiguous`: it was handed to a socket and no complete reply came back; it may have been applied.
 */
export type Outcome = 'not-sent' | 'rejected' | 'ambiguous'

export interface ErrorDetails {
  cause?: unknown
  outcome?: Outcome
  /** Name of the command, such as `BLPOP`; never its arguments. */
  command?: string
}

/** The parent of every error this library makes. */
export class RespoolError extends Error {
  readonly code: string = 'ERR_RESPOOL'
  // Only declared: a field without a value would show as `undefined` in every dump.
  declare outcome?: Outcome
  declare command?: string

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    if (details.outcome !== undefined) this.outcome = details.outcome
    if (details.command !== undefined) this.command = details.command
  }

  static {
    // `name` on the prototype keeps it out of every instance and every JSON dump.
    RespoolError.prototype.name = 'RespoolError'
  }
}

/** An option is unknown, of the wrong type or out of range, or two options contradict each other. */
export class OptionError extends RespoolError {
  override readonly code = 'ERR_OPTION'
  static {
    OptionError.prototype.name = 'OptionError'
  }
}

/** A command was called with arguments that cannot be sent. Nothing reached the wire. */
export class ArgumentError extends RespoolError {
  override readonly code = 'ERR_ARGUMENT'
  static {
    ArgumentError.prototype.name = 'ArgumentError'
  }
}

/** What may have been applied in part before it failed. */
const PARTIAL: ReadonlySet<string> = new Set(['EVAL', 'EVALSHA', 'FCALL', 'EXEC'])

/**
 * The server's own words for what it did not even begin; a script may answer with the same first word after it wrote.
 * https://github.com/redis/redis/blob/7.0.15/src/server.c#L1767
 */
const NOT_BEGUN =
  /^(LOADING \w+ is loading the dataset|MASTERDOWN Link with |NOSCRIPT No matching script|NOAUTH Authentication required|READONLY You can't write against a read only (replica|slave)\.?$|BUSY \w+ is busy running a script)/

/** The server answered with an error. */
export class ReplyError extends RespoolError {
  override readonly code = 'ERR_REPLY'
  /** First word of the server's text when it is an error code, such as `WRONGTYPE` or `NOAUTH`; else `ERR`. */
  readonly kind: string

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details)
    this.kind = /^[A-Z][A-Z0-9_]*(?= |$)/.exec(message)?.[0] ?? 'ERR'
  }

  /** Notes whose answer this is. */
  answering(command: string): this {
    this.command = command
    this.outcome = PARTIAL.has(command) && !NOT_BEGUN.test(this.message) ? 'ambiguous' : 'rejected'
    return this
  }

  static {
    ReplyError.prototype.name = 'ReplyError'
  }
}

/** The bytes that came in are not RESP, or break a limit. The connection is destroyed. */
export class ProtocolError extends RespoolError {
  override readonly code = 'ERR_PROTOCOL'
  static {
    ProtocolError.prototype.name = 'ProtocolError'
  }
}

/** Why a connection ended. One word each, because `stats()` counts them. */
export const CLOSE_REASONS = [
  'connect-failed',
  'handshake-failed',
  'server-closed',
  'network-error',
  'protocol-error',
  'stalled',
  'refused',
  'dirty',
  'idle',
  'lifetime',
  'surplus',
  'retired',
  'aborted',
  'closed',
  'destroyed',
] as const

export type CloseReason = (typeof CLOSE_REASONS)[number]

/** A connection could not be made, or ended under a command. */
export class ConnectionError extends RespoolError {
  override readonly code: string = 'ERR_CONNECTION'
  readonly reason: CloseReason
  /** Where the connection led: `host:port` or the path of a unix socket. */
  readonly address: string

  constructor(message: string, reason: CloseReason, address: string, details: ErrorDetails = {}) {
    super(message, details)
    this.reason = reason
    this.address = address
  }

  static {
    ConnectionError.prototype.name = 'ConnectionError'
  }
}

/** Dialing and handshake together took longer than `connectTimeout`. */
export class ConnectTimeoutError extends ConnectionError {
  override readonly code = 'ERR_CONNECT_TIMEOUT'
  static {
    ConnectTimeoutError.prototype.name = 'ConnectTimeoutError'
  }
}

/** The server answered `-ERR max number of clients reached` instead of a handshake. */
export class MaxClientsError extends ConnectionError {
  override readonly code = 'ERR_MAX_CLIENTS'
  static {
    MaxClientsError.prototype.name = 'MaxClientsError'
  }
}

/** A command took longer than its `commandTimeout`, waiting included. */
export class CommandTimeoutError extends RespoolError {
  override readonly code = 'ERR_COMMAND_TIMEOUT'
  /** The timeout that ran out, in milliseconds. */
  readonly timeout: number

  constructor(timeout: number, details: ErrorDetails = {}) {
    super(`${details.command ?? 'The command'} got no reply within ${timeout} ms`, details)
    this.timeout = timeout
  }

  static {
    CommandTimeoutError.prototype.name = 'CommandTimeoutError'
  }
}

/** `maxWaiting` callers wait already; this one was turned away at once. */
export class PoolFullError extends RespoolError {
  override readonly code = 'ERR_POOL_FULL'
  static {
    PoolFullError.prototype.name = 'PoolFullError'
  }
}

/** The pool was closed or destroyed. */
export class PoolClosedError extends RespoolError {
  override readonly code = 'ERR_POOL_CLOSED'
  static {
    PoolClosedError.prototype.name = 'PoolClosedError'
  }
}

/** A lease was used after it was released. */
export class LeaseReleasedError extends RespoolError {
  override readonly code = 'ERR_LEASE_RELEASED'
  static {
    LeaseReleasedError.prototype.name = 'LeaseReleasedError'
  }
}

/** EXEC found a watched key changed; nothing of the transaction was applied. */
export class WatchError extends RespoolError {
  override readonly code = 'ERR_WATCH'
  static {
    WatchError.prototype.name = 'WatchError'
  }
}
