// Owns how numbers read: each with its unit, and no more digits than tell something.

const GAP = '\u202f'
const groups = new Intl.NumberFormat('en-US')

/** @param {number} value */
export function count(value) {
  return groups.format(Math.round(value)).replaceAll(',', GAP)
}

/** @param {number} value a number that may have a fraction */
export function amount(value) {
  if (value >= 100 || Number.isInteger(value)) return count(value)
  return value.toFixed(value >= 10 ? 1 : 2)
}

/**
 * @param {number | null} milliseconds null where it has no end
 * @returns {string}
 */
export function duration(milliseconds) {
  if (milliseconds === null || !Number.isFinite(milliseconds)) return 'without end'
  if (milliseconds < 1_000) {
    const digits = milliseconds === 0 || milliseconds >= 100 ? 0 : milliseconds >= 10 ? 1 : 2
    return `${milliseconds.toFixed(digits)}${GAP}ms`
  }
  const seconds = milliseconds / 1_000
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)}${GAP}s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}${GAP}min ${Math.floor(seconds % 60)}${GAP}s`
  return `${Math.floor(seconds / 3_600)}${GAP}h ${Math.floor((seconds % 3_600) / 60)}${GAP}min`
}

/** On an axis, where round numbers stand. @param {number} milliseconds */
export function durationTick(milliseconds) {
  return duration(milliseconds).replace(/\.?0+(?=\u202f)/, (zeros) => (zeros.startsWith('.') ? '' : zeros))
}

/** @param {number} value */
export function bytes(value) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let at = 0
  let left = value
  while (left >= 1_000 && at < units.length - 1) {
    left /= 1_000
    at++
  }
  return `${at === 0 ? count(left) : left.toFixed(left >= 100 ? 0 : 1)}${GAP}${units[at]}`
}

/** @param {number} value */
export function perSecond(value) {
  return `${amount(value)}/s`
}

/**
 * @param {number} value
 * @param {string} one
 * @param {string} [many]
 */
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** @param {number} at ms since 1970 */
export function clock(at) {
  const time = new Date(at)
  /** @param {number} part */
  const two = (part) => String(part).padStart(2, '0')
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`
}

/** @param {string} text what the library says begins small and has no full stop */
export function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}
