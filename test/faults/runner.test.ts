// Shows that a row is red when it has to be: a verdict, a missed figure, an error, a leak, a stray error, no end.

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { resultLines, summary, troubleLines } from './print.js'
import { type Outcome, passes, type Row } from './row.js'
import { isGreen, type Result, runRow } from './runner.js'
import { CLEAN } from './verdict.js'

const OUTCOME: Outcome = {
  operations: 12_345,
  faults: 7,
  verdict: CLEAN,
  recovery: [1, 2, 3],
  checks: [{ what: 'recovery, p99', value: 3, is: 'at most', limit: 50, unit: 'ms' }],
}
const SCREEN = { columns: 100, colour: false }

function rowOf(run: Row['run']): Row {
  const words = { fault: 'Nothing is wrong', injection: 'nobody does anything', expected: 'nothing happens' }
  return { id: 'Z1', ...words, tiers: ['commit'], run }
}

function result(run: Row['run'], limit = 5_000): Promise<Result> {
  return runRow({ row: rowOf(run), size: 'commit', seed: 42, note: () => {}, limit })
}

describe('a row', () => {
  it('is green when its verdict is clean, its figures hold and nothing is left', async () => {
    const found = await result(async () => OUTCOME)
    assert.deepEqual(found.problems, [])
    assert.ok(isGreen(found))
    assert.deepEqual(troubleLines(SCREEN, found), [])
  })

  it('is given the size, the seed and a scale', async () => {
    const found = await result(async ({ tier, seed, scale }) => {
      assert.equal(tier, 'commit')
      return { ...OUTCOME, operations: seed, faults: scale(5, 9) }
    })
    assert.deepEqual([found.outcome?.operations, found.outcome?.faults], [42, 5])
  })

  const red: Readonly<Record<string, { run: Row['run']; says: RegExp }>> = {
    'its verdict is not clean': {
      run: async () => ({ ...OUTCOME, verdict: { ...CLEAN, lost: 1 }, examples: ['lost: call 3'] }),
      says: /lost: call 3/,
    },
    'a figure is missed': {
      run: async () => ({ ...OUTCOME, checks: [{ what: 'kills', value: 49, is: 'at least', limit: 50 }] }),
      says: /seed 42/,
    },
    'it fails': { run: () => Promise.reject(new Error('no server')), says: /no server/ },
    'it leaves a server open': {
      run: async () => {
        leftOpen.listen(0, '127.0.0.1')
        return OUTCOME
      },
      says: /something was left behind/,
    },
    'it leaves a timer': {
      run: async () => {
        timer = setTimeout(() => {}, 60_000)
        return OUTCOME
      },
      says: /a timer set/,
    },
  }
  const leftOpen = createServer()
  let timer: NodeJS.Timeout | undefined
  for (const [when, { run, says }] of Object.entries(red)) {
    it(`is red when ${when}, and says how to see it again`, async () => {
      const found = await result(run)
      leftOpen.close()
      clearTimeout(timer)
      assert.ok(!isGreen(found))
      const text = troubleLines(SCREEN, found).join('\n')
      assert.match(text, says)
      assert.match(text, /npm run faults -- --tier commit --row Z1 --seed 42/)
      assert.match(summary(SCREEN, [found], 1), /0 green, 1 red \(Z1\)/)
    })
  }

  it('is red when a rejection reaches nobody', async () => {
    // The test runner has ears of its own for these.
    const others = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    const found = await result(async () => {
      void Promise.reject(new Error('stray rejection'))
      return OUTCOME
    })
    for (const other of others) process.on('unhandledRejection', other)
    assert.ok(!isGreen(found))
    assert.equal(found.outcome?.verdict.uncaught, 1)
    assert.match(troubleLines(SCREEN, found).join(), /uncaught: Error: stray rejection/)
  })

  it('is red when it does not end, with the last words of its proxy', async () => {
    const log = Array.from({ length: 50 }, (_, index) => `decision ${index}`)
    const found = await result(({ trace }) => {
      trace(log)
      return new Promise(() => {})
    }, 20)
    assert.ok(found.hangs && !isGreen(found))
    const text = troubleLines(SCREEN, found).join('\n')
    assert.match(text, /had not ended after 0\.02 s/)
    assert.match(text, /decision 49/)
    assert.doesNotMatch(text, /decision 29\b/)
  })

  it('shows its figures next to their limits, on wide and on narrow screens', async () => {
    const found = await result(async () => OUTCOME)
    for (const columns of [100, 80, 60, 30]) {
      const lines = resultLines({ columns, colour: false }, found)
      for (const line of lines) assert.ok(line.length <= columns, `${line.length} > ${columns}: ${line}`)
      const text = lines.join(' ').replace(/\s+/g, ' ')
      for (const part of ['Z1', 'Nothing is wrong', '12,345', 'crossed 0', 'recovery, p99: 3 ms (at most 50 ms)'])
        assert.ok(text.includes(part), `${columns}: no '${part}' in ${text}`)
    }
  })
})

describe('a figure', () => {
  it('holds or not', () => {
    const check = (is: 'at most' | 'at least' | 'exactly', value: number) => passes({ what: '', is, value, limit: 5 })
    assert.deepEqual(
      [4, 5, 6].map((value) => check('at most', value)),
      [true, true, false],
    )
    assert.deepEqual(
      [4, 5, 6].map((value) => check('at least', value)),
      [false, true, true],
    )
    assert.deepEqual(
      [4, 5, 6].map((value) => check('exactly', value)),
      [false, true, false],
    )
    assert.ok(!check('at most', Number.NaN) && !check('at least', Number.NaN))
  })
})
