// subscribe, unsubscribe and MONITOR as a program sees them: on a real server, and against one that says what a test
// wants.

import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { createClient, Redis, type SubscriptionGap } from '../../src/index.js'
import { until } from '../live/support-live.js'
import { FakeServer } from '../support/fake-server.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'

interface Heard {
  readonly messages: [string, string][]
  readonly listen: (message: string, channel: string) => void
}

function listener(): Heard {
  const messages: [string, string][] = []
  return { messages, listen: (message, channel) => messages.push([message, channel]) }
}

for (const protocol of [3, 2] as const) {
  describe(`pub/sub under RESP${protocol}`, { skip: liveSkip }, () => {
    let redis: Redis
    let server: RedisProcess
    before(async () => {
      server = await RedisProcess.start()
      redis = new Redis(`${server.url}?protocol=${protocol}`, { maxConnections: 4 })
    })
    after(async () => {
      redis.destroy()
      await server.stop()
    })

    it('tells each listener of a channel each message, with the name of the channel', async () => {
      const [one, other] = [listener(), listener()]
      await redis.subscribe(['news', 'sport'], one.listen)
      await redis.subscribe('news', other.listen)
      assert.equal(await redis.publish('news', 'first'), 1)
      assert.equal(await redis.publish('sport', 'second'), 1)
      await until('both are told', () => one.messages.length === 2 && other.messages.length === 1)
      assert.deepEqual(one.messages, [
        ['first', 'news'],
        ['second', 'sport'],
      ])
      assert.deepEqual(other.messages, [['first', 'news']])
      await redis.unsubscribe()
      assert.equal(await redis.publish('news', 'nobody hears'), 0)
    })

    it('gives the bytes as they are in buffer mode, and text besides', async () => {
      const bytes = Buffer.from([0, 255, 13, 10, 128])
      const [heard, text] = [[] as Buffer[], listener()]
      await redis.subscribe('raw', (message, channel) => heard.push(message, channel), true)
      await redis.subscribe('raw', text.listen)
      await redis.publish('raw', bytes)
      await until('it comes', () => heard.length === 2 && text.messages.length === 1)
      assert.deepEqual(heard, [bytes, Buffer.from('raw')])
      assert.deepEqual(text.messages, [[bytes.toString(), 'raw']])
      await redis.unsubscribe('raw')
    })

    it('matches patterns, and tells the channel that matched', async () => {
      const heard = listener()
      await redis.pSubscribe('user:*', heard.listen)
      await redis.publish('user:7', 'in')
      await until('it comes', () => heard.messages.length === 1)
      assert.deepEqual(heard.messages, [['in', 'user:7']])
      await redis.pUnsubscribe('user:*')
      assert.equal(await redis.publish('user:7', 'out'), 0)
    })

    it('listens to sharded channels', async () => {
      const heard = listener()
      await redis.sSubscribe('shard', heard.listen)
      assert.equal(await redis.sPublish('shard', 'in'), 1)
      await until('it comes', () => heard.messages.length === 1)
      assert.deepEqual(heard.messages, [['in', 'shard']])
      await redis.sUnsubscribe()
      assert.equal(await redis.sPublish('shard', 'out'), 0)
    })

    it('takes out one listener and leaves the others', async () => {
      const [one, other] = [listener(), listener()]
      await redis.subscribe('c', one.listen)
      await redis.subscribe('c', other.listen)
      await redis.unsubscribe('c', one.listen)
      await redis.publish('c', 'message')
      await until('it comes', () => other.messages.length === 1)
      assert.equal(one.messages.length, 0)
      await redis.unsubscribe('c', other.listen)
      assert.equal(await redis.publish('c', 'message'), 0)
    })

    it('uses one connection of the pool for all of them, and gives it back after the last', async () => {
      const { listen } = listener()
      await redis.subscribe(['a', 'b'], listen)
      await redis.pSubscribe('c*', listen)
      await redis.withTypeMapping({}).sSubscribe('d', listen)
      const { holders } = redis.pool.stats()
      assert.deepEqual(
        holders.map(({ label, kind }) => [label, kind]),
        [['subscriber', 'stream']],
      )
      await Promise.all([redis.unsubscribe(), redis.pUnsubscribe(), redis.sUnsubscribe()])
      assert.equal(redis.pool.stats().holders.length, 0)
      assert.equal(await redis.ping(), 'PONG')
    })

    it('lets messages come while commands are called, and shares nothing with them', async () => {
      const heard = listener()
      await redis.subscribe('busy', heard.listen)
      await Promise.all(
        Array.from({ length: 500 }, async (_, index) => {
          await redis.publish('busy', String(index))
          assert.equal(await redis.set(`key:${index}`, index), 'OK')
        }),
      )
      await until('all come', () => heard.messages.length === 500)
      assert.deepEqual(
        heard.messages.map(([message]) => Number(message)).sort((a, b) => a - b),
        Array.from({ length: 500 }, (_, index) => index),
      )
      await redis.unsubscribe()
    })

    it('goes on with the other listeners when one throws', async () => {
      const heard = listener()
      const uncaught: unknown[] = []
      const keep = (error: unknown): void => void uncaught.push(error)
      process.setUncaughtExceptionCaptureCallback(keep)
      try {
        const failure = new Error('from a listener')
        await redis.subscribe('c', () => {
          throw failure
        })
        await redis.subscribe('c', heard.listen)
        await redis.publish('c', 'message')
        await until('it comes', () => heard.messages.length === 1 && uncaught.length === 1)
        assert.deepEqual(uncaught, [failure])
      } finally {
        process.setUncaughtExceptionCaptureCallback(null)
      }
      await redis.unsubscribe()
    })

    it('tells of the time without a connection, and has the subscriptions again by then', async () => {
      const heard = listener()
      const gaps: SubscriptionGap[] = []
      const keep = (gap: SubscriptionGap): void => void gaps.push(gap)
      redis.on('gap', keep)
      await redis.subscribe('c', heard.listen)
      await redis.pSubscribe('p*', heard.listen)
      await using killer = new Redis(server.url)
      const before = Date.now()
      await killer.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub'])
      await until('the gap is told', () => gaps.length === 1)
      assert.equal(await killer.publish('c', 'again'), 1)
      await until('it comes', () => heard.messages.length === 1)
      const [gap] = gaps
      assert.ok(gap !== undefined)
      assert.deepEqual([gap.channels, gap.patterns, gap.sharded, gap.refused], [['c'], ['p*'], [], []])
      assert.ok(gap.from <= before + 1 && before <= gap.to && gap.cause instanceof Error)
      redis.off('gap', keep)
      await Promise.all([redis.unsubscribe(), redis.pUnsubscribe()])
    })

    it('replaces the connection when the pool retires all, and tells the gap', async () => {
      const heard = listener()
      await redis.subscribe('c', heard.listen)
      const told = new Promise<SubscriptionGap>((resolve) => redis.once('gap', resolve))
      redis.pool.retire()
      const gap = await told
      assert.deepEqual([gap.channels, gap.cause], [['c'], undefined])
      assert.equal(await redis.publish('c', 'again'), 1)
      await until('it comes', () => heard.messages.length === 1)
      await redis.unsubscribe()
    })

    it('monitors what the server executes until its signal is aborted', async () => {
      const lines: string[] = []
      const ending = new AbortController()
      await redis.withAbortSignal(ending.signal).monitor((line) => lines.push(line))
      await redis.set('monitored', 'value')
      await until('it is told', () => lines.some((line) => /"SET" "monitored" "value"/i.test(line)))
      ending.abort()
      const count = lines.length
      await redis.set('unseen', 'value')
      assert.equal(lines.length, count)
      assert.equal(redis.pool.stats().holders.length, 0)
    })

    it('ends with its pool: a graceful close does not wait for it', async () => {
      await using other = new Redis(`${server.url}?protocol=${protocol}`)
      await other.subscribe('c', () => {})
      await other.monitor(() => {})
      await other.close({ timeout: 2_000 })
      await assert.rejects(
        other.subscribe('d', () => {}),
        { code: 'ERR_POOL_CLOSED' },
      )
    })
  })
}

