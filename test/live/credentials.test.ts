// Passwords that change while programs run, from a function and from a source that announces them, and client
// certificates: no call fails, and nothing goes on with what was replaced.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ConnectionError, createClient, Redis } from '../../src/index.js'
import { leakCheck } from '../support/leak-check.js'
import { liveSkip, RedisProcess, tlsSkip } from '../support/redis-process.js'

const CALLERS = 20
const ROUNDS = 10

interface Listener {
  onNext(login: { username: string; password: string }): void
  onError(error: Error): void
}

/** A source of credentials in the hands of a test. */
class Source {
  readonly type = 'streaming-credentials-provider'
  readonly listeners = new Set<Listener>()
  readonly failures: Error[] = []
  password: string
  subscriptions = 0

  constructor(password: string) {
    this.password = password
  }

  async subscribe(listener: Listener): Promise<[{ username: string; password: string }, { dispose(): void }]> {
    this.subscriptions++
    this.listeners.add(listener)
    return [{ username: 'app', password: this.password }, { dispose: () => this.listeners.delete(listener) }]
  }

  onReAuthenticationError(error: Error): void {
    this.failures.push(error)
  }

  announce(password: string): void {
    this.password = password
    for (const listener of this.listeners) listener.onNext({ username: 'app', password })
  }
}

/** Callers that never stop until they are told to; gives how many calls they made. */
function traffic(redis: Redis): () => Promise<number> {
  let isOver = false
  let calls = 0
  const callers = Array.from({ length: CALLERS }, async (_, caller) => {
    for (; !isOver; calls++) {
      if (caller === 0) await redis.lease((connection) => connection.incr('leased'))
      else if (caller === 1) await redis.blPop(`none:${caller}`, 0.01)
      else assert.equal(await redis.set(`key:${caller}`, calls), 'OK')
    }
  })
  // Looked at here, so that a caller that fails is not reported as unhandled before it is awaited.
  const all = Promise.all(callers)
  all.catch(() => {})
  return async () => {
    isOver = true
    await all
    return calls
  }
}

describe('a password that changes', { skip: liveSkip }, () => {
  it('while a source announces it fails no call, and replaces every connection', async () => {
    const leaks = leakCheck()
    {
      await using server = await RedisProcess.start({ acl: ['user app on >p0 ~* +@all'] })
      const source = new Source('p0')
      const socket = { host: '127.0.0.1', port: server.port }
      const redis = createClient({ socket, credentialsProvider: source })
      const errors: Error[] = []
      redis.on('error', (error) => errors.push(error))
      const stop = traffic(redis)
      for (let round = 1; round <= ROUNDS; round++) {
        const before = new Set((await server.clientList()).filter(({ user }) => user === 'app').map(({ id }) => id))
        await server.cli('ACL', 'SETUSER', 'app', `>p${round}`)
        source.announce(`p${round}`)
        const isOld = ({ id }: Record<string, string>): boolean => before.has(id)
        while ((await server.clientList()).some(isOld)) await new Promise((resolve) => setTimeout(resolve, 2))
        await server.cli('ACL', 'SETUSER', 'app', `<p${round - 1}`)
      }
      assert.ok((await stop()) > ROUNDS * CALLERS)
      assert.deepEqual(errors, [])
      assert.ok((redis.pool.stats().counters.closed.retired ?? 0) >= ROUNDS)
      assert.equal(source.subscriptions, 1)
      await redis.close()
      assert.equal(source.listeners.size, 0)
    }
    await leaks.assertNone()
  })

  it('while a function is asked for it fails no call', async () => {
    await using server = await RedisProcess.start({ acl: ['user app on >p0 ~* +@all'] })
    let password = 'p0'
    await using redis = createClient({
      socket: { host: '127.0.0.1', port: server.port },
      credentialsProvider: {
        type: 'async-credentials-provider',
        credentials: async () => ({ username: 'app', password }),
      },
      maxLifetime: 50,
    })
    const stop = traffic(redis)
    for (let round = 1; round <= ROUNDS; round++) {
      // Both are valid for a while, as where passwords rotate.
      await server.cli('ACL', 'SETUSER', 'app', `>p${round}`)
      password = `p${round}`
      await new Promise((resolve) => setTimeout(resolve, 60))
      await server.cli('ACL', 'SETUSER', 'app', `<p${round - 1}`)
    }
    assert.ok((await stop()) > ROUNDS * CALLERS)
  })

  it('to one that is wrong is told, and a source that fails is asked anew', async () => {
    await using server = await RedisProcess.start({ acl: ['user app on >p0 ~* +@all'] })
    const source = new Source('p0')
    await using redis = createClient({
      socket: { host: '127.0.0.1', port: server.port },
      credentialsProvider: source,
      backoffMax: 20,
    })
    const errors: Error[] = []
    redis.on('error', (error) => errors.push(error))
    assert.equal(await redis.aclWhoAmI(), 'app')
    const broken = new Error('the issuer is gone')
    for (const listener of [...source.listeners]) listener.onError(broken)
    assert.deepEqual([source.failures, errors, source.listeners.size], [[broken], [broken], 0])
    assert.equal(await redis.aclWhoAmI(), 'app', 'what is connected goes on')
    redis.pool.retire()
    assert.equal(await redis.aclWhoAmI(), 'app')
    assert.equal(source.subscriptions, 2)
    source.announce('wrong')
    await assert.rejects(redis.aclWhoAmI(), ConnectionError)
    source.announce('p0')
    assert.equal(await redis.aclWhoAmI(), 'app')
  })
})

describe('a client certificate', { skip: tlsSkip() }, () => {
  it('is shown where the server asks for one', async () => {
    await using server = await RedisProcess.start({ tls: true, clientCertificate: true })
    assert.ok(server.tls)
    const { ca, client } = server.tls
    const own = { cert: readFileSync(client.cert), key: readFileSync(client.key) }
    const files = { ca: readFileSync(ca), ...own }
    await using redis = new Redis(server.url, { tls: files })
    assert.equal(await redis.ping(), 'PONG')
    await using likeNode = createClient({ socket: { host: '127.0.0.1', port: server.port, tls: true, ...files } })
    assert.equal(await likeNode.ping(), 'PONG')
    const bare = new Redis(server.url, { tls: { ca: readFileSync(ca) }, acquireTimeout: 1_000, connectTimeout: 500 })
    await assert.rejects(bare.ping())
    bare.destroy()
  })
})
