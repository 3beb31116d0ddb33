// The error of a wait in vain: the verdict in each situation, and what it shows to whoever has to act on it.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConnectionPoolTimeoutError } from '../../src/pool/exhaustion.js'
import { type Call, type Loan, World } from '../support/pool-harness.js'

function errorOf(failed: Call | Loan): ConnectionPoolTimeoutError {
  assert.ok(failed.error instanceof ConnectionPoolTimeoutError, String(failed.error))
  return failed.error
}

describe('the verdict of an exhausted pool', () => {
  it('is a leak when one was reported, however short the waits', async () => {
    const world = new World({ maxConnections: 2, acquireTimeout: 300, leakThreshold: 200 })
    await world.warm()
    await world.leased({ label: 'forgot' })
    await world.run(600)
    const loan = world.lease()
    await world.run(350)
    const error = errorOf(loan)
    assert.equal(error.verdict.cause, 'leak', error.message)
    assert.ok(error.holders[0]?.reported)
    assert.ok(!Object.keys(error).includes('stats'), 'printed, it would bury the message')
  })

  it('is a leak when leases are held much longer than this caller waited', async () => {
    const world = new World({ maxConnections: 3, acquireTimeout: 200, leakTracking: true })
    await world.leased({ label: 'nightly report' })
    await world.leased({ label: 'forgotten' })
    await world.run(5_000)
    const loan = world.lease({ label: 'checkout' })
    await world.run(300)
    const error = errorOf(loan)
    assert.equal(error.verdict.cause, 'leak')
    assert.match(error.message, /checkout waited 200 ms/)
    assert.match(error.message, /nightly report for 5\d\d\d ms/)
    assert.match(error.message, /never released/)
    assert.equal(error.holders[0]?.label, 'nightly report')
    assert.match(error.holders[0]?.stack ?? '', /exhaustion\.test/)
  })

  it('is a pool too small, with a size that would have done', async () => {
    const needs = async (maxConnections: number): Promise<ConnectionPoolTimeoutError | undefined> => {
      const world = new World({ maxConnections, acquireTimeout: 100 })
      const loans: Loan[] = []
      for (let index = 0; index < 6; index++) {
        loans.push(world.lease())
        await world.run(15)
      }
      await world.run(100)
      const failed = loans.find(({ state }) => state === 'failed')
      return failed && errorOf(failed)
    }
    const error = await needs(3)
    assert.equal(error?.verdict.cause, 'too-small')
    const { maxConnections = 0 } = error.verdict
    assert.ok(error.message.includes(`maxConnections: ${maxConnections}`))
    assert.equal(await needs(maxConnections), undefined)
  })

  it('is failing dials when none can be made, with the dial error as the cause', async () => {
    const world = new World({ acquireTimeout: 100 })
    world.server.welcome = 'refuse'
    const call = world.send('GET', 'secret-key')
    await world.run(150)
    const error = errorOf(call)
    assert.equal(error.verdict.cause, 'failing-dials')
    assert.match(String(error.cause), /ECONNREFUSED/)
    assert.match(error.message, /ECONNREFUSED/)
    assert.doesNotMatch(error.message + JSON.stringify(error), /secret-key/)
  })

  it('is a slow server when dials get no answer', async () => {
    const world = new World({ acquireTimeout: 100 })
    world.server.welcome = 'silent'
    const call = world.send('GET', 'k')
    await world.run(150)
    assert.equal(errorOf(call).verdict.cause, 'slow-server')
  })

  it('is a slow server when every shared connection owes replies', async () => {
    const world = new World({ acquireTimeout: 100, maxConnections: 2, socketTimeout: 60_000 })
    for (let index = 0; index < 10; index++) world.send('PING')
    await world.run(20)
    for (const connection of world.server.open) connection.hold()
    for (let index = 0; index < 10; index++) world.send('GET', `k${index}`)
    await world.run(50)
    const call = world.send('GET', 'another')
    await world.run(150)
    const error = errorOf(call)
    assert.equal(error.verdict.cause, 'slow-server')
    assert.match(error.message, /2 late/)
  })

  it('is a blocked loop when this process stood still, for leases and commands alike', async () => {
    const world = new World({ maxConnections: 1, acquireTimeout: 100 })
    await world.leased()
    const waiting = [world.lease(), world.send('GET', 'k')]
    await world.run(50)
    await world.clock.stall(3_000)
    for (const each of waiting) {
      const error = errorOf(each)
      assert.equal(error.verdict.cause, 'blocked-loop')
      assert.ok(error.loopDelay > 2_900)
      assert.match(error.message, /did not run its event loop/)
    }
  })
})

describe('the error of an exhausted pool', () => {
  it('carries the snapshot, the wait, the outcome and the counts in words', async () => {
    const world = new World({ maxConnections: 2, acquireTimeout: 120 })
    await world.warm()
    await world.leased({ label: 'report' })
    const loan = world.lease()
    world.lease({ timeout: 1_000 })
    await world.run(150)
    const error = errorOf(loan)
    assert.equal(error.name, 'ConnectionPoolTimeoutError')
    assert.equal(error.code, 'ERR_POOL_TIMEOUT')
    assert.deepEqual([error.timeout, error.waited, error.outcome], [120, 120, 'not-sent'])
    assert.equal(error.stats.connections.leased, 1)
    assert.equal(error.stats.waiting.leases, 2)
    assert.match(error.message, /2 of 2 connections: 1 leased, 1 shared; 2 callers wait/)
    assert.match(error.message, /held by report for/)
  })

  it('names three holders and counts the others', async () => {
    const world = new World({ maxConnections: 7, acquireTimeout: 50 })
    for (let index = 0; index < 6; index++) await world.leased({ label: `holder ${index}` })
    const loan = world.lease()
    await world.run(60)
    assert.match(errorOf(loan).message, /held by holder 0 for .*holder 1 for .*holder 2 for .* and 3 more/)
  })
})
