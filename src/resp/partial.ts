// Owns the bytes of a line or bulk string that a chunk ended inside of. Knows no reply types.
import { ProtocolError } from '../base/errors.js'

const CR = 13
const LF = 10

/** Allocated for a bulk string on the word of its header alone; beyond it, room follows the bytes received. */
const FIRST_SIZE = 64 * 1024

/** The start of a line whose end is still to come. Its room is kept for the next one. */
export class PartialLine {
  readonly #maxLength: number
  bytes: Buffer = Buffer.alloc(128)
  length = 0

  constructor(maxLength: number) {
    this.#maxLength = maxLength
  }

  get endsInCarriageReturn(): boolean {
    return this.length > 0 && this.bytes[this.length - 1] === CR
  }

  get isWhole(): boolean {
    return this.length > 1 && this.bytes[this.length - 1] === LF
  }

  append(chunk: Buffer, start: number, end: number): void {
    const needed = this.length + end - start
    // One byte of type, two of CRLF.
    if (needed > this.#maxLength + 3) throw new ProtocolError('A line is longer than maxLineLength')
    if (needed > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(needed, this.bytes.length * 2))
      this.bytes.copy(larger, 0, 0, this.length)
      this.bytes = larger
    }
    chunk.copy(this.bytes, this.length, start, end)
    this.length = needed
  }
}

/** A bulk string whose last bytes are still to come. */
export class PartialBulk {
  readonly type: number
  /** Bytes it will have, the closing CRLF included. */
  readonly size: number
  bytes: Buffer
  received = 0

  constructor(type: number, size: number, available: number) {
    this.type = type
    this.size = size
    this.bytes = Buffer.allocUnsafe(Math.min(size, Math.max(FIRST_SIZE, available * 2)))
  }

  /** Takes what belongs to it from `chunk[start..end)` and returns how many bytes that was. */
  append(chunk: Buffer, start: number, end: number): number {
    const taken = Math.min(this.size - this.received, end - start)
    const needed = this.received + taken
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.min(this.size, Math.max(needed, this.bytes.length * 2)))
      this.bytes.copy(larger, 0, 0, this.received)
      this.bytes = larger
    }
    chunk.copy(this.bytes, this.received, start, start + taken)
    this.received = needed
    return taken
  }
}
