// Owns the bytes of a line or bulk string that a chunk ended inside of. Knows no reply types.
import { ProtocolError } from '../base/errors.js'

const CR = 13
const LF = 10

/** Allocated for a bulk string on the word of its header alone; beyond it, room follows the bytes received. */
const FIRST_SIZE = 64 * 1024

/** How much of a long string's room may be ahead of what has come; it is only reserved until bytes are written to it. */
const BELIEVED = 32

/** A text longer than this is decoded in pieces of this size as it comes. */
const TEXT_PIECE = 1024 * 1024

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
    const isWhole = needed > 1 && chunk[end - 1] === LF
    // One byte of type, and two of CRLF, of which the last is the end.
    if (needed > this.#maxLength + (isWhole ? 3 : 2)) throw new ProtocolError('A line is longer than maxLineLength')
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
  /** The start of a long text, decoded while the rest is under way: its bytes are not needed any more. */
  text = ''
  /** What is held of its bytes: all that came, but for those that are in `text`. */
  bytes: Buffer
  length = 0
  #received = 0
  readonly #isLongText: boolean

  constructor(type: number, size: number, available: number, isText: boolean) {
    this.type = type
    this.size = size
    this.#isLongText = isText && size > TEXT_PIECE
    this.bytes = Buffer.allocUnsafe(Math.min(size, Math.max(FIRST_SIZE, available * 2)))
  }

  get isWhole(): boolean {
    return this.#received === this.size
  }

  /** Takes what belongs to it from `chunk[start..end)` and returns how many bytes that was. */
  append(chunk: Buffer, start: number, end: number): number {
    const taken = Math.min(this.size - this.#received, end - start)
    if (this.#isLongText && this.length + taken > TEXT_PIECE) this.#decode()
    const needed = this.length + taken
    if (needed > this.bytes.length) this.#grow(needed)
    chunk.copy(this.bytes, this.length, start, start + taken)
    this.length = needed
    this.#received += taken
    return taken
  }

  /** Once enough has come, the header is believed: a last copy of nearly everything would double the peak. */
  #grow(needed: number): void {
    const size = needed * BELIEVED >= this.size ? this.size : needed * 4
    const larger = Buffer.allocUnsafe(this.#isLongText ? Math.max(needed, Math.min(size, TEXT_PIECE)) : size)
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }

  /** A character that a later byte could still belong to stays, and so does the CR of the end. */
  #decode(): void {
    const end = lastCharacter(this.bytes, this.length)
    this.text += this.bytes.utf8Slice(0, end)
    this.bytes.copyWithin(0, end, this.length)
    this.length -= end
  }
}

/** Where the last character begins. More than three bytes without a first one are no character: then the end. */
function lastCharacter(bytes: Buffer, length: number): number {
  for (let at = length - 1; at >= Math.max(0, length - 4); at--) {
    const isContinuation = (bytes[at]! & 0xc0) === 0x80
    if (!isContinuation) return at
  }
  return length
}
