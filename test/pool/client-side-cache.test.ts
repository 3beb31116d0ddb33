// Client-side caching by the passing of time, and what it costs a pool that has none.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ClientSideCache } from '../../src/pool/client-side-cache.js'
import type { PoolOptions } from '../../src/pool/options.js'
import { withMistake } from '../support/mistake.js'
import { Call, requestOf, World } from '../support/pool-harness.js'

/** Sends a read whose reply may be kept. */
async function read(world: World, key: string): Promise<unknown> {
  const call = new Call(['GET', key], world.clock.now())
  const request = requestOf(call, world.clock)
  request.keyed = { keys: [key] }
  world.pool.execute(request)
  await world.run(10)
  assert.equal(call.state, 'answered', String(call.error))
  return call.value
}

function hits(world: World): number | undefined {
  return world.stats.cache?.hits
}

describe('a kept reply', () => {
  it('is told of in a snapshot that is plain JSON', async () => {
    const world = new World({ clientSideCache: {} })
    await read(world, 'k')
    const { cache } = world.stats
    assert.ok(cache !== undefined && cache.entries === 1)
    assert.deepEqual(JSON.parse(JSON.stringify(cache)), cache)
    world.pool.destroy('destroyed')
  })

  it('is served for its time, and then read again', async () => {
    const world = new World({ clientSideCache: { ttl: 1_000 } })
    await read(world, 'k')
    await world.run(900)
    await read(world, 'k')
    assert.equal(hits(world), 1)
    await world.run(200)
    await read(world, 'k')
    assert.equal(hits(world), 1)
    const { expired, stored, entries } = world.stats.cache ?? {}
    assert.deepEqual({ expired, stored, entries }, { expired: 1, stored: 2, entries: 1 })
    world.pool.destroy('destroyed')
    assert.equal(world.stats.cache?.entries, 0)
    await world.assertNothingLeft()
  })

  it('keeps its connection from being closed as unused, for as long as it is served', async () => {
    const options: PoolOptions = { clientSideCache: {}, idleTimeout: 1_000, pingInterval: 0 }
    const hitsOf = async (): Promise<number | undefined> => {
      const world = new World(options)
      for (let second = 0; second < 10; second++) {
        await read(world, 'k')
        await world.run(490)
      }
      const served = hits(world)
      await world.run(5_000)
      assert.equal(world.stats.connections.total, 0, 'an unused connection stays')
      assert.equal(world.stats.cache?.entries, 0)
      world.pool.destroy('destroyed')
      return served
    }
    assert.equal(await hitsOf(), 9)
    const forgotten = await withMistake(ClientSideCache.prototype, 'noteUse', () => () => {}, hitsOf)
    assert.ok((forgotten ?? 9) < 9, 'nobody would notice that use is not noted')
  })
})
