// Owns what it takes to keep a reply for several callers: what it is called, what it costs, and a copy for each of them.
// Knows neither keys by meaning nor connections.

import type { Argument } from '../resp/encoder.js'
import { type Reply, type ReplyMapping, VerbatimString } from '../resp/types.js'

/** Bytes that V8 takes for a small object, and for its place in another; rounded up. */
const OBJECT = 64
const PLACE = 32

/** The bytes of an argument as text of one character each: the same for a string and for the Buffer of its bytes. */
export function nameOf(argument: Argument): string {
  if (typeof argument !== 'string') return argument.toString('latin1')
  // In UTF-8 only ASCII is as long as it has characters.
  return Buffer.byteLength(argument) === argument.length ? argument : Buffer.from(argument).toString('latin1')
}

/** What a command is called whose reply is kept: its arguments, and what the reply's types become. */
export function idOf(args: readonly Argument[], mapping: ReplyMapping | undefined): string {
  let id = mapping === undefined ? '' : signatureOf(mapping)
  for (const argument of args) {
    const name = nameOf(argument)
    id += `${name.length}:${name}`
  }
  return id
}

const targets = new WeakMap<object, number>()
let lastTarget = 0

/** Of two mappings with the same content it is the same. */
function signatureOf(mapping: ReplyMapping): string {
  let signature = ''
  for (const [type, target] of Object.entries(mapping)) {
    if (typeof target !== 'function' && (typeof target !== 'object' || target === null)) continue
    let number = targets.get(target)
    if (number === undefined) {
      number = ++lastTarget
      targets.set(target, number)
    }
    signature += `${type}=${number},`
  }
  return signature
}

/** At most how many bytes it takes; undefined for what is not kept: a reply with an error in it. */
export function sizeOf(reply: Reply): number | undefined {
  if (reply === null) return 0
  switch (typeof reply) {
    case 'string':
      return OBJECT + 2 * reply.length
    case 'object':
      break
    default:
      return PLACE
  }
  if (Buffer.isBuffer(reply)) return 2 * OBJECT + reply.length
  if (reply instanceof VerbatimString) return 3 * OBJECT + 2 * reply.length
  if (reply instanceof Error) return undefined
  if (Array.isArray(reply) || reply instanceof Set) return sizeOfAll(reply)
  if (reply instanceof Map) return sizeOfAll([...reply.keys(), ...reply.values()])
  return sizeOfAll([...Object.keys(reply), ...Object.values(reply)])
}

function sizeOfAll(items: Iterable<Reply>): number | undefined {
  let size = OBJECT
  for (const item of items) {
    const own = sizeOf(item)
    if (own === undefined) return undefined
    size += PLACE + own
  }
  return size
}

/** A value of its own for another caller: whatever is done to it, nobody else sees. */
export function copyOf(reply: Reply): Reply {
  if (typeof reply !== 'object' || reply === null || reply instanceof Error) return reply
  if (Buffer.isBuffer(reply)) return copyOfBytes(reply)
  if (Array.isArray(reply)) return reply.map(copyOf)
  if (reply instanceof VerbatimString) return new VerbatimString(reply.format, reply.toString())
  if (reply instanceof Set) return new Set([...reply].map(copyOf))
  if (reply instanceof Map) return new Map([...reply].map(([key, value]) => [copyOf(key), copyOf(value)]))
  // As the decoder makes it: without a prototype every key is data.
  const copy: { [key: string]: Reply } = Object.create(null)
  for (const [key, value] of Object.entries(reply)) copy[key] = copyOf(value)
  return copy
}

/** Never a part of a larger block, which would stay in memory as long as this. */
function copyOfBytes(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}
