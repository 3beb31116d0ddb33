// A caller's Buffer that is detached while it is being sent: the bytes that its header promised must never be taken from
// the commands of others.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { ArgumentError, Redis } from '../../src/index.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { nextTurn, until } from './support-live.js'

const ONLY_OURS = /^cmdstat_(set|get|strlen|ping|info|hello|client|config|select)/

/** A Buffer of `size` letters, and the way to take its bytes away, as a transfer to a worker does. */
function transferable(size: number): { buffer: Buffer; detach(): void } {
  const bytes = new Uint8Array(size).fill(0x41)
  return {
    buffer: Buffer.from(bytes.buffer),
    detach: () => void structuredClone(bytes.buffer, { transfer: [bytes.buffer] }),
  }
}

describe('a Buffer that is detached', { skip: liveSkip }, () => {
  let server: RedisProcess
  let redis: Redis
  before(async () => {
    server = await RedisProcess.start()
  })
  after(async () => {
    redis.destroy()
    await server.stop()
  })

  async function start(): Promise<void> {
    redis?.destroy()
    redis = new Redis(server.url, { maxConnections: 1, commandTimeout: 5_000, clientInfo: false })
    await redis.connect()
    await server.cli('FLUSHALL')
    await server.cli('CONFIG', 'RESETSTAT')
  }

  /**
   * Nothing but whole values, and nothing that was read out of one. What the kernel had not taken when a Buffer was
   * detached may be other bytes, since Node writes from memory that is no longer its own; only their number is held.
   */
  async function assertUnharmed(keys: readonly string[], size: number): Promise<void> {
    for (const key of keys) {
      const length = await server.cli('STRLEN', key)
      assert.ok(length === 0 || length === size, `${key} has ${length} bytes`)
    }
    const commands = Object.keys(await server.info('commandstats'))
    assert.deepEqual(
      commands.filter((name) => !ONLY_OURS.test(name)),
      [],
    )
    assert.deepEqual(await server.info('errorstats'), {})
  }

  it('before the call is refused, and harms no neighbour', async () => {
    await start()
    const { buffer, detach } = transferable(100)
    detach()
    const neighbours = Array.from({ length: 20 }, (_, index) => redis.set(`neighbour${index}`, 'x'))
    await assert.rejects(redis.set('key', buffer), ArgumentError)
    assert.deepEqual(await Promise.all(neighbours), Array(20).fill('OK'))
    assert.equal(redis.pool.stats().connections.total, 1)
  })

  it('after the call, before its tick has ended, is not sent, and nothing is sent in its place', async () => {
    await start()
    const { buffer, detach } = transferable(20_000)
    // With this many in flight, what follows is written at the end of the tick.
    const early = Promise.allSettled(Array.from({ length: 20 }, (_, index) => redis.set(`early${index}`, 'x')))
    const call = redis.set('key', buffer)
    const others = Array.from({ length: 5 }, (_, index) => redis.set(`other${index}`, 'secret'.repeat(1_000)))
    detach()
    await assert.rejects(call, (error) => error instanceof ArgumentError && error.outcome === 'not-sent')
    // Nothing of them was written either, so they were sent again.
    assert.deepEqual(await Promise.all(others), Array(5).fill('OK'))
    await early
    await assertUnharmed(['key'], 20_000)
    assert.equal(await redis.set('key', 'again'), 'OK')
  })

  for (const [size, count] of [
    [8_000_000, 2],
    [200_000, 100],
    [20_000, 2_000],
  ] as const) {
    it(`while the server does not read, ${count} of ${size} bytes, never lends its length to others`, async () => {
      await start()
      await server.kill('SIGSTOP')
      const values = Array.from({ length: count }, () => transferable(size))
      const calls: Promise<unknown>[] = []
      for (const { buffer } of values) {
        calls.push(redis.set(`key${calls.length}`, buffer))
        // A flush of its own, so that some wait in the socket for what went before them.
        if (count <= 100) await nextTurn()
      }
      const others = Array.from({ length: 50 }, (_, index) => redis.set(`other${index}`, `value of ${index}`))
      const settled = Promise.allSettled(calls)
      for (const { detach } of values) detach()
      await server.kill('SIGCONT')
      assert.deepEqual(await Promise.all(others), Array(50).fill('OK'))
      await settled
      await until('the connections of before are gone', async () => (await server.clientList()).length <= 1)
      await assertUnharmed(
        calls.map((_, index) => `key${index}`),
        size,
      )
    })
  }
})
