// A source of credentials that misbehaves: it fails before it has answered, or announces what is no login.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { OptionError } from '../../src/base/errors.js'
import { Credentials, type StreamingCredentials } from '../../src/connection/credentials.js'
import type { Login } from '../../src/connection/handshake.js'

type Listener = Parameters<StreamingCredentials['subscribe']>[0]

/** A source that answers when it is told to; `asked` runs within the call of `subscribe`. */
class Source implements StreamingCredentials {
  readonly asked: (listener: Listener) => void
  readonly listeners: Listener[] = []
  readonly answers: ((login: Login) => void)[] = []
  readonly told: Error[] = []
  disposed = 0

  constructor(asked: (listener: Listener) => void = () => {}) {
    this.asked = asked
  }

  subscribe(listener: Listener): Promise<readonly [Login, { dispose(): void }]> {
    this.listeners.push(listener)
    this.asked(listener)
    const dispose = (): void => {
      this.disposed++
    }
    return new Promise((resolve) => this.answers.push((login) => resolve([login, { dispose }])))
  }

  onReAuthenticationError(error: Error): void {
    this.told.push(error)
  }
}

function followed(source: Source) {
  const credentials = new Credentials(source)
  const seen = { changes: 0, failures: [] as Error[] }
  credentials.follow({
    changed: () => {
      seen.changes++
    },
    failed: (error) => seen.failures.push(error),
  })
  return { credentials, seen }
}

const OLD = { username: 'app', password: 'old' }
const NEW = { username: 'app', password: 'new' }
const GONE = new Error('the issuer is gone')

describe('a source of credentials', () => {
  it('that fails within its subscription has one at a time: the failed one is given back, the next reads anew', async () => {
    let fails = true
    const source = new Source((listener) => {
      if (fails) listener.onError(GONE)
    })
    const { credentials, seen } = followed(source)
    const first = credentials.read()
    source.answers[0]?.(OLD)
    assert.deepEqual(await first, OLD, 'what it gave all the same may serve')
    assert.deepEqual([source.disposed, seen.failures, source.told], [1, [GONE], [GONE]])
    fails = false
    const second = credentials.read()
    assert.equal(source.listeners.length, 2)
    source.answers[1]?.(NEW)
    assert.deepEqual([await second, await credentials.read()], [NEW, NEW])
    source.listeners[0]?.onNext(OLD)
    source.listeners[0]?.onError(GONE)
    assert.deepEqual([await credentials.read(), seen.changes, seen.failures.length], [NEW, 0, 1])
    credentials.release()
    assert.deepEqual([source.listeners.length, source.disposed], [2, 2])
  })

  it('that fails before it has answered leaves no subscription behind, whichever answers first', async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const source = new Source()
      const { credentials } = followed(source)
      const reads = [credentials.read(), credentials.read()]
      source.listeners[0]?.onError(GONE)
      const later = credentials.read()
      assert.equal(source.listeners.length, 2)
      for (const index of order) source.answers[index]?.(index === 0 ? OLD : NEW)
      assert.deepEqual(await Promise.all([...reads, later]), [OLD, OLD, NEW])
      assert.deepEqual([await credentials.read(), source.disposed], [NEW, 1])
      credentials.release()
      assert.equal(source.disposed, 2)
    }
  })

  it('that answers after the end gets its subscription back', async () => {
    const source = new Source()
    const { credentials } = followed(source)
    const read = credentials.read()
    credentials.release()
    source.answers[0]?.(OLD)
    await read
    assert.equal(source.disposed, 1)
  })

  it('that announces what is no login changes nothing, and is told', async () => {
    const source = new Source()
    const { credentials, seen } = followed(source)
    const read = credentials.read()
    source.answers[0]?.(OLD)
    await read
    const wrong: unknown[] = [undefined, null, 'secret-text', { password: 1 }, { username: 'app' }]
    for (const login of wrong) Reflect.apply(source.listeners[0]?.onNext ?? assert.fail, undefined, [login])
    assert.deepEqual([seen.changes, await credentials.read()], [0, OLD])
    assert.equal(seen.failures.length, wrong.length)
    assert.deepEqual(source.told, seen.failures)
    for (const error of seen.failures) {
      assert.ok(error instanceof OptionError)
      assert.doesNotMatch(error.message, /secret/)
    }
    source.listeners[0]?.onNext(NEW)
    assert.deepEqual([seen.changes, await credentials.read()], [1, NEW])
  })

  it('that refuses to subscribe is asked again', async () => {
    let calls = 0
    const credentials = new Credentials({
      subscribe: async (listener) => {
        calls++
        if (calls === 1) {
          listener.onNext(OLD)
          throw GONE
        }
        return [NEW, { dispose: () => {} }]
      },
    })
    await assert.rejects(credentials.read(), GONE)
    assert.deepEqual([await credentials.read(), calls], [NEW, 2])
  })
})
