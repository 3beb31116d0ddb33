// Scratch of suspected bugs; to be dissolved.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { World } from '../support/pool-harness.js'

describe('suspects', () => {
  it('basic', async () => {
    const world = new World()
    const a = world.send('INCR', 'k')
    const b = world.send('INCR', 'k')
    await world.run(20)
    assert.deepEqual([a.value, b.value], [1, 2])
    world.assertBooks()
    void world.pool.close(0)
    await world.assertNothingLeft()
  })
  it('a command that waited for its dial is watched like any other', async () => {
    const world = new World({ socketTimeout: 100 })
    
    const call = world.sendWith({ timeout: 50 }, 'GET', 'k')
    await world.run(21)
    for (const c of world.server.connections) c.hold()
    await world.run(5)
    for (const c of world.server.connections) c.resume()
    await world.run(0)
    for (const c of world.server.connections) c.hold()
    await world.run(200)
    assert.equal(call.state, 'failed')
    assert.ok(call.took <= 56, `took ${call.took}`)
  })
  it('pins outlast waiting commands with tiny pipelining', async () => {
    const all = Array.from({ length: 8 }, (_, i) => 'k' + i)
    let wrong = 0
    for (const K of all) for (const Y of all) {
      if (K === Y) continue
      const world = new World({ pipelining: 2, lanes: 2, maxConnections: 2, acquireTimeout: 60_000 })
      await world.warm()
      
      const [lane] = world.server.connections
      lane!.hold()
      const send = (k: string, v: string) => world.send('TAG', k, v)
      send(K, '1'); send(Y, '1'); send(K, '2'); send(Y, '2'); send(Y, '3'); send(K, '3')
      await world.run(5)
      lane!.step()
      await world.run(1)
      lane!.step()
      await world.run(1)
      lane!.step()
      await world.run(0)
      if (K === 'k0') console.log(K, Y, JSON.stringify(world.stats.connections), world.stats.waiting.commands, world.stats.inFlight)
      send(K, '4')
      await world.run(30)
      lane!.resume()
      await world.run(100)
      const order = world.server.appliedTo(K, 'TAG').map((e) => e.args[2]).join('')
      if (order !== '1234') { wrong++; console.log(K, Y, order) }
    }
    assert.equal(wrong, 0)
  })
  it('a ping is no use: an unused lane ends at idleTimeout', async () => {
    const world = new World({ idleTimeout: 1000, pingInterval: 300 })
    await world.warm()
    await world.run(5000)
    assert.equal(world.stats.connections.total, 0, JSON.stringify(world.stats.counters))
  })
  it('retire dials while an old lane is still owed', async () => {
    const world = new World({ lanes: 1 })
    await world.warm()
    world.server.connections[0]!.hold()
    const slow = world.send('GET', 'a')
    await world.run(2)
    world.pool.retire()
    const next = world.send('GET', 'b')
    await world.run(20)
    assert.equal(next.state, 'answered')
    assert.equal(slow.state, 'pending')
  })
  it('destroy in a close listener leaves nothing unsettled', async () => {
    const world = new World({ pipelining: 2, lanes: 1, maxConnections: 1 })
    await world.warm()
    world.server.connections[0]!.hold()
    world.send('GET', 'a'); world.send('GET', 'b'); world.send('GET', 'c'); world.send('GET', 'd')
    await world.run(2)
    world.on.closed = () => world.pool.destroy('destroyed')
    world.server.connections[0]!.cut()
    await world.assertNothingLeft()
  })
  it('a command of a close listener does not overtake those that wait', async () => {
    const world = new World({ pipelining: 2, lanes: 2, maxConnections: 2 })
    world.server.latency = 5
    world.send('TAG', 'b', 'x'); world.send('TAG', 'b', 'y')
    await world.run(50)
    const lanes = world.stats.connections.shared
    assert.equal(lanes, 2)
    const c1 = Array.from({ length: 6 }, (_, i) => world.send('TAG', 'k', String(i)))
    await world.run(1)
    const busy = world.server.connections.filter((c) => c.state === 'open')
    world.on.closed = () => { world.send('TAG', 'k', 'late') ; world.on.closed = () => {} }
    // cut the one with k
    for (const c of busy) c.hold()
    const before = c1.filter((c) => c.state === 'failed').length
    busy[0]!.cut()
    if (c1.filter((c) => c.state === 'failed').length === before) busy[1]!.cut()
    for (const c of busy) if (c.state === 'open') c.resume()
    await world.run(200)
    const order = world.server.appliedTo('k', 'TAG').map((e) => e.args[2])
    assert.equal(order.at(-1), 'late', order.join(' '))
  })
  it('no timer after destroy while a blocking command is being unblocked', async () => {
    const world = new World()
    await world.warm()
    const abort = new AbortController()
    const call = world.sendWith({ signal: abort.signal }, 'BLPOP', 'q', '0')
    await world.run(20)
    abort.abort()
    await world.settle()
    world.pool.destroy('destroyed')
    await world.assertNothingLeft()
    assert.equal(call.state, 'failed')
  })
  it('resize keeps a lane for sharing', async () => {
    const world = new World({ maxConnections: 3, lanes: 1 })
    await world.warm()
    const a = await world.leased(); const b = await world.leased()
    world.pool.resize({ maxConnections: 2, minConnections: 0 })
    await world.run(10)
    const get = world.send('GET', 'k')
    await world.run(50)
    assert.equal(get.state, 'answered')
    a.release(); b.release()
  })
  it('acquireTimeout 0 takes a lane that nobody uses', async () => {
    const world = new World({ maxConnections: 1, acquireTimeout: 0 })
    await world.warm()
    const loan = world.lease()
    await world.run(10)
    assert.equal(loan.state, 'held', String(loan.error))
  })
  it('a dial ended by close balances', async () => {
    const world = new World()
    world.server.dialDelay = 100
    world.send('GET', 'k')
    await world.run(10)
    world.pool.destroy('destroyed')
    world.assertBooks()
  })
  it('close does not wait for a handshake that nobody needs', async () => {
    const world = new World()
    world.server.welcome = 'silent'
    const abort = new AbortController()
    world.sendWith({ signal: abort.signal }, 'GET', 'k')
    await world.run(10)
    abort.abort()
    let closed = false
    void world.pool.close(0).then(() => { closed = true })
    await world.run(100)
    assert.ok(closed)
  })
  it('no storm with minConnections against a server that hangs up at once', async () => {
    const world = new World({ minConnections: 1 })
    world.on.opened = () => { const c = world.server.connections.at(-1)!; world.server.later(1, () => c.cut('fin')) }
    void world.pool.connect().catch(() => {})
    await world.run(1000)
    assert.ok(world.server.dials.length < 30, `${world.server.dials.length} dials`)
  })
  it('verdict blocked-loop for a lease', async () => {
    const world = new World({ maxConnections: 1, acquireTimeout: 100 })
    await world.leased()
    const loan = world.lease()
    await world.run(50)
    await world.clock.stall(3000)
    await world.run(10)
    assert.match(String(loan.error), /blocked-loop/)
  })
})
