// Messages that wait for a gap: in order, and within bounds.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HeldMessages } from '../../src/client/held-messages.js'
import type { Reply } from '../../src/resp/types.js'

describe('held messages', () => {
  it('are delivered in order when they are released, and held again after that', () => {
    const told: Reply[] = []
    const held = new HeldMessages((message) => told.push(message))
    for (const message of ['1', '2']) held.hold([message])
    assert.deepEqual(told, [])
    held.release()
    held.hold(['3'])
    assert.deepEqual(told, [['1'], ['2']])
    held.release()
    assert.deepEqual(told, [['1'], ['2'], ['3']])
  })

  it('are delivered as they come once there are more than 10,000, until they are released', () => {
    let told = 0
    const held = new HeldMessages(() => told++)
    for (let count = 1; count <= 10_000; count++) held.hold([Buffer.from('message')])
    assert.equal(told, 0)
    held.hold([Buffer.from('message')])
    assert.equal(told, 10_001)
    held.hold([Buffer.from('message')])
    assert.equal(told, 10_002)
    held.release()
    held.hold([Buffer.from('message')])
    assert.equal(told, 10_002)
  })

  it('are delivered as they come once they have more than 16 MiB', () => {
    let told = 0
    const held = new HeldMessages(() => told++)
    const large = Buffer.alloc(1024 * 1024)
    for (let count = 1; count <= 16; count++) held.hold([large])
    assert.equal(told, 0)
    held.hold([Buffer.from('.')])
    assert.equal(told, 17)
  })
})
