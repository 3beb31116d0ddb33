// Shows on a real server that a lease leaves no trace: whatever its holder did to the session, the next holder and the
// shared commands on the same connection find it as new. And that a holder who did nothing costs nothing.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Lease, Redis } from '../../src/index.js'
import { seeded } from '../support/random.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { until, Witness } from './support-live.js'
import {
  SESSION_POOLS,
  SESSION_USERS,
  STEPS,
  succeed,
  traceOf,
  untouched,
  WATCHED,
  whereabouts,
} from './support-sessions.js'

const SEQUENCES = 1_000
describe('leases on a real server', { skip: liveSkip }, () => {
  let server: RedisProcess
  let witness: Witness
  before(async () => {
    server = await RedisProcess.start({ acl: SESSION_USERS })
    witness = await Witness.connect(server.port)
  })
  after(async () => {
    await witness[Symbol.asyncDispose]()
    await server.stop()
  })

  for (const [index, { title, options, database }] of SESSION_POOLS.entries()) {
    it(`leave no trace for the next holder, in ${title}`, async (t) => {
      const seed = 501 + index
      const random = seeded(seed)
      const redis = new Redis(server.url, { ...options, database })
      await redis.set('where', whereabouts(database))
      await redis.set(WATCHED, 'value')
      const count = Math.round(SEQUENCES / SESSION_POOLS.length) + 1
      let same = 0
      let ended = 0
      redis.on('close', () => {
        ended++
      })
      for (let i = 0; i < count; i++) {
        const endedBefore = ended
        const { left, session, shared, inTransaction, isSame } = await succeed(redis, witness, database, random)
        const what = `sequence ${i} of seed ${seed}: ${left.names.join(', ')}`
        assert.deepEqual(session, untouched(database), what)
        assert.equal(shared, whereabouts(database), what)
        assert.deepEqual(inTransaction, [whereabouts(database)], what)
        if (isSame) same++
        // What can be undone costs no connection, what cannot costs exactly one.
        assert.equal(ended - endedBefore, left.trace === 'lost' ? 1 : 0, what)
        assert.ok(!(left.trace === 'lost' && isSame), what)
      }
      const { closed } = redis.pool.stats().counters
      t.diagnostic(
        `seed ${seed}: ${count} sequences, ${same} next holders on the same connection, ${JSON.stringify(closed)}`,
      )
      // A SUBSCRIBE inside of MULTI makes the server nest a push in the reply to EXEC, which is not RESP.
      const reasons = Object.keys(closed).filter((reason) => reason !== 'protocol-error')
      assert.deepEqual(reasons, ['dirty'])
      assert.ok(same > 20 && (closed.dirty ?? 0) > 20)
      await redis.close()
    })
  }

  it('could be told apart by what these tests look at', async (t) => {
    const redis = new Redis(server.url, { maxConnections: 1 })
    const seen: string[] = []
    for (const { name, trace, run } of STEPS) {
      // NO-TOUCH is newer than some servers; MULTI and WATCH do not show in what a connection tells of itself.
      if (trace === 'clean' || /no-touch|watch|multi|reset/i.test(name)) continue
      const lease = await redis.lease()
      await run(lease, () => 0.5)
      assert.notDeepEqual(await traceOf(lease), untouched(0), name)
      seen.push(name)
      lease.release()
    }
    const watching = await redis.lease()
    await watching.watch(WATCHED)
    await witness.ask('SELECT', '0')
    await witness.ask('APPEND', WATCHED, '.')
    await assert.rejects(watching.multi().ping().exec(), { name: 'WatchError' })
    watching.release()
    const open = await redis.lease()
    await open.sendCommand(['MULTI'])
    assert.equal(await open.sendCommand(['PING']), 'QUEUED')
    open.release()
    t.diagnostic(`${seen.length + 2} kinds of traces are seen`)
    await redis.close()
  })

  it('cost no round trip when they were clean, and one pipelined command to undo WATCH or SELECT', async (t) => {
    const redis = new Redis(server.url, { maxConnections: 2, pingInterval: 0 })
    await redis.lease((lease) => lease.ping())
    // The first idle connection is used to ask for the server's settings, once.
    await until('the pool has asked its questions', async () => {
      const before = redis.pool.stats().counters.sent
      await new Promise((resolve) => setTimeout(resolve, 600))
      return redis.pool.stats().counters.sent === before
    })
    const ids = new Set<number>()
    const costs: Record<string, number> = {}
    const users: Record<string, (lease: Lease) => Promise<unknown>> = {
      nothing: async () => {},
      get: (lease) => lease.get('key'),
      watch: (lease) => lease.watch('key'),
      select: (lease) => lease.select(4),
      both: (lease) => Promise.all([lease.watch('key'), lease.select(4)]),
      transaction: async (lease) => {
        await lease.watch('key')
        await lease.multi().get('key').exec()
      },
    }
    for (const [name, use] of Object.entries(users)) {
      const before = await witness.figure('stats', 'total_commands_processed')
      for (let i = 0; i < 100; i++) {
        await redis.lease((lease) => {
          ids.add(lease.connectionId)
          return use(lease)
        })
      }
      await until('all is answered', () => redis.pool.stats().inFlight === 0)
      // INFO counts itself.
      costs[name] = ((await witness.figure('stats', 'total_commands_processed')) - before - 1) / 100
    }
    t.diagnostic(`commands per lease: ${JSON.stringify(costs)}, connections: ${ids.size}`)
    assert.deepEqual(costs, { nothing: 0, get: 1, watch: 2, select: 2, both: 4, transaction: 4 })
    assert.equal(ids.size, 1)
    assert.deepEqual(redis.pool.stats().counters.closed, {})
    await redis.close()
  })

  it('are refused to their former holder, and their commands in flight do not reach the next', async () => {
    const redis = new Redis(server.url, { maxConnections: 1 })
    const answers: Promise<unknown>[] = []
    const wanted: string[] = []
    for (let i = 0; i < 200; i++) {
      const lease = await redis.lease()
      for (let j = 0; j < 5; j++) {
        wanted.push(`echo ${i} ${j}`)
        answers.push(lease.echo(`echo ${i} ${j}`))
      }
      lease.release()
      await assert.rejects(lease.get('key'), { name: 'LeaseReleasedError', outcome: 'not-sent' })
    }
    assert.deepEqual(await Promise.all(answers), wanted)
    await redis.close()
  })
})
