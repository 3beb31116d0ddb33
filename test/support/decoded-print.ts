// What was decoded, as text: equal exactly when the values are. Faster than a deep comparison, which fuzzing does not
// have the time for.

import { VerbatimString } from '../../src/resp/types.js'
import type { Decoded } from './resp-fixtures.js'

export function printOf({ events, failure }: Decoded): string {
  const parts = events.map((event) => {
    switch (event.kind) {
      case 'reply':
        return print(event.value)
      case 'error':
        return `top ${print(event.error)}`
      case 'push':
        return `push ${print(event.items)}`
      default:
        return event satisfies never
    }
  })
  return `${parts.join(';')}${failure === undefined ? '' : '; refused'}`
}

function print(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (Object.is(value, -0)) return '-0'
  if (value === null || typeof value !== 'object') return String(value)
  if (value instanceof Error) return `error ${JSON.stringify(value.message)}`
  if (value instanceof VerbatimString) return `${value.format}:${JSON.stringify(value.toString())}`
  if (Buffer.isBuffer(value)) return `bytes ${value.toString('hex')}`
  if (Array.isArray(value)) return `[${value.map(print).join()}]`
  if (value instanceof Set) return `set[${Array.from(value, print).join()}]`
  if (value instanceof Map) return `map[${Array.from(value, ([key, item]) => `${print(key)}=${print(item)}`).join()}]`
  return `{${Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}=${print(item)}`)}}`
}
