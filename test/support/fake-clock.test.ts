// Virtual time itself: in which order things happen in it.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setDeadline } from '../../src/base/clock.js'
import { FakeClock } from './fake-clock.js'

describe('FakeClock', () => {
  it('runs timers in the order of their moments, each at its moment', async () => {
    const clock = new FakeClock(0)
    const seen: [string, number][] = []
    const note = (name: string) => () => seen.push([name, clock.now()])
    clock.setTimeout(note('c'), 30)
    clock.setTimeout(note('a'), 10)
    clock.setTimeout(note('b'), 10)
    clock.setTimeout(note('d'), 31)
    await clock.advance(30)
    assert.deepEqual(seen, [
      ['a', 10],
      ['b', 10],
      ['c', 30],
    ])
    assert.equal(clock.pendingTimers, 1)
    assert.equal(clock.nextTimer, 1)
  })

  it('lets promises and afterPoll settle before time goes on', async () => {
    const clock = new FakeClock(0)
    const seen: string[] = []
    clock.setTimeout(async () => {
      await null
      seen.push(`promise at ${clock.now()}`)
      clock.afterPoll(() => seen.push(`poll at ${clock.now()}`))
    }, 5)
    clock.setTimeout(() => seen.push(`timer at ${clock.now()}`), 6)
    await clock.advance(10)
    assert.deepEqual(seen, ['promise at 5', 'poll at 5', 'timer at 6'])
  })

  it('runs timers that timers set, and forgets cancelled ones', async () => {
    const clock = new FakeClock(0)
    let ticks = 0
    const again = () => {
      ticks++
      clock.setTimeout(again, 10)
    }
    clock.setTimeout(again, 10)
    clock.setTimeout(() => assert.fail('it was cancelled'), 15, true).cancel()
    await clock.advance(100)
    assert.equal(ticks, 10)
    assert.equal(clock.pendingTimers, 1)
    assert.equal(await clock.advanceToNext(), true)
    assert.deepEqual([ticks, clock.now()], [11, 110])
  })

  it('counts timers in the background apart', () => {
    const clock = new FakeClock()
    clock.setTimeout(() => {}, 10, true)
    clock.setTimeout(() => {}, 10)
    assert.deepEqual([clock.pendingTimers, clock.foregroundTimers], [2, 1])
  })

  it('delivers what arrived during a stall before a deadline is judged', async () => {
    const clock = new FakeClock()
    let late = false
    const deadline = setDeadline(clock, 100, () => {
      late = true
    })
    await clock.stall(1_000, () => deadline.cancel())
    assert.equal(late, false)
    setDeadline(clock, 100, () => {
      late = true
    })
    await clock.stall(1_000)
    assert.equal(late, true)
  })
})
