// Owns the byte stream below a connection: TCP, TLS or a unix socket through node:net. Knows no RESP.

import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls'
import type { Anchor } from '../base/anchor.js'
import { OptionError } from '../base/errors.js'
import { Ring } from '../base/ring.js'

/** What a transport tells its connection. After `closed` nothing else comes. */
export interface TransportEvents {
  opened(): void
  /** `length` bytes at the start of `chunk`, which is used again after the call. */
  received(chunk: Buffer, length: number): void
  /** What the kernel would not take at once has been taken. */
  drained(): void
  closed(error: Error | undefined): void
}

export interface Transport {
  /** Bytes written that the kernel has not taken yet. */
  readonly pending: number
  write(chunk: Buffer): void
  /** Writes between `cork` and `uncork` go out together. */
  cork(): void
  uncork(): void
  /** Says goodbye: `closed` is called when the other side has closed too. What comes until then is dropped. */
  end(): void
  /** Ends now; `closed` is not called afterwards. */
  destroy(): void
  /** As `destroy`, and what the kernel holds is not sent any more, where that can be had: on plain TCP. */
  reset(): void
}

/** Starts a dial and returns at once; the outcome comes through the events. */
export type Dialer = (events: TransportEvents) => Transport

export interface DialTarget {
  host: string
  port: number
  path: string | undefined
  tls: TlsOptions | undefined
  /** TCP keep-alive starts after this long without traffic, in ms; 0 switches it off. */
  keepAlive: number
  /** IP version to use; 0 for both. */
  family: 0 | 4 | 6
  /** Decides whether connections keep the process alive. */
  anchor: Anchor
}

const READ_BUFFER_SIZE = 64 * 1024

/**
 * Everywhere but on Windows libuv reads into the buffer and calls back before it reads again, from any socket, and the
 * bytes are decoded within that call: one buffer serves all connections. On Windows a read may be under way meanwhile.
 * https://docs.libuv.org/en/v1.x/stream.html#c.uv_read_start
 */
let sharedReadBuffer: Buffer | undefined

function readBuffer(): Buffer {
  if (process.platform === 'win32') return Buffer.allocUnsafeSlow(READ_BUFFER_SIZE)
  sharedReadBuffer ??= Buffer.allocUnsafeSlow(READ_BUFFER_SIZE)
  return sharedReadBuffer
}

