// Owns the names and shapes of RESP replies and the limits of the decoder. Knows no bytes and no sockets.
import type { ReplyError } from '../base/errors.js'

/** First byte of every kind of reply; the keys of a type mapping. */
export const RESP_TYPES = {
  NULL: 95,
  BOOLEAN: 35,
  NUMBER: 58,
  BIG_NUMBER: 40,
  DOUBLE: 44,
  SIMPLE_STRING: 43,
  BLOB_STRING: 36,
  VERBATIM_STRING: 61,
  SIMPLE_ERROR: 45,
  BLOB_ERROR: 33,
  ARRAY: 42,
  SET: 126,
  MAP: 37,
  PUSH: 62,
} as const

export type RespType = (typeof RESP_TYPES)[keyof typeof RESP_TYPES]

/**
 * How replies of a type become values, by constructor, for example `{ [RESP_TYPES.BLOB_STRING]: Buffer }`.
 * Honoured: NUMBER, DOUBLE → String; BIG_NUMBER → Number | String; SIMPLE_STRING, BLOB_STRING → Buffer;
 * VERBATIM_STRING → Buffer | VerbatimString; SET → Set; MAP → Map | Array. Anything else means the default.
 */
export type ReplyMapping = { readonly [T in RespType]?: unknown }

/** A verbatim string together with its three-letter format, such as `txt` or `mkd`. */
export class VerbatimString extends String {
  readonly format: string

  constructor(format: string, text: string) {
    super(text)
    this.format = format
  }

  static {
    // Subclassing String turns String.prototype into a dictionary, which slows every string method of the process;
    // V8 makes it fast again when a method is found through it (v8.dev/blog/fast-properties).
    new VerbatimString('txt', '').trim()
  }
}

export type Reply =
  | null
  | boolean
  | number
  | bigint
  | string
  | Buffer
  | VerbatimString
  | ReplyError
  | Reply[]
  | Map<Reply, Reply>
  | Set<Reply>
  | { [key: string]: Reply }

export interface DecoderLimits {
  /** Aggregates that may be open inside each other. */
  maxDepth: number
  /** Elements that the header of one aggregate may announce; pairs count once. */
  maxElements: number
  /** Bytes of one bulk string or verbatim string. */
  maxReplySize: number
  /** Bytes of one line: simple strings, errors, numbers; of a bulk error too. */
  maxLineLength: number
  /** Bytes of one unfinished aggregate: those received, and what its parts cost beyond them. */
  maxBuffered: number
}

/** However small its strings have to be, a reply may be as large as this. */
const LEAST_BUFFERED = 16 * 1024 * 1024

export function completeLimits(limits: Partial<DecoderLimits>): DecoderLimits {
  const { maxReplySize = 512 * 1024 * 1024 } = limits
  return {
    maxDepth: 128,
    maxElements: 2 ** 24,
    maxReplySize,
    maxLineLength: 64 * 1024,
    maxBuffered: Math.max(LEAST_BUFFERED, 2 * maxReplySize),
    ...limits,
  }
}