describe('a subscriber whose pool ends or changes at the wrong moment', { skip: liveSkip }, () => {
  it('lets close() end while the server is down, and so does a monitor', async () => {
    await using server = await RedisProcess.start()
    const redis = new Redis(server.url)
    await redis.subscribe('c', () => {})
    await redis.monitor(() => {})
    await server.stop()
    await until('both wait for a connection', () => redis.pool.stats().waiting.leases === 2)
    await redis.close()
    assert.equal(redis.pool.stats().state, 'closed')
  })

  it('leaves no listener on a signal, and takes no subscription, after destroy()', async () => {
    await using server = await RedisProcess.start()
    const redis = new Redis(server.url)
    const ending = new AbortController()
    await redis.withAbortSignal(ending.signal).monitor(() => {})
    await redis.subscribe('c', () => {})
    redis.destroy()
    await assert.rejects(
      redis.subscribe('c', () => {}),
      { code: 'ERR_POOL_CLOSED' },
    )
    assert.equal(getEventListeners(ending.signal, 'abort').length, 0)
  })

  it('does not stay on a connection that was retired while it was granted', async () => {
    await using server = await RedisProcess.start()
    await using redis = new Redis(server.url)
    await redis.lease((lease) => lease.ping())
    const before = redis.pool.stats().counters.opened
    const subscribed = redis.subscribe('c', () => {})
    redis.pool.retire()
    await subscribed
    assert.equal(redis.pool.stats().counters.opened, before + 1)
    assert.equal(await redis.publish('c', 'message'), 1)
  })
})

