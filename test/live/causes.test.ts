// Plants each trouble on a real server, for a pool that shares and for a classic one: the error of whoever waited in vain
// names its cause.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  ConnectionPoolTimeoutError,
  type ExhaustionCause,
  type NoMapping,
  Redis,
  type RedisOptions,
} from '../../src/index.js'
import { freePort } from '../support/free-port.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { pause } from './support-live.js'

/** Keeps the server busy for about a second, and is bounded by its own count. */
const SLOW = 'local x = 0 for i = 1, tonumber(ARGV[1]) do x = x + i end return x'

describe('ConnectionPoolTimeoutError names the cause that was planted:', { skip: liveSkip }, () => {
  let server: RedisProcess
  before(async () => {
    server = await RedisProcess.start()
  })
  after(() => server.stop())

  for (const pipelining of [1_000, 1]) {
    const shape = pipelining === 1 ? 'a classic pool' : 'a pool that shares'
    const open = (options: RedisOptions<3, NoMapping>): Redis =>
      new Redis({ url: server.url, maxConnections: 3, pipelining, acquireTimeout: 300, ...options })

    it(`leak, in ${shape}`, async () => {
      await using redis = open({})
      const held = await Promise.all(Array.from({ length: pipelining === 1 ? 3 : 2 }, () => redis.lease()))
      await pause(1_100)
      await named('leak', () => redis.lease())
      for (const lease of held) lease.release()
    })

    it(`slow-server, by a script, in ${shape}`, async () => {
      await using redis = open({})
      await Promise.all([redis.get('a'), redis.get('b'), redis.get('c')])
      const script = redis.eval(SLOW, { arguments: [await iterations(redis)] })
      // What is on its way when the server stops to answer waits for its reply, and not for a connection.
      const before = Promise.allSettled(Array.from({ length: 6 }, (_, index) => redis.get(`before${index}`)))
      await pause(100)
      const calls = Array.from({ length: 20 }, (_, index) => () => redis.get(`k${index}`))
      await named('slow-server', ...calls)
      await Promise.all([script, before])
    })

    it(`failing-dials, in ${shape}`, async () => {
      const redis = open({ url: `redis://127.0.0.1:${await freePort()}` })
      await named('failing-dials', () => redis.get('k'))
      redis.destroy()
    })

    it(`blocked-loop, in ${shape}`, async () => {
      await using redis = open({ acquireTimeout: 150 })
      const held = await Promise.all(Array.from({ length: pipelining === 1 ? 3 : 2 }, () => redis.lease()))
      const waits = named('blocked-loop', () => redis.lease())
      const until = performance.now() + 400
      while (performance.now() < until) {}
      await waits
      for (const lease of held) lease.release()
    })

    it(`too-small, in ${shape}`, async () => {
      await using redis = open({ acquireTimeout: 100 })
      const work = (): Promise<unknown> => redis.lease(() => pause(70))
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, work))
      const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
      assert.ok(errors.length > 5, `${errors.length} waited in vain`)
      for (const error of errors) {
        assert.ok(error instanceof ConnectionPoolTimeoutError, String(error))
        assert.equal(error.verdict.cause, 'too-small', error.message)
      }
    })
  }
})

/** Of calls that wait in vain at least one does, and all that do name the cause. */
async function named(cause: ExhaustionCause, ...calls: (() => Promise<unknown>)[]): Promise<void> {
  const outcomes = await Promise.allSettled(calls.map((call) => call()))
  const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  assert.ok(errors.length > 0, 'nobody waited in vain')
  for (const error of errors) {
    assert.ok(error instanceof ConnectionPoolTimeoutError, String(error))
    assert.equal(error.verdict.cause, cause, error.message)
  }
}

/** So many turns of the script take about a second on this machine. */
async function iterations(redis: Redis): Promise<string> {
  const trial = 2_000_000
  const before = performance.now()
  await redis.eval(SLOW, { arguments: [String(trial)] })
  return String(Math.round((trial * 1_000) / (performance.now() - before)))
}
