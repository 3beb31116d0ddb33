// Shared connections: opened when commands overlap, chosen by key, left alone while late, replaced when lost.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hashOf } from '../../src/command/key-hash.js'
import type { ModelConnection } from '../support/model-server.js'
import { World } from '../support/pool-harness.js'

/** Two lanes open, and where each of some keys goes. */
async function twoLanes(options: ConstructorParameters<typeof World>[0] = {}) {
  const world = new World({ maxConnections: 4, ...options })
  for (let index = 0; index < 10; index++) world.send('PING')
  await world.run(20)
  assert.equal(world.stats.connections.shared, 2)
  const laneOf = async (key: string): Promise<ModelConnection> => {
    world.send('TAG', key, 'probe')
    await world.run(5)
    const id = world.server.appliedTo(key, 'TAG').at(-1)?.connection ?? 0
    return world.server.connections[id - 1]!
  }
  return { world, laneOf }
}

/** Two keys whose lanes differ while two are open. */
const [even = '', odd = ''] = [0, 1].map((rest) =>
  ['a', 'b', 'c', 'd', 'e', 'f'].find((key) => hashOf(key) % 2 === rest),
)

describe('lanes', () => {
  it('stay one while commands come one after the other', async () => {
    const world = new World()
    await world.warm()
    for (let index = 0; index < 50; index++) {
      world.send('GET', `k${index}`)
      await world.run(3)
    }
    assert.equal(world.server.dials.length, 1)
  })

  it('become two when commands overlap, and no more', async () => {
    const world = new World()
    for (let round = 0; round < 10; round++) {
      for (let index = 0; index < 100; index++) world.send('GET', `k${index}`)
      await world.run(3)
    }
    assert.equal(world.server.dials.length, 2)
    assert.ok(world.calls.every(({ state }) => state === 'answered'))
  })

  it('are chosen by the hash of the key', async () => {
    const { world } = await twoLanes()
    for (let index = 0; index < 40; index++) world.send('TAG', `k${index % 20}`, String(index))
    await world.run(20)
    for (let index = 0; index < 20; index++) {
      const connections = new Set(world.server.appliedTo(`k${index}`, 'TAG').map(({ connection }) => connection))
      assert.equal(connections.size, 1, `k${index} went to several lanes`)
    }
    assert.equal(new Set(world.server.applied.slice(-40).map(({ connection }) => connection)).size, 2)
  })

  it('share keyless commands by load', async () => {
    const { world } = await twoLanes()
    const from = world.server.applied.length
    for (let index = 0; index < 40; index++) world.send('ECHO', String(index))
    await world.run(20)
    const counts = new Map<number, number>()
    for (const { connection } of world.server.applied.slice(from)) {
      counts.set(connection, (counts.get(connection) ?? 0) + 1)
    }
    assert.deepEqual([...counts.values()], [20, 20])
  })

  it('hold no more than pipelining commands in flight; the rest waits in order', async () => {
    const world = new World({ pipelining: 5, lanes: 1 })
    await world.warm()
    const calls = Array.from({ length: 23 }, (_, index) => world.send('RPUSH', 'list', String(index)))
    await world.settle()
    assert.deepEqual([world.stats.inFlight, world.stats.waiting.commands], [5, 18])
    await world.run(20)
    assert.deepEqual(
      calls.map(({ value }) => value),
      calls.map((_, index) => index + 1),
    )
  })

  it('take nothing while the socket holds back what was written', async () => {
    const world = new World({ lanes: 1, maxConnections: 1 })
    await world.warm()
    const [lane] = world.server.open
    lane!.pending = 2 ** 20
    world.send('SET', 'k', '1')
    await world.run(3)
    const held = world.send('SET', 'k', '2')
    await world.run(20)
    assert.deepEqual([held.state, world.stats.waiting.commands], ['pending', 1])
    lane!.drain()
    await world.run(5)
    assert.equal(held.state, 'answered')
  })

  it('take no more of a burst than the socket may hold back, though it is all called at once', async () => {
    const world = new World({ lanes: 1, maxConnections: 1 })
    await world.warm()
    const [lane] = world.server.open
    lane!.pending = 2 ** 20
    const calls = Array.from({ length: 200 }, (_, index) => world.send('SET', `k${index}`, 'v'.repeat(8_192)))
    assert.ok(world.stats.inFlight <= 33, `${world.stats.inFlight} values of 8 KiB were encoded`)
    assert.equal(world.stats.inFlight + world.stats.waiting.commands, calls.length)
    lane!.drain()
    await world.run(20)
    lane!.drain()
    await world.run(20)
    assert.ok(calls.every(({ state }) => state === 'answered'))
  })
})

