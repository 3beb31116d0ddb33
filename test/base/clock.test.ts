// The real clock against the wall, and deadlines that are judged after the loop has polled, in virtual time.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setDeadline, systemClock } from '../../src/base/clock.js'
import { FakeClock } from '../support/fake-clock.js'

describe('the system clock', () => {
  it('only goes forward', async () => {
    const before = systemClock.now()
    await new Promise<void>((resolve) => systemClock.setTimeout(resolve, 2))
    assert.ok(systemClock.now() - before >= 1)
  })

  it('does not fire a cancelled timer, nor one that is longer than node can keep', async () => {
    const fired: string[] = []
    systemClock.setTimeout(() => fired.push('cancelled'), 1).cancel()
    const long = systemClock.setTimeout(() => fired.push('long'), 2 ** 40)
    await new Promise<void>((resolve) => systemClock.setTimeout(resolve, 5))
    long.cancel()
    assert.deepEqual(fired, [])
  })

  it('calls back after the poll, and says when that was asked for', async () => {
    const before = systemClock.now()
    const asked = await new Promise<number>((resolve) => systemClock.afterPoll(resolve))
    assert.ok(asked >= before && asked <= systemClock.now())
  })
})

describe('a deadline', () => {
  it('runs at its time and not before', async () => {
    const clock = new FakeClock()
    let at = 0
    const start = clock.now()
    setDeadline(clock, 50, () => {
      at = clock.now() - start
    })
    await clock.advance(49)
    assert.equal(at, 0)
    await clock.advance(1)
    assert.equal(at, 50)
    assert.equal(clock.pendingTimers, 0)
  })

  it('lets everything be read first that came while the loop stood still', async () => {
    const clock = new FakeClock()
    const seen: string[] = []
    const deadline = setDeadline(clock, 50, () => seen.push('deadline'))
    await clock.stall(3_000, () => {
      seen.push('reply')
      deadline.cancel()
    })
    assert.deepEqual(seen, ['reply'])
  })

  it('is judged as of the moment before the poll, however long something else takes behind it', async () => {
    const clock = new FakeClock()
    const start = clock.now()
    let due = 0
    setDeadline(clock, 50, (now) => {
      due = now - start
    })
    await clock.stallAfterPoll(3_000)
    assert.deepEqual([due, clock.now() - start], [50, 3_050])
  })

  it('can be cancelled twice and after it ran', async () => {
    const clock = new FakeClock()
    let runs = 0
    const deadline = setDeadline(clock, 5, () => runs++)
    await clock.advance(10)
    deadline.cancel()
    deadline.cancel()
    await clock.advance(10)
    assert.equal(runs, 1)
  })
})
