// Shows on a real server that a pool never has more sockets than `maxConnections`, whatever happens to them.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Redis } from '../../src/index.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { Census, nextTurn, pause, pick, seeded, until, Witness } from './support-live.js'

const LONG_ENOUGH = 1_200

interface Tally {
  done: number
  failed: number
  kills: number
}

describe('a pool on a real server', { skip: liveSkip }, () => {
  let server: RedisProcess
  let witness: Witness
  before(async () => {
    server = await RedisProcess.start()
    witness = await Witness.connect(server.port)
  })
  after(async () => {
    await witness[Symbol.asyncDispose]()
    await server.stop()
  })

  const cases = [
    { maxConnections: 1, pipelining: 1_000 },
    { maxConnections: 2, pipelining: 1_000 },
    { maxConnections: 6, pipelining: 16 },
    { maxConnections: 10, pipelining: 1_000 },
    { maxConnections: 4, pipelining: 1 },
  ]
  for (const [index, { maxConnections, pipelining }] of cases.entries()) {
    const title = `never has more than ${maxConnections} sockets with pipelining ${pipelining}, in bursts and under kills`
    it(title, async (t) => {
      const seed = 11 + index
      const redis = new Redis(server.url, {
        maxConnections,
        pipelining,
        maxConnecting: 8,
        backoffMin: 1,
        backoffMax: 5,
      })
      const dialErrors: unknown[] = []
      redis.on('connectError', (error) => dialErrors.push(error))
      const census = new Census(witness)
      const tally = await storm(redis, witness, census, seed, maxConnections)
      await census.end()
      const { opened, closed } = redis.pool.stats().counters
      await redis.close({ timeout: 1_000 })
      await until('the server has no client left', async () => (await witness.clients()).length === 0)

      t.diagnostic(
        `seed ${seed}: ${census.looks} looks, at most ${census.most} of ${maxConnections} sockets; ${opened} opened, ` +
          `${JSON.stringify(closed)}; ${tally.done} operations, ${tally.failed} lost to ${tally.kills} kills`,
      )
      assert.ok(census.most <= maxConnections, `${census.most} sockets: ${JSON.stringify(census.fullest)}`)
      // Without these the bound would have been tested on a pool at rest.
      assert.equal(census.most, maxConnections)
      assert.ok(tally.kills > 20 && opened > tally.kills / 2, `${tally.kills} kills, ${opened} opened`)
      assert.ok(census.looks > 200, `${census.looks} looks`)
      assert.ok(tally.done > 500, `${tally.done} operations`)
      assert.deepEqual(
        dialErrors.filter((error) => !/closed the connection before/.test(String(error))).map(String),
        [],
      )
    })
  }

  it('is refused nothing by a server that has room for exactly its connections', async (t) => {
    await using full = await RedisProcess.start({ config: { maxclients: 9 } })
    await using other = await Witness.connect(full.port)
    const redis = new Redis(full.url, { maxConnections: 8, maxConnecting: 8 })
    for (let round = 0; round < 20; round++) {
      const leases = Array.from({ length: 8 }, () =>
        redis.lease(async (lease) => {
          await lease.ping()
          await nextTurn()
        }),
      )
      const gets = Array.from({ length: 200 }, (_, i) => redis.get(`key:${i}`))
      await Promise.all([...leases, ...gets])
    }
    const refused = await other.figure('stats', 'rejected_connections')
    const used = redis.pool.stats().connections.total
    t.diagnostic(`${used} connections to a server with room for 8, ${refused} refused`)
    assert.equal(used, 8)
    assert.equal(refused, 0)

    // It bites: one more is refused, by name.
    const greedy = new Redis(full.url, { acquireTimeout: 200 })
    await assert.rejects(greedy.connect(), { name: 'MaxClientsError' })
    greedy.destroy()
    await redis.close()
  })

  it('is seen by the census that counts it: two pools of 3 are 6', async () => {
    const pools = [1, 2].map(() => new Redis(server.url, { maxConnections: 3, minConnections: 3 }))
    await Promise.all(pools.map((redis) => redis.connect()))
    const census = new Census(witness)
    await until('the census has looked', () => census.looks > 3)
    await census.end()
    assert.equal(census.most, 6)
    await Promise.all(pools.map((redis) => redis.close()))
  })
})

/** Commands, leases, transactions, blocking pops and kills at once; gives what became of them. */
async function storm(redis: Redis, witness: Witness, census: Census, seed: number, most: number): Promise<Tally> {
  const random = seeded(seed)
  const tally: Tally = { done: 0, failed: 0, kills: 0 }
  const end = performance.now() + LONG_ENOUGH
  const operations = [
    () => Promise.all(Array.from({ length: 40 }, () => redis.get(`key:${Math.floor(random() * 1_000)}`))),
    () => redis.set(`key:${Math.floor(random() * 1_000)}`, 'value'),
    () => redis.multi().incr('counter').ping().exec(),
    () => redis.blPop('nothing', 0.01),
    () => redis.lease((lease) => lease.ping()),
    () =>
      redis.lease(async (lease) => {
        // What it leaves behind costs the connection: the next one is dialed at once.
        if (random() < 0.3) await lease.sendCommand(['CLIENT', 'SETNAME', 'dirty'])
        await lease.get('key:1')
        await pause(random() * 3)
      }),
  ]
  const caller = async (): Promise<void> => {
    while (performance.now() < end) {
      try {
        await pick(random, operations)()
        tally.done++
      } catch {
        tally.failed++
        await nextTurn()
      }
    }
  }
  const killer = async (): Promise<void> => {
    while (performance.now() < end) {
      await pause(20)
      const victims = census.latest.filter(() => random() < 1 / Math.min(2, most))
      for (const { id = '0' } of victims) {
        const killed = await witness.ask('CLIENT', 'KILL', 'ID', id)
        tally.kills += Number(killed)
      }
    }
  }
  await Promise.all([...Array.from({ length: 30 }, caller), killer()])
  return tally
}