describe('a subscription that does not come about', { skip: liveSkip }, () => {
  it('says what is missing when it is called without a listener or without a name', async () => {
    using redis = disposable(new Redis('redis://127.0.0.1:1'))
    const call = (name: 'subscribe' | 'unsubscribe' | 'monitor', ...args: unknown[]): Promise<void> =>
      Reflect.apply(redis[name], redis, args)
    const listen = (): void => {}
    await assert.rejects(call('subscribe', 'news'), /expected a listener: a function/)
    await assert.rejects(call('subscribe', undefined, listen), /expected the name of a channel/)
    await assert.rejects(call('subscribe', [], listen), /expected the name of a channel/)
    await assert.rejects(call('subscribe', [1], listen), /expected the name of a channel/)
    await assert.rejects(call('unsubscribe', 'news', 1), /expected the listener/)
    await assert.rejects(call('monitor'), /expected a function/)
  })

  it('fails after acquireTimeout when there is no server, and is forgotten', async () => {
    using redis = disposable(new Redis('redis://127.0.0.1:1', { acquireTimeout: 50 }))
    await assert.rejects(
      redis.subscribe('c', () => {}),
      { code: 'ERR_POOL_TIMEOUT' },
    )
    assert.equal(redis.pool.stats().waiting.total, 0)
  })

  it('fails with the refusal of the server, and concerns no other', async () => {
    await using server = await RedisProcess.start()
    await using admin = new Redis(server.url)
    await admin.sendCommand(['ACL', 'SETUSER', 'reader', 'on', '>secret', '+@all', 'resetchannels', '&open', '&late'])
    await using redis = new Redis(server.url, { username: 'reader', password: 'secret' })
    const heard = listener()
    await assert.rejects(redis.subscribe(['open', 'closed'], heard.listen), /NOPERM/)
    await redis.subscribe(['open', 'late'], heard.listen)
    assert.equal(await admin.publish('closed', 'message'), 0)
    assert.equal(await admin.publish('open', 'message'), 1)
    await until('it comes', () => heard.messages.length === 1)

    // What it may hear is taken away; the connection goes with it, and one of two comes back.
    const told = new Promise<SubscriptionGap>((resolve) => redis.once('gap', resolve))
    await admin.sendCommand(['ACL', 'SETUSER', 'reader', 'resetchannels', '&open'])
    const gap = await told
    assert.deepEqual(gap.channels, ['open'])
    assert.deepEqual(
      gap.refused.map(({ name, error }) => [name, /NOPERM/.test(error.message)]),
      [['late', true]],
    )
  })
})

