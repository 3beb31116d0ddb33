// What a refusal must not cost: the order of a key, the end of a pool that closes, a caller's patience.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hashOf } from '../../src/command/key-hash.js'
import { Redis } from '../../src/index.js'
import { until } from '../live/support-live.js'
import { FakeServer } from '../support/fake-server.js'
import { type CallOptions, World, type WorldOptions } from '../support/pool-harness.js'
import { Simple } from '../support/resp.js'

const LOADING = new Error('LOADING Redis is loading the dataset in memory')

/** A key that the first or the second of two lanes takes. */
function keyOn(lane: 0 | 1, index = 0): string {
  const keys = Array.from({ length: 100 }, (_, number) => `k${number}`).filter((key) => hashOf(key) % 2 === lane)
  return keys[index] ?? assert.fail('no such key')
}

/** A pool with two lanes open. */
async function twoLanes(options: WorldOptions = {}): Promise<World> {
  const world = new World({ maxConnections: 4, lanes: 2, ...options })
  await world.warm()
  for (const lane of [0, 1, 0, 1] as const) world.send('GET', keyOn(lane))
  await world.run(10)
  assert.equal(world.stats.connections.shared, 2)
  return world
}

describe('while a server loads its data set', () => {
  it('no caller is told, whichever connection its command was on', async () => {
    const world = await twoLanes()
    world.server.mood = 'loading'
    const calls = [world.send('SET', keyOn(0), 'a'), world.send('SET', keyOn(1), 'b')]
    await world.run(1)
    world.server.mood = 'ready'
    await world.run(100)
    assert.deepEqual(
      calls.map(({ value }) => value),
      ['OK', 'OK'],
    )
    assert.deepEqual(world.stats.counters.closed, { refused: 2 })
    world.assertBooks()
  })

  it('a command is not refused by one idle connection after the other until its caller is told', async () => {
    const world = await twoLanes({ maxConnections: 8, backoffMax: 20 })
    const loans = Array.from({ length: 6 }, () => world.lease())
    await world.run(20)
    for (const loan of loans) loan.release()
    world.server.mood = 'loading'
    const calls = [world.send('SET', keyOn(0), 'a'), world.send('SET', keyOn(1), 'b')]
    await world.run(200)
    world.server.mood = 'ready'
    await world.run(100)
    assert.deepEqual(
      calls.map(({ value }) => value),
      ['OK', 'OK'],
    )
    assert.equal(world.stats.counters.closed.refused, 8)
    world.assertBooks()
  })

  it('what waits behind a command that was refused is not sent before it', async () => {
    const world = await twoLanes({ pipelining: 2 })
    for (const connection of world.server.open) connection.hold('requests')
    const key = keyOn(0)
    world.send('SET', key, 'first')
    world.send('GET', keyOn(0, 1))
    world.send('SET', key, 'second')
    await world.run(2)
    world.server.mood = 'loading'
    for (const connection of world.server.open) connection.step()
    world.server.mood = 'ready'
    for (const connection of world.server.open) connection.resume()
    await world.run(100)
    const written = world.server.appliedTo(key, 'SET').map(({ args }) => args[2])
    assert.deepEqual(written, ['first', 'second'])
    world.assertBooks()
  })
})

describe('a command that was refused', () => {
  it('does not wait for what else its connection owes', async () => {
    const world = new World({ maxConnections: 2, lanes: 1 })
    await world.warm()
    const [first] = world.server.open
    first?.hold('requests')
    const [refused, slow] = [world.send('SET', 'a', 'value'), world.send('SET', 'b', 'value')]
    await world.run(2)
    world.server.mood = 'loading'
    first?.step()
    world.server.mood = 'ready'
    await world.run(10)
    assert.deepEqual([refused.state, slow.state], ['answered', 'pending'])
    first?.resume()
    await world.run(10)
    assert.equal(slow.state, 'answered')
    world.assertBooks()
  })
})

