// Shows on a real server that a workload finds nothing wrong with a client that keeps its promises, and finds out one
// that breaks them: each of the clients below tells one lie.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { recovery } from './recovery.js'
import { respool, type Subject } from './subject.js'
import { CLEAN, type Verdict } from './verdict.js'
import { type Report, startWorkload } from './workload.js'

const DEADLINE = 500
const OPERATIONS = 4_000
/** Every so many calls of its kind, a lie. */
const EVERY = 50

class Lie extends Error {}

describe('a workload', { skip: liveSkip }, () => {
  let server: RedisProcess
  let honest: Subject
  let chapter = 0

  before(async () => {
    server = await RedisProcess.start()
    honest = respool(server.url, { commandTimeout: DEADLINE })
  })
  after(async () => {
    await honest.close()
    await server.stop()
  })

  const run = (change: Partial<Subject> = {}, seed = 1): Promise<Report> => {
    const plan = { operations: OPERATIONS, seed, deadline: DEADLINE, prefix: `chapter${++chapter}` }
    return startWorkload({ ...honest, ...change }, server.port, plan).report
  }
  /** Every so often `lie` instead of the call itself. */
  const sometimes = <A extends unknown[]>(call: (...args: A) => Promise<unknown>, lie: typeof call): typeof call => {
    let calls = 0
    return (...args) => (++calls % EVERY === 0 ? lie(...args) : call(...args))
  }

  it('finds nothing wrong with a client that keeps its promises', async () => {
    const { verdict, operations, history, examples } = await run()
    assert.deepEqual([verdict, examples], [CLEAN, []])
    assert.ok(operations >= OPERATIONS)
    assert.equal(history.succeeded, operations)
    const kinds = new Set(history.entries.map(({ kind }) => kind))
    assert.deepEqual([...kinds].sort(), ['echo', 'get', 'incr', 'push', 'set', 'transaction'])
  })

  it('makes the same calls for the same seed', async () => {
    const calls = async (seed: number) => {
      const { history } = await run({}, seed)
      return history.entries
        .filter(({ caller }) => caller === 3)
        .map(({ kind, key }) => `${kind} ${key.replace(/^\w+/, '')}`)
    }
    const [first, again, other] = [await calls(1), await calls(1), await calls(2)]
    const common = Math.min(first.length, again.length)
    assert.deepEqual(first.slice(0, common), again.slice(0, common))
    assert.notDeepEqual(first.slice(0, 50), other.slice(0, 50))
  })

  const lies: Readonly<Record<string, { verdict: keyof Verdict; change: () => Partial<Subject> }>> = {
    'hands a reply to the wrong caller': {
      verdict: 'crossed',
      change: () => ({ echo: sometimes(honest.echo, () => honest.echo('another')) }),
    },
    'acknowledges a write that it dropped': {
      verdict: 'lost',
      change: () => ({ transaction: sometimes(honest.transaction, async () => [1, 101_000_000_001, 'OK']) }),
    },
    'sends a write again that had been applied': {
      verdict: 'duplicated',
      change: () => ({
        rpush: sometimes(honest.rpush, async (key, value) => {
          await honest.rpush(key, value)
          return honest.rpush(key, value)
        }),
      }),
    },
    'calls a write not sent that it sent': {
      verdict: 'falselyRejected',
      change: () => ({
        rpush: sometimes(honest.rpush, async (key, value) => {
          await honest.rpush(key, value)
          throw new Lie('not sent')
        }),
        outcomeOf: (error) => (error instanceof Lie ? 'not-sent' : honest.outcomeOf(error)),
      }),
    },
    'never settles a call': {
      verdict: 'unsettled',
      change: () => ({ get: sometimes(honest.get, () => new Promise(() => {})) }),
    },
    'lets a later write overtake an earlier one': {
      verdict: 'disordered',
      change: () => ({
        rpush: sometimes(honest.rpush, async (key, value) => {
          await new Promise((resolve) => setTimeout(resolve, 5))
          return honest.rpush(key, value)
        }),
      }),
    },
    'takes a transaction apart': {
      verdict: 'partial',
      change: () => ({
        transaction: sometimes(honest.transaction, async ({ list }, value) => {
          await honest.rpush(list, value)
          throw new Lie('the rest was lost')
        }),
      }),
    },
  }
  for (const [what, { verdict, change }] of Object.entries(lies)) {
    it(`finds out a client that ${what}`, async () => {
      const report = await run(change())
      assert.ok(report.verdict[verdict] > 0, JSON.stringify(report.verdict))
      assert.ok(report.examples.length > 0)
    })
  }

  it('measures the slowest key of a recovery, and one that does not come as the whole time', async () => {
    assert.ok((await recovery(honest, 2_000)) < 1_000)
    const slow = (key: string, value: string) =>
      new Promise((resolve) => setTimeout(() => resolve(honest.set(key, value)), key.endsWith(':7') ? 120 : 0))
    const late = await recovery({ ...honest, set: slow }, 2_000)
    assert.ok(late >= 119, `${late} ms`)
    assert.equal(await recovery({ ...honest, set: () => Promise.reject(new Lie()) }, 50), 50)
    assert.equal(await recovery({ ...honest, set: () => new Promise(() => {}) }, 50), 50)
  })
})
