// The formula of waiting after failures: bounds, growth, jitter over the whole range.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { backoff } from '../../src/base/backoff.js'

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('backoff', () => {
  it('never exceeds the longest wait and never falls below a millisecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), random, (failures, chance) => {
        const delay = backoff(failures, 10, 1_000, chance)
        assert.ok(delay >= 1 && delay <= 1_000)
      }),
    )
  })

  it('doubles its ceiling at each failure up to the longest', () => {
    const ceilings = [1, 2, 3, 4, 5, 6, 7, 8].map((failures) => Math.round(backoff(failures, 10, 1_000, 0.999_999)))
    for (const [index, ceiling] of ceilings.entries()) {
      const next = ceilings[index + 1]
      if (next !== undefined) assert.equal(next, Math.min(1_000, ceiling * 2))
    }
    assert.equal(ceilings.at(-1), 1_000)
  })

  it('spreads over the whole range, so that a fleet does not come back at once', () => {
    assert.equal(backoff(20, 10, 1_000, 0), 1)
    assert.equal(backoff(20, 10, 1_000, 0.5), 500)
  })
})
