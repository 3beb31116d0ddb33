// Finds where frames of RESP2 and RESP3 end in a stream of bytes, however the bytes are split. Reads no values, keeps no
// bytes, refuses nothing: what it does not know is a line.

export type FrameKind = 'reply' | 'push'

/** A header longer than this is no header; the rest of its line is passed over. */
const LONGEST_HEADER = 64

const LINE_FEED = 0x0a

export class RespFramer {
  /** What the frame is that is under way or, between frames, what the last one was. */
  kind: FrameKind = 'reply'
  /** True when all bytes so far make up whole frames. */
  between = true
  /** How many values are missing at each depth; in streamed aggregates as many as it takes. */
  readonly #missing: number[] = []
  /** The line under way. */
  #line = ''
  /** Bytes of a bulk string that are to come, its CRLF included. */
  #skip = 0
  /** In the chunks of a streamed string, which are no values. */
  #chunked = false

  /** Reads on from `from` to the end of the frame under way, or of the bytes; gives where it stopped. */
  advance(bytes: Buffer, from = 0): number {
    let at = from
    while (at < bytes.length) {
      if (this.between) this.#begin(bytes[at])
      at = this.#skip > 0 ? this.#bulk(bytes, at) : this.#header(bytes, at)
      if (this.between) return at
    }
    return at
  }

  #begin(type: number | undefined): void {
    this.between = false
    this.kind = type === 0x3e ? 'push' : 'reply'
    this.#missing.push(1)
  }

  #bulk(bytes: Buffer, at: number): number {
    const length = Math.min(this.#skip, bytes.length - at)
    this.#skip -= length
    if (this.#skip === 0 && !this.#chunked) this.#valueEnded()
    return at + length
  }

  #header(bytes: Buffer, at: number): number {
    const feed = bytes.indexOf(LINE_FEED, at)
    const end = feed < 0 ? bytes.length : feed + 1
    this.#line += bytes.toString('latin1', at, Math.min(end, at + LONGEST_HEADER - this.#line.length))
    if (feed < 0) return end
    const line = this.#line.trimEnd()
    this.#line = ''
    if (this.#endsWithLine(line.charAt(0), line.slice(1))) this.#valueEnded()
    return end
  }

  /** A value's first line is there; false when more of the value is to come. */
  #endsWithLine(type: string, size: string): boolean {
    switch (type) {
      case '$':
      case '=':
      case '!':
        this.#chunked = size === '?'
        this.#skip = Number(size) >= 0 ? Number(size) + 2 : 0
        return this.#skip === 0 && !this.#chunked
      case ';':
        this.#chunked = Number(size) > 0
        this.#skip = this.#chunked ? Number(size) + 2 : 0
        return !this.#chunked
      case '*':
      case '~':
      case '>':
        return !this.#opens(size === '?' ? Number.POSITIVE_INFINITY : Number(size))
      case '%':
        return !this.#opens(size === '?' ? Number.POSITIVE_INFINITY : Number(size) * 2)
      case '|':
        this.#attribute(Number(size) * 2)
        return false
      case '.':
        if (this.#missing.at(-1) === Number.POSITIVE_INFINITY) this.#missing.pop()
        return true
      default:
        return true
    }
  }

  /** Goes a level down, if there is anything there. */
  #opens(values: number): boolean {
    if (values > 0) this.#missing.push(values)
    return values > 0
  }

  /** Belongs to the value behind it, which is still missing when these have come. */
  #attribute(values: number): void {
    const depth = this.#missing.length - 1
    if (this.#opens(values)) this.#missing[depth] = (this.#missing[depth] ?? 0) + 1
  }

  #valueEnded(): void {
    const missing = this.#missing
    for (;;) {
      const depth = missing.length - 1
      missing[depth] = (missing[depth] ?? 1) - 1
      if ((missing[depth] ?? 0) > 0) return
      missing.pop()
      if (depth <= 0) {
        this.between = true
        return
      }
    }
  }
}
