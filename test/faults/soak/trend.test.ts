// Shows that the figures of a soak say what they are taken for, and that a soak that went wrong is seen in them.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { passes } from '../row.js'
import { CLEAN } from '../verdict.js'
import { Tally } from './tally.js'
import { median, slope } from './trend.js'

const MB = 2 ** 20
const PLAN = { minutes: 30, kinds: 2, maxConnections: 6 }

describe('a trend', () => {
  it('is the growth per minute of the line that fits best', () => {
    const samples = [0, 1, 2, 3].map((at) => ({ at: at + 5, value: 7 + at / 4 }))
    assert.equal(slope(samples), 0.25)
    const noise = [0.2, -0.2, -0.2, 0.2]
    assert.ok(
      Math.abs(slope(samples.map(({ at, value }, i) => ({ at, value: value + (noise[i] ?? 0) }))) - 0.25) < 1e-9,
    )
    assert.equal(slope([{ at: 1, value: 3 }]), 0)
    assert.equal(slope([]), 0)
  })

  it('has a middle that one outlier does not move', () => {
    assert.equal(median([900, 1, 2]), 2)
    assert.equal(median([1, 4, 2, 900]), 3)
    assert.ok(Number.isNaN(median([])))
  })
})

interface Course {
  readonly calls: number
  /** MB a minute. */
  readonly growth: number
  /** p99 at the end, in ms; 4 in the beginning. */
  readonly last: number
  readonly kinds: readonly string[]
  readonly connections: number
  readonly unaccounted: number
}

const GOOD: Course = { calls: 10_000_000, growth: 0.01, last: 4, kinds: ['a', 'b'], connections: 6, unaccounted: 0 }

/** The figures that a soak misses. */
function missed(course: Partial<Course>): string[] {
  const { calls, growth, last, kinds, connections, unaccounted } = { ...GOOD, ...course }
  const tally = new Tally()
  for (let at = 1; at <= 30; at++) {
    tally.quiet(at, [at > 15 ? last : 4])
    // The warm-up may grow as it likes.
    const heapUsed = (at < 5 ? at : 10 + at * growth) * MB
    tally.weighed(at, { rss: 0, heapTotal: 0, arrayBuffers: 0, external: 3 * MB, heapUsed })
  }
  tally.judged({ operations: calls, verdict: CLEAN, examples: [] })
  for (const kind of kinds) tally.struck(kind, 10)
  tally.counted(connections)
  tally.unaccounted(unaccounted)
  return tally
    .outcome(PLAN)
    .checks.filter((check) => !passes(check))
    .map(({ what }) => what)
}

describe('a soak', () => {
  it('passes when nothing has changed in the end', () => assert.deepEqual(missed({}), []))

  const courses: Readonly<Record<string, { course: Partial<Course>; misses: string }>> = {
    'too few calls were made': { course: { calls: 9_999_999 }, misses: 'calls made' },
    'its heap grew': { course: { growth: 0.11 }, misses: 'growth of the heap after gc' },
    'it got slower': { course: { last: 4.9 }, misses: 'p99 in quiet, end against beginning' },
    'it got faster, so that the beginning tells nothing': {
      course: { last: 3.1 },
      misses: 'p99 in quiet, end against beginning',
    },
    'a kind of fault never came': { course: { kinds: ['a', 'a'] }, misses: 'kinds of faults' },
    'a pool had too many connections': { course: { connections: 7 }, misses: 'connections of one pool' },
    'a connection was forgotten': {
      course: { unaccounted: 1 },
      misses: 'connections, commands, callers unaccounted for',
    },
  }
  for (const [when, { course, misses }] of Object.entries(courses)) {
    it(`does not pass when ${when}`, () => assert.deepEqual(missed(course), [misses]))
  }

  it('adds up the verdicts of its rounds, and what its bystanders saw', () => {
    const tally = new Tally()
    tally.judged({ operations: 5, verdict: { ...CLEAN, lost: 1 }, examples: ['lost: one'] })
    tally.judged({ operations: 6, verdict: { ...CLEAN, lost: 2 }, examples: [] })
    tally.crossed(['crossed: another'])
    const { operations, verdict, examples } = tally.outcome(PLAN)
    assert.deepEqual(
      [operations, verdict, examples],
      [11, { ...CLEAN, lost: 3, crossed: 1 }, ['lost: one', 'crossed: another']],
    )
  })
})
