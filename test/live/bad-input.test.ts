// What a user gets wrong: the error names the thing, what was expected and what came; no password shows anywhere,
// nothing reaches the server and nothing is lost.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import {
  ArgumentError,
  ConnectionError,
  ConnectionPool,
  LeaseReleasedError,
  OptionError,
  PoolClosedError,
  Redis,
  ReplyError,
} from '../../src/index.js'
import { Scanner } from '../support/canary.js'
import { leakCheck } from '../support/leak-check.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'

const CANARY = 'c4n4ry-passw0rd'

function assertNoCanary(value: unknown, what: string): void {
  const scanner = new Scanner()
  scanner.look(value, what)
  assert.deepEqual(scanner.hits, [])
}

async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  return assert.fail('it should have failed')
}

/** Calls as JavaScript does, where no compiler looks. */
function loosely(target: object, name: string, ...args: unknown[]): unknown {
  const method: unknown = Reflect.get(target, name)
  assert.ok(typeof method === 'function', name)
  return Reflect.apply(method, target, args)
}

const make = (...args: unknown[]): Redis => Reflect.construct(Redis, args)

describe('a wrong option', () => {
  const cases: [unknown[], RegExp][] = [
    [[{ maxConections: 5 }], /maxConections is not an option.*did you mean maxConnections\?/],
    [[{ max: 5 }], /max is not an option.*did you mean maxConnections\?/],
    [[{ maxConnections: 0 }], /maxConnections: expected a whole number from 1 to 65535, got 0/],
    [[{ maxConnections: '10' }], /maxConnections: expected a whole number.*got the string '10'/],
    [[{ maxConnections: 1.5 }], /maxConnections.*got 1\.5/],
    [[{ maxConnections: 2, minConnections: 3 }], /minConnections/],
    [[{ acquireTimeout: '5s' }], /acquireTimeout: expected a whole number of milliseconds/],
    [[{ commandTimeout: -1 }], /commandTimeout.*got -1/],
    [[{ commandTimeout: Number.POSITIVE_INFINITY }], /commandTimeout.*got Infinity/],
    [[{ port: 70_000 }], /port: expected a whole number from 1 to 65535, got 70000/],
    [[{ host: 'redis://localhost' }], /host: expected a host name or an IP address/],
    [[{ host: '10.0.0.1:6379' }], /host/],
    [[{ path: '/s', port: 1 }], /path: a unix socket has no port/],
    [[{ protocol: 4 }], /protocol: expected 2 or 3, got 4/],
    [[{ database: 'a' }], /database/],
    [[{ password: 5 }], /password: expected a string or a function that returns one, got a number/],
    [[{ username: 'app' }], /username: expected a password with it/],
    [[{ password: CANARY, credentials: () => ({}) }], /credentials: takes the place of/],
    [[{ tls: 'yes' }], /tls: expected true, false or options of node:tls/],
    [[{ typeMapping: { 36: 5 } }], /typeMapping/],
    [[{ pool: {} }], /pool: expected a ConnectionPool/],
    [[5], /expected a plain object, got a number/],
    [[null], /expected a plain object, got null/],
    [[{}, {}], /the first of two arguments: expected a URL/],
    [['localhost:6379'], /expected redis:\/\//],
    [['http://localhost'], /expected redis:\/\//],
    [['redis://localhost:port'], /port in the URL/],
    [['redis://localhost/db0'], /database in the URL/],
    [['redis://localhost?maxConection=5'], /maxConection is not an option in the URL; did you mean maxConnections\?/],
    [['redis://localhost?acquireTimeout=soon'], /acquireTimeout/],
    [[`redis://user:${CANARY}@localhost:99999`], /port in the URL/],
    [[`redis://user:${CANARY}/x@localhost`], /the URL/],
    [[`redis://user:${CANARY}#x@localhost`], /the URL/],
    [[`redis://user:${CANARY}%@localhost`], /the URL/],
    [['redis://localhost', { url: 'redis://localhost' }], /url: is given twice/],
    [['rediss://localhost', { tls: false }], /tls: is false, but the URL asks for TLS/],
  ]

  it('is an OptionError that names it, and never shows a secret', () => {
    for (const [args, message] of cases) {
      const text = inspect(args)
      assert.throws(
        () => make(...args),
        (error) => {
          assert.ok(error instanceof OptionError, `${text}: ${error}`)
          assert.equal(error.code, 'ERR_OPTION')
          assert.match(error.message, message)
          assertNoCanary(error, text)
          return true
        },
      )
    }
  })

  it('of resize, close and of a handle made from another is one as well', async () => {
    const pool = new ConnectionPool()
    const redis = new Redis({ pool })
    const calls: [() => unknown, RegExp][] = [
      [() => loosely(pool, 'resize', { maxConnections: 0 }), /maxConnections/],
      [() => loosely(pool, 'resize', { lanes: 3 }), /lanes/],
      [() => loosely(pool, 'resize', 5), /expected a plain object/],
      [() => loosely(pool, 'close', { timeout: 'x' }), /timeout/],
      [() => loosely(pool, 'close', 5), /expected a plain object/],
      [() => loosely(redis, 'withCommandOptions', { timeOut: 5 }), /timeOut is not an option.*timeout/],
      [() => loosely(redis, 'withAbortSignal', {}), /abortSignal: expected an AbortSignal/],
      [() => loosely(redis, 'withTypeMapping', 5), /typeMapping/],
      [() => make({ pool, maxConnections: 3 }), /maxConnections: cannot be given together with pool/],
      [() => loosely(Redis, 'fromEnv', { maxConections: 5 }), /REDIS_URL|maxConections/],
    ]
    for (const [call, message] of calls) {
      const error = await errorOf(call)
      assert.ok(error instanceof OptionError, `${message}: ${error}`)
      assert.match(error.message, message)
    }
    assert.deepEqual([pool.options.maxConnections, pool.stats().state], [10, 'open'])
    redis.destroy()
  })

  it('of node:tls ends the first command at once, and does not stop the pool', async () => {
    for (const tls of [{ minVersion: 'TLSv9' }, { ca: 5 }, { cert: 'no certificate' }, { key: CANARY, cert: CANARY }]) {
      const redis = make({ port: 1, tls, acquireTimeout: 5_000 })
      for (let round = 0; round < 2; round++) {
        const started = performance.now()
        const error = await errorOf(() => redis.get('key'))
        assert.ok(error instanceof ConnectionError, String(error))
        assert.match(error.message, /tls: /)
        assertNoCanary(error, 'a TLS error')
        assert.ok(performance.now() - started < 2_000)
      }
      redis.destroy()
    }
  })
})

describe('a wrong call', { skip: liveSkip }, () => {
  let server: RedisProcess
  let redis: Redis
  before(async () => {
    server = await RedisProcess.start()
    redis = new Redis(server.url)
    await redis.set('kept', 'value')
  })
  after(async () => {
    redis.destroy()
    await server.stop()
  })

  it('names the command and the argument, reaches no server and harms no neighbour', async () => {
    await redis.sendCommand(['CONFIG', 'RESETSTAT'])
    const calls: [string, unknown[], RegExp][] = [
      ['get', [], /^GET .*undefined/],
      ['get', [undefined], /^GET .*undefined as argument 1/],
      ['get', [null], /^GET .*null/],
      ['get', [5], /^GET .*number/],
      ['get', [{ key: CANARY }], /^GET .*object/],
      ['set', ['key', undefined], /^SET .*undefined/],
      ['set', ['key', { secret: CANARY }], /^SET .*object/],
      ['set', ['key', Number.NaN], /^SET .*NaN/],
      ['set', ['key', Symbol('s')], /^SET /],
      ['hSet', ['key'], /^HSET /],
      ['hSet', ['key', 'field', null], /^HSET .*null/],
      ['expire', ['key', undefined], /^EXPIRE .*undefined/],
      ['expire', ['key', Number.NaN], /^EXPIRE .*NaN/],
      ['del', [[undefined]], /^DEL /],
      ['zAdd', ['key', { score: 1 }], /^ZADD /],
      ['set', ['key', 'value', 'EX', 5], /^SET has no place for all of these arguments: .* options as an object/],
      ['mGet', ['kept', 'other'], /^MGET has no place .* several as an array/],
      ['del', ['kept', 'other'], /^DEL has no place /],
      ['sAdd', ['key', 'a', Buffer.from('b')], /^SADD has no place /],
      ['configGet', ['save', 'appendonly'], /^CONFIG GET has no place /],
      ['sendCommand', [], /expected an array of strings and Buffers/],
      ['sendCommand', ['GET key'], /expected an array of strings and Buffers/],
      ['sendCommand', [[]], /needs at least the name of a command/],
      ['sendCommand', [['GET', 5]], /^GET cannot send a number as argument 1/],
      ['sendCommand', [[5]], /cannot send a number as argument 0/],
    ]
    const neighbours = calls.map(() => redis.get('kept'))
    for (const [name, args, message] of calls) {
      const error = await errorOf(() => loosely(redis, name, ...args))
      assert.ok(error instanceof ArgumentError, `${name}(${inspect(args)}): ${error}`)
      assert.match(error.message, message, name)
      assert.deepEqual([error.code, error.outcome], ['ERR_ARGUMENT', 'not-sent'])
      assertNoCanary(error, name)
    }
    assert.deepEqual(await Promise.all(neighbours), Array(calls.length).fill('value'))
    const stats = await server.info('commandstats')
    assert.deepEqual(
      Object.keys(stats).filter((name) => !/get|config|info|hello|client|ping|select/.test(name)),
      [],
    )
    assert.match(stats.cmdstat_get ?? '', new RegExp(`calls=${calls.length},`))
    assert.equal(redis.pool.stats().connections.total <= 2, true)
  })

  it('of an iteration takes no pattern for options, which would go over all keys', async () => {
    for (const [name, ...args] of [
      ['scanIterator', 'user:*'],
      ['hScanIterator', 'key', 'f*'],
      ['zScanIterator', 'key', 5],
    ]) {
      assert.ok(typeof name === 'string')
      const pages = loosely(redis, name, ...args)
      const error = await errorOf(() => loosely(Object(pages), 'next'))
      assert.ok(error instanceof ArgumentError, String(error))
      assert.match(error.message, /^[HZ]?SCAN takes its options as an object/)
    }
    for await (const page of redis.scanIterator()) assert.deepEqual(page, ['kept'])
  })

  it('of an unknown command is the answer of the server', async () => {
    const error = await errorOf(() => redis.sendCommand(['NOSUCHCOMMAND', 'x']))
    assert.ok(error instanceof ReplyError)
    assert.deepEqual([error.outcome, error.command, error.kind], ['rejected', 'NOSUCHCOMMAND', 'ERR'])
    assert.match(error.message, /unknown command/)
    assert.equal(await redis.get('kept'), 'value')
  })

  it('of a session command says where to make it, in whatever case it is written', async () => {
    await redis.sendCommand(['CONFIG', 'RESETSTAT'])
    const commands: (readonly (string | Buffer)[])[] = [
      ['WATCH', 'key'],
      ['watch', 'key'],
      [Buffer.from('Watch'), 'key'],
      ['MULTI'],
      ['EXEC'],
      ['DISCARD'],
      ['SELECT', '1'],
      ['AUTH', CANARY],
      ['HELLO', '3', 'AUTH', 'default', CANARY],
      ['SUBSCRIBE', 'news'],
      ['MONITOR'],
      ['QUIT'],
      ['RESET'],
      ['CLIENT', 'REPLY', 'OFF'],
      ['client', 'tracking', 'on'],
      ['CLIENT', 'SETNAME', 'x'],
    ]
    for (const command of commands) {
      const error = await errorOf(() => redis.sendCommand(command))
      assert.ok(error instanceof ArgumentError, `${command}: ${error}`)
      assert.match(error.message, /concerns one connection, and this handle has many: /)
      assert.equal(error.outcome, 'not-sent')
      assertNoCanary(error, String(command[0]))
    }
    const stats = Object.keys(await server.info('commandstats'))
    assert.deepEqual(
      stats.filter((name) => /watch|multi|exec|discard|auth|subscribe|monitor|quit|reset$/.test(name)),
      [],
    )
  })

  it('with a signal that is aborted, or none at all, is turned down with its reason', async () => {
    const reason = new Error('gone')
    const aborted = redis.withAbortSignal(AbortSignal.abort(reason))
    await redis.sendCommand(['CONFIG', 'RESETSTAT'])
    const calls = [
      () => aborted.set('never', 'x'),
      () => aborted.sendCommand(['SET', 'never', 'x']),
      () => aborted.blPop('never', 0),
      () => aborted.multi().set('never', 'x').exec(),
      () => aborted.multi().set('never', 'x').execAsPipeline(),
      () => aborted.lease(),
      () => aborted.lease(() => assert.fail('called')),
    ]
    for (const call of calls) assert.equal(await errorOf(call), reason)
    const stats = await server.info('commandstats')
    assert.equal(stats.cmdstat_set, undefined)
    assert.equal(stats.cmdstat_blpop, undefined)
  })

  it('after the end is turned down by name, and a second end does nothing', async () => {
    const leaks = leakCheck()
    for (const end of ['close', 'destroy'] as const) {
      const own = new Redis(server.url)
      const lease = await own.lease()
      await lease.set('kept', 'value')
      lease.release()
      await own[end]()
      await own[end]()
      await own.close()
      own.destroy()
      const calls = [
        () => own.get('kept'),
        () => own.sendCommand(['GET', 'kept']),
        () => own.blPop('list', 0),
        () => own.multi().incr('n').exec(),
        () => own.multi().incr('n').execAsPipeline(),
        () => own.lease(),
        () => own.connect(),
        () => own.withAbortSignal(new AbortController().signal).get('kept'),
      ]
      for (const call of calls) {
        const error = await errorOf(call)
        assert.ok(error instanceof PoolClosedError, String(error))
        assert.match(error.message, /duplicate\(\) of a handle makes another/)
        assert.equal(error.outcome, 'not-sent')
      }
      assert.ok((await errorOf(() => lease.get('kept'))) instanceof LeaseReleasedError)
      assert.deepEqual([own.isOpen, own.isReady], [false, false])
    }
    await leaks.assertNone()
  })
})

describe('a password', { skip: liveSkip }, () => {
  it('that is wrong, or missing, fails at once, is not tried in a loop, and is not repeated', async () => {
    await using server = await RedisProcess.start({ password: 'the right one' })
    for (const password of [CANARY, undefined]) {
      const redis = new Redis({ host: '127.0.0.1', port: server.port, password })
      const seen: unknown[] = []
      redis.on('connectError', (error) => seen.push(error))
      await server.cli('ACL', 'LOG', 'RESET')
      const started = performance.now()
      while (performance.now() - started < 1_000) {
        const before = performance.now()
        const errors = await Promise.all([
          errorOf(() => redis.get('key')),
          errorOf(() => redis.lease()),
          errorOf(() => redis.connect()),
        ])
        assert.ok(performance.now() - before < 1_600)
        for (const error of errors) {
          assert.ok(error instanceof ConnectionError, String(error))
          assert.ok(error.cause instanceof ReplyError)
          assert.equal(error.cause.kind, password === undefined ? 'NOAUTH' : 'WRONGPASS')
          assertNoCanary(error, 'an error')
        }
      }
      for (const error of seen) assertNoCanary(error, 'an event')
      assert.ok(seen.length <= 14, `${seen.length} attempts`)
      assertNoCanary(redis, 'the handle')
      assertNoCanary(redis.pool.stats(), 'the stats')
      redis.destroy()
    }
  })
})
