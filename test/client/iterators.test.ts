// Iteration by cursor on a real server and over scripted pages: what is yielded, when it ends, and that nothing is held.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ArgumentError, LeaseReleasedError, RESP_TYPES, Redis } from '../../src/index.js'
import { FakeServer } from '../support/fake-server.js'
import { liveRedis } from '../support/live-redis.js'
import { liveSkip } from '../support/redis-process.js'

const BYTES = { [RESP_TYPES.BLOB_STRING]: Buffer } as const

async function all<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const found: T[] = []
  for await (const page of pages) found.push(...page)
  return found
}

const names = (count: number, prefix: string): string[] => Array.from({ length: count }, (_, index) => prefix + index)

describe('iterators', { skip: liveSkip }, () => {
  let redis: Redis
  let url: string
  liveRedis({}, (started) => {
    redis = started.redis
    url = started.server.url
  })

  it('yield everything that was there, of every type', async () => {
    await redis.flushAll()
    const keys = names(500, 'scan:')
    await redis.mSet(Object.fromEntries(keys.map((key) => [key, 'x'])))
    assert.deepEqual((await all(redis.scanIterator())).toSorted(), keys.toSorted())
    const fields = names(600, 'f')
    await redis.hSet('hash', Object.fromEntries(fields.map((field) => [field, `${field}=`])))
    const entries = await all(redis.hScanIterator('hash', { COUNT: 50 }))
    assert.deepEqual(Object.fromEntries(entries.map(({ field, value }) => [field, value])), {
      ...(await redis.hGetAll('hash')),
    })
    const values = await all(redis.hScanValuesIterator('hash'))
    assert.deepEqual(new Set(values), new Set(fields.map((field) => `${field}=`)))
    await redis.sAdd('set', fields)
    assert.deepEqual(new Set(await all(redis.sScanIterator('set'))), new Set(fields))
    await redis.zAdd(
      'sorted',
      fields.map((value, score) => ({ value, score })),
    )
    const members = await all(redis.zScanIterator('sorted'))
    assert.deepEqual(
      new Map(members.map(({ value, score }) => [value, score])),
      new Map(fields.map((value, score) => [value, score])),
    )
  })

  it('take MATCH, COUNT and TYPE, and say so to the server page by page', async () => {
    await redis.flushAll()
    await redis.mSet(Object.fromEntries(names(200, 'a:').map((key) => [key, 'x'])))
    await redis.lPush('a:list', 'x')
    assert.deepEqual(await all(redis.scanIterator({ MATCH: 'a:1?', COUNT: 1000 })).then((found) => found.length), 10)
    assert.deepEqual(await all(redis.scanIterator({ MATCH: 'a:*', TYPE: 'list' })), ['a:list'])
    let pages = 0
    for await (const page of redis.scanIterator({ COUNT: 10 })) pages += page.length > 0 ? 1 : 0
    assert.ok(pages >= 10, `${pages} pages`)
  })

  it('work under a type mapping, the cursor too', async () => {
    await redis.flushAll()
    await redis.sAdd('set', names(1000, 'm'))
    await redis.mSet(Object.fromEntries(names(300, 'k').map((key) => [key, 'x'])))
    const mapped = redis.withTypeMapping(BYTES)
    const members = await all(mapped.sScanIterator('set', { COUNT: 10 }))
    assert.ok(members.every((member) => Buffer.isBuffer(member)))
    assert.equal(new Set(members.map(String)).size, 1000)
    assert.equal(new Set((await all(mapped.scanIterator({ COUNT: 10 }))).map(String)).size, 301)
  })

  it('return what is there throughout at least once, while others write', async () => {
    await redis.flushAll()
    const stable = names(400, 'stable:')
    await redis.mSet(Object.fromEntries(stable.map((key) => [key, 'x'])))
    await redis.sAdd('set', stable)
    let isOver = false
    const writer = (async () => {
      for (let round = 0; !isOver; round++) {
        const passing = names(50, `passing:${round % 7}:`)
        await Promise.all([
          redis.mSet(Object.fromEntries(passing.map((key) => [key, 'x']))),
          redis.sAdd('set', passing),
        ])
        await Promise.all([redis.del(passing), redis.sRem('set', passing)])
      }
    })()
    try {
      for (let round = 0; round < 5; round++) {
        const [keys, members] = await Promise.all([
          all(redis.scanIterator({ COUNT: 20 })),
          all(redis.sScanIterator('set', { COUNT: 20 })),
        ])
        const [seenKeys, seenMembers] = [new Set(keys), new Set(members)]
        for (const name of stable) {
          assert.ok(seenKeys.has(name), `the key ${name}`)
          assert.ok(seenMembers.has(name), `the member ${name}`)
        }
      }
    } finally {
      isOver = true
      await writer
    }
  })

  it('of a lease run on its connection, and end with it', async () => {
    await redis.flushAll()
    await redis.mSet(Object.fromEntries(names(100, 'k').map((key) => [key, 'x'])))
    const lease = await redis.lease()
    assert.equal((await all(lease.scanIterator({ COUNT: 1000 }))).length, 100)
    const iteration = lease.scanIterator({ COUNT: 1 })
    await iteration.next()
    lease.release()
    await assert.rejects(iteration.next(), LeaseReleasedError)
  })

  it('hold no connection between pages', async () => {
    const own = new Redis(url, { maxConnections: 1 })
    try {
      await own.mSet(Object.fromEntries(names(100, 'k').map((key) => [key, 'x'])))
      for await (const _page of own.scanIterator({ COUNT: 10 })) {
        assert.equal(own.pool.stats().connections.leased, 0)
        await own.lease((connection) => connection.ping())
      }
    } finally {
      await own.close()
    }
  })

  it('go on from a cursor', async () => {
    await redis.flushAll()
    await redis.mSet(Object.fromEntries(names(300, 'k').map((key) => [key, 'x'])))
    const first = await redis.scan('0', { COUNT: 100 })
    const rest = await all(redis.scanIterator({ cursor: first.cursor, COUNT: 100 }))
    assert.deepEqual(new Set([...first.keys, ...rest]), new Set(names(300, 'k')))
    assert.ok(rest.length < 300)
  })

  it('refuse what no cursor is', async () => {
    const options: object = { cursor: 5 }
    await assert.rejects(redis.scanIterator(options).next(), ArgumentError)
  })

  it('leave out the values only where the server can', async (context) => {
    await redis.hSet('hash', { a: '1', b: '2' })
    try {
      assert.deepEqual((await all(redis.hScanNoValuesIterator('hash'))).toSorted(), ['a', 'b'])
    } catch (error) {
      assert.match(String(error), /syntax error/i)
      context.skip('this redis-server knows no NOVALUES')
    }
  })
})

