// Owns how a duration is written as text, in URLs and on command lines. Knows no option by name.

/** The longest delay a timer of Node.js keeps; a longer one fires at once. */
export const MAX_DURATION = 2_147_483_647

const UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
])

/** Milliseconds of `500ms`, `5s`, `2m`, `1h` or plain `500`; undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,10})(ms|s|m|h|)$/.exec(text)
  if (match === null) return undefined
  const [, digits = '', unit = ''] = match
  return Number(digits) * (UNITS.get(unit) ?? Number.NaN)
}
