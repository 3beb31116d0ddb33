// The matrix must notice broken code: each test here puts one mistake into the code, runs a small part of a row, and
// finds it red by the verdict that the mistake breaks.

import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { systemClock } from '../../src/base/clock.js'
import { NO_KEY } from '../../src/command/key-hash.js'
import { Request } from '../../src/connection/request.js'
import { Slots } from '../../src/connection/slots.js'
import { PoolCore } from '../../src/pool/core.js'
import { Dispatch } from '../../src/pool/dispatch.js'
import { Recall } from '../../src/pool/recall.js'
import { type Caller, Waiters } from '../../src/pool/waiters.js'
import { forgetTombstones, repeatLost, withMistake } from '../support/mistake.js'
import { liveSkip } from '../support/redis-binary.js'
import { catchUncaught } from '../support/uncaught.js'
import { type Outcome, passes, type Row } from './row.js'
import { ROWS } from './rows.js'
import { isGreen, type Result, runRow } from './runner.js'
import { isClean, VERDICTS, type Verdict } from './verdict.js'

/** Of what a row does at commit size, this much has to be enough. */
const SHARE = 1 / 3
const bitten = new Set<keyof Verdict>()

/** Runs a small part of a row whose code has a mistake in place of one method; it must be red. */
async function runWith<T extends object, K extends keyof T>(
  id: string,
  target: T,
  name: K,
  mistake: (sound: T[K]) => T[K],
): Promise<Outcome> {
  const row = ROWS.find((each) => each.id === id)
  assert.ok(row !== undefined, `there is no row ${id}`)
  const part: Row = { ...row, run: (context) => row.run({ ...context, scale: (commit) => Math.ceil(commit * SHARE) }) }
  const run = (): Promise<Result> => runRow({ row: part, size: 'commit', seed: 1, note: () => {} })
  const result = await withMistake(target, name, mistake, run)
  assert.ok(result.outcome !== undefined, result.problems.join('\n'))
  assert.equal(isGreen(result), false, JSON.stringify(result.outcome))
  return result.outcome
}

/** The mistake breaks this promise and no other. */
async function mustBite<T extends object, K extends keyof T>(
  verdict: keyof Verdict,
  id: string,
  target: T,
  name: K,
  mistake: (sound: T[K]) => T[K],
): Promise<void> {
  const outcome = await runWith(id, target, name, mistake)
  const broken = VERDICTS.filter((each) => outcome.verdict[each] > 0)
  assert.ok(broken.includes(verdict), JSON.stringify(outcome))
  // The reply to another call may say anything of this one: that it was refused, or what was true before.
  // Who is never told is missing from the books too.
  const expected = verdict === 'unsettled' ? [verdict, 'unbalanced'] : [verdict]
  if (verdict !== 'crossed') assert.deepEqual(broken, expected, JSON.stringify(outcome))
  bitten.add(verdict)
}

/** The mistake breaks no promise to a caller, and is seen by this figure. */
async function mustMiss<T extends object, K extends keyof T>(
  figure: string,
  id: string,
  target: T,
  name: K,
  mistake: (sound: T[K]) => T[K],
): Promise<void> {
  const outcome = await runWith(id, target, name, mistake)
  const missed = outcome.checks.filter((check) => !passes(check)).map(({ what }) => what)
  assert.ok(isClean(outcome.verdict) && missed.includes(figure), JSON.stringify(outcome))
}

describe('the matrix notices code that', { skip: liveSkip }, () => {
  after(() => assert.deepEqual([...bitten].sort(), [...VERDICTS].sort(), 'each verdict has a mistake that breaks it'))

  it('forgets the slot of a command whose caller gave up', () =>
    mustBite('crossed', 'B5', Slots.prototype, 'take', forgetTombstones))

  it('acknowledges now and then a write that it does not send', () => {
    let writes = 0
    return mustBite(
      'lost',
      'A1',
      Dispatch.prototype,
      'execute',
      (execute) =>
        function (this: Dispatch, request) {
          if (request.args[0] === 'RPUSH' && ++writes % 20 === 0)
            request.succeed(1, { protocol: 3, readAt: 0, writtenAt: 0 })
          else execute.call(this, request)
        },
    )
  })

  it('sends a write again whose reply was lost', () =>
    mustBite('duplicated', 'A2', Recall.prototype, 'lost', repeatLost))

  it('calls a write not-sent whose reply was lost', () =>
    mustBite('falselyRejected', 'A2', Recall.prototype, 'lost', () => (_entry, _request, error) => {
      error.outcome = 'not-sent'
      return false
    }))

  it('takes a lost command back and forgets it', () =>
    mustBite(
      'unsettled',
      'A1',
      Recall.prototype,
      'lost',
      (lost) =>
        function (this: Recall, entry, request, error) {
          return request.args[0] === 'RPUSH' || lost.call(this, entry, request, error)
        },
    ))

  it('loses who waits', () =>
    mustBite(
      'unsettled',
      'A1',
      Waiters.prototype,
      'takeAll',
      (takeAll) =>
        function <T extends Caller>(this: Waiters<T>) {
          return takeAll.call(this).filter(({ item }) => item.label !== 'RPUSH')
        },
    ))

  it('lets commands of one key overtake each other when lanes change', () =>
    mustBite(
      'disordered',
      'A1',
      Dispatch.prototype,
      'takeCommands',
      (takeCommands) =>
        function (this: Dispatch) {
          return takeCommands.call(this).reverse()
        },
    ))

  it('sends a part of a lost transaction again, and not the rest', () =>
    mustBite(
      'partial',
      'A11',
      PoolCore.prototype,
      'lost',
      (lost) =>
        function (this: PoolCore, entry, request, error) {
          const { args, unit } = request
          const nobody = (): void => {}
          const isShared = unit !== undefined && entry.holder === undefined
          if (isShared && args[0] === 'INCR') this.execute(new Request(args, NO_KEY, nobody, nobody))
          return lost.call(this, entry, request, error)
        },
    ))

  it('counts a call twice that was sent twice', () =>
    mustBite(
      'unbalanced',
      'A1',
      Recall.prototype,
      'lost',
      (lost) =>
        function (this: Recall, entry, request, error) {
          const isTaken = lost.call(this, entry, request, error)
          if (isTaken && request.tally !== undefined) request.tally.calls++
          return isTaken
        },
    ))

  it('throws an error at nobody', async () => {
    const uncaught = catchUncaught()
    const throwing = (abandon: Slots['abandon']) =>
      function (this: Slots, ...how: Parameters<Slots['abandon']>) {
        abandon.apply(this, how)
        setImmediate(() => {
          throw new Error('a mistake')
        })
      }
    await mustBite('uncaught', 'A1', Slots.prototype, 'abandon', throwing).finally(() => uncaught.end())
  })
})

describe('a figure of the matrix notices code that', { skip: liveSkip }, () => {
  it('sends on what is late', () =>
    mustMiss(
      'the last command written behind one that is late',
      'B5',
      Dispatch.prototype,
      'turnedLate',
      () => () => {},
    ))

  it('leaves a listener on a signal', () =>
    mustMiss('listeners left on signals', 'B6', Request.prototype, 'disarm', () => () => {}))

  it('judges deadlines before it has read what has come', () =>
    mustMiss(
      'calls that failed while our own loop blocked',
      'B10',
      systemClock,
      'afterPoll',
      () => (judge) => judge(performance.now()),
    ))
})
