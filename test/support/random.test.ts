// A seed repeats its numbers, parts of a run do not disturb each other, and nothing falls outside its range.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { between, pick, type Random, seeded, seededFor } from './random.js'

const draw = (random: Random, count = 1_000): number[] => Array.from({ length: count }, random)

describe('seeded chance', () => {
  it('repeats with its seed and differs with another', () => {
    assert.deepEqual(draw(seeded(7)), draw(seeded(7)))
    assert.notDeepEqual(draw(seeded(7)), draw(seeded(8)))
  })

  it('gives each part of a run numbers of its own', () => {
    assert.deepEqual(draw(seededFor(1, 2, 3)), draw(seededFor(1, 2, 3)))
    const firsts = new Set<number>()
    for (let seed = 0; seed < 20; seed++) {
      for (let link = 0; link < 20; link++) for (const way of [0, 1]) firsts.add(seededFor(seed, link, way)())
    }
    assert.equal(firsts.size, 800)
  })

  it('is spread evenly over its range', () => {
    const counts = new Map<number, number>()
    const random = seeded(3)
    for (let drawn = 0; drawn < 10_000; drawn++) {
      const number = between(random, -2, 2)
      counts.set(number, (counts.get(number) ?? 0) + 1)
    }
    assert.deepEqual(
      [...counts.keys()].sort((a, b) => a - b),
      [-2, -1, 0, 1, 2],
    )
    for (const count of counts.values()) assert.ok(Math.abs(count - 2_000) < 200, `${count} of 10000`)
  })

  it('picks every item, and nothing from nothing', () => {
    const random = seeded(5)
    assert.deepEqual(
      new Set(Array.from({ length: 100 }, () => pick(random, ['a', 'b', 'c']))),
      new Set(['a', 'b', 'c']),
    )
    assert.throws(() => pick(random, []), /nothing to pick from/)
  })
})