describe('a late lane', () => {
  it('takes nothing new, the others and a new one go on, and it comes back when it answers', async () => {
    const { world, laneOf } = await twoLanes()
    const lane = await laneOf(even)
    assert.notEqual(lane, await laneOf(odd))
    lane.hold()
    const slow = world.send('TAG', even, 'slow')
    await world.run(20)
    assert.equal(world.stats.connections.late, 1)
    const from = world.server.applied.length
    const others = Array.from({ length: 20 }, (_, index) => world.send('TAG', `other${index}`, 'x'))
    await world.run(20)
    assert.ok(
      others.every(({ state }) => state === 'answered'),
      'one slow reply holds nobody else',
    )
    assert.ok(world.server.applied.slice(from).every(({ connection }) => connection !== lane.id))
    assert.equal(slow.state, 'pending')
    assert.ok(world.server.dials.length <= 3, 'one connection takes over')
    lane.resume()
    await world.run(20)
    assert.equal(slow.value, 'slow')
    assert.equal(world.stats.connections.late, 0)
    world.assertBooks()
  })

  it('keeps the keys that still wait for it, and sends nothing more of theirs before it answers', async () => {
    const { world, laneOf } = await twoLanes()
    const lane = await laneOf(even)
    lane.hold()
    world.send('APPEND', even, '1')
    await world.run(30)
    const next = world.send('APPEND', even, '2')
    await world.run(20)
    const hurried = world.sendWith({ timeout: 10 }, 'APPEND', even, 'never')
    await world.run(20)
    assert.deepEqual([next.state, hurried.outcome], ['pending', 'not-sent'])
    assert.deepEqual([world.stats.waiting.commands, world.stats.inFlight], [1, 1])
    lane.resume()
    await world.run(20)
    const get = world.send('GET', even)
    await world.run(5)
    assert.equal(get.value, 'probe12')
  })

  it('is late by RFC 6298: later than the smoothed time plus four deviations', async () => {
    const steady = async (latency: number): Promise<number> => {
      const world = new World({ lanes: 1, maxConnections: 1, maxLifetime: 0 })
      world.server.latency = latency
      for (let index = 0; index < 60; index++) {
        world.send('GET', 'k')
        await world.run(latency + 5)
      }
      world.server.open[0]!.hold()
      world.send('GET', 'k')
      let waited = 0
      while (world.stats.connections.late === 0 && waited < 2_000) {
        await world.run(1)
        waited++
      }
      return waited
    }
    const [fast, slow] = [await steady(1), await steady(100)]
    // A floor of 10 ms, judged every 5; and with 100 ms of steady round trips a little more than these.
    assert.ok(fast >= 10 && fast <= 20, `late after ${fast} ms`)
    assert.ok(slow >= 100 && slow <= 130, `late after ${slow} ms`)
  })

  it('is not called late when the event loop stood still', async () => {
    const { world, laneOf } = await twoLanes()
    await laneOf(even)
    world.send('GET', even)
    await world.settle()
    await world.clock.stall(5_000)
    assert.equal(world.stats.connections.late, 0)
    assert.equal(world.stats.counters.closed.stalled, undefined)
  })

  it('is not called late, nor are its commands, when the loop stood still between its poll and the judgement', async () => {
    const { world, laneOf } = await twoLanes({ socketTimeout: 200 })
    const lane = await laneOf(even)
    lane.hold()
    const call = world.sendWith({ timeout: 100 }, 'GET', even)
    await world.run(3)
    await world.clock.stallAfterPoll(3_000, () => lane.resume())
    assert.equal(call.state, 'answered')
    assert.equal(world.stats.connections.late, 0)
    assert.equal(world.stats.counters.closed.stalled, undefined)
  })

  it('that ends for its silence is reset when the server does not let go either: nothing of it may come late', async () => {
    const { world, laneOf } = await twoLanes({ socketTimeout: 200 })
    const [silent, deaf] = [await laneOf(even), await laneOf(odd)]
    silent.hold('replies')
    deaf.hold()
    world.send('TAG', even, 'lost')
    world.send('TAG', odd, 'lost')
    await world.run(210)
    assert.equal(world.stats.counters.closed.stalled, 2)
    silent.resume()
    await world.run(250)
    assert.deepEqual([silent.wasReset, deaf.wasReset], [false, true])
  })

  it('that stays silent for socketTimeout ends, and says what became of its commands', async () => {
    const { world, laneOf } = await twoLanes({ socketTimeout: 200 })
    const lane = await laneOf(even)
    lane.hold()
    const lost = world.send('TAG', even, 'lost')
    await world.run(150)
    assert.equal(lost.state, 'pending')
    await world.run(60)
    assert.deepEqual([lost.state, lost.outcome], ['failed', 'ambiguous'])
    assert.equal(world.stats.counters.closed.stalled, 1)
    const next = world.send('TAG', even, 'next')
    await world.run(20)
    assert.equal(next.state, 'answered')
    world.assertBooks()
  })
})

