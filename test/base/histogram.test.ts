// Durations as percentiles: milliseconds in, milliseconds out, nothing recorded means zeros.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DurationHistogram } from '../../src/base/histogram.js'

const WEEK = 7 * 24 * 3_600_000

describe('a histogram of durations', () => {
  it('is all zeros before anything was recorded', () => {
    assert.deepEqual(new DurationHistogram().summary(), { count: 0, sum: 0, mean: 0, p50: 0, p90: 0, p99: 0, max: 0 })
  })

  it('tells percentiles in milliseconds within a sixty-fourth', () => {
    const histogram = new DurationHistogram()
    for (let value = 1; value <= 1_000; value++) histogram.record(value)
    const { count, sum, mean, p50, p90, p99, max } = histogram.summary()
    assert.deepEqual([count, sum, mean, max], [1_000, 500_500, 500.5, 1_000])
    for (const [found, wanted] of [
      [p50, 500],
      [p90, 900],
      [p99, 990],
    ] as const) {
      assert.ok(Math.abs(found - wanted) <= wanted / 64, `${found} is not about ${wanted}`)
    }
  })

  it('takes anything: nothing, less than nothing, a microsecond, a week', () => {
    const histogram = new DurationHistogram()
    for (const value of [0, -5, 0.001, WEEK]) histogram.record(value)
    const { count, sum, p50, p99, max } = histogram.summary()
    assert.deepEqual([count, p50], [4, 0])
    assert.deepEqual([sum, max], [0.001 + WEEK, WEEK])
    assert.ok(p99 > 3_600_000 && p99 < 4_400_000, `${p99} is not an hour and a bit`)
  })

  it('tells any value within a sixty-fourth of it', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 4_000_000, noNaN: true }), (value) => {
        const histogram = new DurationHistogram()
        histogram.record(value)
        histogram.record(2 * value)
        const found = histogram.percentile(0.5)
        assert.ok(Math.abs(found - value) <= value / 64 + 0.001, `${found}, not ${value}`)
      }),
    )
  })

  it('tells what came since an earlier copy', () => {
    const histogram = new DurationHistogram()
    histogram.record(900)
    const before = histogram.copy()
    assert.deepEqual(histogram.since(before).summary(), new DurationHistogram().summary())
    for (const value of [2, 4, 6]) histogram.record(value)
    const { count, sum, max, p50 } = histogram.since(before).summary()
    assert.deepEqual([count, sum], [3, 12])
    assert.ok(Math.abs(max - 6) < 0.1 && Math.abs(p50 - 4) < 0.1, `${max}, ${p50}`)
    histogram.record(2_000)
    assert.equal(histogram.since(before).max, 2_000)
    assert.equal(before.count, 1)
  })

  it('counts what is below bounds, and takes in another one', () => {
    const [one, other] = [new DurationHistogram(), new DurationHistogram()]
    for (const value of [0.5, 2, 2, 40]) one.record(value)
    other.record(700)
    other.add(one)
    other.add(new DurationHistogram())
    assert.deepEqual(
      other.buckets([1, 10, 100]).map(({ count }) => count),
      [1, 3, 4, 5],
    )
    assert.deepEqual(
      new DurationHistogram().buckets([1]).map(({ count }) => count),
      [0, 0],
    )
    assert.equal(other.summary().sum, 744.5)
  })
})
