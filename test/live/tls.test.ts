// TLS with an authority of our own, mix-ups of TLS and plain, ACL users whose passwords change, and a unix socket.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { ConnectionError, ConnectTimeoutError, Redis, ReplyError } from '../../src/index.js'
import { FaultProxy } from '../support/fault-proxy.js'
import { leakCheck } from '../support/leak-check.js'
import { liveSkip, RedisProcess, tlsSkip } from '../support/redis-process.js'

const CONNECT_TIMEOUT = 400
/** What a burdened machine may add. */
const NOISE = 150

async function errorOf(call: () => Promise<unknown>): Promise<{ error: unknown; took: number }> {
  const started = performance.now()
  try {
    await call()
  } catch (error) {
    return { error, took: performance.now() - started }
  }
  return assert.fail('it should have failed')
}

function caOf(server: RedisProcess): Buffer {
  assert.ok(server.tls)
  return readFileSync(server.tls.ca)
}

describe('TLS', { skip: tlsSkip() }, () => {
  it('works with an authority that is given, by address and by name', async () => {
    const leaks = leakCheck()
    {
      await using server = await RedisProcess.start({ tls: true })
      const tls = { ca: caOf(server) }
      for (const redis of [
        new Redis(server.url, { tls }),
        new Redis({ host: 'localhost', port: server.port, tls }),
        new Redis({ host: '127.0.0.1', port: server.port, tls: { ...tls, servername: 'localhost' } }),
      ]) {
        assert.equal(await redis.set('key', 'value'), 'OK')
        const large = Buffer.alloc(3_000_000, 'v')
        await Promise.all([redis.set('large', large), redis.set('other', large)])
        assert.equal((await redis.get('large'))?.length, large.length)
        assert.equal(await redis.lease((connection) => connection.echo('leased')), 'leased')
        await redis.close()
      }
    }
    await leaks.assertNone()
  })

  it('refuses a certificate it cannot verify: typed, at once, not tried in a loop', async () => {
    await using server = await RedisProcess.start({ tls: true })
    await using proxy = await FaultProxy.start({ port: server.port })
    const cases: [object, RegExp][] = [
      [{ host: '127.0.0.1', tls: true }, /UNABLE_TO|SELF_SIGNED|CERT/],
      [{ host: '127.0.0.1', tls: { ca: caOf(server), servername: 'other.example' } }, /ERR_TLS_CERT_ALTNAME_INVALID/],
    ]
    for (const [options, code] of cases) {
      const dialed = proxy.total
      const redis = new Redis({ ...options, port: proxy.port, acquireTimeout: 5_000 })
      const started = performance.now()
      while (performance.now() - started < 800) {
        const { error, took } = await errorOf(() => redis.get('key'))
        assert.ok(error instanceof ConnectionError, String(error))
        assert.equal(error.reason, 'connect-failed')
        assert.match(String(Reflect.get(Object(error.cause), 'code')), code)
        assert.match(error.message, /cannot connect to 127\.0\.0\.1:\d+: /)
        assert.ok(took < 1_300, `it took ${took} ms`)
      }
      assert.ok(proxy.total - dialed <= 12, `${proxy.total - dialed} attempts in 0.8 s`)
      redis.destroy()
    }
  })

  it('does without verification only when it is told to', async () => {
    await using server = await RedisProcess.start({ tls: true })
    await using redis = new Redis(server.url, { tls: { rejectUnauthorized: false } })
    assert.equal(await redis.ping(), 'PONG')
  })

  it('to a plain port, and plain to a TLS port, end within connectTimeout', async () => {
    await using plain = await RedisProcess.start()
    await using secured = await RedisProcess.start({ tls: true })
    const mixUps = [
      new Redis({ host: '127.0.0.1', port: plain.port, tls: true, connectTimeout: CONNECT_TIMEOUT }),
      new Redis({ host: '127.0.0.1', port: secured.port, connectTimeout: CONNECT_TIMEOUT }),
    ]
    for (const redis of mixUps) {
      const { error, took } = await errorOf(() => redis.connect())
      assert.ok(error instanceof ConnectionError, String(error))
      assert.ok(took < CONNECT_TIMEOUT + 50 + NOISE, `it took ${took} ms`)
      redis.destroy()
    }
  })

  it('whose handshake is never answered, or cut, ends within connectTimeout', async () => {
    const leaks = leakCheck()
    const silent = createServer((socket) => socket.on('error', () => {}).resume())
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const address = silent.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const waiting = new Redis({ host: '127.0.0.1', port, tls: true, connectTimeout: CONNECT_TIMEOUT })
    const { error, took } = await errorOf(() => waiting.connect())
    assert.ok(error instanceof ConnectTimeoutError)
    assert.ok(took < CONNECT_TIMEOUT + 50 + NOISE, `it took ${took} ms`)
    waiting.destroy()
    await new Promise((resolve) => silent.close(resolve))
    {
      await using server = await RedisProcess.start({ tls: true })
      for (const bytes of [0, 1, 100, 600]) {
        await using proxy = await FaultProxy.start({ port: server.port })
        proxy.hold('down')
        const redis = new Redis({
          host: '127.0.0.1',
          port: proxy.port,
          tls: { ca: caOf(server) },
          connectTimeout: 2_000,
        })
        const failed = errorOf(() => redis.connect())
        while (proxy.links.length === 0) await new Promise((resolve) => setImmediate(resolve))
        proxy.cutAfter(bytes, 'rst')
        proxy.release()
        assert.ok((await failed).error instanceof ConnectionError)
        redis.destroy()
      }
    }
    await leaks.assertNone()
  })

  it('connections that are killed are replaced', async () => {
    await using server = await RedisProcess.start({ tls: true })
    await using proxy = await FaultProxy.start({ port: server.port })
    await using redis = new Redis({ host: '127.0.0.1', port: proxy.port, tls: { ca: caOf(server) }, backoffMax: 20 })
    for (let round = 0; round < 10; round++) {
      assert.equal(await redis.set('key', round), 'OK')
      const gone = new Promise((resolve) => redis.once('close', resolve))
      proxy.killAll(round % 2 ? 'rst' : 'fin')
      await gone
    }
  })
})