describe('a lost lane', () => {
  it('takes only what was sent with it; what waited goes on elsewhere, in order', async () => {
    const world = new World({ pipelining: 2, lanes: 1, maxConnections: 1 })
    await world.warm()
    world.server.open[0]!.hold()
    const calls = Array.from({ length: 6 }, (_, index) => world.send('RPUSH', 'list', String(index)))
    await world.run(2)
    world.server.open[0]!.cut('rst', 'dropped')
    await world.run(30)
    assert.deepEqual(
      calls.map(({ outcome }) => outcome),
      ['ambiguous', 'ambiguous', undefined, undefined, undefined, undefined],
    )
    assert.deepEqual(
      world.server.appliedTo('list', 'RPUSH').map(({ args }) => args[2]),
      ['2', '3', '4', '5'],
    )
    world.assertBooks()
  })

  it('lets no listener overtake what waited behind it', async () => {
    const world = new World({ pipelining: 2, lanes: 1, maxConnections: 1 })
    await world.warm()
    world.server.open[0]!.hold()
    for (let index = 0; index < 5; index++) world.send('RPUSH', 'list', String(index))
    await world.run(2)
    world.on.closed = () => world.send('RPUSH', 'list', 'listener')
    world.server.open[0]!.cut()
    await world.run(30)
    assert.equal(world.server.appliedTo('list', 'RPUSH').at(-1)?.args[2], 'listener')
  })

  it('that sent what nobody asked for ends', async () => {
    const world = new World()
    await world.warm()
    world.server.open[0]!.inject('+surprise\r\n')
    await world.settle()
    assert.equal(world.stats.counters.closed['protocol-error'], 1)
  })
})

describe('a key that waits behind a lane', () => {
  it('does not move on while a part of it still waits', async () => {
    for (const key of ['a', 'b', 'c', 'd']) {
      for (const other of ['e', 'f', 'g', 'h']) {
        const world = new World({ pipelining: 2, maxConnections: 2, acquireTimeout: 60_000 })
        await world.warm()
        const [lane] = world.server.connections
        lane!.hold()
        const write = (name: string, value: string) => world.send('TAG', name, value)
        write(key, '1')
        write(other, '1')
        write(key, '2')
        write(other, '2')
        write(other, '3')
        write(key, '3')
        await world.run(5)
        for (let step = 0; step < 3; step++) {
          lane!.step()
          await world.run(1)
        }
        write(key, '4')
        await world.run(30)
        lane!.resume()
        await world.run(100)
        const order = world.server.appliedTo(key, 'TAG').map(({ args }) => args[2])
        assert.deepEqual(order, ['1', '2', '3', '4'], `${key} beside ${other}`)
      }
    }
  })
})
