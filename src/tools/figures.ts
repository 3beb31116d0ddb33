// Owns how durations and sizes read. Pure.

import { number } from './terminal.js'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const UNITS = [
  [DAY, 'd'],
  [HOUR, 'h'],
  [MINUTE, 'min'],
  [SECOND, 's'],
] as const

/** Milliseconds in the largest unit of which there are two, so that it is never off by much: `1.5 s`, `90 s`, `36 h`. */
export function span(milliseconds: number): string {
  const found = UNITS.find(([size]) => milliseconds >= (size === SECOND ? size : 2 * size))
  if (found === undefined) return `${number(milliseconds)} ms`
  const [size, unit] = found
  const value = milliseconds / size
  return `${value < 10 && size === SECOND ? trimmed(value) : Math.floor(value)} ${unit}`
}

/** Seconds, as servers count, in at most four letters: for columns. */
export function shortSpan(seconds: number): string {
  if (seconds < 120) return `${Math.max(0, Math.floor(seconds))}s`
  if (seconds < 2 * 3_600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 48 * 3_600) return `${Math.floor(seconds / 3_600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

export function bytes(count: number): string {
  let value = Math.max(0, count)
  let unit = 0
  while (value >= 1_024 && unit < SIZES.length - 1) {
    value /= 1_024
    unit++
  }
  return `${unit === 0 ? Math.round(value) : trimmed(value)} ${SIZES[unit]}`
}

/** The same in at most five letters: `1.5M`. */
export function shortBytes(count: number): string {
  const [value = '0', unit = 'B'] = bytes(count).split(' ')
  return `${value}${unit.charAt(0)}`
}

/** In at most five letters: `950`, `1.2k`, `38k`. */
export function shortNumber(value: number): string {
  if (value < 1_000) return value < 10 && !Number.isInteger(value) ? trimmed(value) : String(Math.round(value))
  if (value < 999_500) return `${trimmed(value / 1_000)}k`
  return `${trimmed(value / 1_000_000)}M`
}

export function percent(share: number): string {
  return `${share > 0 && share < 0.1 ? trimmed(share * 100) : Math.round(share * 100)} %`
}

/** `1 client`, `2 clients`. */
export function counted(count: number, one: string, many: string = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`
}

const trimmed = (value: number): string =>
  value < 10 ? value.toFixed(1).replace(/\.0$/, '') : String(Math.round(value))
