// The leak check has to bite: each kind of thing left behind is found, and what was cleared away is not.

import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { leakCheck } from './leak-check.js'

describe('leakCheck', () => {
  it('finds nothing where nothing was left', async () => {
    const emitter = new EventEmitter()
    const leaks = leakCheck({ watch: { emitter: { target: emitter, events: ['x'] } } })
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    server.close()
    clearTimeout(setTimeout(() => {}, 10_000))
    await new Promise((resolve) => setTimeout(resolve, 1))
    const listener = () => {}
    emitter.on('x', listener)
    emitter.off('x', listener)
    await leaks.assertNone()
  })

  it('finds a server that still listens', async () => {
    const leaks = leakCheck({ patience: 20 })
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    await assert.rejects(leaks.assertNone(), /1 × TCPServerWrap/)
    server.close()
  })

  it('finds a timer, one in the background too, and where it was set', async () => {
    const leaks = leakCheck({ patience: 20 })
    const timer = setTimeout(() => {}, 10_000).unref()
    await assert.rejects(leaks.assertNone(), /a timer set at .*leak-check\.test/)
    clearTimeout(timer)
  })

  it('finds a listener on an emitter and on a signal', async () => {
    const emitter = new EventEmitter()
    const { signal } = new AbortController()
    const watch = { emitter: { target: emitter, events: ['x'] }, signal: { target: signal, events: ['abort'] } }
    const leaks = leakCheck({ patience: 20, watch })
    emitter.on('x', () => {})
    signal.addEventListener('abort', () => {})
    await assert.rejects(leaks.assertNone(), /listener 'x' on emitter[\s\S]*listener 'abort' on signal/)
  })

  it('finds a file and a socket by their descriptors', {
    skip: existsSync('/proc/self/fd') ? false : 'no /proc',
  }, async () => {
    const leaks = leakCheck({ patience: 20 })
    const file = openSync(process.execPath, 'r')
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    await assert.rejects(leaks.assertNone(), (error) => {
      assert.match(String(error), /1 × descriptor of .*node/)
      assert.match(String(error), /1 × descriptor of socket\b/)
      return true
    })
    const after = leakCheck()
    closeSync(file)
    server.close()
    await after.assertNone()
  })

  it('finds a promise that does not settle, and no other', async () => {
    const leaks = leakCheck({ patience: 20 })
    const reason = new Error('of the test')
    assert.equal(await leaks.settles('a value', Promise.resolve(1)), 1)
    await assert.rejects(leaks.settles('an error', Promise.reject(reason)), reason)
    leaks.settles('late', new Promise((resolve) => setImmediate(resolve)))
    leaks.settles('a call for ever', new Promise(() => {}))
    await assert.rejects(leaks.assertNone(), (error) => {
      assert.deepEqual(Reflect.get(Object(error), 'actual'), ['a promise that did not settle: a call for ever'])
      return true
    })
  })
})
