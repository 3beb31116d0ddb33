// keyPrefix stands before every key that commands send, wherever they run, and before nothing else. That all definitions
// are prefixed as by node-redis's own parser is shown in test/command/differential.test.ts.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createClient, OptionError, Redis, WatchError } from '../../src/index.js'
import { liveRedis } from '../support/live-redis.js'
import { liveSkip, type RedisProcess } from '../support/redis-process.js'

describe('keyPrefix', { skip: liveSkip }, () => {
  let server: RedisProcess
  let redis: Redis
  liveRedis({ keyPrefix: 'app:' }, (started) => {
    server = started.server
    redis = started.redis
  })

  it('applies to shared commands, with one key or several', async () => {
    await redis.set('one', '1')
    await redis.mSet({ two: '2', three: '3' })
    assert.deepEqual(await redis.mGet(['one', 'two', 'three']), ['1', '2', '3'])
    assert.deepEqual(await redis.sendCommand(['MGET', 'app:one', 'app:two', 'two']), ['1', '2', null])
    assert.equal(await redis.eval('return KEYS[1] .. ARGV[1]', { keys: ['k'], arguments: ['k'] }), 'app:kk')
    assert.equal(await redis.del(['one', 'two', 'three']), 3)
  })

  it('applies in transactions, pipelines, leases and blocking commands', async () => {
    assert.deepEqual(await redis.multi().set('m', '1').get('m').exec(), ['OK', '1'])
    assert.deepEqual(await redis.multi().get('m').execAsPipeline(), ['1'])
    assert.deepEqual(await redis.multi().sendCommand(['GET', 'app:m']).exec(), ['1'])
    await redis.rPush('queue', 'element')
    assert.deepEqual(await redis.blPop('queue', 1), { key: 'app:queue', element: 'element' })
    await redis.lease(async (connection) => {
      await connection.watch(['m', 'other'])
      await server.cli('SET', 'app:m', '2')
      await assert.rejects(connection.multi().incr('m').exec(), WatchError)
      await connection.watch('m')
      await server.cli('SET', 'm', 'not watched')
      assert.deepEqual(await connection.multi().incr('m').exec(), [3])
      assert.equal(await connection.sendCommand(['GET', 'm']), 'not watched')
    })
  })

  it('leaves raw commands, patterns, channels and replies alone', async () => {
    await redis.set('scanned', 'x')
    assert.deepEqual(await redis.keys('app:scan*'), ['app:scanned'])
    assert.deepEqual(await redis.keys('scan*'), [])
    assert.deepEqual((await redis.scan('0', { MATCH: 'app:scanned', COUNT: 1_000 })).keys, ['app:scanned'])
    assert.equal(await redis.publish('channel', 'message'), 0)
    assert.equal(await redis.sendCommand(['EXISTS', 'scanned']), 0)
  })

  it('may be bytes, and is kept by views', async () => {
    await using bytes = new Redis(server.url, { keyPrefix: Buffer.from([255, 58]) })
    await bytes.set('k', 'v')
    assert.equal(await bytes.withCommandOptions({ timeout: 1_000 }).get('k'), 'v')
    assert.equal(await bytes.withTypeMapping({}).sendCommand(['GET', Buffer.from([255, 58, 107])]), 'v')
    await using client = createClient({ url: server.url, keyPrefix: 'c:' })
    await client.set('k', 'v')
    assert.equal(await server.cli('GET', 'c:k'), 'v')
    assert.throws(() => Reflect.construct(Redis, [{ keyPrefix: 5 }]), OptionError)
  })

  it('keeps the order of a key, which is that of its prefixed name', async () => {
    const replies = await Promise.all(Array.from({ length: 200 }, () => redis.incr('ordered')))
    assert.deepEqual(
      replies,
      Array.from({ length: 200 }, (_, index) => index + 1),
    )
  })

  it('refuses what is no key, as without a prefix', async () => {
    const get: unknown = Reflect.get(redis, 'get')
    assert.ok(typeof get === 'function')
    for (const key of [undefined, null, 7, {}]) {
      await assert.rejects(Reflect.apply(get, redis, [key]), { code: 'ERR_ARGUMENT', outcome: 'not-sent' })
    }
  })
})
