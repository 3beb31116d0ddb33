// Client-side caching against a scripted server that tells of changes only when a test says so. Each race is run twice:
// as the code is, and with the mistake that would lose it.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CacheStats, RESP_TYPES, Redis, type RedisOptions, ReplyError } from '../../src/index.js'
import { CacheTraffic } from '../../src/pool/cache-traffic.js'
import { ClientSideCache } from '../../src/pool/client-side-cache.js'
import { ReplyStore } from '../../src/pool/reply-store.js'
import { FakeServer } from '../support/fake-server.js'
import { withMistake } from '../support/mistake.js'
import { OK, Simple, type Wire } from '../support/resp.js'

/** A server with a few keys, and a handle that keeps replies. */
class Stage implements AsyncDisposable {
  readonly data = new Map<string, Wire>()
  readonly server: FakeServer
  readonly redis: Redis
  readonly #queued: string[][] = []

  private constructor(server: FakeServer, options: RedisOptions) {
    this.server = server
    this.redis = new Redis(server.url, { clientSideCache: {}, ...options })
  }

  static async open(options: RedisOptions = {}): Promise<Stage> {
    const server = await FakeServer.start({ fallback: (args) => stage.answer(args) })
    const stage = new Stage(server, options)
    return stage
  }

  get cache(): CacheStats {
    const { cache } = this.redis.pool.stats()
    assert.ok(cache !== undefined)
    const { entries, stored, evicted, expired, invalidated, dropped } = cache
    assert.equal(entries, stored - evicted - expired - invalidated - dropped)
    return cache
  }

  /** How many commands of this name have come. */
  count(name: string): number {
    return this.server.received.filter(([first]) => first === name).length
  }

  /** What came over this connection before now has been read by the client. */
  async heard(connection = 0): Promise<void> {
    const marker = `heard-${Math.random()}`
    const done = new Promise<void>((resolve) => {
      const pushed = ClientSideCache.prototype.pushed
      ClientSideCache.prototype.pushed = function (message) {
        if (!Array.isArray(message) || String(message[1]) !== marker) return pushed.call(this, message)
        ClientSideCache.prototype.pushed = pushed
        resolve()
        return true
      }
    })
    this.server.connections[connection]?.push(['marker', marker])
    await done
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.redis.destroy()
    await this.server.stop()
  }

  answer(args: string[]): Wire | undefined {
    const [command = '', key = '', value = ''] = args
    const name = command.toUpperCase()
    if (this.#queued.length > 0 && name !== 'EXEC') {
      this.#queued.push(args)
      return new Simple('QUEUED')
    }
    switch (name) {
      case 'MULTI':
        this.#queued.push(args)
        return OK
      case 'EXEC':
        return this.#queued
          .splice(0)
          .slice(1)
          .map((each) => this.answer(each) ?? null)
      case 'GET':
      case 'HGETALL':
      case 'LRANGE':
        return this.data.get(key) ?? null
      case 'MGET':
        return args.slice(1).map((each) => this.data.get(each) ?? null)
      case 'SET':
      case 'ODD.SET':
        this.data.set(key, value)
        return OK
      case 'MSET':
        for (let at = 1; at < args.length; at += 2) this.data.set(args[at] ?? '', args[at + 1] ?? '')
        return OK
      case 'RENAME':
        this.data.set(value, this.data.get(key) ?? null)
        return OK
      case 'EVAL':
        this.data.set('k', 'new')
        return 1
      case 'FLUSHALL':
        this.data.clear()
        return OK
      default:
        return undefined
    }
  }
}

/** A promise that is kept when somebody says so. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

/** `k` is `old`, is kept, and is `new` on the server from then on. */
async function keepOld(stage: Stage): Promise<void> {
  stage.data.set('k', 'old')
  await stage.redis.get('k')
  assert.equal(await stage.redis.get('k'), 'old')
  assert.equal(stage.cache.hits, 1, 'the reply was not kept')
  stage.data.set('k', 'new')
}

/** Two lanes, and a key other than `k` that goes to the other one. */
async function twoLanes(stage: Stage): Promise<string> {
  const keys = Array.from({ length: 40 }, (_, index) => `other${index}`)
  while (stage.redis.pool.stats().connections.shared < 2) {
    await Promise.all(keys.map((key) => stage.redis.sendCommand(['GET', key])))
  }
  await Promise.all(['k', ...keys].map((key) => stage.redis.sendCommand(['GET', key, 'probe'])))
  const connections = stage.server.connections
  const homeOf = (key: string): number =>
    connections.findIndex(({ received }) => received.some(([, first, last]) => first === key && last === 'probe'))
  const other = keys.find((key) => homeOf(key) !== homeOf('k'))
  assert.ok(other !== undefined)
  return other
}

