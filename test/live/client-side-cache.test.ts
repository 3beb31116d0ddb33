// Client-side caching on a real server: a long mix of reads and writes by two writers, one of them a stranger, while
// connections are killed. Every value tells its version, so that no read can be older than it may be unseen.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Connection } from '../../src/connection/connection.js'
import { type CacheStats, Redis, type RedisOptions, RespoolError } from '../../src/index.js'
import { ReplyStore } from '../../src/pool/reply-store.js'
import type { Reply } from '../../src/resp/types.js'
import { withMistake } from '../support/mistake.js'
import { pick, seeded } from '../support/random.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'

const STRINGS = ['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7']
const HASHES = ['h0', 'h1', 'h2', 'h3']
const KEYS = [...STRINGS, ...HASHES]
const CALLERS = 16

/** What is known of the versions of one key. Only one writer at a time writes to it, so that they have an order. */
class KeyHistory {
  /** Of the last write that began. */
  latest = 0
  /** Versions at which it was deleted. */
  readonly deleted = new Set<number>([0])
  /** No read that begins now may show an older version. */
  floor = 0
  turn: Promise<unknown> = Promise.resolve()

  /** The oldest version that such a value can have; undefined when it cannot have been read. */
  oldestOf(value: string | undefined, floor: number): number | undefined {
    if (value !== undefined) return Number(value) >= floor ? Number(value) : undefined
    for (let version = floor; version <= this.latest; version++) if (this.deleted.has(version)) return version
    return undefined
  }

  atLeast(version: number): void {
    this.floor = Math.max(this.floor, version)
  }
}

class Witness implements Disposable {
  readonly keys = new Map(KEYS.map((key) => [key, new KeyHistory()]))
  readonly complaints: string[] = []
  /** What each connection has read of each key, until it was told of a change. */
  readonly #read = new WeakMap<Connection, Map<string, number>>()
  readonly #onReply = Connection.prototype.onReply
  readonly #onPush = Connection.prototype.onPush

  constructor() {
    const witness = this
    Connection.prototype.onReply = function (value) {
      const [request] = this.slots
      if (request !== undefined) witness.#saw(this, request.args.map(String), value)
      witness.#onReply.call(this, value)
    }
    Connection.prototype.onPush = function (items) {
      // First the law, then its consequence: a read that begins inside would be judged by it.
      witness.#onPush.call(this, items)
      if (String(items[0]) === 'invalidate') witness.#told(this, items[1])
    }
  }

  [Symbol.dispose](): void {
    Connection.prototype.onReply = this.#onReply
    Connection.prototype.onPush = this.#onPush
  }

  of(key: string): KeyHistory {
    const history = this.keys.get(key)
    assert.ok(history !== undefined, key)
    return history
  }

  /** Judges what a read has brought that began when the floors were these. */
  judge(what: string, key: string, value: string | undefined, floor: number): void {
    const history = this.of(key)
    if (history.oldestOf(value, floor) === undefined) {
      this.complaints.push(`${what} ${key}: ${value ?? 'nothing'} where at least version ${floor} was due`)
    }
  }

  #saw(connection: Connection, [name = '', ...keys]: readonly string[], value: Reply): void {
    const values = name === 'MGET' && Array.isArray(value) ? value : [value]
    if (name !== 'GET' && name !== 'MGET' && name !== 'HGETALL') return
    const read = this.#read.get(connection) ?? new Map<string, number>()
    this.#read.set(connection, read)
    for (const [index, key] of keys.entries()) {
      const history = this.of(key)
      // A reply to a read that began before the floor rose may be older: then it tells nothing.
      const version = history.oldestOf(textOf(values[index]), 0)
      if (version !== undefined) read.set(key, version)
    }
  }

  /** What was read over this connection is older than what the server has now. */
  #told(connection: Connection, keys: Reply | undefined): void {
    const read = this.#read.get(connection)
    for (const key of Array.isArray(keys) ? keys.map(String) : KEYS) {
      const version = read?.get(key)
      if (version !== undefined) this.of(key).atLeast(version + 1)
      read?.delete(key)
    }
  }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return undefined
  const version: unknown = Reflect.get(value, 'version')
  return typeof version === 'string' ? version : undefined
}

interface Result {
  readonly complaints: readonly string[]
  readonly reads: number
  readonly writes: number
  readonly kills: number
  readonly lost: number
  readonly cache: CacheStats
}

