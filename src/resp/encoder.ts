// Owns commands → bytes: RESP arrays of bulk strings, written into one reused buffer. Does no I/O.
// https://redis.io/docs/latest/develop/reference/protocol-spec/#sending-commands-to-a-redis-server

import { ArgumentError } from '../base/errors.js'

/** What a command is made of once it is about to be sent. */
export type Argument = string | Buffer

/** The buffer starts small, since most connections of a big pool see little, and doubles up to this. */
const CHUNK_SIZE = 64 * 1024
const FIRST_SIZE = 512

/** From this size on an argument goes out in a buffer of its own, a Buffer without being copied. */
const LARGE = 16 * 1024

/** `$` + at most 10 digits + CRLF before the bytes and CRLF behind them. */
const FRAME = 15

/** Up to this length a loop over character codes beats a call into the runtime; measured on Node 20. */
const SHORT = 24

const DOLLAR = 36
const STAR = 42
const CR = 13
const LF = 10

/** Collects encoded commands until they are flushed. One command is encoded whole or not at all. */
export class Encoder {
  #chunk = Buffer.allocUnsafeSlow(FIRST_SIZE)
  #length = 0
  /** Chunks that are complete and go out before the current one. */
  #complete: Buffer[] = []
  #completeBytes = 0

  /** Bytes encoded and not yet flushed. */
  get pending(): number {
    return this.#completeBytes + this.#length
  }

  /** Whether a flush would write more than one chunk. */
  get isSplit(): boolean {
    return this.#complete.length > 0
  }