/** Runs a race that ends with what a reader sees last: the new value, and the old one with the mistake in the code. */
function race<T extends object, K extends keyof T>(
  title: string,
  target: T,
  name: K,
  mistake: (sound: T[K]) => T[K],
  options: RedisOptions,
  run: (stage: Stage) => Promise<unknown>,
): void {
  it(title, { timeout: 10_000 }, async () => {
    const staged = async (): Promise<unknown> => {
      await using stage = await Stage.open(options)
      const seen = await run(stage)
      assert.ok(stage.cache.entries >= 0)
      return seen
    }
    assert.equal(await staged(), 'new')
    assert.equal(await withMistake(target, name, mistake, staged), 'old', 'nobody would notice the mistake')
  })
}

const nothing = (): void => {}

describe('a kept reply', () => {
  it('costs no round trip, and is counted', async () => {
    await using stage = await Stage.open()
    stage.data.set('k', 'value')
    for (let call = 0; call < 5; call++) assert.equal(await stage.redis.get('k'), 'value')
    assert.equal(await stage.redis.get('none'), null)
    assert.equal(await stage.redis.get('none'), null)
    assert.equal(stage.count('GET'), 2)
    const { hits, misses, stored, entries, tracked, untracked } = stage.cache
    assert.deepEqual({ hits, misses, stored, entries }, { hits: 5, misses: 2, stored: 2, entries: 2 })
    assert.deepEqual([tracked, untracked], [1, 0])
  })

  it('is asked for by one handle and served to all of the pool', async () => {
    await using stage = await Stage.open()
    stage.data.set('k', 'value')
    const other = new Redis({ pool: stage.redis.pool })
    await other.get('k')
    assert.equal(await stage.redis.get(Buffer.from('k')), 'value')
    assert.equal(stage.count('GET'), 1)
  })

  it('is each caller’s own: what one does to it, no other sees', async () => {
    await using stage = await Stage.open()
    stage.data.set('list', ['a', 'b'])
    stage.data.set('hash', new Map([['field', 'value']]))
    const binary = stage.redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    for (let call = 0; call < 3; call++) {
      const list = await stage.redis.lRange('list', 0, -1)
      assert.deepEqual(list, ['a', 'b'])
      list.push('mine')
      const hash = await stage.redis.hGetAll('hash')
      assert.deepEqual({ ...hash }, { field: 'value' })
      hash.field = 'mine'
      const [bytes] = await binary.lRange('list', 0, -1)
      assert.deepEqual(bytes, Buffer.from('a'))
      bytes?.fill(0)
    }
    assert.equal(stage.cache.hits, 6)
  })

  it('has the types that its caller asked for', async () => {
    await using stage = await Stage.open()
    stage.data.set('k', 'value')
    for (let call = 0; call < 2; call++) {
      // A mapping of its own each time, as programs write it.
      const binary = stage.redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
      assert.deepEqual(await binary.get('k'), Buffer.from('value'))
      assert.equal(await stage.redis.get('k'), 'value')
    }
    assert.equal(stage.count('GET'), 2)
  })

  it('is not served to what goes past the cache: raw commands, transactions, pipelines, leases', async () => {
    await using stage = await Stage.open()
    await keepOld(stage)
    assert.equal(await stage.redis.sendCommand(['GET', 'k']), 'new')
    assert.deepEqual(await stage.redis.multi().get('k').exec(), ['new'])
    assert.deepEqual(await stage.redis.multi().get('k').execAsPipeline(), ['new'])
    assert.equal(await stage.redis.lease((lease) => lease.get('k')), 'new')
    // None of them wrote.
    assert.equal(await stage.redis.get('k'), 'old')
  })

  it('is no error, and errors are not kept', async () => {
    await using stage = await Stage.open()
    stage.server.expect('GET', 'k').times(2).reply(new Error('WRONGTYPE no'))
    await assert.rejects(stage.redis.get('k'), ReplyError)
    await assert.rejects(stage.redis.get('k'), ReplyError)
    assert.equal(stage.cache.stored, 0)
  })

  it('does not answer who has given up; and who gives up leaves others alone', async () => {
    await using stage = await Stage.open()
    await keepOld(stage)
    const reason = new Error('enough')
    await assert.rejects(stage.redis.withAbortSignal(AbortSignal.abort(reason)).get('k'), reason)
    const wait = gate()
    stage.server.expect('GET', 'slow').wait(wait.opened).reply('value')
    const abort = new AbortController()
    const first = stage.redis.withAbortSignal(abort.signal).get('slow')
    const second = stage.redis.get('slow')
    await stage.server.until('GET', 3)
    abort.abort(reason)
    await assert.rejects(first, reason)
    stage.data.set('slow', 'value')
    wait.open()
    assert.equal(await second, 'value')
  })

  it('is forgotten when a program says so', async () => {
    await using stage = await Stage.open()
    await keepOld(stage)
    stage.redis.pool.clearCache()
    assert.equal(await stage.redis.get('k'), 'new')
    assert.equal(stage.cache.dropped, 1)
  })

  it('is not there after the end of its pool', async () => {
    await using stage = await Stage.open()
    await keepOld(stage)
    stage.redis.destroy()
    await assert.rejects(stage.redis.get('k'), { code: 'ERR_POOL_CLOSED' })
    assert.equal(stage.cache.entries, 0)
  })
})

