// Integrity mode against servers that miscount: a reply that is missing, doubled or swapped never reaches a caller.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type NoMapping, RESP_TYPES, Redis, type RedisOptions, RespoolError } from '../../src/index.js'
import { until } from '../live/support-live.js'
import { FakeServer } from '../support/fake-server.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'

function open(server: { readonly url: string }, options: RedisOptions<3, NoMapping> = {}): Redis & Disposable {
  const redis = new Redis(server.url, { lanes: 1, retry: 'none', integrity: 'batch', ...options })
  return Object.assign(redis, { [Symbol.dispose]: () => redis.destroy() })
}

async function failureOf(promise: Promise<unknown>): Promise<RespoolError> {
  const error: unknown = await promise.then(
    (value) => assert.fail(`it gave ${String(value)}`),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof RespoolError, String(error))
  return error
}

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`

/** A server whose reply to GET is `bytes`, and which echoes well. */
async function miscounting(bytes: string): Promise<FakeServer> {
  const server = await FakeServer.start()
  if (bytes === '') server.expect('GET').do(() => {})
  else server.expect('GET').raw(bytes)
  server
    .expect('ECHO')
    .always()
    .reply((args) => args[1] ?? '')
  return server
}

for (const integrity of ['batch', 'command'] as const) {
  describe(`with integrity: '${integrity}'`, () => {
    it('a reply reaches its caller once the nonce behind it has come back', async () => {
      await using server = await miscounting(bulk('value'))
      using redis = open(server, { integrity })
      assert.equal(await redis.get('key'), 'value')
      assert.deepEqual(server.received.filter(([name]) => name === 'GET' || name === 'ECHO').length, 2)
    })

    it('a reply that is missing ends the connection, and nobody gets the next one', async () => {
      await using server = await miscounting('')
      using redis = open(server, { integrity })
      const error = await failureOf(redis.get('key'))
      assert.deepEqual([error.code, error.outcome], ['ERR_CONNECTION', 'ambiguous'])
      assert.match(error.message, /one is missing/)
      assert.equal(redis.pool.stats().counters.closed['protocol-error'], 1)
    })

    it('a reply that is missing is found under any type mapping', async () => {
      await using server = await miscounting('')
      using redis = open(server, { integrity })
      const buffers = redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
      assert.match((await failureOf(buffers.get('key'))).message, /one is missing/)
    })

    it('a reply that comes twice ends the connection', async () => {
      await using server = await miscounting(bulk('value').repeat(2))
      using redis = open(server, { integrity })
      assert.match((await failureOf(redis.get('key'))).message, /came back as something else/)
    })

    it('a nonce that is refused proves nothing', async () => {
      await using server = await FakeServer.start()
      server.expect('GET').reply('value')
      server.expect('ECHO').reply(new Error('NOPERM this user has no permissions'))
      using redis = open(server, { integrity })
      assert.match((await failureOf(redis.get('key'))).message, /was refused: NOPERM/)
    })

    it('what is held still has its deadline', async () => {
      await using server = await FakeServer.start()
      server.expect('GET').reply('value')
      server.expect('ECHO').stall()
      using redis = open(server, { integrity, commandTimeout: 100 })
      assert.equal((await failureOf(redis.get('key'))).code, 'ERR_COMMAND_TIMEOUT')
    })

    it('what is held is lost with its connection, and a read is sent again', async () => {
      await using server = await FakeServer.start()
      server.expect('GET').times(2).reply('value')
      server.expect('ECHO').do((connection) => connection.rst())
      server
        .expect('ECHO')
        .always()
        .reply((args) => args[1] ?? '')
      using redis = open(server, { integrity, retry: 'safe' })
      assert.equal(await redis.get('key'), 'value')
    })
  })
}

describe('a swapped reply', () => {
  const swapping = async (): Promise<FakeServer> => {
    const server = await FakeServer.start()
    let nonce = ''
    server.expect('GET', 'a').do(() => {})
    server.expect('ECHO').do((connection, [, text = '']) => {
      nonce = text
      connection.send(bulk(nonce) + bulk('value of a'))
    })
    return server
  }

  it('is found behind each command', async () => {
    await using server = await swapping()
    using redis = open(server, { integrity: 'command' })
    assert.match((await failureOf(redis.get('a'))).message, /one is missing/)
  })
})

describe('with integrity on a real server', { skip: liveSkip }, () => {
  for (const integrity of ['batch', 'command'] as const) {
    it(`everything works as without (${integrity})`, async () => {
      await using server = await RedisProcess.start()
      using redis = open(server, { integrity, maxConnections: 4, lanes: 2 })
      const keys = Array.from({ length: 200 }, (_, index) => `key:${index}`)
      await Promise.all(keys.map((key) => redis.set(key, key)))
      assert.deepEqual(await Promise.all(keys.map((key) => redis.get(key))), keys)
      assert.deepEqual(await redis.multi().incr('n').incr('n').exec(), [1, 2])
      assert.deepEqual(await redis.multi().incr('n').get('n').execAsPipeline(), [3, '3'])
      await assert.rejects(redis.incr('key:1'), /not an integer/)
      const popped = redis.blPop('list', 2)
      await redis.rPush('list', 'element')
      assert.deepEqual(await popped, { key: 'list', element: 'element' })
      const controller = new AbortController()
      const parked = redis.withAbortSignal(controller.signal).blPop('list', 0)
      setImmediate(() => controller.abort(new Error('enough')))
      await assert.rejects(parked, /enough/)
      await redis.lease(async (lease) => {
        await lease.watch('n')
        assert.deepEqual(await lease.multi().incr('n').exec(), [4])
        // A transaction by hand, written command by command.
        await lease.sendCommand(['MULTI'])
        assert.equal(await lease.sendCommand(['INCR', 'n']), 'QUEUED')
        assert.deepEqual(await lease.sendCommand(['EXEC']), [5])
      })
      assert.equal(redis.pool.stats().counters.closed['protocol-error'], undefined)
      await redis.close()
    })

    it(`a handle listens on one connection under both protocols (${integrity})`, async () => {
      await using server = await RedisProcess.start()
      for (const protocol of [2, 3] as const) {
        await using redis = new Redis(server.url, { integrity, protocol, maxConnections: 4 })
        const messages: string[] = []
        await redis.subscribe(['a', 'b'], (message) => messages.push(message))
        await redis.monitor(() => {})
        assert.equal(await redis.publish('a', 'first'), 1)
        await redis.unsubscribe('b')
        await redis.pSubscribe('c*', (message) => messages.push(message))
        assert.equal(await redis.publish('cat', 'second'), 1)
        await until('both come', () => messages.length === 2)
        const { counters, holders } = redis.pool.stats()
        assert.deepEqual(messages, ['first', 'second'])
        assert.deepEqual([counters.closed, holders.length], [{}, 2])
      }
    })
  }
})
