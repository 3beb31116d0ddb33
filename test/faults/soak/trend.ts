// Owns what many samples over time come to: a slope, a middle, a ratio. Pure.

export interface Sample {
  /** Minutes since the beginning. */
  readonly at: number
  readonly value: number
}

/** Growth per minute of the line that fits best (least squares); 0 of fewer than two samples. */
export function slope(samples: readonly Sample[]): number {
  const middleAt = mean(samples.map(({ at }) => at))
  const middleValue = mean(samples.map(({ value }) => value))
  let together = 0
  let spread = 0
  for (const { at, value } of samples) {
    together += (at - middleAt) * (value - middleValue)
    spread += (at - middleAt) ** 2
  }
  return spread === 0 ? 0 : together / spread
}

/** NaN of none, which is no figure that passes a check. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}
