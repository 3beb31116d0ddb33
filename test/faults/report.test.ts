// Holds docs/reliability.md to the matrix: it names every row, and what it promises is backed by rows that exist.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Contender } from './comparison.js'
import { backedPromises, pageOf } from './page.js'
import { PROMISES } from './promises.js'
import { documentOf, machine } from './report.js'
import type { Row } from './row.js'
import { ROWS } from './rows.js'
import type { Result } from './runner.js'
import { CLEAN } from './verdict.js'

const page = readFileSync(join(findRoot(import.meta.dirname), 'docs/reliability.md'), 'utf8')
const ids = new Set(ROWS.map(({ id }) => id))

describe('the page on reliability', () => {
  it('names every row of the matrix, and no other', () => {
    const named = [...page.matchAll(/^\| ([A-Z]\d+) \|/gm)].map(([, id]) => id)
    assert.deepEqual(named, [...ids])
    for (const { fault, injection } of ROWS) assert.ok(page.includes(`| ${fault} | ${injection} |`), fault)
  })

  it('makes the promises that rows stand behind', () => {
    for (const { title, text, rows } of backedPromises(ROWS)) {
      assert.ok(page.includes(`- **${title}.** ${text} (`), title)
      for (const id of rows) assert.ok(page.includes(`[${id}](#the-matrix)`), id)
    }
  })
})

describe('the matrix', () => {
  it('has rows with names of their own', () => assert.equal(ids.size, ROWS.length))

  it('backs every promise with rows that exist', () => {
    const missing = PROMISES.flatMap(({ rows }) => rows).filter((id) => !ids.has(id))
    assert.deepEqual(missing, [])
  })
})

describe('a page of a run', () => {
  const rows: Row[] = ['Y1', 'Y2'].map((id) => ({
    id,
    fault: `Fault | ${id}`,
    injection: `how ${id}`,
    expected: `what ${id}`,
    tiers: [id === 'Y1' ? 'commit' : 'soak'],
    run: () => Promise.reject(new Error('not to be run')),
  }))
  const results: Result[] = rows.slice(0, 1).map((row) => ({
    row,
    size: 'nightly',
    seed: 4711,
    took: 10,
    outcome: {
      operations: 12_345,
      faults: 67,
      verdict: CLEAN,
      recovery: [1.5],
      checks: [{ what: 'pings', value: 3, is: 'at most', limit: 4 }],
    },
    problems: [],
    log: [],
    hangs: false,
  }))
  const contenders: Contender[] = ['one', 'two'].map((name) => ({
    name,
    operations: 1_001,
    resets: 2,
    verdict: { ...CLEAN, duplicated: 3 },
    errors: 4,
    untyped: 1,
    recoveryP99: 5,
  }))
  const text = pageOf({ rows, results, contenders, machine: machine(), seed: 4711, date: '2026-01-31' })

  it('has the figures of its rows next to their limits, and says which did not run', () => {
    assert.match(
      text,
      /^\| Y1 \| Fault \\\| Y1 \| how Y1 \| what Y1 \| full \| 12,345 \| 67 \| 0 \| 1\.50 ms \| pings: 3 \(at most 4\) \|$/m,
    )
    assert.match(text, /^\| Y2 \| .* \| not in this run \(soak\) \| – \|/m)
  })

  it('has the clients side by side', () => {
    assert.match(text, /^\| two \| 1,001 \| 2 \| 0 \| 3 \| 0 \| 0 \| 4 \| 3 \| 5 ms \|$/m)
  })

  it('says on what it ran, when, and with which seed', () => {
    assert.match(
      text,
      /12,345 calls and 67 faults on 2026-01-31, with respool \d.*Node\.js \d.*cores, seed 4711\. All rows together: crossed 0 ·/,
    )
  })

  it('makes no promise without a row', () => assert.doesNotMatch(text, /^- \*\*A reply goes/m))

  it('leaves nothing undefined, nor does the document for programs', () => {
    const document = JSON.stringify(documentOf({ tier: 'nightly', seed: 1, results, contenders }))
    for (const output of [text, document]) assert.doesNotMatch(output, /undefined|NaN|\[object/)
    assert.match(document, /"green":true/)
  })
})

/** Up from the compiled test to the folder that holds the sources. */
function findRoot(from: string): string {
  return existsSync(join(from, 'tsconfig.json')) ? from : findRoot(join(from, '..'))
}