describe('a write that was refused while another on its key is unanswered', () => {
  /** The first of two writes is refused, the reply to the second is still owed. */
  async function oneOfTwo(options: CallOptions = {}) {
    const world = await twoLanes()
    for (const connection of world.server.open) connection.hold('requests')
    const key = keyOn(0)
    const calls = [world.sendWith(options, 'APPEND', key, 'a'), world.send('APPEND', key, 'b')] as const
    await world.run(2)
    world.server.mood = 'loading'
    for (const connection of world.server.open) connection.step()
    world.server.mood = 'ready'
    await world.run(2)
    assert.equal(calls[0].state, 'pending')
    return { world, calls, key }
  }

  it('is sent again before the other when that one is refused as well', async () => {
    const { world, calls, key } = await oneOfTwo()
    world.server.mood = 'loading'
    for (const connection of world.server.open) connection.step()
    world.server.mood = 'ready'
    for (const connection of world.server.open) connection.resume()
    const third = world.send('APPEND', key, 'c')
    await world.run(100)
    assert.deepEqual(
      [...calls, third].map(({ value }) => value),
      [1, 2, 3],
    )
    world.assertBooks()
  })

  it('is told of its refusal when the other is answered well', async () => {
    const { world, calls, key } = await oneOfTwo()
    for (const connection of world.server.open) connection.resume()
    await world.run(100)
    assert.deepEqual([calls[0].outcome, calls[1].value], ['rejected', 1])
    assert.equal(world.server.appliedTo(key, 'APPEND').length, 1)
    world.assertBooks()
  })

  it('waits no longer than its deadline or its signal allows', async () => {
    const controller = new AbortController()
    for (const options of [{ timeout: 20 }, { signal: controller.signal }]) {
      const { world, calls } = await oneOfTwo(options)
      if ('signal' in options) controller.abort()
      await world.run(30)
      assert.equal(calls[0].state, 'failed')
      for (const connection of world.server.open) connection.resume()
      await world.run(100)
      assert.equal(calls[1].value, 1)
      world.assertBooks()
    }
  })

  for (const timeout of [0, 10]) {
    it(`is told when the pool closes, ${timeout > 0 ? 'by force' : 'in peace'}`, async () => {
      const { world, calls } = await oneOfTwo()
      const closed = world.pool.close(timeout)
      await world.run(20)
      for (const connection of world.server.open) connection.resume()
      await world.run(20)
      await closed
      const outcomes = calls.map(({ state, outcome }) => outcome ?? state)
      assert.deepEqual(outcomes, ['rejected', timeout > 0 ? 'ambiguous' : 'answered'])
      await world.assertNothingLeft()
    })
  }
})

describe('a pool that closes', () => {
  for (const mood of ['loading', 'readonly'] as const) {
    it(`sees to what is refused meanwhile by a server that is ${mood}`, async () => {
      const world = await twoLanes()
      world.server.mood = mood
      const call = world.send('SET', keyOn(0), 'a')
      const closed = world.pool.close(0)
      await world.run(1)
      world.server.mood = 'ready'
      await world.run(100)
      await closed
      assert.equal(call.value, 'OK')
      await world.assertNothingLeft()
    })
  }

  it('in the listener of an event leaves nobody waiting', async () => {
    const world = await twoLanes()
    const loan = await world.leased()
    loan.release()
    await world.run(5)
    world.on.closed = () => world.pool.destroy('destroyed')
    world.server.mood = 'readonly'
    const call = world.send('SET', keyOn(0), 'a')
    await world.run(5)
    assert.equal(call.outcome, 'not-sent')
    await world.assertNothingLeft()
  })
})

describe('a transaction that was refused', () => {
  it('is not sent again once its signal is aborted', async () => {
    await using server = await FakeServer.start()
    const controller = new AbortController()
    server.expect('MULTI').always().reply(new Simple('OK'))
    server.expect('INCR').do((connection) => {
      server.refuse()
      connection.reply(LOADING)
    })
    server.expect('EXEC').always().reply(new Error('EXECABORT Transaction discarded because of previous errors.'))
    const redis = new Redis(server.url, { backoffMax: 20 })
    try {
      const refused = redis.withAbortSignal(controller.signal).multi().incr('key').exec()
      await until('it is taken back', () => redis.pool.stats().counters.retried === 1)
      controller.abort(new Error('enough'))
      await assert.rejects(refused, /enough/)
      await server.listen()
      assert.equal(await redis.echo('behind it'), 'behind it')
      assert.equal(server.received.filter(([name]) => name === 'MULTI').length, 1)
    } finally {
      redis.destroy()
    }
  })
})