function cacheOf(redis: Redis): CacheStats {
  const { cache } = redis.pool.stats()
  assert.ok(cache !== undefined)
  const { entries, stored, evicted, expired, invalidated, dropped } = cache
  assert.equal(entries, stored - evicted - expired - invalidated - dropped)
  return cache
}

/** Runs so many operations and tells what came of it. */
async function run(url: string, operations: number, options: RedisOptions): Promise<Result> {
  using witness = new Witness()
  await using stranger = new Redis(url, { maxConnections: 1 })
  await using redis = new Redis(url, { maxConnections: 4, ...options })
  await stranger.flushAll()
  const random = seeded(20)
  const ids = new Set<number>()
  redis.on('connect', ({ id }) => ids.add(id)).on('close', ({ id }) => ids.delete(id))
  const count = { reads: 0, writes: 0, kills: 0, lost: 0 }
  let left = operations

  const settled = async <T>(call: Promise<T>): Promise<T | undefined> => {
    try {
      return await call
    } catch (error) {
      assert.ok(error instanceof RespoolError, String(error))
      count.lost++
      return undefined
    }
  }

  const read = async (): Promise<void> => {
    const name = pick(random, ['GET', 'GET', 'GET', 'MGET', 'HGETALL'])
    const keys =
      name === 'MGET'
        ? [pick(random, STRINGS), pick(random, STRINGS)]
        : [pick(random, name === 'GET' ? STRINGS : HASHES)]
    const [key = ''] = keys
    const floors = keys.map((each) => witness.of(each).floor)
    count.reads++
    const call =
      name === 'MGET'
        ? redis.mGet(keys)
        : name === 'GET'
          ? redis.get(key).then((one) => [one])
          : redis.hGetAll(key).then((one) => [one])
    const values = await settled<readonly unknown[]>(call)
    if (values === undefined) return
    for (const [index, each] of keys.entries()) witness.judge(name, each, textOf(values[index]), floors[index] ?? 0)
  }

  const send = (by: Redis, key: string, version: string, isDelete: boolean): Promise<unknown> => {
    if (isDelete) return by.del(key)
    if (key.startsWith('h')) return by.hSet(key, 'version', version)
    switch (pick(random, ['set', 'raw', 'multi', 'pipeline', 'lease', 'eval', 'unnamed', 'mset'])) {
      case 'raw':
        return by.sendCommand(['SET', key, version])
      case 'multi':
        return by.multi().set(key, version).exec()
      case 'pipeline':
        return by.multi().set(key, version).execAsPipeline()
      case 'lease':
        return by.lease((lease) => lease.set(key, version))
      case 'eval':
        return by.eval("return redis.call('SET', KEYS[1], ARGV[1])", { keys: [key], arguments: [version] })
      case 'unnamed':
        return by.eval("return redis.call('SET', ARGV[1], ARGV[2])", { arguments: [key, version] })
      case 'mset':
        return by.mSet([key, version])
      default:
        return by.set(key, version)
    }
  }

  const write = (): Promise<void> => {
    const by = pick(random, [redis, stranger])
    const key = pick(random, KEYS)
    const history = witness.of(key)
    const turn = history.turn.then(async () => {
      const version = ++history.latest
      const isDelete = random() < 0.2
      if (isDelete) history.deleted.add(version)
      count.writes++
      const result = await settled(send(by, key, String(version), isDelete))
      if (result !== undefined && by === redis) history.atLeast(version)
    })
    history.turn = turn
    return turn
  }

  const kill = async (): Promise<void> => {
    const id = pick(random, [...ids, 0])
    count.kills += id === 0 ? 0 : Number(await stranger.sendCommand(['CLIENT', 'KILL', 'ID', String(id)]))
  }

  const caller = async (): Promise<void> => {
    while (left-- > 0) {
      if (left % 1_000 === 0) await kill()
      await (random() < 0.8 ? read() : write())
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  await Promise.all(KEYS.map((key) => witness.of(key).turn))
  const cache = cacheOf(redis)
  assert.equal(cache.hits + cache.misses, count.reads, 'every read is a hit or a miss')
  // What the server has told by now has been read when a command behind it is answered.
  await Promise.all(KEYS.map((key) => redis.sendCommand(['EXISTS', key])))
  for (const key of KEYS) {
    const isHash = key.startsWith('h')
    const [kept, held] = await Promise.all(
      [redis, stranger].map((by) => (isHash ? by.hGet(key, 'version') : by.get(key))),
    )
    assert.equal(kept, held, `${key} in the end`)
  }
  return { complaints: witness.complaints, ...count, cache }
}

describe('client-side caching on a real server', { skip: liveSkip, timeout: 110_000 }, () => {
  let server: RedisProcess

  before(async () => {
    server = await RedisProcess.start()
  })
  after(() => server.stop())

  it('shows nobody a value older than it may be, in 100 000 operations under kills', async (test) => {
    const result = await run(server.url, 100_000, { clientSideCache: { maxEntries: 12, ttl: 2 } })
    const { complaints, cache, ...count } = result
    test.diagnostic(JSON.stringify({ ...count, cache }))
    assert.deepEqual(complaints.slice(0, 5), [])
    assert.ok(count.kills > 20, `${count.kills} kills`)
    for (const name of ['hits', 'stored', 'evicted', 'expired', 'invalidated', 'dropped'] as const) {
      assert.ok(cache[name] > 0, `${name}: ${cache[name]}`)
    }
  })

  it('would show one if what the server says were not heard', async () => {
    const mistaken = () => run(server.url, 5_000, { clientSideCache: {} })
    await assert.rejects(async () => {
      const { complaints } = await withMistake(ReplyStore.prototype, 'dropName', () => () => {}, mistaken)
      assert.deepEqual(complaints, [])
    })
  })

  it('hears of changes that a stranger makes, of keys that expire and of databases that are emptied', async () => {
    await using redis = new Redis(server.url, { clientSideCache: {} })
    const changes: (() => Promise<unknown>)[] = [
      () => server.cli('SET', 'k', 'new'),
      () => server.cli('PEXPIRE', 'k', '1'),
      () => server.cli('FLUSHDB'),
      () => server.cli('FLUSHALL'),
      () => server.cli('DEBUG', 'RELOAD'),
    ]
    for (const change of changes) {
      await redis.set('k', 'old')
      // The echo of our own write may outdate the first read.
      for (let hits = cacheOf(redis).hits; cacheOf(redis).hits === hits; ) assert.equal(await redis.get('k'), 'old')
      await change()
      if (change === changes[4]) await server.cli('SET', 'k', 'new')
      while ((await redis.get('k')) === 'old') await new Promise((resolve) => setImmediate(resolve))
    }
  })

  it('counts no connection that somebody only listens on, and keeps nothing of it', async () => {
    await using redis = new Redis(server.url, { clientSideCache: {} })
    const heard: string[] = []
    await redis.subscribe('channel', (message) => heard.push(message))
    await redis.set('listened', '1')
    assert.deepEqual([await redis.get('listened'), await redis.get('listened')], ['1', '1'])
    await redis.publish('channel', 'news')
    while (heard.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const { connections } = redis.pool.stats()
    const { tracked, untracked, untrackedBecause } = cacheOf(redis)
    assert.equal(connections.leased, 1)
    assert.deepEqual([tracked, untracked, untrackedBecause], [connections.total - 1, 0, undefined])
    await redis.unsubscribe('channel')
  })

  it('counts a connection whose holder may have changed what its server tells', async () => {
    await using redis = new Redis(server.url, { clientSideCache: {} })
    await redis.lease(async (lease) => {
      await lease.sendCommand(['CLIENT', 'SETNAME', 'dirty'])
      const { untracked, untrackedBecause } = cacheOf(redis)
      assert.deepEqual([untracked, untrackedBecause], [1, 'CLIENT on a lease'])
    })
  })

  it('keeps nothing for a user who may not ask to be told, and works', async () => {
    const acl = ['user app on >secret ~* +@all -client|tracking']
    await using guarded = await RedisProcess.start({ acl })
    const url = guarded.url.replace('redis://', 'redis://app:secret@')
    await using redis = new Redis(url, { clientSideCache: {} })
    await redis.set('k', 'value')
    assert.equal(await redis.get('k'), 'value')
    assert.equal(await redis.get('k'), 'value')
    const { hits, stored, untracked, untrackedBecause } = cacheOf(redis)
    assert.deepEqual({ hits, stored, untracked }, { hits: 0, stored: 0, untracked: 1 })
    assert.match(untrackedBecause ?? '', /NOPERM/)
  })

  it('is told of each change of what it keeps of a stream, and keeps nothing that changes unsaid', async () => {
    await using redis = new Redis(server.url, { clientSideCache: {} })
    await redis.xAdd('s', '*', { field: 'value' })
    await redis.xGroupCreate('s', 'group', '0')
    const before = await redis.xInfoGroups('s')
    await server.cli('XREADGROUP', 'GROUP', 'group', 'someone', 'STREAMS', 's', '>')
    const later = await redis.xInfoGroups('s')
    assert.notDeepEqual(later, before)
  })
})
