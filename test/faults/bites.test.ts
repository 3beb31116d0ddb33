// The matrix must notice broken code: each test here puts one mistake into the code, runs a row as every change does,
// and finds it red by the verdict that the mistake breaks.

import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { NO_KEY } from '../../src/command/key-hash.js'
import { Request } from '../../src/connection/request.js'
import { Slots } from '../../src/connection/slots.js'
import { PoolCore } from '../../src/pool/core.js'
import { Dispatch } from '../../src/pool/dispatch.js'
import { Recall } from '../../src/pool/recall.js'
import { type Caller, Waiters } from '../../src/pool/waiters.js'
import { withMistake } from '../support/mistake.js'
import { liveSkip } from '../support/redis-binary.js'
import { catchUncaught } from '../support/uncaught.js'
import { ROWS } from './rows.js'
import { isGreen, type Result, runRow } from './runner.js'
import { VERDICTS, type Verdict } from './verdict.js'

const bitten = new Set<keyof Verdict>()

/** Runs a row whose code has a mistake in place of one method. */
async function mustBite<T extends object, K extends keyof T>(
  verdict: keyof Verdict,
  id: string,
  target: T,
  name: K,
  mistake: (sound: T[K]) => T[K],
): Promise<void> {
  const row = ROWS.find((each) => each.id === id)
  assert.ok(row !== undefined, `there is no row ${id}`)
  const run = (): Promise<Result> => runRow({ row, size: 'commit', seed: 1, note: () => {} })
  const result = await withMistake(target, name, mistake, run)
  assert.ok(result.outcome !== undefined, result.problems.join('\n'))
  assert.ok(result.outcome.verdict[verdict] > 0, JSON.stringify(result.outcome))
  assert.equal(isGreen(result), false)
  bitten.add(verdict)
}

describe('the matrix notices code that', { skip: liveSkip }, () => {
  after(() => assert.deepEqual([...bitten].sort(), [...VERDICTS].sort(), 'each verdict has a mistake that breaks it'))

  it('acknowledges a write whose reply was lost', () =>
    mustBite(
      'lost',
      'A1',
      Recall.prototype,
      'lost',
      (lost) =>
        function (this: Recall, entry, request, error) {
          if (request.args[0] === 'RPUSH') request.succeed(1, 3)
          return lost.call(this, entry, request, error)
        },
    ))

  it('sends a write again whose reply was lost', () =>
    mustBite(
      'duplicated',
      'A2',
      Recall.prototype,
      'lost',
      (lost) =>
        function (this: Recall, entry, request, error) {
          error.outcome = 'not-sent'
          return lost.call(this, entry, request, error)
        },
    ))

  it('calls a write not-sent whose reply was lost', () =>
    mustBite('falselyRejected', 'A2', Recall.prototype, 'lost', () => (_entry, _request, error) => {
      error.outcome = 'not-sent'
      return false
    }))

  it('takes a lost command back and forgets it', () =>
    mustBite('unsettled', 'A1', Recall.prototype, 'lost', () => () => true))

  it('loses who waits', () =>
    mustBite(
      'unsettled',
      'A1',
      Waiters.prototype,
      'takeAll',
      (takeAll) =>
        function <T extends Caller>(this: Waiters<T>) {
          takeAll.call(this)
          return []
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

  it('sends a part of a lost transaction again', () =>
    mustBite(
      'partial',
      'A11',
      PoolCore.prototype,
      'lost',
      (lost) =>
        function (this: PoolCore, entry, request, error) {
          const { args, unit } = request
          const nobody = (): void => {}
          if (unit !== undefined && args[0] === 'RPUSH') this.execute(new Request(args, NO_KEY, nobody, nobody))
          return lost.call(this, entry, request, error)
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
