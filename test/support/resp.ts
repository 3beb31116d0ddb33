// A second, plain RESP for the tests' own ends of the wire: it owes nothing to src/resp, so that both cannot share
// a mistake. Slow and small on purpose.

/** A value that has no other type of its own in JavaScript. */
export class Simple {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

export type Wire = string | number | boolean | null | Buffer | Simple | Error | readonly Wire[] | Map<Wire, Wire>

export type Protocol = 2 | 3

export const OK = new Simple('OK')

/** Value → bytes. A string is a bulk string, an Error an error, a Map a map (flat in RESP2). */
export function encodeReply(value: Wire, protocol: Protocol = 3): Buffer {
  if (value === null) return Buffer.from(protocol === 3 ? '_\r\n' : '$-1\r\n')
  if (typeof value === 'boolean')
    return Buffer.from(protocol === 3 ? `#${value ? 't' : 'f'}\r\n` : `:${value ? 1 : 0}\r\n`)
  if (typeof value === 'number') {
    if (Number.isInteger(value)) return Buffer.from(`:${value}\r\n`)
    return protocol === 3 ? Buffer.from(`,${value}\r\n`) : encodeReply(String(value), protocol)
  }
  if (value instanceof Simple) return Buffer.from(`+${value.text}\r\n`)
  if (value instanceof Error) return Buffer.from(`-${value.message}\r\n`)
  if (typeof value === 'string') return encodeReply(Buffer.from(value), protocol)
  if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')])
  if (value instanceof Map) {
    const flat = [...value].flat().map((item) => encodeReply(item, protocol))
    return Buffer.concat([Buffer.from(protocol === 3 ? `%${value.size}\r\n` : `*${flat.length}\r\n`), ...flat])
  }
  return Buffer.concat([Buffer.from(`*${value.length}\r\n`), ...value.map((item) => encodeReply(item, protocol))])
}

/** A push message of RESP3. */
export function encodePush(values: readonly Wire[]): Buffer {
  const array = encodeReply(values)
  array[0] = 0x3e
  return array
}

/** Arguments → a command's bytes. */
export function encodeCommand(args: readonly (string | Buffer)[]): Buffer {
  return encodeReply(args)
}

/** Bytes → values, one after the other; `undefined` from `next` means that more bytes are needed. */
export class WireReader {
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  push(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), chunk])
    this.#at = 0
  }

  next(): { value: Wire; push: boolean } | undefined {
    const start = this.#at
    const push = this.#bytes[start] === 0x3e
    const value = this.#value()
    if (value === undefined) this.#at = start
    return value === undefined ? undefined : { value, push }
  }

  #line(): string | undefined {
    const end = this.#bytes.indexOf('\r\n', this.#at)
    if (end < 0) return undefined
    const line = this.#bytes.toString('latin1', this.#at, end)
    this.#at = end + 2
    return line
  }

  #value(): Wire | undefined {
    const line = this.#line()
    if (line === undefined) return undefined
    const rest = line.slice(1)
    switch (line[0]) {
      case '+':
        return new Simple(rest)
      case '-':
        return new Error(rest)
      case ':':
      case ',':
      case '(':
        return Number(rest)
      case '#':
        return rest === 't'
      case '_':
        return null
      case '$':
      case '=':
      case '!':
        return this.#bulk(Number(rest))
      case '*':
      case '~':
      case '>':
        return rest === '-1' ? null : this.#items(Number(rest))
      case '%':
        return this.#map(Number(rest))
      default:
        // Like the server, take anything else as an inline command.
        return line.trim().split(/\s+/)
    }
  }

  #bulk(length: number): Wire | undefined {
    if (length < 0) return null
    if (this.#bytes.length < this.#at + length + 2) return undefined
    const bulk = Buffer.from(this.#bytes.subarray(this.#at, this.#at + length))
    this.#at += length + 2
    return bulk
  }

  #items(count: number): Wire[] | undefined {
    const items: Wire[] = []
    for (let i = 0; i < count; i++) {
      const item = this.#value()
      if (item === undefined) return undefined
      items.push(item)
    }
    return items
  }

  #map(count: number): Wire | undefined {
    const items = this.#items(count * 2)
    if (!items) return undefined
    const map = new Map<Wire, Wire>()
    for (let i = 0; i < items.length; i += 2) map.set(toText(items[i] ?? null), items[i + 1] ?? null)
    return map
  }
}

/** Bulk and simple strings as text, errors as their message, everything else as JavaScript writes it. */
export function toText(value: Wire): string {
  if (value instanceof Simple) return value.text
  if (value instanceof Error) return value.message
  return String(value)
}
