// Owns what is said on a fresh socket before it may be used. Knows commands, not sockets or deadlines.

import { randomBytes } from 'node:crypto'
import { ConnectionError, MaxClientsError, ProtocolError, ReplyError } from '../base/errors.js'
import type { Argument } from '../resp/encoder.js'

export interface HandshakeResult {
  /** The server's id of this connection, or 0 when it did not tell. */
  readonly id: number
  readonly protocol: 2 | 3
  /** Why the server does not tell of changes to what is read, when it was asked to. */
  readonly untracked?: string | undefined
}

/** Sends one command and waits for its reply. */
export type Ask = (args: readonly Argument[]) => Promise<unknown>

/** Runs on a fresh socket before anything else may use it. */
export type Handshake = (ask: Ask) => Promise<HandshakeResult>

export interface Login {
  readonly username?: string | undefined
  readonly password?: string | undefined
}

export interface HandshakeSettings {
  readonly protocol: 2 | 3
  readonly database: number
  readonly clientName: string | undefined
  /** Name and version told by CLIENT SETINFO, or undefined to say nothing. */
  readonly library: { readonly name: string; readonly version: string } | undefined
  /** Whether the server is to tell of changes to the keys that are read over the connection. */
  readonly tracking?: boolean | undefined
  /** Asked anew for each connection, so that credentials may rotate. */
  readonly login: () => Login | Promise<Login>
}

/**
 * HELLO with AUTH goes first and alone, because some servers send no reply to a failing AUTH that stands behind
 * another command (redis/redis#15640). A PING that must echo a nonce goes last: HELLO succeeds while a server
 * still loads its data set.
 */
export function handshakeFor(settings: HandshakeSettings): Handshake {
  return async (ask) => {
    const login = await settings.login()
    const greeting = await greet(ask, settings, login)
    const before: Promise<unknown>[] = []
    if (settings.database !== 0) before.push(ask(['SELECT', String(settings.database)]))
    if (settings.library !== undefined) {
      const { name, version } = settings.library
      before.push(optional(ask(['CLIENT', 'SETINFO', 'LIB-NAME', name])))
      before.push(optional(ask(['CLIENT', 'SETINFO', 'LIB-VER', version])))
    }
    const tracks = settings.tracking === true ? track(ask, greeting.protocol) : undefined
    const asksId = greeting.id === 0 ? optional(ask(['CLIENT', 'ID'])) : Promise.resolve(greeting.id)
    const nonce = randomBytes(8).toString('hex')
    const proves = proofOf(ask(['PING', nonce]), nonce)
    const [id, echo, untracked] = await Promise.all([asksId, proves, tracks, ...before])
    if (echo !== nonce) throw new ProtocolError('the answer to PING is not the one that was asked for')
    return { id: Number(id ?? 0), protocol: greeting.protocol, untracked }
  }
}

async function greet(ask: Ask, settings: HandshakeSettings, login: Login): Promise<HandshakeResult> {
  const { username, password } = login
  const hello = ['HELLO', String(settings.protocol)]
  if (password !== undefined) hello.push('AUTH', username ?? 'default', password)
  if (settings.clientName !== undefined) hello.push('SETNAME', settings.clientName)
  try {
    return { id: idOf(await ask(hello)), protocol: settings.protocol }
  } catch (error) {
    if (!isUnknownHello(error)) throw error
  }
  if (password !== undefined) await ask(username === undefined ? ['AUTH', password] : ['AUTH', username, password])
  if (settings.clientName !== undefined) await ask(['CLIENT', 'SETNAME', settings.clientName])
  return { id: 0, protocol: 2 }
}

/** Only these two say that the server is older than RESP3; a timeout or a refusal never does. */
function isUnknownHello(error: unknown): boolean {
  return error instanceof ReplyError && (error.kind === 'NOPROTO' || /unknown command/i.test(error.message))
}

function idOf(hello: unknown): number {
  if (Array.isArray(hello)) {
    const at = hello.indexOf('id')
    return at < 0 ? 0 : Number(hello[at + 1])
  }
  if (typeof hello === 'object' && hello !== null && 'id' in hello) return Number(hello.id)
  return 0
}

/** Asks for a message at each change of a key that was read here; gives the reason where there will be none. */
async function track(ask: Ask, protocol: 2 | 3): Promise<string | undefined> {
  if (protocol === 2) return 'the server does not know RESP3'
  try {
    await ask(['CLIENT', 'TRACKING', 'ON'])
    return undefined
  } catch (error) {
    if (error instanceof ReplyError) return error.message
    throw error
  }
}

/** A server may refuse such a step (ACL, age); a timeout or a broken socket still ends the connection. */
function optional(step: Promise<unknown>): Promise<unknown> {
  return step.catch((error: unknown) => {
    if (error instanceof ReplyError) return undefined
    throw error
  })
}

/** Refusals of PING alone. A server that cannot save to disk serves whoever reads, and a user may lack the permission. */
const PING_REFUSED: ReadonlySet<string> = new Set(['MISCONF', 'NOPERM'])

/** https://github.com/redis/redis/blob/7.0.15/src/server.c (processCommand) */
function proofOf(ping: Promise<unknown>, nonce: string): Promise<unknown> {
  return ping.catch((error: unknown) => {
    if (error instanceof ReplyError && PING_REFUSED.has(error.kind)) return nonce
    throw error
  })
}

/** Why a connection was not accepted. A server that is full answers so to whatever comes first. */
export function handshakeError(address: string, cause: unknown): ConnectionError {
  const text = cause instanceof Error ? cause.message : String(cause)
  const message = `${address} did not accept the connection: ${text}`
  const isFull = cause instanceof ReplyError && text.includes('max number of clients')
  const Kind = isFull ? MaxClientsError : ConnectionError
  return new Kind(message, 'handshake-failed', address, { cause })
}
