// The pool with its real connections and codec in a simulated world: the first quarter of the seeds of every test run, and
// the proof that they go where something can break, and that each gives the same run again.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { breakNoLaw, HURT } from './many.js'
import { simulate } from './simulation.js'

const ENDS = [...HURT, 'dirty', 'idle', 'lifetime', 'surplus', 'retired', 'refused', 'aborted']

describe('a simulated pool', () => {
  it('breaks no law in the first five hundred runs, which meet every way for a connection to end', async () => {
    const ends = new Map<string, number>()
    const sums = { commands: 0, answered: 0, retried: 0, leaksReported: 0, turnedAway: 0, timedOut: 0 }
    await breakNoLaw(1, 500, ({ counters, commands, answered }) => {
      for (const [reason, count] of Object.entries(counters.closed)) ends.set(reason, (ends.get(reason) ?? 0) + count)
      sums.commands += commands
      sums.answered += answered
      sums.retried += counters.retried
      sums.leaksReported += counters.leaksReported
      sums.turnedAway += counters.turnedAway
      sums.timedOut += counters.timedOut
    })
    const rare = ENDS.filter((reason) => (ends.get(reason) ?? 0) < 5)
    assert.deepEqual(rare, [], 'connections ended so less than five times')
    for (const [what, count] of Object.entries(sums)) assert.ok(count > 300, `${what}: ${count}`)
    const share = sums.answered / sums.commands
    assert.ok(share > 0.3 && share < 0.9, `${share} of the commands were answered: neither all is well nor all is lost`)
  })

  it('does the same again, to the last event, when its seed is given again', async () => {
    const digests = new Set<string>()
    for (let seed = 1; seed <= 25; seed++) {
      const first = await simulate(seed, { digest: true })
      const second = await simulate(seed, { digest: true })
      assert.equal(second.trace.digest(), first.trace.digest(), `seed ${seed}`)
      assert.deepEqual(second.applied, first.applied)
      digests.add(first.trace.digest())
    }
    assert.equal(digests.size, 25, 'every seed is a run of its own')
  })
})
