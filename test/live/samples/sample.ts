// What a sample of the live comparison is, and the narrow ways to make replies comparable. Runs nothing.

/** One call, made through respool and through node-redis on two servers in the same state. */
export interface Sample {
  /** The name of the method; left out for what only `sendCommand` can send. */
  readonly method?: string
  readonly args: readonly unknown[]
  /** Commands that run before it on each server, words parted by a space. */
  readonly setUp?: readonly string[]
  /** Whether it runs in `multi().exec()` too. Default true on a shared handle, false on a lease. */
  readonly inMulti?: boolean
  /** Runs on a lease, and for node-redis on a client of its own, because it changes its connection. */
  readonly onLease?: boolean
  /** Makes comparable what differs between any two servers or moments. */
  readonly normalise?: (reply: unknown) => unknown
  /** What respool does otherwise, and why; the outcomes have to differ then. */
  readonly differs?: string
  /** Why it is normalised, or cannot run in MULTI. */
  readonly why?: string
}

/** A call of a method: `call('GET', ['key'], { setUp: ['SET key value'] })`. */
export function call(method: string, args: readonly unknown[] = [], more: Partial<Sample> = {}): Sample {
  return { method, args, ...more }
}

/** What has no method: raw arguments for `sendCommand`. */
export function raw(text: string, more: Partial<Sample> = {}): Sample {
  return { args: text.split(' '), ...more }
}

/** The shape of a reply: the types of all its values, and the names of its fields. */
export function shape(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(shape)
  if (typeof reply !== 'object' || reply === null || Buffer.isBuffer(reply)) return typeof reply
  if (reply instanceof Date || reply instanceof Error) return reply.constructor.name
  const fields = Object.entries(reply).map(([name, value]) => [name, shape(value)])
  return Object.assign(Object.create(Object.getPrototypeOf(reply)), Object.fromEntries(fields))
}

/** An array whose order the server does not promise. */
export function sorted(reply: unknown): unknown {
  return Array.isArray(reply) ? [...reply].sort() : reply
}

/** Text with its numbers and hexadecimal ids blanked. */
export function blankNumbers(reply: unknown): unknown {
  if (typeof reply === 'string') return reply.replace(/[0-9a-f]{40}/g, 'ID').replace(/\d+(\.\d+)?/g, '#')
  if (Array.isArray(reply)) return reply.map(blankNumbers)
  return shape(reply)
}