describe('client-side caching', () => {
  it('is off unless it is asked for', async () => {
    await using stage = await Stage.open({ clientSideCache: undefined })
    await stage.redis.get('k')
    await stage.redis.get('k')
    assert.equal(stage.count('GET'), 2)
    assert.equal(stage.redis.pool.stats().cache, undefined)
    assert.ok(!stage.server.received.some(([, second]) => second === 'TRACKING'))
  })

  it('asks every connection’s server to tell of changes, before the proof that it is ready', async () => {
    await using stage = await Stage.open({ minConnections: 3 })
    await stage.redis.connect()
    for (const { received } of stage.server.connections) {
      const steps = received.map((args) => args.slice(0, 3).join(' '))
      const at = steps.indexOf('CLIENT TRACKING ON')
      assert.ok(at > 0 && at < steps.findIndex((step) => step.startsWith('PING')), steps.join(', '))
    }
    assert.equal(stage.cache.tracked, 3)
  })

  it('keeps nothing of a connection whose server refuses to tell, and says so', async () => {
    await using stage = await Stage.open()
    stage.server.expect('CLIENT', 'TRACKING').always().reply(new Error('NOPERM no permission'))
    await stage.redis.get('k')
    await stage.redis.get('k')
    assert.equal(stage.count('GET'), 2)
    const { tracked, untracked, untrackedBecause, hits, misses, stored } = stage.cache
    assert.deepEqual(
      { tracked, untracked, hits, misses, stored },
      { tracked: 0, untracked: 1, hits: 0, misses: 2, stored: 0 },
    )
    assert.match(untrackedBecause ?? '', /NOPERM/)
  })

  it('keeps nothing where the server knows only RESP2, and says so', async () => {
    await using stage = await Stage.open()
    stage.server.expect('HELLO').always().reply(new Error('ERR unknown command `HELLO`'))
    stage.data.set('k', 'value')
    assert.equal(await stage.redis.get('k'), 'value')
    assert.equal(await stage.redis.get('k'), 'value')
    assert.equal(stage.count('GET'), 2)
    assert.match(stage.cache.untrackedBecause ?? '', /RESP3/)
    assert.ok(!stage.server.received.some(([, second]) => second === 'TRACKING'))
  })

  it('works in a classic pool, and with proven replies', async () => {
    for (const options of [{ pipelining: 1 }, { integrity: 'batch' }, { integrity: 'command' }] as const) {
      await using stage = await Stage.open(options)
      await keepOld(stage)
      stage.server.connections[0]?.push(['invalidate', ['k']])
      await stage.heard()
      assert.equal(await stage.redis.get('k'), 'new', JSON.stringify(options))
    }
  })

  it('understands keys that are no text', async () => {
    await using stage = await Stage.open()
    const key = Buffer.from([0xff, 0x00, 0xfe])
    stage.server.expect('GET').reply('old')
    await stage.redis.get(key)
    assert.equal(await stage.redis.get(key), 'old')
    stage.server.connections[0]?.push(['invalidate', [key]])
    await stage.heard()
    stage.server.expect('GET').reply('new')
    assert.equal(await stage.redis.get(key), 'new')
  })
})

