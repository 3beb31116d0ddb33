// The hash that chooses a lane: equal for text and bytes, fast enough, and well spread in its low bits.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { hashOf, NO_KEY } from '../../src/command/key-hash.js'

/** How many of a thousand keys are even. A fair coin leaves 430 to 570 once in a hundred thousand times. */
function evenAmong(keyOf: (index: number) => string): number {
  let even = 0
  for (let index = 0; index < 1000; index++) if (hashOf(keyOf(index)) % 2 === 0) even++
  return even
}

describe('hashOf', () => {
  it('is the same for a text and for its bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (key) => {
        assert.equal(hashOf(key), hashOf(Buffer.from(key)))
      }),
    )
  })

  it('is the same whatever the length, on both sides of every limit', () => {
    for (const piece of ['a', 'é', '漢', '😀']) {
      for (const length of [23, 24, 25, 170, 341, 342, 1023, 1024, 1025, 5000]) {
        const key = piece.repeat(length)
        assert.equal(hashOf(key), hashOf(Buffer.from(key)), `${piece} ${length} times`)
      }
    }
  })

  it('is an unsigned integer of 31 bits, and never that of no key', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const hash = hashOf(Buffer.from(bytes))
        assert.ok(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 31 && hash !== NO_KEY)
      }),
    )
  })

  for (const [label, keyOf] of [
    ['numbered keys', (index) => `key:${index}`],
    ['even numbers', (index) => `key:${index * 2}`],
    ['a common suffix', (index) => `${index}:profile`],
    ['numbers of equal length with a common suffix', (index) => `user:${String(index).padStart(8, '0')}:session`],
    ['digits twice, whose parity cancels out', (index) => `${index}${index}`],
    ['one letter repeated', (index) => 'a'.repeat(index)],
    ['keys beyond ASCII', (index) => `ключ:${index}`],
  ] as [string, (index: number) => string][]) {
    it(`splits ${label} about in half by its low bit`, () => {
      const even = evenAmong(keyOf)
      assert.ok(even >= 430 && even <= 570, `${even} of 1000 are even`)
    })
  }

  it('rarely gives two keys one hash', () => {
    const hashes = new Set(Array.from({ length: 10_000 }, (_, index) => hashOf(`key:${index}`)))
    assert.ok(hashes.size > 9_990, `${hashes.size} of 10000 are distinct`)
  })
})
