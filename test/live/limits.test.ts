// Shows on a real server that a pool never has more sockets than `maxConnections`, whatever happens to them.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { Redis } from '../../src/index.js'
import { leakCheck } from '../support/leak-check.js'
import { pick, seeded } from '../support/random.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { openUseClose, runChild } from './support-closing.js'
import { Census, nextTurn, pause, until, Witness } from './support-live.js'

const LONG_ENOUGH = 800

interface Tally {
  done: number
  failed: number
  kills: number
}

/** A dial that CLIENT KILL ended before its handshake: by its end, or by the next write that finds nobody there. */
const KILLED_EARLY = /closed the connection before|EPIPE|ECONNRESET/

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
    { maxConnections: 1, pipelining: 1_000, dirt: 0 },
    { maxConnections: 2, pipelining: 1_000, dirt: 0 },
    { maxConnections: 6, pipelining: 16, dirt: 0 },
    { maxConnections: 10, pipelining: 1_000, dirt: 0 },
    { maxConnections: 4, pipelining: 1, dirt: 0 },
    { maxConnections: 6, pipelining: 1_000, dirt: 0.3 },
    { maxConnections: 10, pipelining: 1, dirt: 0.3 },
  ]
  for (const [index, { maxConnections, pipelining, dirt }] of cases.entries()) {
    const trouble = dirt > 0 ? 'under kills and while the pool replaces connections itself' : 'under kills'
    const title = `never has more than ${maxConnections} sockets with pipelining ${pipelining}, in bursts, ${trouble}`
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
      const tally = await storm(redis, witness, census, seed, dirt)
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
      assert.ok(tally.kills > 5 && opened > tally.kills / 2, `${tally.kills} kills, ${opened} opened`)
      assert.ok(census.looks > 200, `${census.looks} looks`)
      assert.ok(tally.done > 100, `${tally.done} operations`)
      assert.deepEqual(dialErrors.filter((error) => !KILLED_EARLY.test(String(error))).map(String), [])
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

  it('is refused nothing when it replaces connections while that server is busy', async (t) => {
    await using full = await RedisProcess.start({ config: { maxclients: 9 } })
    await using other = await Witness.connect(full.port)
    const redis = new Redis(full.url, { maxConnections: 8, maxConnecting: 8, pipelining: 1 })
    for (let round = 0; round < 10; round++) {
      redis.pool.retire()
      await until('no connection is open', () => redis.pool.stats().connections.total === 0)
      const leases = await Promise.all(Array.from({ length: 7 }, () => redis.lease()))
      await Promise.all(leases.map((lease) => lease.sendCommand(['CLIENT', 'SETNAME', 'dirty'])))
      const asleep = other.ask('DEBUG', 'SLEEP', '0.02')
      await pause(5)
      // The server will find this one first, and accept all others with it, before it sees that seven have left.
      const eighth = redis.get('key')
      await pause(2)
      for (const lease of leases) lease.release()
      await Promise.all([eighth, ...Array.from({ length: 8 }, () => redis.get('key'))])
      await asleep
    }
    const refused = await other.figure('stats', 'rejected_connections')
    const { closed } = redis.pool.stats().counters
    t.diagnostic(`${closed.dirty} connections replaced, ${refused} refused`)
    assert.equal(closed.dirty, 70)
    assert.equal(refused, 0)
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

describe('a pool that was closed', { skip: liveSkip }, () => {
  let server: RedisProcess
  let witness: Witness
  before(async () => {
    // The server looks more often whether a blocked client has waited enough.
    server = await RedisProcess.start({ config: { hz: 100 } })
    witness = await Witness.connect(server.port)
  })
  after(async () => {
    await witness[Symbol.asyncDispose]()
    await server.stop()
  })

  for (const ending of ['close', 'destroy']) {
    it(`lets its process end by itself after ${ending}()`, async (t) => {
      const { output, closedAt, endedAt } = await runChild(server.url, ending)
      assert.match(output, new RegExp(`^${ending} PoolClosedError|^${ending} ConnectionError`))
      const took = endedAt - closedAt
      t.diagnostic(`the process ended ${took.toFixed(0)} ms after ${ending}()`)
      assert.ok(took < 1_000, `${took} ms`)
    })
  }

  it('is what lets it end: without an end the same process stays', async () => {
    const { stayed } = await runChild(server.url, 'none', 300)
    assert.equal(stayed, true)
  })

  it('leaves no descriptor, timer or client behind, a hundred times', async (t) => {
    await openUseClose(server.url, 0)
    await until('the server has no client left', async () => (await witness.clients()).length === 0)
    const descriptors = countDescriptors()
    const leaks = leakCheck({ patience: 50 })
    for (let round = 1; round <= 100; round++) await openUseClose(server.url, round)
    await until('the server has no client left', async () => (await witness.clients()).length === 0, 1_000)
    await leaks.assertNone()
    const left = countDescriptors() - descriptors
    t.diagnostic(`100 pools: ${left} descriptors, 0 timers, 0 clients left`)
    assert.ok(left <= 0, `${left} descriptors were left`)
  })

  it('would be found out by these counts while it is open', async () => {
    const descriptors = countDescriptors()
    const leaks = leakCheck({ patience: 20 })
    const redis = new Redis(server.url)
    await redis.get('a')
    assert.ok(countDescriptors() > descriptors)
    await assert.rejects(leaks.assertNone(), /left behind/)
    await redis.close()
  })
})

function countDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}

/** Commands, leases, transactions, blocking pops and kills at once; gives what became of them. */
async function storm(redis: Redis, witness: Witness, census: Census, seed: number, dirt: number): Promise<Tally> {
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
        if (random() < dirt) await lease.sendCommand(['CLIENT', 'SETNAME', 'dirty'])
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
      const victims = census.latest.filter(() => random() < 0.5)
      for (const { id = '0' } of victims) {
        const killed = await witness.ask('CLIENT', 'KILL', 'ID', id)
        tally.kills += Number(killed)
      }
    }
  }
  await Promise.all([...Array.from({ length: 30 }, caller), killer()])
  return tally
}
