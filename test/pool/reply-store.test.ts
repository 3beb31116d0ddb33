// What is kept, in which order it makes room, and that the numbers add up.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readClientSideCache } from '../../src/pool/cache-options.js'
import { ReplySource, ReplyStore } from '../../src/pool/reply-store.js'
import { seeded } from '../support/random.js'

function storeWith(options: Record<string, unknown> = {}): { store: ReplyStore; source: ReplySource } {
  return { store: new ReplyStore(readClientSideCache(options)), source: new ReplySource() }
}

function assertBooks(store: ReplyStore): void {
  const { stored, evicted, expired, invalidated, dropped } = store.counts
  assert.equal(store.size, stored - evicted - expired - invalidated - dropped)
}

describe('a store of replies', () => {
  for (const [evictPolicy, left] of [
    ['LRU', ['a', 'c', 'd']],
    ['FIFO', ['b', 'c', 'd']],
  ] as const) {
    it(`makes room by ${evictPolicy} when it has as many replies as it may`, () => {
      const { store, source } = storeWith({ maxEntries: 3, evictPolicy })
      for (const id of ['a', 'b', 'c']) store.put(id, [id], id, source, 0)
      assert.equal(store.find('a', 0)?.reply, 'a')
      store.put('d', ['d'], 'd', source, 0)
      assert.deepEqual(
        ['a', 'b', 'c', 'd'].filter((id) => store.find(id, 0) !== undefined),
        left,
      )
      assert.equal(store.counts.evicted, 1)
      assertBooks(store)
    })
  }

  it('serves a reply until its time is over', () => {
    const { store, source } = storeWith({ ttl: 100 })
    store.put('a', ['a'], 'value', source, 1_000)
    assert.equal(store.find('a', 1_099)?.reply, 'value')
    assert.equal(store.find('a', 1_100), undefined)
    assert.deepEqual({ ...store.counts }, { stored: 1, evicted: 0, expired: 1, invalidated: 0, dropped: 0 })
    assert.equal(store.bytes, 0)
  })

  it('never counts more bytes than it may have, and does not keep what alone is too large', () => {
    const { store, source } = storeWith({ maxBytes: 10_000 })
    for (let index = 0; index < 100; index++) {
      store.put(`id${index}`, [`key${index}`], 'x'.repeat(1 + index * 5), source, 0)
      assert.ok(store.bytes <= 10_000, `${store.bytes} bytes`)
    }
    assert.ok(store.size > 1)
    const before = store.size
    store.put('large', ['key'], 'x'.repeat(10_000), source, 0)
    assert.equal(store.find('large', 0), undefined)
    assert.equal(store.size, before)
    assertBooks(store)
  })

  it('is bounded in bytes without being told so', () => {
    assert.equal(readClientSideCache({}).maxBytes, 64 * 1024 * 1024)
  })

  it('drops what depends on a key, also among several', () => {
    const { store, source } = storeWith()
    store.put('get a', ['a'], '1', source, 0)
    store.put('mget a b', ['a', 'b'], ['1', '2'], source, 0)
    store.put('get b', ['b'], '2', source, 0)
    store.dropName('a', 'invalidated')
    assert.equal(store.find('get a', 0), undefined)
    assert.equal(store.find('mget a b', 0), undefined)
    assert.equal(store.find('get b', 0)?.reply, '2')
    store.dropName('b', 'dropped')
    assert.deepEqual({ ...store.counts }, { stored: 3, evicted: 0, expired: 0, invalidated: 2, dropped: 1 })
    assert.equal(store.bytes, 0)
  })

  it('drops what came over one connection, and keeps the rest', () => {
    const { store, source } = storeWith()
    const other = new ReplySource()
    for (const id of ['a', 'b']) store.put(id, [id], id, source, 0)
    store.put('c', ['c'], 'c', other, 0)
    store.dropSource(source)
    assert.equal(store.size, 1)
    assert.equal(store.find('c', 0)?.reply, 'c')
    store.dropSource(other)
    assert.equal(store.size, 0)
    assert.equal(store.bytes, 0)
    assertBooks(store)
  })

  it('keeps the newest of two replies to the same question', () => {
    const { store, source } = storeWith()
    const other = new ReplySource()
    store.put('a', ['a'], 'old', source, 0)
    store.put('a', ['a'], 'new', other, 0)
    assert.equal(store.find('a', 0)?.reply, 'new')
    store.dropSource(source)
    assert.equal(store.find('a', 0)?.reply, 'new')
    assertBooks(store)
  })

  it('keeps its books through anything', () => {
    const random = seeded(7)
    const pick = (count: number): number => Math.floor(random() * count)
    const { store } = storeWith({ ttl: 50, maxEntries: 40, maxBytes: 30_000 })
    const sources = [new ReplySource(), new ReplySource(), new ReplySource()]
    for (let now = 0; now < 20_000; now++) {
      const id = `id${pick(60)}`
      const source = sources[pick(3)] ?? new ReplySource()
      const names = [`k${pick(20)}`, `k${pick(20)}`]
      const action = pick(100)
      if (action < 50) store.put(id, names, 'x'.repeat(pick(300)), source, now)
      else if (action < 90) store.find(id, now)
      else if (action < 97) store.dropName(`k${pick(20)}`, 'invalidated')
      else if (action < 99) store.dropSource(source)
      else store.dropAll('dropped')
      assertBooks(store)
      const held = sources.reduce((sum, { count }) => sum + count, 0)
      assert.equal(held, store.size)
      assert.ok(store.size <= 40 && store.bytes <= 30_000 && store.bytes >= 0)
    }
    for (const source of sources) store.dropSource(source)
    assert.equal(store.bytes, 0)
  })
})
