// Owns what a connection and its owner promise each other. Knows neither sockets nor pools.

import type { ConnectionError, ReplyError } from '../base/errors.js'
import type { Reply } from '../resp/types.js'
import type { HandshakeResult } from './handshake.js'
import type { IntegrityMode } from './integrity.js'
import type { Request } from './request.js'

/** Nothing leaves `closed`; `connecting` may go there directly. Whether it takes new work is for its owner to know. */
export type ConnectionState = 'connecting' | 'ready' | 'closed'

/** What a connection tells its owner. After `closed` only `gone` is told. */
export interface ConnectionOwner {
  ready(result: HandshakeResult): void
  /** The last reply that was owed has come. */
  answeredAll(): void
  /** There may be room for more commands than before. */
  room(): void
  /** The server answered with an error. True when the owner takes the request back, to send it again; else its caller is told. */
  refused(request: Request, error: ReplyError): boolean
  /** The connection ended under a request, which is told before `closed`. True as above. */
  lost(request: Request, error: ConnectionError): boolean
  closed(error: ConnectionError): void
  /** Told after `closed`: the server has let go of the connection too, or was given enough time to. */
  gone(): void
  /** Something came that answers no command: a push, or a message that looks like a reply. */
  push(message: Reply): void
  /** A flush was answered after so many milliseconds. */
  replied(milliseconds: number): void
}

export interface ConnectionSettings {
  readonly address: string
  readonly connectTimeout: number
  readonly socketTimeout: number
  readonly maxReplySize: number
  readonly integrity: IntegrityMode
}
