// What becomes of a blocking command that the server let go of and then answered once more, on a scripted server.

import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Redis } from '../../src/index.js'
import { FakeServer } from '../support/fake-server.js'

describe('a blocking command that was let go and is answered again', () => {
  let server: FakeServer
  let redis: Redis
  beforeEach(async () => {
    let letGo: () => void = () => {}
    const released = new Promise<void>((resolve) => {
      letGo = resolve
    })
    server = await FakeServer.start()
    redis = new Redis(server.url, { maxConnections: 2 })
    server.expect('GET').always().reply('value')
    // The two connections that it may have: one to block, one to ask for its release.
    await redis.lease(() => redis.get('key'))
    server.expect('BLPOP').wait(released).reply(new Error('UNBLOCKED client unblocked via CLIENT UNBLOCK'))
    server.expect('CLIENT', 'UNBLOCK').always().do(letGo).reply(1)
  })
  afterEach(async () => {
    redis.destroy()
    await server.stop()
  })

  /** Gives up on a BLPOP once the server has it. */
  async function abortedPop(use: (handle: Redis) => Promise<unknown>): Promise<unknown> {
    const stop = new AbortController()
    const popped = use(redis.withAbortSignal(stop.signal)).catch((error: unknown) => error)
    await server.until('BLPOP')
    stop.abort(new Error('enough'))
    return popped
  }

  it('costs nothing more than a PING when the first answer was its last', async () => {
    assert.match(String(await abortedPop((handle) => handle.blPop('jobs', 0))), /enough/)
    assert.deepEqual(redis.pool.stats().counters.closed, {})
    assert.equal(await redis.lease((lease) => lease.get('key')), 'value')
    assert.equal(server.connections.length, 2)
  })

  it('gets its second answer, and nobody else does', async () => {
    server.expect('PING').do((connection, args) => {
      connection.reply(['jobs', 'element'])
      connection.reply(args[1] ?? '')
    })
    assert.deepEqual(await abortedPop((handle) => handle.blPop('jobs', 0)), { key: 'jobs', element: 'element' })
    assert.deepEqual(redis.pool.stats().counters.closed, { 'protocol-error': 1 })
    assert.equal(await redis.lease((lease) => lease.get('key')), 'value')
  })

  for (const [what, answer, reason] of [
    ['an error', new Error('BUSY Redis is busy running a script.'), 'aborted'],
    ['nothing popped', null, 'protocol-error'],
  ] as const) {
    it(`fails as it was given up when ${what} comes in place of the proof`, async () => {
      server.expect('PING').reply(answer, ([, nonce = '']) => nonce)
      assert.match(String(await abortedPop((handle) => handle.blPop('jobs', 0))), /enough/)
      assert.deepEqual(redis.pool.stats().counters.closed, { [reason]: 1 })
    })
  }

  it('is in doubt when its connection ends before that is known', async () => {
    server.expect('PING').rst()
    const error = await abortedPop((handle) => handle.blPop('jobs', 0))
    assert.ok(error instanceof Error)
    assert.equal(Reflect.get(error, 'outcome'), 'ambiguous')
    assert.equal(Reflect.get(error, 'command'), 'BLPOP')
  })

  for (const behind of [['HGET', 'hash', 'field'], ['MULTI']]) {
    it(`ends its connection when its holder has sent ${behind[0]} behind it, which may get the answer`, async () => {
      const answers: string[] = []
      server.expect(...behind).reply('its own')
      const error = await abortedPop((handle) =>
        handle.lease((lease) => {
          const popped = lease.blPop('jobs', 0)
          lease.sendCommand(behind).then(
            () => answers.push('given'),
            () => answers.push('failed'),
          )
          return popped
        }),
      )
      assert.ok(error instanceof Error)
      assert.equal(Reflect.get(error, 'outcome'), 'ambiguous')
      assert.deepEqual(answers, ['failed'])
      assert.deepEqual(redis.pool.stats().counters.closed, { aborted: 1 })
      assert.equal(await redis.lease((lease) => lease.get('key')), 'value')
    })
  }
})
