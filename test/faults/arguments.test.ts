// Shows what may be typed after `npm run faults --`, and that what is wrong is told in a sentence.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readArguments } from './arguments.js'
import type { Row, Tier } from './row.js'

const row = (id: string, ...tiers: Tier[]): Row => ({
  id,
  fault: id,
  injection: id,
  expected: id,
  tiers,
  run: () => Promise.reject(new Error('not to be run')),
})
const ROWS = [row('A1', 'commit', 'nightly'), row('A2', 'commit'), row('B1', 'nightly'), row('G2', 'soak')]

function chosen(...words: string[]): string[] {
  const wanted = readArguments(words, ROWS)
  assert.ok(wanted.kind === 'run', JSON.stringify(wanted))
  return wanted.chosen.map(({ row: { id }, size }) => `${id} ${size}`)
}

describe('the words after npm run faults', () => {
  it('choose the rows of a tier; the night runs all but the soak, at full size where there is one', () => {
    assert.deepEqual(chosen(), ['A1 commit', 'A2 commit'])
    assert.deepEqual(chosen('--tier', 'nightly'), ['A1 nightly', 'A2 commit', 'B1 nightly'])
    assert.deepEqual(chosen('--tier=soak'), ['G2 soak'])
  })

  it('choose single rows, in the order of the matrix', () => {
    assert.deepEqual(chosen('--row', 'a2,A1'), ['A1 commit', 'A2 commit'])
    assert.deepEqual(chosen('--row', 'A2', '--row', 'A1', '--row', 'A1'), ['A1 commit', 'A2 commit'])
  })

  it('set a seed, or get one', () => {
    const [first, second] = [readArguments(['--seed', '7'], ROWS), readArguments([], ROWS)]
    assert.ok(first.kind === 'run' && first.seed === 7)
    assert.ok(second.kind === 'run' && Number.isInteger(second.seed))
  })

  it('say how long a soak lasts', () => {
    const [usual, short] = [
      readArguments(['--tier', 'soak'], ROWS),
      readArguments(['--tier=soak', '--minutes=3'], ROWS),
    ]
    assert.ok(usual.kind === 'run' && usual.minutes === 30)
    assert.ok(short.kind === 'run' && short.minutes === 3)
  })

  it('ask for help, JSON and the page', () => {
    assert.equal(readArguments(['--help'], ROWS).kind, 'help')
    const wanted = readArguments(['--json', '--write', '--tier', 'nightly'], ROWS)
    assert.ok(wanted.kind === 'run' && wanted.json && wanted.write)
  })

  const wrong: Readonly<Record<string, RegExp>> = {
    '--rows A1': /unknown option '--rows'; there are --tier, --row/,
    A1: /unexpected 'A1'; rows are chosen with --row/,
    '--row Z9': /no row 'Z9'; there are A1, A2, B1, G2/,
    '--row B1': /row B1 is for --tier nightly/,
    '--row': /--row needs a value/,
    '--tier weekly': /no tier 'weekly'; there are commit, nightly, soak/,
    '--tier soak --minutes 0': /--minutes takes a whole number from 1 to/,
    '--minutes 3': /--minutes is for --tier soak/,
    '--seed x': /--seed takes a whole number/,
    '--json=1': /--json takes no value/,
    '--write --tier soak': /--write needs all rows/,
    '--write --tier nightly --row A1': /--write needs all rows/,
  }
  for (const [words, says] of Object.entries(wrong)) {
    it(`say what is wrong with '${words}'`, () => {
      const wanted = readArguments(words.split(' '), ROWS)
      assert.ok(wanted.kind === 'wrong', JSON.stringify(wanted))
      assert.match(wanted.complaint, says)
    })
  }
})