describe('a reply is never older than what the server said of its keys', () => {
  race(
    'said after it was kept',
    ReplyStore.prototype,
    'dropName',
    () => nothing,
    {},
    async (stage) => {
      await keepOld(stage)
      stage.server.connections[0]?.push(['invalidate', ['k']])
      await stage.heard()
      return stage.redis.get('k')
    },
  )

  race(
    'said of one of several keys',
    ReplyStore.prototype,
    'dropName',
    () => nothing,
    {},
    async (stage) => {
      stage.data.set('k', 'old')
      await stage.redis.mGet(['a', 'k', 'b'])
      stage.data.set('k', 'new')
      stage.server.connections[0]?.push(['invalidate', ['k']])
      await stage.heard()
      const [, value] = await stage.redis.mGet(['a', 'k', 'b'])
      return value
    },
  )

  race(
    'said of all keys',
    ReplyStore.prototype,
    'dropAll',
    () => nothing,
    {},
    async (stage) => {
      await keepOld(stage)
      stage.server.connections[0]?.push(['invalidate', null])
      await stage.heard()
      return stage.redis.get('k')
    },
  )

  race(
    'said while it was on its way',
    CacheTraffic.prototype,
    'outdate',
    () => nothing,
    {},
    async (stage) => {
      stage.server.expect('GET', 'k').push('invalidate', ['k']).reply('old')
      await stage.redis.get('k')
      stage.data.set('k', 'new')
      return stage.redis.get('k')
    },
  )

  race(
    'said of all keys while it was on its way',
    CacheTraffic.prototype,
    'outdateAll',
    () => nothing,
    {},
    async (stage) => {
      stage.server.expect('GET', 'k').push('invalidate', null).reply('old')
      await stage.redis.get('k')
      stage.data.set('k', 'new')
      return stage.redis.get('k')
    },
  )

  race(
    'said over another connection while it was on its way',
    CacheTraffic.prototype,
    'outdate',
    () => nothing,
    {},
    async (stage) => {
      await stage.redis.connect()
      await using _lease = await stage.redis.lease()
      const wait = gate()
      stage.server.expect('GET', 'k').wait(wait.opened).reply('old')
      const reading = stage.redis.get('k')
      await stage.server.until('GET')
      stage.data.set('k', 'new')
      const other = stage.server.connections.findIndex(({ received }) => received.every(([name]) => name !== 'GET'))
      stage.server.connections[other]?.push(['invalidate', ['k']])
      await stage.heard(other)
      wait.open()
      assert.equal(await reading, 'old')
      return stage.redis.get('k')
    },
  )

  race(
    'or could have said, had its connection not ended',
    ClientSideCache.prototype,
    'forget',
    () => nothing,
    {},
    async (stage) => {
      await keepOld(stage)
      // A listener is the first that can ask after the end.
      const seen = new Promise<unknown>((resolve) => {
        stage.redis.once('close', () => resolve(stage.redis.get('k')))
      })
      stage.server.connections[0]?.rst()
      return seen
    },
  )

  race(
    'or would say, did its connection still lead to the right server',
    ClientSideCache.prototype,
    'forget',
    () => nothing,
    { lanes: 1 },
    async (stage) => {
      await keepOld(stage)
      const wait = gate()
      stage.server.expect('SET', 'other').reply(new Error("READONLY You can't write against a read only replica."))
      stage.server.expect('GET', 'slow').wait(wait.opened).reply(null)
      const writing = stage.redis.set('other', 'value')
      const slow = stage.redis.get('slow')
      await writing
      const seen = await stage.redis.get('k')
      wait.open()
      await slow
      return seen
    },
  )

  race(
    'or would say, had the holder of a lease not told it to be silent',
    ClientSideCache.prototype,
    'leaseSends',
    () => nothing,
    { maxConnections: 1 },
    async (stage) => {
      await keepOld(stage)
      await using lease = await stage.redis.lease()
      await lease.sendCommand(['CLIENT', 'TRACKING', 'OFF'])
      const seen = stage.redis.get('k')
      lease.release()
      return seen
    },
  )
})

