// What size a pool is advised: the number, the arithmetic behind it, and what was and was not known.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Advice } from '../../src/pool/advice.js'
import { World, type WorldOptions } from '../support/pool-harness.js'
import { type Random, seeded } from '../support/random.js'

const TERMS = { targetWait: 5, percentile: 0.99 } as const

const exponential = (random: Random, mean: number): number => -Math.log(1 - random()) * mean

/** Leases that come at random, so many ms apart on average, and are held for that long on average. */
async function lend(world: World, count: number, pause: number, hold: number): Promise<void> {
  const random = seeded(7)
  for (let index = 0; index < count; index++) {
    const held = exponential(random, hold)
    world.pool.acquire().then(
      (lease) => world.clock.setTimeout(() => lease.release(), held),
      () => {},
    )
    await world.run(exponential(random, pause))
  }
}

async function adviceAfter(options: WorldOptions, count: number, pause: number, hold: number): Promise<Advice> {
  const world = new World(options)
  await lend(world, count, pause, hold)
  return world.pool.advice(TERMS)
}

describe('the advice of a pool', () => {
  it('is arithmetic that its reader can check', async () => {
    const { evidence, because, maxConnections } = await adviceAfter({ maxConnections: 20 }, 1_000, 10, 40)
    const { arrivalsPerSecond, meanHold, meanHeld } = evidence
    assert.ok(Math.abs((arrivalsPerSecond * meanHold) / 1_000 - meanHeld) < 1e-6)
    assert.ok(meanHeld > 3 && meanHeld < 5, `${meanHeld}`)
    assert.equal(evidence.borrowings, 1_000)
    assert.equal(evidence.shared, 1)
    assert.match(
      because,
      /^[\d.]+ borrowings a second × [\d.]+ ms = [\d.]+ connections held on average, and (\d+) let 99 % of them wait at most 5 ms; 1 for commands that share: (\d+) connections in all$/,
    )
    assert.ok(because.endsWith(`: ${maxConnections} connections in all`))
    const advised = evidence.sizes.find((size) => size.maxConnections === maxConnections)
    const smaller = evidence.sizes.find((size) => size.maxConnections === maxConnections - 1)
    assert.ok(advised !== undefined && advised.wait <= 5 && advised.longer <= 0.01)
    assert.ok(smaller !== undefined && smaller.wait > 5)
  })
})
