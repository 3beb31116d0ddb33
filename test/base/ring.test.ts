// The ring against a plain array: same items, same order, positions that name one item for good.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Ring } from '../../src/base/ring.js'

describe('a ring', () => {
  it('is empty at first', () => {
    const ring = new Ring<number>()
    assert.deepEqual([ring.length, ring.peek(), ring.shift(), ring.at(0)], [0, undefined, undefined, undefined])
  })

  it('gives back what went in, in order, while it grows and wraps', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 400 }), (pushes) => {
        const ring = new Ring<number>()
        const model: number[] = []
        let taken = 0
        for (const [index, push] of pushes.entries()) {
          if (push) {
            ring.push(index)
            model.push(index)
          } else {
            const expected = model.shift()
            assert.equal(ring.peek(), expected)
            assert.equal(ring.shift(), expected)
            if (expected !== undefined) taken++
          }
          assert.equal(ring.length, model.length)
          assert.equal(ring.head, taken)
          assert.equal(ring.tail, taken + model.length)
          assert.deepEqual(
            model.map((_, offset) => ring.at(ring.head + offset)),
            model,
          )
        }
      }),
    )
  })

  it('knows nothing of positions that were taken out or not yet put in', () => {
    const ring = new Ring<string>()
    ring.push('a')
    ring.push('b')
    ring.shift()
    assert.deepEqual([ring.at(0), ring.at(1), ring.at(2)], [undefined, 'b', undefined])
  })

  it('holds no reference to what was taken out', () => {
    const ring = new Ring<object>()
    ring.push({})
    ring.shift()
    assert.equal(ring.at(ring.head), undefined)
    assert.equal(ring.peek(), undefined)
  })
})
