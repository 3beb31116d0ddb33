// Owns the scene of @keyv/redis, under keyv itself and under cache-manager.
import assert from 'node:assert/strict'
import KeyvRedis from '@keyv/redis'
import { createCache } from 'cache-manager'
import { Keyv } from 'keyv'

export const name = 'keyv'
export const packages = ['@keyv/redis', 'keyv', 'cache-manager']
const KEYS = 2_000

/** @param {import('./index.js').Stage} stage */
export async function run({ open, server }) {
  const client = await open()
  await underKeyv(client, server)
  const loads = await underCacheManager(client, server)
  return `${KEYS} keys set, iterated, cleared by namespace; cache-manager get, set, mset, ttl, del, clear; wrap of 200 callers loaded ${loads} time`
}

/** @param {any} client @param {import('../../bench/server.js').Server} server */
async function underKeyv(client, server) {
  const [one, two] = ['one', 'two'].map((namespace) => new Keyv(new KeyvRedis(client), { namespace }))
  const entries = Array.from({ length: KEYS }, (_, at) => ({ key: `k${at}`, value: { at } }))
  await one.setMany(entries)
  await two.set('k0', 'beside')
  assert.deepEqual(await one.getMany(['k0', 'k1999', 'none']), [{ at: 0 }, { at: 1999 }, undefined])
  const seen = new Set()
  for await (const [key, value] of one.iterator({})) seen.add(`${key} ${value.at}`)
  assert.equal(seen.size, KEYS)
  await one.set('brief', 1, 60_000)
  const ttl = Number((await server.ask('PTTL', 'one::one:brief')).slice(1))
  const other = Number((await server.ask('PTTL', 'one:brief')).slice(1))
  assert.ok(Math.max(ttl, other) > 50_000, `a key with a ttl expires, its PTTL is ${ttl} or ${other}`)
  assert.equal(await one.has('brief'), true)
  assert.equal(await one.delete('brief'), true)
  assert.equal(await one.has('brief'), false)
  await one.clear()
  assert.deepEqual([await one.get('k5'), await two.get('k0')], [undefined, 'beside'])
}

/** @param {any} client @param {import('../../bench/server.js').Server} server */
async function underCacheManager(client, server) {
  await server.ask('FLUSHALL')
  const cache = createCache({ stores: [new Keyv(new KeyvRedis(client), { namespace: 'cache' })] })
  await cache.set('a', { deep: [1] }, 60_000)
  await cache.mset([
    { key: 'b', value: 2 },
    { key: 'c', value: 3 },
  ])
  assert.deepEqual(await cache.mget(['a', 'b', 'c', 'd']), [{ deep: [1] }, 2, 3, undefined])
  const left = (await cache.ttl('a')) - Date.now()
  assert.ok(left > 50_000 && left <= 60_000, `ttl tells when a expires, ${left} ms from now`)
  await cache.del('a')
  assert.equal(await cache.get('a'), undefined)
  let loads = 0
  const load = async () => {
    loads++
    await new Promise((resolve) => setTimeout(resolve, 20))
    return 'loaded'
  }
  const got = await Promise.all(Array.from({ length: 200 }, () => cache.wrap('w', load, 60_000)))
  assert.ok(got.every((value) => value === 'loaded'))
  assert.equal(loads, 1)
  await cache.clear()
  assert.equal(await server.ask('DBSIZE'), ':0\r\n')
  return loads
}
