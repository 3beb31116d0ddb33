// Keeps docs/sizing.md true: its tables are what the code calculates, and its example is what the code says.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Advice } from '../../src/pool/advice.js'
import { advise } from '../../src/pool/advise.js'
import type { Borrowing } from '../../src/pool/demand.js'
import { readLoad } from '../../src/pool/load.js'
import { seeded } from '../support/random.js'

const PAGE = readFileSync(join(findRoot(import.meta.dirname), 'docs/sizing.md'), 'utf8')

interface Load {
  readonly perSecond: number
  readonly hold: number
  readonly targetWait: number
  readonly isConstant?: boolean
}

/** Callers who come independently of one another, and hold for that long, on average or always. */
function adviceFor({ perSecond, hold, targetWait, isConstant = false }: Load): Advice {
  const random = seeded(1)
  const exponential = (mean: number): number => -Math.log(1 - random()) * mean
  let asked = 0
  const record: Borrowing[] = Array.from({ length: 16_384 }, () => {
    asked += exponential(1_000 / perSecond)
    return { kind: 'lease', asked, waited: 0, held: isConstant ? hold : exponential(hold) }
  })
  const facts = {
    load: readLoad(record, { holding: 0, waiting: 0 }, asked + hold),
    settings: { acquireTimeout: 5_000, commandTimeout: 0, pipelining: 1_000 },
    maxConnections: 10,
    minConnections: 0,
    lanes: 1,
    peakDemand: 0,
    fullLanes: 0,
    turnedLate: 0,
    sent: 100,
    server: { state: 'unasked', counts: undefined },
  } as const
  return advise(facts, { targetWait, percentile: 0.99 })
}

describe('the page on sizing', () => {
  it('has the advised sizes that the code calculates', () => {
    const rows = [10, 40, 120, 400, 800].map((perSecond) => {
      const size = (targetWait: number, isConstant = false): number =>
        adviceFor({ perSecond, hold: 50, targetWait, isConstant }).maxConnections
      return `| ${perSecond} | ${perSecond * 0.05} | ${size(5)} | ${size(50)} | ${size(5, true)} |`
    })
    assert.equal(partOf('sizes'), rows.join('\n'))
  })

  it('has a rule of thumb that is never too small for these, nor much too large', () => {
    assert.match(PAGE, /Add three times its square root, and three at least; round up; add one for commands\./)
    for (const [held, advised] of [...partOf('sizes').matchAll(/^\| \d+ \| ([\d.]+) \| (\d+) \|/gm)].map((row) =>
      row.slice(1).map(Number),
    )) {
      const guess = Math.ceil((held ?? 0) + Math.max(3, 3 * Math.sqrt(held ?? 0))) + 1
      assert.ok(guess >= (advised ?? 0) && guess <= (advised ?? 0) * 1.15, `${held}: ${guess} and ${advised}`)
    }
  })

  it('has the forecast and the words of its example', () => {
    const { because, evidence, wouldChange } = adviceFor({ perSecond: 120, hold: 50, targetWait: 5 })
    const rows = evidence.sizes.map(({ maxConnections, wait, longer }) => {
      return `| ${maxConnections} | ${wait?.toFixed(1)} ms | ${(longer * 100).toFixed(2)} % |`
    })
    assert.equal(partOf('forecast'), rows.join('\n'))
    assert.equal(partOf('words'), ['```text', because, ...wouldChange, '```'].join('\n'))
  })
})

/** What stands behind a mark: below the head of a table, or the whole block. */
function partOf(name: string): string {
  const [, after = ''] = PAGE.split(`<!-- sizing:${name} -->\n\n`)
  const [block = ''] = after.split('\n\n')
  return block.startsWith('|') ? block.split('\n').slice(2).join('\n') : block
}

/** Up from the compiled test to the folder that holds the sources. */
function findRoot(from: string): string {
  return existsSync(join(from, 'tsconfig.json')) ? from : findRoot(join(from, '..'))
}