/** `host:port`, `[v6]:port` or a path, for people. */
export function describeAddress(target: Pick<DialTarget, 'host' | 'port' | 'path'>): string {
  if (target.path !== undefined) return target.path
  return target.host.includes(':') ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`
}

/** A dialer for one address; the name is looked up anew for each connection. */
export function dialerFor(target: DialTarget): Dialer {
  return (events) => {
    try {
      return new SocketTransport(target, events)
    } catch (error) {
      return refused(events, error)
    }
  }
}

/** What node:tls throws for options it cannot use becomes a dial that fails; what came is left out, it may be a key. */
function refused(events: TransportEvents, cause: unknown): Transport {
  const why = cause instanceof Error ? cause.message.replace(/\s*Received .*/s, '') : 'they cannot be used'
  const report = setImmediate(() => events.closed(new OptionError(`tls: ${why}`)))
  const nothing = (): void => {}
  return {
    pending: 0,
    write: nothing,
    cork: nothing,
    uncork: nothing,
    end: nothing,
    destroy: () => clearImmediate(report),
    reset: () => clearImmediate(report),
  }
}

/** Node tells only when a whole write is over: in pieces of this size a slow but steady upload shows that it moves. */
const PIECE = 256 * 1024

class SocketTransport implements Transport {
  readonly #socket: Socket
  readonly #anchor: Anchor
  readonly #canReset: boolean
  /** What waits for the piece before it. */
  readonly #pieces = new Ring<Buffer>()
  #waitingBytes = 0
  readonly #events: TransportEvents
  /** Since the last cork: whether the socket had something to write before. */
  #isBehind = false
  #isCorked = false
  #error: Error | undefined

  constructor(target: DialTarget, events: TransportEvents) {
    this.#events = events
    // Node resets no other sockets: https://nodejs.org/api/net.html#socketresetanddestroy
    this.#canReset = target.tls === undefined && target.path === undefined
    this.#socket = openSocket(target, (chunk, length) => events.received(chunk, length))
    this.#socket.once(target.tls === undefined ? 'connect' : 'secureConnect', () => events.opened())
    this.#socket.on('drain', () => {
      if (this.#pieces.length === 0) events.drained()
    })
    this.#socket.on('error', (error) => {
      this.#error = error
    })
    // Who has said goodbye answers nothing more, however much is still to be written.
    this.#socket.once('end', () => this.#socket.destroy())
    this.#socket.once('close', () => {
      target.anchor.remove(this.#socket)
      events.closed(this.#error)
    })
    target.anchor.add(this.#socket)
    this.#anchor = target.anchor
  }

  get pending(): number {
    return this.#socket.writableLength + this.#waitingBytes
  }

  write(chunk: Buffer): void {
    if (this.#pieces.length === 0 && chunk.length <= PIECE) {
      this.#socket.write(this.#lasting(chunk))
      return
    }
    const isMoving = this.#pieces.length > 0
    for (let start = 0; start < chunk.length; start += PIECE) this.#pieces.push(chunk.subarray(start, start + PIECE))
    this.#waitingBytes += chunk.length
    if (!isMoving) this.#writePiece()
  }

  cork(): void {
    this.#isBehind = this.#socket.writableLength > 0
    this.#isCorked = true
    this.#socket.cork()
  }

  uncork(): void {
    this.#isCorked = false
    this.#socket.uncork()
  }

  end(): void {
    // Before there is a connection nobody could answer the goodbye.
    if (this.#socket.connecting) this.#socket.destroy()
    else this.#socket.end()
    this.#forgetPieces()
  }

  destroy(): void {
    this.#anchor.remove(this.#socket)
    this.#socket.removeAllListeners()
    // An error may still be on its way from the kernel; without a listener it would end the process.
    this.#socket.on('error', () => {})
    this.#socket.destroy()
    this.#forgetPieces()
  }

  reset(): void {
    // By itself it waits until everything has been written, which may be never.
    if (this.#canReset && !this.#socket.destroyed) this.#socket.resetAndDestroy()
    this.destroy()
  }

  /** What the socket cannot take at once is copied: it may be a caller's Buffer, which the caller may detach. */
  #lasting(chunk: Buffer): Buffer {
    const isBehind = this.#isCorked ? this.#isBehind : this.#socket.writableLength > 0
    return isBehind ? Buffer.from(chunk) : chunk
  }

  #writePiece(): void {
    const piece = this.#pieces.shift()
    if (piece === undefined) {
      // The socket said 'drain' before it called back, when there were pieces left; after a small last one it says nothing.
      this.#events.drained()
      return
    }
    if (piece.length === 0) {
      // The server was told a length; without these bytes it would take the next commands for them.
      this.#socket.destroy(new Error('a Buffer was detached while it was being sent'))
      return
    }
    this.#waitingBytes -= piece.length
    this.#socket.write(this.#lasting(piece), (error) => {
      // After an error 'close' follows, and nobody must take the socket for drained until then.
      if (!error) this.#writePiece()
    })
  }

  #forgetPieces(): void {
    while (this.#pieces.shift() !== undefined);
    this.#waitingBytes = 0
  }
}

/** Nothing is allocated to read: the buffer is there before the bytes are. */
function openSocket(target: DialTarget, received: (chunk: Buffer, length: number) => void): Socket {
  const buffer = readBuffer()
  const callback = (length: number): boolean => {
    received(buffer, length)
    return true
  }
  const { host, port, path, family } = target
  const address = path === undefined ? { host, port, family } : { path }
  const common = {
    ...address,
    keepAlive: target.keepAlive > 0,
    keepAliveInitialDelay: target.keepAlive,
    noDelay: true,
    onread: { buffer, callback },
  }
  if (target.tls === undefined) return connectTcp(common)
  return connectTls({ ...tlsDefaults(target), ...target.tls, ...common })
}

/** The certificate is checked against the host asked for; an IP address must not be sent as a server name. */
function tlsDefaults(target: DialTarget): TlsOptions {
  return isIP(target.host) === 0 ? { servername: target.host } : {}
}
