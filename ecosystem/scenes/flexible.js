// Owns the scene of rate-limiter-flexible: exact under concurrency, blocks for as long as it says.
import assert from 'node:assert/strict'
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'

export const name = 'rate-limiter-flexible'
export const packages = ['rate-limiter-flexible']
const POINTS = 100
const CALLS = 500

/** @param {import('./index.js').Stage} stage */
export async function run({ open, server }) {
  const storeClient = await open()
  const options = { storeClient, useRedisPackage: true, points: POINTS, duration: 60, keyPrefix: 'plain' }
  const plain = new RateLimiterRedis(options)
  assert.deepEqual(await consume(plain, 'ann'), { passed: POINTS, refused: CALLS - POINTS })
  assert.equal((await plain.get('ann'))?.consumedPoints, CALLS)
  assert.equal(await plain.delete('ann'), true)
  await server.ask('SCRIPT', 'FLUSH')
  assert.deepEqual(await consume(plain, 'ann'), { passed: POINTS, refused: CALLS - POINTS })
  assert.equal((await plain.penalty('cid', 7)).consumedPoints, 7)
  assert.equal((await plain.reward('cid', 3)).consumedPoints, 4)

  const blocking = new RateLimiterRedis({ ...options, keyPrefix: 'block', points: 5, duration: 1, blockDuration: 30 })
  assert.deepEqual(await consume(blocking, 'bob'), { passed: 5, refused: CALLS - 5 })
  const ttl = Number((await server.ask('PTTL', 'block:bob')).slice(1))
  assert.ok(ttl > 20_000 && ttl <= 30_000, `the block lasts 30 s and not the duration of 1 s, its PTTL is ${ttl}`)
  return `${CALLS} consumers at once: ${POINTS} passed, twice; block of 30 s after 5; get, delete, penalty, reward`
}

/** @param {RateLimiterRedis} limiter @param {string} key */
async function consume(limiter, key) {
  const ends = await Promise.allSettled(Array.from({ length: CALLS }, () => limiter.consume(key)))
  let [passed, refused] = [0, 0]
  for (const end of ends) {
    if (end.status === 'fulfilled') passed++
    else if (end.reason instanceof RateLimiterRes) refused++
    else throw end.reason
  }
  return { passed, refused }
}
