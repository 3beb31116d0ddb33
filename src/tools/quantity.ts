// Owns the reading of numbers, durations and lists that are typed after an option, and what is said when they do not
// fit. Knows no command.

import { OptionError } from '../index.js'

const UNITS: Readonly<Record<string, number>> = { us: 0.001, µs: 0.001, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** `200us`, `5ms`, `1.5s`, `2m`; a number alone is in milliseconds. Gives milliseconds. */
export function readDuration(option: string, text: string, min = 0): number {
  const [, digits = '', unit = 'ms'] = /^(\d{1,12}(?:\.\d{1,9})?)([a-zµ]{1,2})?$/.exec(text) ?? []
  const factor = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined
  const value = Number(digits) * (factor ?? Number.NaN)
  if (digits === '' || !(value >= min)) {
    throw new OptionError(`--${option}: expected a duration such as 200us, 5ms, 1.5s or 2m${atLeast(min, ' ms')}`)
  }
  return value
}

export function readWhole(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new OptionError(`--${option}: expected a whole number from ${min} to ${max}`)
}

export function readNumber(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}(?:\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new OptionError(`--${option}: expected a number from ${min} to ${max}`)
}

/** `5,10,20` and `1-8`, in ascending order, each once. */
export function readWholes(option: string, text: string, min: number, max: number, most: number): number[] {
  const found = new Set<number>()
  for (const part of text.split(',')) {
    const [, first = '', last = first] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? []
    const from = readWhole(option, first, min, max)
    const to = readWhole(option, last, from, max)
    for (let value = from; value <= to; value++) {
      found.add(value)
      if (found.size > most) throw new OptionError(`--${option}: expected at most ${most} numbers`)
    }
  }
  return [...found].sort((a, b) => a - b)
}

export function readChoice<const Choice extends string>(
  option: string,
  text: string,
  choices: readonly Choice[],
): Choice {
  const chosen = choices.find((choice) => choice === text)
  if (chosen !== undefined) return chosen
  throw new OptionError(`--${option}: expected ${choices.join(', ').replace(/, ([^,]*)$/, ' or $1')}`)
}

const atLeast = (min: number, unit: string): string => (min > 0 ? `, at least ${min}${unit}` : '')
