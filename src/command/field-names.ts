// Keeps a field called `__proto__` in replies that a definition turns into plain objects: set on one, it would be lost,
// or become its prototype. Knows the commands whose names of fields are data.

import { randomBytes } from 'node:crypto'

const NAME = '__proto__'

/** Those whose transforms set properties by names that anybody may have chosen. */
const NAMED_BY_DATA: ReadonlySet<string> = new Set([
  'HGETALL',
  'XRANGE',
  'XREVRANGE',
  'XREAD',
  'XREADGROUP',
  'XCLAIM',
  'XAUTOCLAIM',
  'XINFO STREAM',
  'PUBSUB NUMSUB',
  'PUBSUB SHARDNUMSUB',
])

export function hasNamesFromData(command: string): boolean {
  return NAMED_BY_DATA.has(command)
}

/** What `transform` makes of the reply, with all its fields. Costs one look at each text unless the name is there. */
export function keepingNames(reply: unknown, transform: (reply: unknown) => unknown): unknown {
  if (!holds(reply, NAME)) return transform(reply)
  const standIn = `${NAME}${randomBytes(16).toString('hex')}`
  return renamed(transform(renamed(reply, NAME, standIn)), standIn, NAME)
}

function isText(value: unknown, text: string): boolean {
  if (typeof value === 'string') return value === text
  return Buffer.isBuffer(value) && value.length === text.length && value.toString('latin1') === text
}

function holds(value: unknown, text: string): boolean {
  if (typeof value !== 'object' || value === null) return value === text
  if (Buffer.isBuffer(value)) return isText(value, text)
  if (Array.isArray(value)) {
    for (const item of value) if (holds(item, text)) return true
    return false
  }
  const pairs = value instanceof Map ? value : Object.entries(value)
  for (const [key, item] of pairs) if (isText(key, text) || holds(item, text)) return true
  return false
}

/** A copy in which every text `from` is `to`, names and values alike. */
function renamed(value: unknown, from: string, to: string): unknown {
  if (isText(value, from)) return typeof value === 'string' ? to : Buffer.from(to)
  if (Array.isArray(value)) return value.map((item) => renamed(item, from, to))
  if (value instanceof Map) {
    return new Map(Array.from(value, ([key, item]) => [renamed(key, from, to), renamed(item, from, to)]))
  }
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value) || value instanceof Error) return value
  const copy: object = Object.create(Object.getPrototypeOf(value))
  for (const [key, item] of Object.entries(value)) {
    const name = key === from ? to : key
    const field = { value: renamed(item, from, to), writable: true, enumerable: true, configurable: true }
    Object.defineProperty(copy, name, field)
  }
  return copy
}