describe('an iteration over scripted pages', () => {
  it('yields empty pages too, and asks with the very cursor it was given, of 64 bits', async () => {
    await using server = await FakeServer.start()
    server.expect('SCAN', '0', 'COUNT', '2').reply(['18446744073709551615', []])
    server.expect('SCAN', '18446744073709551615', 'COUNT', '2').reply(['9007199254740993', ['a', 'a']])
    server.expect('SCAN', '9007199254740993', 'COUNT', '2').reply(['0', []])
    const redis = new Redis(server.url)
    try {
      const pages: string[][] = []
      for await (const page of redis.scanIterator({ COUNT: 2 })) pages.push(page)
      assert.deepEqual(pages, [[], ['a', 'a'], []])
      server.verify()
    } finally {
      redis.destroy()
    }
  })

  it('is read without values where asked', async () => {
    await using server = await FakeServer.start()
    server.expect('HSCAN', 'hash', '0', 'NOVALUES').reply(['0', ['a', 'b']])
    const redis = new Redis(server.url)
    try {
      assert.deepEqual(await all(redis.hScanNoValuesIterator('hash')), ['a', 'b'])
    } finally {
      redis.destroy()
    }
  })

  it('stops at once with break, and asks for nothing more', async () => {
    await using server = await FakeServer.start({ fallback: ([name]) => (name === 'SCAN' ? ['7', ['a']] : undefined) })
    const redis = new Redis(server.url)
    try {
      for await (const _page of redis.scanIterator()) break
      const iteration = redis.scanIterator()
      await iteration.next()
      assert.deepEqual(await iteration.return(undefined), { done: true, value: undefined })
      assert.deepEqual(await iteration.next(), { done: true, value: undefined })
      await redis.ping()
      assert.equal(server.received.filter(([name]) => name === 'SCAN').length, 2)
    } finally {
      redis.destroy()
    }
  })

  it('ends with the reason of its signal, between pages and inside one', async () => {
    await using server = await FakeServer.start()
    server
      .expect('SCAN', '0')
      .times(2)
      .reply(['7', ['a']])
    server.expect('SCAN', '7').stall()
    const redis = new Redis(server.url)
    try {
      for (const isBetween of [true, false]) {
        const controller = new AbortController()
        const reason = new Error('enough')
        const iteration = redis.withAbortSignal(controller.signal).scanIterator()
        await iteration.next()
        if (isBetween) controller.abort(reason)
        const next = iteration.next()
        if (!isBetween) {
          await server.until('SCAN', 3)
          controller.abort(reason)
        }
        await assert.rejects(next, (error) => error === reason)
        assert.deepEqual(await iteration.next(), { done: true, value: undefined })
        if (isBetween) assert.equal(server.received.filter(([name]) => name === 'SCAN').length, 1)
      }
    } finally {
      redis.destroy()
    }
  })
})
