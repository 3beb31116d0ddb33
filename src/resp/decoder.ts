// Owns the way from bytes to replies: where a frame starts and ends, and what is kept when a chunk ends inside one.
// It knows no socket, no timer and no command. The format: redis.io/docs/latest/develop/reference/protocol-spec
import { ProtocolError, ReplyError } from '../base/errors.js'
import { ATTRIBUTE, Frame, kindOf } from './frame.js'
import { GuardedHandler, type ReplyHandler } from './handler.js'
import { PartialBulk, PartialLine } from './partial.js'
import * as scalars from './scalars.js'
import {
  completeLimits,
  type DecoderLimits,
  RESP_TYPES,
  type Reply,
  type ReplyMapping,
  type RespType,
} from './types.js'

export type { ReplyHandler } from './handler.js'
export type { DecoderLimits } from './types.js'

const CR = 13
const LF = 10
const MINUS = 45
const ZERO = 48
const ONE = 49

const INCOMPLETE = -2
const NULL_LENGTH = -1
/** Longest length or count, sign included. */
const MAX_COUNT_DIGITS = 20
/** A line this short is looked at again each time it grows. */
const SHORT_LINE = 32

/**
 * Bytes of memory that a part of an aggregate takes beyond its own, measured with parts of four bytes. Were they not
 * counted, a reply within its limit could take fifty or two hundred times as much.
 */
const COST = { aggregate: 200, error: 600, buffer: 150 } as const

const PUSH_MAPPING: ReplyMapping = { [RESP_TYPES.BLOB_STRING]: Buffer }

/**
 * Decodes RESP2 and RESP3 as it arrives. Nothing it hands out shares memory with a chunk. An aggregate that spans
 * chunks is an explicit stack of frames, so depth costs no call stack and no byte is looked at twice.
 */
export class Decoder {
  readonly #handler: GuardedHandler
  readonly #limits: DecoderLimits
  /** First byte of the chunk that is not decoded yet. */
  #cursor = 0
  #failure: ProtocolError | undefined
  readonly #line: PartialLine
  #bulk: PartialBulk | undefined
  #top: Frame | undefined
  #depth = 0
  #mapping: ReplyMapping | undefined
  /** Bytes that the open top-level aggregate costs, less the offset at which it began in the current chunk. */
  #cost = 0

  constructor(handler: ReplyHandler, limits: Partial<DecoderLimits> = {}) {
    this.#handler = new GuardedHandler(handler)
    this.#limits = completeLimits(limits)
    this.#line = new PartialLine(this.#limits.maxLineLength)
  }

  /** No partial frame is held. */
  get idle(): boolean {
    return this.#line.length === 0 && this.#bulk === undefined && this.#top === undefined
  }

