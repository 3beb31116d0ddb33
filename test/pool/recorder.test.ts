// The history of a pool: a point an interval with what happened in it, events, bounds, and an end that leaves nothing.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HistoryEvent, HistoryPoint } from '../../src/pool/history.js'
import { World } from '../support/pool-harness.js'

const SETTINGS = { interval: 100, points: 5, events: 4 }

const call = (listener: () => void): void => listener()

describe('a recording', () => {
  it('has a point for each interval, with what happened within it', async () => {
    const world = new World({ maxConnections: 2 })
    world.server.latency = 8
    const recording = world.pool.record(SETTINGS, call)
    world.send('PING')
    const loan = world.lease()
    await world.run(100)
    world.send('GET', 'k')
    world.send('GET', 'k')
    await world.run(50)
    loan.release()
    await world.run(50)
    const [first, second] = recording.points()
    assert.equal(recording.points().length, 2)
    assert.deepEqual([first?.span, second?.span], [100, 100])
    assert.deepEqual([first?.counters.calls, second?.counters.calls], [1, 2])
    assert.deepEqual([first?.counters.opened, second?.counters.opened], [2, 0])
    assert.deepEqual([first?.connect.count, second?.connect.count], [2, 0])
    assert.deepEqual([second?.use.count, second?.peaks.leased, second?.connections.leased], [1, 1, 0])
    assert.equal(second?.mean.leased, 0.5)
    assert.ok(Math.abs((second?.reply.p99 ?? 0) - 8) < 1, `${second?.reply.p99}, not 8`)
    recording.stop()
    world.pool.destroy('destroyed')
    await world.assertNothingLeft()
  })

  it('keeps the newest points and events, and no more', async () => {
    const world = new World({ maxConnections: 1, acquireTimeout: 20 })
    const recording = world.pool.record(SETTINGS, call)
    await world.leased()
    for (let count = 0; count < 10; count++) {
      world.lease()
      await world.run(100)
    }
    assert.equal(recording.points().length, 5)
    assert.equal(recording.points().at(-1)?.counters.timedOut, 1)
    assert.deepEqual(
      recording.events().map(({ kind }) => kind),
      ['exhausted', 'exhausted', 'exhausted', 'exhausted'],
    )
    world.pool.destroy('destroyed')
    await world.assertNothingLeft()
  })

  it('tells what a person would log, in order, until the pool ends', async () => {
    const world = new World({ maxConnections: 2, leakThreshold: 50 })
    const recording = world.pool.record({ ...SETTINGS, events: 50 }, call)
    const news: (HistoryPoint | HistoryEvent)[] = []
    recording.follow((each) => news.push(each))
    const loan = await world.leased({ label: 'report' })
    await world.run(600)
    loan.release()
    world.pool.resize({ maxConnections: 5, minConnections: 0 })
    world.pool.retire()
    await world.run(20)
    world.server.welcome = 'refuse'
    world.send('PING')
    await world.run(1)
    world.pool.destroy('destroyed')
    const events = recording.events()
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['connected', 'leak', 'resized', 'retired', 'closed', 'connect-failed', 'ended'],
    )
    assert.deepEqual(
      news.filter((each) => 'kind' in each),
      events,
    )
    const leak = events.find((event) => event.kind === 'leak')
    assert.equal(leak?.holder.label, 'report')
    const resized = events.find((event) => event.kind === 'resized')
    assert.deepEqual([resized?.from, resized?.to], [2, 5])
    assert.equal(events.find((event) => event.kind === 'closed')?.reason, 'retired')
    await world.assertNothingLeft()
    assert.ok(recording.points().length > 0, 'what was recorded stays')
  })

  it('keeps no process alive, and each goes on by itself', async () => {
    const world = new World()
    const one = world.pool.record(SETTINGS, call)
    const other = world.pool.record({ ...SETTINGS, interval: 30 }, call)
    assert.equal(world.clock.foregroundTimers, 0)
    await world.run(60)
    other.stop()
    await world.run(60)
    assert.deepEqual([one.points().length, other.points().length], [1, 2])
    one.stop()
    one.stop()
    assert.equal(world.poolTimers, 0)
  })

  it('of a pool that has ended is over', () => {
    const world = new World()
    world.pool.destroy('destroyed')
    assert.deepEqual(world.pool.record(SETTINGS, call).points(), [])
    assert.equal(world.poolTimers, 0)
  })
})

describe('events of a pool', () => {
  it('tell of callers who waited in vain, once for all whose time was up together', async () => {
    const world = new World({ maxConnections: 1, acquireTimeout: 20 })
    await world.leased()
    for (let count = 0; count < 7; count++) world.lease()
    await world.run(30)
    assert.equal(world.exhaustions.length, 1)
    assert.equal(world.stats.counters.timedOut, 7)
  })

  it('tell of another size, and not of the same', () => {
    const world = new World({ maxConnections: 1 })
    world.pool.resize({ maxConnections: 1, minConnections: 1 })
    world.pool.resize({ maxConnections: 4, minConnections: 1 })
    assert.deepEqual(world.resizes, [{ from: 1, to: 4, because: 'resize() was called' }])
  })
})