describe('whoever awaited a write of this pool reads no older value, whatever the server has not said yet', () => {
  const named = [ReplyStore.prototype, 'dropName', () => nothing] as const
  const unnamed = [ReplyStore.prototype, 'dropAll', () => nothing] as const
  const write = (title: string, act: (redis: Redis) => Promise<unknown>): void =>
    race(title, ...named, {}, async (stage) => {
      await keepOld(stage)
      await act(stage.redis)
      return stage.redis.get('k')
    })
  const unknownWrite = (title: string, act: (redis: Redis) => Promise<unknown>): void =>
    race(title, ...unnamed, {}, async (stage) => {
      await keepOld(stage)
      await act(stage.redis)
      stage.data.set('k', 'new')
      return stage.redis.get('k')
    })

  write('of a command', (redis) => redis.set('k', 'new'))
  write('of raw arguments', (redis) => redis.sendCommand(['set', Buffer.from('k'), 'new']))
  write('of several keys', (redis) => redis.mSet(['a', '1', 'k', 'new']))
  write('of a transaction', (redis) => redis.multi().get('a').set('k', 'new').exec())
  write('of a pipeline', (redis) => redis.multi().get('a').set('k', 'new').execAsPipeline())
  write('of a lease', (redis) => redis.lease((lease) => lease.set('k', 'new')))
  write('of a transaction on a lease', (redis) => redis.lease((lease) => lease.multi().set('k', 'new').exec()))
  write('of a script with its keys', (redis) => redis.eval('script', { keys: ['k'] }))
  unknownWrite('of a script without keys', (redis) => redis.eval('script'))
  unknownWrite('of a command that nobody knows', (redis) => redis.sendCommand(['ODD.SET', 'k', 'new']))
  unknownWrite('of everything', (redis) => redis.flushAll())
  unknownWrite('of a transaction with a command that nobody knows', (redis) =>
    redis.multi().sendCommand(['ODD.SET', 'k', 'new']).exec(),
  )
  unknownWrite('of a transaction made by hand', (redis) =>
    redis.lease(async (lease) => {
      for (const args of [['MULTI'], ['ODD.SET', 'k', 'new'], ['EXEC']]) await lease.sendCommand(args)
    }),
  )

  race('called, and read before it was answered', ...named, {}, async (stage) => {
    stage.data.set('k', 'old')
    await stage.redis.get('k')
    const writing = stage.redis.set('k', 'new')
    const reading = stage.redis.get('k')
    await writing
    return reading
  })

  race(
    'with a read that began before it',
    CacheTraffic.prototype,
    'outdate',
    () => nothing,
    { lanes: 2 },
    async (stage) => {
      const other = await twoLanes(stage)
      const wait = gate()
      stage.server.expect('MGET', other, 'k').wait(wait.opened).reply([null, 'old'])
      const early = stage.redis.mGet([other, 'k'])
      await stage.server.until('MGET')
      await stage.redis.set('k', 'new')
      wait.open()
      await early
      return (await stage.redis.mGet([other, 'k']))[1]
    },
  )

  for (const [title, send] of [
    ['with a read that began while it was on its way', (redis: Redis) => redis.set('k', 'new')],
    [
      'with a read that began while a write of unknown keys was on its way',
      (redis: Redis) => redis.sendCommand(['ODD.SET', 'k', 'new']),
    ],
  ] as const) {
    race(
      title,
      CacheTraffic.prototype,
      'write',
      () => () => ({ answered: nothing, failed: nothing }),
      { lanes: 2 },
      async (stage) => {
        const other = await twoLanes(stage)
        stage.data.set('k', 'old')
        const wait = gate()
        const name = title.includes('unknown') ? 'ODD.SET' : 'SET'
        stage.server
          .expect(name, 'k')
          .wait(wait.opened)
          .reply((args) => stage.answer(args) ?? null)
        const writing = send(stage.redis)
        await stage.server.until(name)
        assert.equal((await stage.redis.mGet([other, 'k']))[1], 'old')
        wait.open()
        await writing
        return (await stage.redis.mGet([other, 'k']))[1]
      },
    )
  }

  it('and a write that came to nothing ends as well', async () => {
    await using stage = await Stage.open()
    stage.server.expect('SET').reply(new Error('OOM no'))
    stage.server.expect('FLUSHALL').reply(new Error('NOPERM no'))
    await assert.rejects(stage.redis.set('k', 'new'), ReplyError)
    await assert.rejects(stage.redis.flushAll(), ReplyError)
    stage.server.expect('SET').stall()
    await assert.rejects(stage.redis.withCommandOptions({ timeout: 20 }).set('k', 'new'), {
      code: 'ERR_COMMAND_TIMEOUT',
    })
    stage.server.connections[0]?.rst()
    await keepOld(stage)
  })
})
