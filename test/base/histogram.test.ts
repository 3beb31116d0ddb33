// Durations as percentiles: milliseconds in, milliseconds out, nothing recorded means zeros.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DurationHistogram } from '../../src/base/histogram.js'

describe('a histogram of durations', () => {
  it('is all zeros before anything was recorded', () => {
    assert.deepEqual(new DurationHistogram().summary(), { count: 0, p50: 0, p90: 0, p99: 0, max: 0 })
  })

  it('tells percentiles in milliseconds within a thousandth', () => {
    const histogram = new DurationHistogram()
    for (let value = 1; value <= 1_000; value++) histogram.record(value)
    const { count, p50, p90, p99, max } = histogram.summary()
    assert.equal(count, 1_000)
    for (const [found, wanted] of [
      [p50, 500],
      [p90, 900],
      [p99, 990],
      [max, 1_000],
    ] as const) {
      assert.ok(Math.abs(found - wanted) <= wanted / 500, `${found} is not about ${wanted}`)
    }
  })

  it('takes anything: nothing, less than nothing, a microsecond, a week', () => {
    const histogram = new DurationHistogram()
    for (const value of [0, -5, 0.001, 7 * 24 * 3_600_000]) histogram.record(value)
    const { count, p50, max } = histogram.summary()
    assert.equal(count, 4)
    assert.equal(p50, 0.001)
    assert.ok(max >= 3_590_000 && max <= 3_610_000, 'the longest is an hour')
  })
})