describe('a server that confirms no subscription', () => {
  it('keeps a call no longer than its signal, its commandTimeout or that of the pool', async () => {
    await using server = await FakeServer.start()
    server.expect('SUBSCRIBE').always().stall()
    using redis = disposable(new Redis(server.url, { commandTimeout: 50 }))
    await assert.rejects(
      redis.subscribe('a', () => {}),
      { code: 'ERR_COMMAND_TIMEOUT', command: 'SUBSCRIBE' },
    )
    await assert.rejects(
      redis.withCommandOptions({ timeout: 20 }).subscribe('b', () => {}),
      { code: 'ERR_COMMAND_TIMEOUT', timeout: 20 },
    )
    const ending = new AbortController()
    const aborted = redis.withCommandOptions({ abortSignal: ending.signal, timeout: 0 }).subscribe('c', () => {})
    ending.abort(new Error('enough'))
    await assert.rejects(aborted, /enough/)
  })
})

describe('a client that is told not to reconnect', () => {
  it('says so to who listened, and is not dialed again', async () => {
    await using server = await FakeServer.start()
    server.expect('SUBSCRIBE', 'c').push('subscribe', 'c', 1)
    server.expect('MONITOR').reply('OK')
    const { port } = server
    await using client = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: false } })
    const [gaps, errors]: [SubscriptionGap[], Error[]] = [[], []]
    client.on('gap', (gap) => gaps.push(gap))
    client.on('error', (error) => errors.push(error))
    await client.subscribe('c', () => {})
    await client.monitor(() => {})
    await server.stop()
    await until('it is told', () => gaps.length === 1)
    assert.deepEqual(
      gaps[0]?.refused.map(({ name, error }) => [name, /ECONNREFUSED/.test(error.message)]),
      [['c', true]],
    )
    assert.ok(errors.some(({ message }) => /ECONNREFUSED/.test(message)))
    // The monitor may still pause before the dial that tells it so too.
    await until('nobody waits', () => client.pool.stats().waiting.total === 0)
    assert.equal(client.pool.stats().holders.length, 0)
  })
})

describe('messages at the wrong moment', () => {
  it('belong to nobody while nobody listens, and are not taken for replies', async () => {
    await using server = await FakeServer.start()
    server.expect('GET', 'key').push('message', 'c', 'unasked').reply('value')
    using redis = disposable(new Redis(server.url))
    assert.equal(await redis.get('key'), 'value')
  })

  it('are delivered when they stand in front of the confirmation of another channel', async () => {
    await using server = await FakeServer.start()
    server.expect('SUBSCRIBE', 'a').push('subscribe', 'a', 1)
    server.expect('SUBSCRIBE', 'b').push('message', 'a', 'early').push('subscribe', 'b', 2).push('message', 'b', 'late')
    using redis = disposable(new Redis(server.url))
    const heard = listener()
    await redis.subscribe(['a', 'b'], heard.listen)
    await until('both come', () => heard.messages.length === 2)
    assert.deepEqual(heard.messages, [
      ['early', 'a'],
      ['late', 'b'],
    ])
  })
})

function disposable(redis: Redis): Redis & Disposable {
  return Object.assign(redis, { [Symbol.dispose]: () => redis.destroy() })
}
