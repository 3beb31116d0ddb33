// What is told through diagnostics_channel: by which fields, in whose context, in balance, and nothing secret; and that
// without a subscriber a call has no promise more than it needs.

import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, it } from 'node:test'
import { ConnectionError, ConnectionPoolTimeoutError, Redis, ReplyError } from '../../src/index.js'
import { until } from '../live/support-live.js'
import { callers, followChannel, followTrace } from '../support/followed.js'
import { freePort } from '../support/free-port.js'
import { liveRedis } from '../support/live-redis.js'
import { liveSkip, type RedisProcess } from '../support/redis-process.js'

const WHOLE = ['start', 'end', 'asyncStart', 'asyncEnd']
const FAILED = ['start', 'end', 'error', 'asyncStart', 'asyncEnd']

describe('diagnostics_channel', { skip: liveSkip }, () => {
  let redis: Redis
  let server: RedisProcess
  liveRedis({ name: 'traced', database: 3 }, (started) => {
    ;({ redis, server } = started)
  })
  const place = () => ({
    poolName: 'traced',
    serverAddress: '127.0.0.1',
    serverPort: server.port,
    clientId: `127.0.0.1:${server.port}/3-1`,
  })

  it('tells a command with the field names of node-redis, and none of its arguments', async () => {
    using commands = followTrace('respool:command')
    await redis.set('secret-key', 'secret-value', { EX: 60 })
    assert.deepEqual(commands.steps(), WHOLE)
    const told = { ...place(), command: 'SET', args: ['SET', '?', '?', '?', '?'], database: 3 }
    assert.deepEqual(commands.at('start'), [told])
    assert.deepEqual(commands.at('asyncEnd'), [{ ...told, result: 'OK' }])
    assert.doesNotMatch(JSON.stringify(commands.told), /secret/)
  })

  it('tells what does not look like a name of a command as other', async () => {
    using commands = followTrace('respool:command')
    await assert.rejects(redis.sendCommand(['my secret', 'secret']), ReplyError)
    await redis.sendCommand(['echo', 'secret'])
    assert.deepEqual(
      commands.at('start').map(({ args }) => args),
      [
        ['other', '?'],
        ['ECHO', '?'],
      ],
    )
  })

  it('tells an error once, before the end', async () => {
    await redis.lPush('a-list', 'x')
    using commands = followTrace('respool:command')
    await assert.rejects(redis.get('a-list'), ReplyError)
    assert.deepEqual(commands.steps(), FAILED)
    const [told] = commands.at('asyncEnd')
    assert.ok(told?.error instanceof ReplyError)
    assert.equal(told.error.kind, 'WRONGTYPE')
  })

  for (const step of ['start', 'end', 'asyncStart', 'asyncEnd'] as const) {
    it(`tells whoever listens only to ${step}`, async () => {
      let count = 0
      const name = `tracing:respool:command:${step}`
      const listener = (): void => {
        count++
      }
      subscribe(name, listener)
      await redis.get('anything')
      unsubscribe(name, listener)
      assert.equal(count, 1)
    })
  }

  it('tells whoever listens only to the end', async () => {
    using commands = followTrace('respool:command', ['asyncEnd'])
    await redis.get('nothing')
    assert.deepEqual(commands.steps(), ['asyncEnd'])
  })

  it('tells all in the context of the caller, however many share a connection', async () => {
    using commands = followTrace('respool:command')
    const names = Array.from({ length: 50 }, (_, index) => `caller ${index}`)
    await Promise.all(names.map((name) => callers.run(name, () => redis.get(name))))
    for (const name of names) {
      const steps = commands.told.flatMap(({ step, caller }) => (caller === name ? [step] : []))
      assert.deepEqual(steps, WHOLE, name)
    }
    assert.equal(commands.told.length, names.length * WHOLE.length)
  })

  it('tells a transaction and a pipeline as one, and the connection of a lease', async () => {
    using batches = followTrace('respool:batch')
    using commands = followTrace('respool:command')
    const connectionId = await redis.lease(async (lease) => {
      await lease.multi().set('secret', 'secret').get('secret').exec()
      await lease.get('x')
      return lease.connectionId
    })
    await redis.multi().get('secret').get('secret').execAsPipeline()
    await assert.rejects(redis.multi().set('text', 'a').incr('text').exec())
    assert.deepEqual(await redis.multi().exec(), [])
    const batch = (batchMode: string, names: string[]) => ({
      ...place(),
      database: 3,
      batchMode,
      batchSize: names.length,
      commands: names,
    })
    assert.deepEqual(batches.at('start'), [
      { ...batch('MULTI', ['SET', 'GET']), connectionId },
      batch('PIPELINE', ['GET', 'GET']),
      batch('MULTI', ['SET', 'INCR']),
    ])
    assert.equal(batches.at('error').length, 1)
    assert.equal(batches.at('asyncEnd').length, 3)
    assert.doesNotMatch(JSON.stringify(batches.at('start')), /secret/)
    assert.deepEqual(
      commands.at('start').map(({ command, connectionId: id }) => [command, id]),
      [['GET', connectionId]],
    )
  })

  it('tells the wait for a lease, granted or in vain, and its release', async () => {
    const small = new Redis(server.url, { name: 'small', maxConnections: 1, acquireTimeout: 30 })
    using acquires = followTrace('respool:acquire')
    using releases = followChannel('respool:pool:release')
    try {
      const first = await small.lease({ label: 'holder' })
      const { connectionId } = first
      await assert.rejects(small.lease({ label: 'waiter' }), ConnectionPoolTimeoutError)
      first.release()
      const [granted, refused] = acquires.at('asyncEnd')
      assert.equal(granted?.label, 'holder')
      assert.equal(granted.connectionId, connectionId)
      assert.ok(Number(granted.waitMs) >= 0)
      assert.equal('result' in granted && granted.result !== undefined, false)
      assert.equal(refused?.label, 'waiter')
      assert.ok(Number(refused.waitMs) >= 25, String(refused.waitMs))
      assert.ok(refused.error instanceof ConnectionPoolTimeoutError)
      const [released] = releases.at('told')
      assert.equal(released?.connectionId, connectionId)
      assert.ok(Number(released.useTimeMs) >= 25)
    } finally {
      small.destroy()
    }
  })

  it('tells each connection from dial to end, in balance with the snapshot', async () => {
    using connects = followTrace('respool:connect')
    using ready = followChannel('respool:connection:ready')
    using closed = followChannel('respool:connection:closed')
    const other = new Redis(server.url, { name: 'other', maxConnections: 3, backoffMin: 1, backoffMax: 5 })
    const ids = await Promise.all([1, 2].map(() => other.lease((lease) => Promise.resolve(lease.connectionId))))
    await server.cli('CLIENT', 'KILL', 'ID', String(ids[0]))
    await until('the end is told', () => closed.told.length > 0)
    other.destroy()
    const { opened, dialed, closed: reasons } = other.pool.stats().counters
    assert.equal(connects.at('start').length, dialed)
    assert.equal(ready.told.length, opened)
    assert.equal(closed.told.length, dialed)
    await until('all dials are settled', () => connects.at('asyncEnd').length === dialed)
    const [first] = ready.at('told')
    assert.ok(ids.includes(Number(first?.connectionId)))
    assert.ok(Number(first?.createTimeMs) > 0)
    assert.equal(first?.poolName, 'other')
    const count = closed.at('told').filter(({ reason }) => reason === 'server-closed').length
    assert.equal(count, reasons['server-closed'])
    assert.ok(closed.at('told').every(({ error, wasConnected }) => wasConnected && error instanceof ConnectionError))
  })

  it('tells a dial that fails', async () => {
    using connects = followTrace('respool:connect')
    using closed = followChannel('respool:connection:closed')
    const lost = new Redis({ host: '127.0.0.1', port: await freePort(), name: 'lost', acquireTimeout: 20 })
    await assert.rejects(lost.connect(), ConnectionError)
    lost.destroy()
    assert.ok(connects.at('error')[0]?.error instanceof ConnectionError)
    const [told] = closed.at('told')
    assert.equal(told?.reason, 'connect-failed')
    assert.equal(told.wasConnected, false)
  })

  it('tells a hold that ended with its connection', async () => {
    using releases = followChannel('respool:pool:release')
    const brief = new Redis(server.url, { name: 'brief' })
    try {
      await brief.lease((lease) => lease.sendCommand(['CLIENT', 'NO-EVICT', 'on']))
      assert.equal(brief.pool.stats().counters.closed.dirty, 1)
      assert.equal(releases.told.length, 1)
    } finally {
      brief.destroy()
    }
  })

  it('costs no promise while nobody listens', async () => {
    await redis.get('warm')
    const bare = await promisesOf(() => redis.get('x'))
    const followed = await (async () => {
      using _commands = followTrace('respool:command')
      return promisesOf(() => redis.get('x'))
    })()
    assert.equal(bare, 1)
    assert.ok(followed > bare)
  })
})

/** How many promises a call makes before it returns. */
async function promisesOf(call: () => Promise<unknown>): Promise<number> {
  let made = 0
  const hook = createHook({
    init: (_id, type) => {
      if (type === 'PROMISE') made++
    },
  }).enable()
  const promise = call()
  hook.disable()
  await promise
  return made
}
