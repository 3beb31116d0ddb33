// A secret that can be recognised wherever it shows, and the eyes that look for it: in text, in JSON, in hidden
// properties, in causes, as bytes. Knows nothing of Redis.

import { format, inspect } from 'node:util'

/** No other word in any output begins like this. */
const STEM = 'c4n4ry'

/** With characters that a URL has to escape. */
export const CANARY = `${STEM}-p@ss/w0rd+%`

const bytes = Buffer.from(STEM)

/** In any case, and as hexadecimal, inspect and JSON show bytes. */
const DISGUISES = [
  STEM,
  bytes.toString('hex'),
  Array.from(bytes, (byte) => byte.toString(16)).join(' '),
  bytes.join(','),
]

/** What is the same wherever in a text the secret stands. */
const BASE64 = ['', 'x', 'xx'].map((before) =>
  Buffer.from(before + CANARY)
    .toString('base64')
    .slice(4, 20),
)

function find(text: string): number {
  const folded = text.toLowerCase()
  const places = [...DISGUISES.map((form) => folded.indexOf(form)), ...BASE64.map((form) => text.indexOf(form))]
  return places.find((at) => at >= 0) ?? -1
}

export class Scanner {
  /** How many values were looked at. */
  looked = 0
  /** Where the secret showed, with what stood around it. */
  readonly hits: string[] = []

  look(value: unknown, where: string): void {
    this.looked++
    const text = everythingIn(value)
    const at = find(text)
    if (at >= 0) this.hits.push(`${where}: …${text.slice(Math.max(0, at - 80), at + 24)}…`)
  }

  /** Runs what must fail, looks at the error and gives it. */
  async failure(call: () => unknown, where: string): Promise<unknown> {
    try {
      await call()
    } catch (error) {
      this.look(error, where)
      return error
    }
    throw new Error(`it should have failed: ${where}`)
  }
}

/** All that a log, a debugger or a crash report could hold of a value. */
function everythingIn(value: unknown): string {
  if (typeof value === 'string') return value
  const parts = [
    inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, maxArrayLength: null, maxStringLength: null }),
    inspect(value, { depth: Number.POSITIVE_INFINITY, getters: true }),
    format('%s %j %o', value, json(value), value),
    json(value),
  ]
  if (value instanceof Error) {
    parts.push(value.name, value.message, value.stack ?? '', json({ ...value }))
    if (value.cause !== undefined) parts.push(everythingIn(value.cause))
    if (value instanceof AggregateError) parts.push(...value.errors.map(everythingIn))
  }
  return parts.join('\n')
}

function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    // What JSON cannot hold shows nothing through it.
    return ''
  }
}
