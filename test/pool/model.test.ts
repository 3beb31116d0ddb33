// The pool against the model of model.ts: it keeps its promises, and three broken variants of it do not.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Roster } from '../../src/pool/roster.js'
import { type Caller, type Waiter, Waiters } from '../../src/pool/waiters.js'
import { poolProperty } from './model.js'

const holds = poolProperty()

describe('a pool in the hands of any program', () => {
  it('keeps its promises after each step and leaves nothing behind', async () => {
    await fc.assert(holds, { numRuns: 250, includeErrorInReport: true })
  })
})

/** The complaint of the property about a broken variant. */
async function complaint(): Promise<string> {
  const { failed, errorInstance } = await fc.check(holds, { numRuns: 300, seed: 7, endOnFailure: true })
  assert.ok(failed, 'nobody noticed')
  return String(errorInstance)
}

describe('the model bites', () => {
  it('when the newest caller is served first', async () => {
    const push = Waiters.prototype.push
    Waiters.prototype.push = function <T extends Caller>(this: Waiters<T>, waiter: Waiter<T>): void {
      const others = this.takeAll()
      push.call(this, waiter)
      for (const other of others) push.call(this, other)
    }
    try {
      assert.match(await complaint(), /out of turn/)
    } finally {
      Waiters.prototype.push = push
    }
  })

  it('when the pool counts one connection too few', async () => {
    const total = Object.getOwnPropertyDescriptor(Roster.prototype, 'total')
    assert.ok(total?.get !== undefined)
    const count: () => number = total.get
    Object.defineProperty(Roster.prototype, 'total', {
      ...total,
      get(this: Roster) {
        return Math.max(0, count.call(this) - 1)
      },
    })
    try {
      assert.match(await complaint(), /no dial above the limit|every open transport|live/)
    } finally {
      Object.defineProperty(Roster.prototype, 'total', total)
    }
  })

  it('when a connection that came back is forgotten', async () => {
    const newestIdle = Roster.prototype.newestIdle
    let asked = 0
    Roster.prototype.newestIdle = function (this: Roster) {
      return ++asked % 3 === 0 ? undefined : newestIdle.call(this)
    }
    try {
      assert.match(await complaint(), /nobody waits for what is free|unsettled|waiting|out of turn/)
    } finally {
      Roster.prototype.newestIdle = newestIdle
    }
  })
})