  /**
   * False once a caller's large Buffer was detached, as a transfer to a worker does: its length is written and its
   * bytes are gone, so the server would take the next commands for them.
   */
  get isIntact(): boolean {
    if (this.#complete.length === 0) return true
    return this.#complete.reduce((bytes, chunk) => bytes + chunk.length, 0) === this.#completeBytes
  }

  /** Throws an `ArgumentError` for anything but strings and Buffers, before a byte is encoded. */
  encode(args: readonly Argument[]): void {
    const bound = sizeBound(args)
    if (bound > LARGE) {
      this.#encodeLarge(args)
      return
    }
    if (bound > this.#chunk.length - this.#length) this.#reserve(bound)
    this.#encodeInto(args)
  }

  /**
   * Hands every pending chunk to `write` in order. `write` returns whether it is done with the bytes when it
   * returns; only then is the buffer used again.
   */
  flush(write: (chunk: Buffer) => boolean): void {
    const complete = this.#complete
    if (complete.length > 0) {
      this.#complete = []
      this.#completeBytes = 0
      for (const chunk of complete) write(chunk)
    }
    if (this.#length === 0) return
    const done = write(this.#chunk.subarray(0, this.#length))
    this.#length = 0
    if (!done) this.#chunk = Buffer.allocUnsafeSlow(this.#chunk.length)
  }

  /** Forgets what is pending. */
  clear(): void {
    this.#complete = []
    this.#completeBytes = 0
    this.#length = 0
  }

  #take(): Buffer {
    const chunk = this.#chunk.subarray(0, this.#length)
    this.#completeBytes += this.#length
    this.#chunk = Buffer.allocUnsafeSlow(this.#chunk.length)
    this.#length = 0
    return chunk
  }

  #encodeInto(args: readonly Argument[]): void {
    const chunk = this.#chunk
    let position = writeHeader(chunk, this.#length, STAR, args.length)
    for (let index = 0; index < args.length; index++) {
      const arg = args[index]
      if (typeof arg === 'string') {
        position = writeString(chunk, position, arg)
      } else if (arg !== undefined) {
        position = writeHeader(chunk, position, DOLLAR, arg.length)
        chunk.set(arg, position)
        position += arg.length
      }
      chunk[position++] = CR
      chunk[position++] = LF
    }
    this.#length = position
  }

  #encodeLarge(args: readonly Argument[]): void {
    this.#reserve(FRAME)
    this.#length = writeHeader(this.#chunk, this.#length, STAR, args.length)
    for (const arg of args) {
      const large = arg.length >= LARGE
      this.#reserve(large ? FRAME : arg.length * 3 + FRAME)
      if (large) {
        const bytes = typeof arg === 'string' ? Buffer.from(arg) : arg
        this.#length = writeHeader(this.#chunk, this.#length, DOLLAR, bytes.length)
        this.#complete.push(this.#take(), bytes)
        this.#completeBytes += bytes.length
      } else if (typeof arg === 'string') {
        this.#length = writeString(this.#chunk, this.#length, arg)
      } else {
        this.#length = writeHeader(this.#chunk, this.#length, DOLLAR, arg.length)
        this.#chunk.set(arg, this.#length)
        this.#length += arg.length
      }
      this.#chunk[this.#length++] = CR
      this.#chunk[this.#length++] = LF
    }
  }

  /** Makes room for so many more bytes, at most `CHUNK_SIZE`. */
  #reserve(bytes: number): void {
    const wanted = this.#length + bytes
    if (wanted <= this.#chunk.length) return
    if (wanted > CHUNK_SIZE) {
      this.#complete.push(this.#take())
      if (bytes <= this.#chunk.length) return
    }
    const pending = this.#chunk.subarray(0, this.#length)
    const size = 2 ** Math.ceil(Math.log2(this.#length + bytes))
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(size, FIRST_SIZE))
    this.#chunk.set(pending)
  }
}

/** No more bytes than this are needed; UTF-8 takes at most three bytes per UTF-16 unit. */
function sizeBound(args: readonly Argument[]): number {
  let bound = FRAME
  for (let index = 0; index < args.length; index++) {
    const arg: unknown = args[index]
    if (typeof arg === 'string') bound += arg.length * 3 + FRAME
    else if (!(arg instanceof Uint8Array)) throw unencodable(args, index, arg === null ? 'null' : typeof arg)
    else if (arg.length === 0 && isDetached(arg)) throw unencodable(args, index, 'a detached one')
    else bound += arg.length + FRAME
  }
  return bound
}

function unencodable(args: readonly Argument[], index: number, got: string): ArgumentError {
  return new ArgumentError(`Argument ${index} of ${String(args[0])}: expected a string or a Buffer, got ${got}`, {
    outcome: 'not-sent',
  })
}

const NOWHERE = new Uint8Array(0)

/** `ArrayBuffer.prototype.detached` came with Node 21. */
function isDetached(bytes: Uint8Array): boolean {
  try {
    NOWHERE.set(bytes)
    return false
  } catch {
    return true
  }
}

function writeString(chunk: Buffer, start: number, text: string): number {
  const length = text.length
  const body = writeHeader(chunk, start, DOLLAR, length)
  if (length <= SHORT) {
    let index = 0
    for (; index < length; index++) {
      const code = text.charCodeAt(index)
      if (code > 127) break
      chunk[body + index] = code
    }
    if (index === length) return body + length
  }
  // The header assumed one byte per character; where that was wrong, it is written again with the true count.
  const bytes = chunk.write(text, body, 'utf8')
  if (bytes === length) return body + bytes
  const movedBody = writeHeader(chunk, start, DOLLAR, bytes)
  return movedBody + chunk.write(text, movedBody, 'utf8')
}

function writeHeader(chunk: Buffer, start: number, type: number, count: number): number {
  let position = start
  chunk[position++] = type
  if (count < 10) {
    chunk[position++] = 48 + count
  } else if (count < 100) {
    chunk[position++] = 48 + ((count / 10) | 0)
    chunk[position++] = 48 + (count % 10)
  } else {
    position += chunk.write(String(count), position, 'latin1')
  }
  chunk[position++] = CR
  chunk[position++] = LF
  return position
}
