// The simulation must notice broken code: each mutation here is one mistake that a pool could make, put into the code for
// a test, and the law that it breaks must be found broken within few seeds.

import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { ConnectionError } from '../../src/base/errors.js'
import { NO_KEY } from '../../src/command/key-hash.js'
import { Connection } from '../../src/connection/connection.js'
import { Request } from '../../src/connection/request.js'
import { Slots } from '../../src/connection/slots.js'
import { PoolCore } from '../../src/pool/core.js'
import { Dispatch } from '../../src/pool/dispatch.js'
import { Keeper } from '../../src/pool/keeper.js'
import { Lanes } from '../../src/pool/lanes.js'
import { Recall } from '../../src/pool/recall.js'
import { Roster } from '../../src/pool/roster.js'
import { Session } from '../../src/pool/session.js'
import { type Caller, type Waiter, Waiters } from '../../src/pool/waiters.js'
import { forgetTombstones, repeatLost, withMistake } from '../support/mistake.js'
import type { Law } from './laws.js'
import { withoutStacks } from './many.js'
import { describeFailure, type RunResult, simulate } from './simulation.js'

/** Within so many seeds each mistake must be found. */
const FEW = 60

/** Plays seeds against broken code until a law is broken. */
async function hunt(): Promise<{ readonly found: RunResult; readonly seeds: number }> {
  for (let seed = 1; seed <= FEW; seed++) {
    const found = await simulate(seed)
    if (found.violation !== undefined) return { found, seeds: seed }
  }
  return assert.fail(`nobody noticed in ${FEW} seeds`)
}

/** Puts a mistake in place of a method while `hunt` looks for it; it must break one of these laws. */
async function mustBite<T extends object, K extends keyof T>(
  test: TestContext,
  laws: readonly Law[],
  target: T,
  name: K,
  mistake: (sound: T[K]) => T[K],
): Promise<void> {
  await withMistake(target, name, mistake, async () => {
    const { found, seeds } = await withoutStacks(hunt)
    test.diagnostic(`${seeds} seeds, step ${found.violation?.step}: ${found.violation?.law}`)
    assert.ok(
      laws.some((law) => law === found.violation?.law),
      describeFailure(found),
    )
  })
}

describe('the simulation notices code that', () => {
  it('forgets the slot of a command whose caller gave up', (test) =>
    mustBite(test, ['I2', 'I3', 'sound'], Slots.prototype, 'take', forgetTombstones))

  it('hands a connection on as its lease left it', (test) =>
    mustBite(test, ['session'], Session.prototype, 'cleanup', () => () => []))

  it('sends a lost write again', (test) => mustBite(test, ['once', 'I9'], Recall.prototype, 'lost', repeatLost))

  it('forgets now and then to wake who waits', (test) => {
    let calls = 0
    return mustBite(
      test,
      ['I6'],
      Dispatch.prototype,
      'serve',
      (serve) =>
        function (this: Dispatch) {
          if (++calls % 5 > 0) serve.call(this)
        },
    )
  })

  it('dials one connection more than it may', (test) =>
    mustBite(
      test,
      ['I5'],
      PoolCore.prototype,
      'dial',
      (dial) =>
        function (this: PoolCore, count) {
          dial.call(this, count > 0 ? count + 1 : count)
        },
    ))

  it('says a last word on a connection that has ended', (test) =>
    mustBite(
      test,
      ['I11'],
      Connection.prototype,
      'destroy',
      (destroy) =>
        function (this: Connection, ...how) {
          const wasReady = this.state === 'ready'
          destroy.apply(this, how)
          if (!wasReady) return
          this.state = 'ready'
          this.send(
            new Request(
              ['PING'],
              NO_KEY,
              () => {},
              () => {},
            ),
          )
          this.flush()
          this.state = 'closed'
        },
    ))

  it('settles a call twice', (test) =>
    mustBite(
      test,
      ['I1'],
      Request.prototype,
      'succeed',
      (succeed) =>
        function (this: Request, reply, protocol) {
          const wasSent = this.state === 'sent'
          succeed.call(this, reply, protocol)
          if (!wasSent) return
          this.state = 'sent'
          succeed.call(this, reply, protocol)
        },
    ))

  it('leaves a timer behind when it ends', (test) => mustBite(test, ['I8'], Keeper.prototype, 'stop', () => () => {}))

  it('serves the newest first', (test) =>
    mustBite(
      test,
      ['I7'],
      Waiters.prototype,
      'push',
      (push) =>
        function <T extends Caller>(this: Waiters<T>, waiter: Waiter<T>) {
          const others = 'grant' in waiter.item ? this.takeAll() : []
          push.call(this, waiter)
          for (const other of others) push.call(this, other)
        },
    ))

  it('calls what was lost not-sent', (test) =>
    mustBite(
      test,
      ['I9', 'once'],
      Slots.prototype,
      'abandon',
      (abandon) =>
        function (this: Slots, lose) {
          abandon.call(this, (request) => lose(request, 'not-sent'))
        },
    ))

  it('lets commands of one key overtake each other when lanes change', (test) =>
    mustBite(test, ['order'], Lanes.prototype, 'changed', () => () => {}))

  it('never judges the deadlines of what is in flight', (test) =>
    mustBite(test, ['I12'], Slots.prototype, 'expire', () => () => {}))

  it('gives a lent connection away with its first reply', (test) =>
    mustBite(
      test,
      ['I4'],
      PoolCore.prototype,
      'freed',
      (freed) =>
        function (this: PoolCore, entry) {
          if (entry.holder !== undefined) entry.holder.kind = 'command'
          freed.call(this, entry)
        },
    ))

  it('counts one connection too few', async (test) => {
    const total = Object.getOwnPropertyDescriptor(Roster.prototype, 'total')
    const count: unknown = total?.get
    assert.ok(typeof count === 'function')
    Object.defineProperty(Roster.prototype, 'total', {
      configurable: true,
      get(this: Roster) {
        return Math.max(0, Number(count.call(this)) - 1)
      },
    })
    try {
      const { found, seeds } = await withoutStacks(hunt)
      test.diagnostic(`${seeds} seeds, step ${found.violation?.step}: ${found.violation?.law}`)
      assert.match(String(found.violation?.law), /^(I5|I10)$/)
    } finally {
      if (total !== undefined) Object.defineProperty(Roster.prototype, 'total', total)
    }
  })

  it('throws where it should not', (test) =>
    mustBite(
      test,
      ['sound'],
      Request.prototype,
      'disarm',
      (disarm) =>
        function (this: Request) {
          disarm.call(this)
          if (this.label === 'APPEND') throw new ConnectionError('a mistake', 'destroyed', 'here')
        },
    ))
})

describe('a failed run', () => {
  it('fails in the same way when its seed is given again, and says how', async () => {
    await withMistake(
      Lanes.prototype,
      'changed',
      () => () => {},
      async () => {
        const { found } = await withoutStacks(hunt)
        const again = await withoutStacks(() => simulate(found.seed))
        assert.deepEqual(again.violation, found.violation)
        assert.equal(describeFailure(again), describeFailure(found))
        assert.match(describeFailure(found), /^seed \d+, step \d+: order: commands with the same key take effect/)
        assert.match(describeFailure(found), new RegExp(`npm run simulate:soak -- --seed ${found.seed}$`))
        const short = await withoutStacks(() => simulate(found.seed, { steps: (found.violation?.step ?? 1) - 1 }))
        assert.equal(short.violation, undefined, 'the step named is the first that fails')
      },
    )
  })
})
