// Owns one open aggregate: what was collected of it and how it becomes a value. Knows no bytes.
import { ReplyError } from '../base/errors.js'
import { RESP_TYPES, type Reply, type ReplyMapping, VerbatimString } from './types.js'

/** First byte of an attribute, which is no reply and has no mapping. */
export const ATTRIBUTE = 124

/** What is being built. A RESP set or map that is wanted as a flat array is an `array`. */
export type FrameKind = 'array' | 'push' | 'set' | 'map' | 'object' | 'attribute'

export function kindOf(type: number, mapping: ReplyMapping | undefined): FrameKind {
  switch (type) {
    case RESP_TYPES.PUSH:
      return 'push'
    case ATTRIBUTE:
      return 'attribute'
    case RESP_TYPES.SET:
      return mapping?.[RESP_TYPES.SET] === Set ? 'set' : 'array'
    case RESP_TYPES.MAP: {
      const target = mapping?.[RESP_TYPES.MAP]
      if (target === Map) return 'map'
      return target === Array ? 'array' : 'object'
    }
    default:
      return 'array'
  }
}

const NOTHING: Reply[] = []

export class Frame {
  readonly kind: FrameKind
  /** The aggregate that this one is an element of. */
  readonly parent: Frame | undefined
  /** Elements still to come; the two halves of a pair count separately. */
  remaining: number
  /** Elements of an array or push. It grows with what arrives, never by what the header announced. */
  readonly items: Reply[]
  readonly #set: Set<Reply> | undefined
  readonly #map: Map<Reply, Reply> | undefined
  readonly #object: { [key: string]: Reply } | undefined
  #key: Reply | undefined

  constructor(kind: FrameKind, remaining: number, parent: Frame | undefined) {
    this.kind = kind
    this.remaining = remaining
    this.parent = parent
    this.items = kind === 'array' || kind === 'push' ? [] : NOTHING
    this.#set = kind === 'set' ? new Set() : undefined
    this.#map = kind === 'map' ? new Map() : undefined
    // Without a prototype every key is data, `__proto__` included.
    this.#object = kind === 'object' ? Object.create(null) : undefined
    this.#key = undefined
  }

  /** The next element is a key that is text whatever the mapping says. */
  get expectsKey(): boolean {
    return (this.kind === 'object' || this.kind === 'map') && this.#key === undefined
  }

  put(value: Reply): void {
    this.remaining--
    switch (this.kind) {
      case 'array':
      case 'push':
        this.items.push(value)
        return
      case 'set':
        this.#set?.add(value)
        return
      case 'map':
      case 'object':
        this.#putPair(value)
        return
      case 'attribute':
        return
    }
  }

  get value(): Reply {
    return this.#object ?? this.#map ?? this.#set ?? this.items
  }

  #putPair(value: Reply): void {
    const key = this.#key
    if (key === undefined) {
      this.#key = value
      return
    }
    this.#key = undefined
    this.#map?.set(key, value)
    if (this.#object !== undefined) this.#object[toPropertyKey(key)] = value
  }
}

/** What JavaScript makes of a value used as a property, without failing on values that have no prototype. */
function toPropertyKey(key: Reply): string {
  if (typeof key === 'string') return key
  if (key === null || typeof key !== 'object') return String(key)
  if (Buffer.isBuffer(key) || key instanceof VerbatimString || key instanceof ReplyError) return key.toString()
  if (Array.isArray(key)) return key.map((item) => (item === null ? '' : toPropertyKey(item))).join(',')
  return Object.prototype.toString.call(key)
}