  /**
   * Decodes `chunk[0..length)`. Throws a ProtocolError, and from then on always that one. What a handler throws is
   * thrown on after the rest of the chunk was decoded; several such errors come as one AggregateError.
   * A handler must not call it.
   */
  write(chunk: Buffer, length: number = chunk.length): void {
    if (this.#failure !== undefined) throw this.#failure
    this.#cursor = 0
    try {
      this.#decode(chunk, length)
    } catch (error) {
      this.#fail(error)
    }
    if (this.#handler.hasThrown) throw this.#handler.takeThrown()
  }

  #fail(error: unknown): never {
    const message = error instanceof ProtocolError ? error.message : 'A reply could not be decoded'
    const cause = error instanceof ProtocolError ? this.#handler.takeThrown() : error
    this.#failure = new ProtocolError(message, cause === undefined ? {} : { cause })
    this.#bulk = undefined
    this.#top = undefined
    throw this.#failure
  }

  #decode(chunk: Buffer, length: number): void {
    if (length === 0) return
    if (this.#line.length > 0) this.#resumeLine(chunk, length)
    if (this.#bulk !== undefined) this.#resumeBulk(this.#bulk, chunk, length)
    while (this.#cursor < length) {
      const start = this.#cursor
      const type = chunk[start]!
      const value = this.#read(type, chunk, start, length)
      if (value !== undefined) this.#deliver(type, value)
      else if (this.#cursor === start) {
        this.#line.append(chunk, start, length)
        this.#cursor = length
      }
    }
    if (this.#top === undefined) return
    this.#cost += length
    if (this.#cost > this.#limits.maxBuffered) throw new ProtocolError('A reply is larger than maxBuffered')
  }

  /** The value that starts at `start`, or undefined when it is incomplete (the cursor stays) or opens an aggregate. */
  #read(type: number, bytes: Buffer, start: number, length: number): Reply | undefined {
    switch (type) {
      case RESP_TYPES.BLOB_STRING:
      case RESP_TYPES.VERBATIM_STRING:
      case RESP_TYPES.BLOB_ERROR:
        return this.#readBulk(type, bytes, start, length)
      case RESP_TYPES.SIMPLE_STRING:
        return this.#readSimpleString(bytes, start, length)
      case RESP_TYPES.NUMBER:
      case RESP_TYPES.NULL:
      case RESP_TYPES.BOOLEAN:
      case RESP_TYPES.DOUBLE:
      case RESP_TYPES.BIG_NUMBER:
      case RESP_TYPES.SIMPLE_ERROR:
        return this.#readLine(type, bytes, start, length)
      case RESP_TYPES.ARRAY:
      case RESP_TYPES.SET:
      case RESP_TYPES.MAP:
      case RESP_TYPES.PUSH:
      case ATTRIBUTE:
        return this.#readAggregate(type, bytes, start, length)
      default:
        throw new ProtocolError(`Unknown reply type 0x${type.toString(16).padStart(2, '0')}`)
    }
  }

  #readSimpleString(bytes: Buffer, start: number, length: number): Reply | undefined {
    const isOk =
      start + 5 <= length &&
      bytes[start + 1] === 79 &&
      bytes[start + 2] === 75 &&
      bytes[start + 3] === CR &&
      bytes[start + 4] === LF
    const end = isOk ? start + 3 : this.#lineEnd(bytes, start + 1, length)
    if (end === -1) return undefined
    this.#startReply()
    this.#cursor = end + 2
    if (this.#wantsBuffer(RESP_TYPES.SIMPLE_STRING)) return this.#toBuffer(bytes, start + 1, end)
    return isOk ? 'OK' : scalars.toSimpleString(bytes, start + 1, end)
  }

  #readLine(type: number, bytes: Buffer, start: number, length: number): Reply | undefined {
    const text = start + 1
    const end = this.#lineEnd(bytes, text, length)
    if (end === -1) return undefined
    this.#cursor = end + 2
    if (type === RESP_TYPES.SIMPLE_ERROR) return this.#toError(bytes, text, end)
    this.#startReply()
    switch (type) {
      case RESP_TYPES.NUMBER:
        return scalars.toInteger(bytes, text, end, this.#mapping)
      case RESP_TYPES.DOUBLE:
        return scalars.toDouble(bytes, text, end, this.#mapping)
      case RESP_TYPES.BIG_NUMBER:
        return scalars.toBigNumber(bytes, text, end, this.#mapping)
      case RESP_TYPES.BOOLEAN:
        return scalars.toBoolean(bytes, text, end)
      default:
        if (end > text) throw new ProtocolError('A null holds something')
        return null
    }
  }

  #readBulk(type: number, bytes: Buffer, start: number, length: number): Reply | undefined {
    const size = this.#readCount(bytes, start, length)
    if (size === INCOMPLETE) return undefined
    if (size === NULL_LENGTH) {
      if (type !== RESP_TYPES.BLOB_STRING) throw new ProtocolError('A length is negative')
      return null
    }
    if (size > this.#limits.maxReplySize) throw new ProtocolError(`A reply of ${size} bytes exceeds maxReplySize`)
    if (type !== RESP_TYPES.BLOB_ERROR) this.#startReply()
    else if (size > this.#limits.maxLineLength) throw new ProtocolError('An error is longer than maxLineLength')
    const isText = type === RESP_TYPES.BLOB_STRING && !this.#wantsBuffer(type)
    if (isText) scalars.checkTextLength(size)
    const body = this.#cursor
    if (body + size + 2 > length) {
      this.#bulk = new PartialBulk(type, size + 2, length - body, isText)
      this.#bulk.append(bytes, body, length)
      this.#cursor = length
      return undefined
    }
    this.#cursor = body + size + 2
    return this.#toBulk(type, bytes, body, body + size, false)
  }

  /** The bulk string in `bytes[start..end)`; its CRLF must follow. */
  #toBulk(type: number, bytes: Buffer, start: number, end: number, isOwned: boolean): Reply {
    if (bytes[end] !== CR || bytes[end + 1] !== LF) throw new ProtocolError('A bulk string does not end in CRLF')
    if (type === RESP_TYPES.BLOB_STRING) {
      if (this.#wantsBuffer(type)) return isOwned ? bytes.subarray(start, end) : this.#toBuffer(bytes, start, end)
      return scalars.toText(bytes, start, end)
    }
    if (type === RESP_TYPES.BLOB_ERROR) return this.#toError(bytes, start, end)
    return scalars.toVerbatimString(bytes, start, end, this.#mapping?.[RESP_TYPES.VERBATIM_STRING])
  }

  #toBuffer(bytes: Buffer, start: number, end: number): Buffer {
    this.#cost += COST.buffer
    return scalars.toBuffer(bytes, start, end)
  }

  #toError(bytes: Buffer, start: number, end: number): ReplyError {
    this.#cost += COST.error
    return scalars.toReplyError(bytes, start, end)
  }

  #readAggregate(type: number, bytes: Buffer, start: number, length: number): Reply | undefined {
    if (type === RESP_TYPES.PUSH && this.#top !== undefined) throw new ProtocolError('A push is inside of a reply')
    const count = this.#readCount(bytes, start, length)
    if (count === INCOMPLETE) return undefined
    if (count === NULL_LENGTH) {
      if (type !== RESP_TYPES.ARRAY) throw new ProtocolError('A length is negative')
      return null
    }
    if (count > this.#limits.maxElements) throw new ProtocolError(`An aggregate of ${count} exceeds maxElements`)
    if (type === RESP_TYPES.PUSH && count === 0) throw new ProtocolError('A push is empty')
    if (this.#top === undefined) {
      this.#cost = -start
      if (type === RESP_TYPES.PUSH) this.#mapping = PUSH_MAPPING
      else this.#mapping = type === ATTRIBUTE ? undefined : this.#handler.mapping()
    }
    this.#cost += COST.aggregate
    const kind = kindOf(type, this.#mapping)
    const frame = new Frame(kind, type === RESP_TYPES.MAP || type === ATTRIBUTE ? count * 2 : count, this.#top)
    if (count === 0) return kind === 'attribute' ? undefined : frame.value
    if (this.#depth === this.#limits.maxDepth) throw new ProtocolError('A reply is nested deeper than maxDepth')
    this.#depth++
    this.#top = frame
    return undefined
  }

  /** The number in the header at `start`; the cursor moves past it. Rejects what cannot become one at once. */
  #readCount(bytes: Buffer, start: number, length: number): number {
    let at = start + 1
    let count = 0
    for (; at < length; at++) {
      const byte = bytes[at]!
      if (byte === CR) break
      const digit = byte - ZERO
      if (digit < 0 || digit > 9) return this.#readNullLength(bytes, start, length)
      if (at - start > MAX_COUNT_DIGITS) throw new ProtocolError('A length has too many digits')
      count = count * 10 + digit
    }
    if (at === start + 1 && at < length) throw new ProtocolError('A length is missing')
    if (at + 1 >= length) return INCOMPLETE
    if (bytes[at + 1] !== LF) throw new ProtocolError('A carriage return is not followed by a line feed')
    this.#cursor = at + 2
    return count
  }

  #readNullLength(bytes: Buffer, start: number, length: number): number {
    if (bytes[start + 1] !== MINUS) throw new ProtocolError('A length holds something that is not a digit')
    if (start + 2 < length && bytes[start + 2] !== ONE) throw new ProtocolError('A length is negative')
    const end = scalars.findLineEnd(bytes, start + 1, length)
    if (end === -1 && length - start > 4) throw new ProtocolError('A length is negative')
    if (end === -1) return INCOMPLETE
    if (end !== start + 3) throw new ProtocolError('A length is negative')
    this.#cursor = end + 2
    return NULL_LENGTH
  }

  #deliver(type: number, value: Reply): void {
    if (this.#top !== undefined) this.#add(this.#top, value)
    else if ((type === RESP_TYPES.SIMPLE_ERROR || type === RESP_TYPES.BLOB_ERROR) && value instanceof ReplyError) {
      this.#handler.errorReply(value)
    } else this.#handler.reply(value)
  }

  /** Puts an element where it belongs and closes every aggregate that it completes. */
  #add(top: Frame, element: Reply): void {
    let frame = top
    frame.put(element)
    while (frame.remaining === 0) {
      const parent = frame.parent
      this.#top = parent
      this.#depth--
      if (frame.kind === 'attribute') return
      if (parent === undefined) {
        if (frame.kind === 'push') this.#handler.push(frame.items)
        else this.#handler.reply(frame.value)
        return
      }
      parent.put(frame.value)
      frame = parent
    }
  }

  #startReply(): void {
    if (this.#top === undefined) this.#mapping = this.#handler.mapping()
  }

  /** Keys of maps are text, like property names; only when a map is wanted flat are they mapped as values are. */
  #wantsBuffer(type: RespType): boolean {
    if (this.#mapping === undefined || this.#mapping[type] !== Buffer) return false
    return this.#top === undefined || !this.#top.expectsKey
  }

  #lineEnd(bytes: Buffer, start: number, length: number): number {
    const end = scalars.findLineEnd(bytes, start, length)
    const known = end === -1 ? length - 1 : end
    if (known - start > this.#limits.maxLineLength) throw new ProtocolError('A line is longer than maxLineLength')
    return end
  }

  #resumeLine(chunk: Buffer, length: number): void {
    const line = this.#line
    let end = 0
    if (line.endsInCarriageReturn) {
      if (chunk[0] !== LF) throw new ProtocolError('A carriage return is not followed by a line feed')
    } else {
      const cr = scalars.findLineEnd(chunk, 0, length)
      end = cr === -1 ? length - 1 : cr + 1
    }
    const wasShort = line.length <= SHORT_LINE
    line.append(chunk, 0, end + 1)
    this.#cursor = end + 1
    // A length that can be seen to be wrong is refused before its line ends; a long text is read only when whole.
    if (!line.isWhole && !wasShort) return
    const held = line.length
    const type = line.bytes[0]!
    const value = this.#read(type, line.bytes, 0, held)
    this.#cursor = end + 1
    if (!line.isWhole) return
    line.length = 0
    if (value !== undefined) this.#deliver(type, value)
  }

  #resumeBulk(bulk: PartialBulk, chunk: Buffer, length: number): void {
    this.#cursor += bulk.append(chunk, this.#cursor, length)
    if (!bulk.isWhole) return
    this.#bulk = undefined
    const value = this.#toBulk(bulk.type, bulk.bytes, 0, bulk.length - 2, true)
    this.#deliver(bulk.type, bulk.text === '' ? value : `${bulk.text}${value}`)
  }
}