describe('an ACL user', { skip: liveSkip }, () => {
  it('logs in by name, and is told what it may not do without losing its connection', async () => {
    await using server = await RedisProcess.start({ acl: ['user app on >s3cret ~app:* +@all -flushall'] })
    await using redis = new Redis({ host: '127.0.0.1', port: server.port, username: 'app', password: 's3cret' })
    assert.equal(await redis.aclWhoAmI(), 'app')
    const id = await redis.sendCommand(['CLIENT', 'ID'])
    for (const call of [() => redis.flushAll(), () => redis.get('other:key')]) {
      const { error } = await errorOf(call)
      assert.ok(error instanceof ReplyError)
      assert.deepEqual([error.kind, error.outcome], ['NOPERM', 'rejected'])
    }
    assert.equal(await redis.sendCommand(['CLIENT', 'ID']), id)
  })

  it('that may not use SETINFO, CONFIG or CLIENT is served all the same', async () => {
    await using server = await RedisProcess.start({
      acl: ['user app on >s3cret ~* -@all +get +set +hello +ping +auth'],
    })
    await using redis = new Redis({
      host: '127.0.0.1',
      port: server.port,
      username: 'app',
      password: 's3cret',
      idleTimeout: 60,
    })
    assert.equal(await redis.set('key', 'value'), 'OK')
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.equal(await redis.get('key'), 'value')
  })

  it('gets its password from the function at each connection, also after it was changed', async () => {
    await using server = await RedisProcess.start({ acl: ['user app on >first ~* +@all'] })
    let password = 'first'
    let asked = 0
    await using redis = new Redis({
      host: '127.0.0.1',
      port: server.port,
      username: 'app',
      password: async () => {
        asked++
        return password
      },
      backoffMax: 20,
    })
    await redis.set('key', 'value')
    const before = asked
    assert.ok(before >= 1)
    password = 'second'
    await server.cli('ACL', 'SETUSER', 'app', 'resetpass', '>second')
    assert.equal(await redis.get('key'), 'value', 'connections that are open go on')
    redis.pool.retire()
    assert.equal(await redis.get('key'), 'value')
    assert.ok(asked > before)
    const gone = new Promise((resolve) => redis.once('close', resolve))
    await server.cli('ACL', 'DELUSER', 'app')
    await gone
    const { error } = await errorOf(() => redis.get('key'))
    assert.ok(error instanceof ConnectionError)
    assert.ok(error.cause instanceof ReplyError)
    assert.equal(error.cause.kind, 'WRONGPASS')
    await server.cli('ACL', 'SETUSER', 'app', 'on', '>third', '~*', '+@all')
    password = 'third'
    assert.equal(await redis.get('key'), 'value', 'it recovers once the password is right again')
  })
})

describe('a unix socket', { skip: liveSkip }, () => {
  it('carries everything a port does', async () => {
    await using server = await RedisProcess.start({ unix: true })
    for (const redis of [
      new Redis({ path: server.unixPath }),
      new Redis(`unix://${server.unixPath}?maxConnections=3`),
    ]) {
      assert.equal(await redis.set('key', 'value'), 'OK')
      assert.equal(await redis.lease((connection) => connection.get('key')), 'value')
      assert.deepEqual(await redis.multi().get('key').exec(), ['value'])
      assert.equal(redis.pool.stats().address, server.unixPath)
      await redis.close()
    }
  })
})
