// Whether the advised size is the right one: on fresh runs of random workloads it keeps the wait at the percentile below
// the target, and a smaller one does not. The queue that says so waits exactly as the real pool does.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { advise } from '../../src/pool/advise.js'
import type { Borrowing } from '../../src/pool/demand.js'
import { readLoad } from '../../src/pool/load.js'
import { World } from '../support/pool-harness.js'
import { between, seededFor } from '../support/random.js'
import { Course, Line, type Workload, workloadOf } from './workloads.js'

const WORKLOADS = 200
const PERCENTILE = 0.99
/** As many as a pool remembers. */
const MEASURED = 16_384
/** Fresh callers: in groups, until it is clear on which side of the target the percentile is, or so many were seen. */
const GROUP = 10_000
const FEWEST_GROUPS = 5
const MOST_GROUPS = 100

interface Trial {
  readonly workload: Workload
  readonly advised: number
  /** Which share waits longer than the target: with the advised size, and with a smaller one where there is one. */
  readonly longer: number
  readonly longerWithLess: number
}

/** What a pool that lends all its connections is advised after one run. */
function advisedFor(workload: Workload): number {
  const course = new Course(workload, 0)
  const record: Borrowing[] = Array.from({ length: MEASURED }, () => {
    return { kind: 'command', asked: course.next(), waited: 0, held: course.hold() } as const
  })
  const now = Math.max(...record.map(({ asked, held }) => asked + held))
  const facts = {
    load: readLoad(record, { holding: 0, waiting: 0 }, now),
    settings: { acquireTimeout: 5_000, commandTimeout: 0, pipelining: 1 },
    maxConnections: 10,
    minConnections: 0,
    lanes: 0,
    peakDemand: 0,
    fullLanes: 0,
    turnedLate: 0,
    sent: 0,
    server: { state: 'unasked', counts: undefined },
  } as const
  return advise(facts, { targetWait: workload.targetWait, percentile: PERCENTILE }).maxConnections
}

/** One smaller, or a tenth. */
function smallerThan(size: number): number {
  return Math.min(size - 1, Math.floor(size * 0.9))
}

/** The share of fresh callers that waits longer than the target. */
function shareOfLonger(workload: Workload, size: number): number {
  const course = new Course(workload, 1)
  const line = new Line(size)
  const groups: number[] = []
  while (groups.length < MOST_GROUPS && !isClear(groups)) {
    let longer = 0
    for (let count = 0; count < GROUP; count++) {
      if (line.wait(course.next(), course.hold()) > workload.targetWait) longer++
    }
    groups.push(longer / GROUP)
  }
  return mean(groups)
}

function isClear(groups: readonly number[]): boolean {
  if (groups.length < FEWEST_GROUPS) return false
  const share = mean(groups)
  const variance = groups.reduce((sum, each) => sum + (each - share) ** 2, 0) / (groups.length - 1)
  return Math.abs(share - (1 - PERCENTILE)) > 4 * Math.sqrt(variance / groups.length) + 0.0005
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length
}

function trialOf(seed: number): Trial {
  const workload = workloadOf(seed)
  const advised = advisedFor(workload)
  const less = smallerThan(advised)
  return {
    workload,
    advised,
    longer: shareOfLonger(workload, advised),
    longerWithLess: less < 1 ? 1 : shareOfLonger(workload, less),
  }
}

/** How long each of so many callers waits in a real pool, and in the line; whole milliseconds, as virtual timers have. */
async function waitsOf(seed: number, pipelining: number): Promise<{ real: number[]; line: number[] }> {
  const random = seededFor(seed, 2)
  const workload = workloadOf(seed)
  const lent = Math.max(1, Math.round((workload.meanHold / workload.meanPause) * (0.7 + random())))
  const maxConnections = pipelining === 1 ? lent : lent + 1
  const world = new World({ maxConnections, minConnections: maxConnections, pipelining, acquireTimeout: 10_000_000 })
  await world.warm()
  await world.run(100)
  const course = new Course(workload, 0)
  const queue = new Line(lent)
  const real: number[] = []
  const line: number[] = []
  let served = 0
  const warmed = world.clock.now()
  for (let index = 0; index < 300; index++) {
    const asked = warmed + Math.round(course.next())
    const hold = between(random, 1, 3) + Math.round(course.hold())
    await world.run(asked - world.clock.now())
    line.push(queue.wait(asked, hold))
    world.pool.acquire().then((lease) => {
      real[index] = world.clock.now() - asked
      served++
      world.clock.setTimeout(() => lease.release(), hold)
    }, assert.ifError)
  }
  while (served < line.length) await world.run(1_000)
  world.pool.destroy('destroyed')
  await world.assertNothingLeft()
  return { real, line }
}

describe('the queue of the simulation', () => {
  it('has the same waits as a real pool, to the millisecond, whether it shares or not', async () => {
    let waited = 0
    for (let seed = 1; seed <= 20; seed++) {
      for (const pipelining of [1, 1_000]) {
        const { real, line } = await waitsOf(seed, pipelining)
        assert.deepEqual(real, line, `workload ${seed}`)
        waited += line.filter((wait) => wait > 0).length
      }
    }
    assert.ok(waited > 1_000, `only ${waited} callers waited`)
  })
})

describe('the advised size', () => {
  it('is enough on fresh runs of 200 random workloads, and a smaller one is not, in 95 % of them', (test) => {
    const trials = Array.from({ length: WORKLOADS }, (_, index) => trialOf(index + 1))
    const tooSmall = trials.filter(({ longer }) => longer > 1 - PERCENTILE)
    const tooLarge = trials.filter(({ longerWithLess }) => longerWithLess <= 1 - PERCENTILE)
    const right = WORKLOADS - tooSmall.length - tooLarge.length
    for (const { workload, advised, longer, longerWithLess } of [...tooSmall, ...tooLarge]) {
      const { seed, arrivals, holds, meanHold, meanPause, targetWait } = workload
      test.diagnostic(
        `workload ${seed}: ${arrivals}, ${holds}, ${(meanHold / meanPause).toFixed(2)} held, ${targetWait} of ${meanHold.toFixed(1)} ms: advised ${advised}, longer ${longer.toFixed(4)}, with less ${longerWithLess.toFixed(4)}`,
      )
    }
    test.diagnostic(`${right} of ${WORKLOADS} right; ${tooSmall.length} too small, ${tooLarge.length} too large`)
    assert.ok(right >= WORKLOADS * 0.95, `${right} of ${WORKLOADS}`)
  })
})
