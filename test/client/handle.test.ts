// What a program written for one node-redis client relies on beside commands: states, events, duplicates, endings.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import {
  ArgumentError,
  ConnectionError,
  ConnectionPool,
  createClient,
  OptionError,
  PoolClosedError,
  RESP_TYPES,
  Redis,
} from '../../src/index.js'
import { until } from '../live/support-live.js'
import { FakeServer } from '../support/fake-server.js'
import { leakCheck } from '../support/leak-check.js'
import { liveRedis } from '../support/live-redis.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Calls a method that the types do not have, or with arguments that they do not allow. */
function untyped(target: object, method: string, ...args: unknown[]): unknown {
  const value: unknown = Reflect.get(target, method)
  assert.ok(typeof value === 'function', method)
  return Reflect.apply(value, target, args)
}

describe('a handle before, while and after it is used', { skip: liveSkip }, () => {
  let server: RedisProcess
  liveRedis({}, (started) => {
    server = started.server
  })

  it('is not open until it is connected or used, so that libraries connect it', async () => {
    for (const use of [(redis: Redis) => redis.connect(), (redis: Redis) => redis.ping()]) {
      await using redis = new Redis(server.url)
      assert.deepEqual([redis.isOpen, redis.isReady], [false, false])
      const used = use(redis)
      assert.deepEqual([redis.isOpen, redis.isReady], [true, false])
      await used
      assert.deepEqual([redis.isOpen, redis.isReady], [true, true])
    }
  })

  it('stays ready when its idle connections end', async () => {
    await using redis = await new Redis(server.url, { idleTimeout: 20 }).connect()
    while (redis.pool.stats().connections.total > 0) await tick()
    assert.deepEqual([redis.isOpen, redis.isReady], [true, true])
    assert.equal(await redis.ping(), 'PONG')
  })

  it('may be connected and closed twice', async () => {
    const redis = createClient({ url: server.url })
    assert.equal(await redis.connect(), redis)
    assert.equal(await redis.connect(), redis)
    await Promise.all([redis.close(), redis.close()])
    await redis.close()
    redis.destroy()
    assert.deepEqual([redis.isOpen, redis.isReady], [false, false])
    await assert.rejects(redis.connect(), PoolClosedError)
    await assert.rejects(redis.ping(), PoolClosedError)
  })

  it('does not come back once it was closed, and says what does: a duplicate, with all that it had', async () => {
    const closed = createClient({ url: server.url, keyPrefix: 'again:', name: 'again' })
    const view = closed.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    await view.set('key', 'value')
    await closed.close()
    const advice = { code: 'ERR_POOL_CLOSED', outcome: 'not-sent', message: /duplicate\(\) of a handle makes another/ }
    const calls = [
      () => view.connect(),
      () => view.get('key'),
      () => view.lease(),
      () => view.multi().get('key').exec(),
      () => view.subscribe('news', () => assert.fail('it listens')),
    ]
    for (const call of calls) await assert.rejects(call, advice)
    await using again = view.duplicate()
    assert.equal(await again.connect(), again)
    assert.deepEqual(await again.get('key'), Buffer.from('value'))
    assert.equal((await again.clientInfo()).name, 'again')
    assert.equal(closed.isOpen, false)
  })

  it('ends by the deprecated names too', async () => {
    const one = createClient({ url: server.url })
    const last = one.echo('accepted before')
    assert.equal(await one.quit(), 'OK')
    assert.equal(await last, 'accepted before')
    assert.equal(await createClient({ url: server.url }).QUIT(), 'OK')
    const two = createClient({ url: server.url })
    const lost = two.blPop('never', 0)
    await two.ping()
    await two.disconnect()
    await assert.rejects(lost)
    assert.deepEqual([one.isOpen, two.isOpen], [false, false])
  })

  it('lends connections by the names of node-redis', async () => {
    await using redis = createClient({ url: server.url })
    assert.equal(await redis.execute((connection) => connection.echo('a')), 'a')
    assert.equal(await redis.executeIsolated(async (connection) => connection.echo('b')), 'b')
    assert.equal(redis.asap(), redis)
    assert.equal(await redis.reset(), undefined)
    assert.equal(redis.totalClients, redis.idleClients + redis.clientsInUse)
    assert.deepEqual([redis.tasksQueueLength, redis.isClosing], [0, false])
    await using pool = redis.createPool({ minimum: 1, maximum: 3 })
    assert.notEqual(pool.pool, redis.pool)
    assert.deepEqual([pool.pool.options.maxConnections, await pool.ping()], [3, 'PONG'])
    const stuck = redis.createPool({ maximum: 1 })
    const lease = await stuck.lease()
    const waiting = stuck.ping()
    assert.deepEqual([stuck.clientsInUse, stuck.tasksQueueLength], [1, 1])
    const closing = stuck.close()
    assert.equal(stuck.isClosing, true)
    lease.release()
    await Promise.all([waiting, closing])
  })

  it('says what to do instead of what it does not have', async () => {
    await using redis = createClient({ url: server.url })
    assert.throws(() => redis.legacy(), { name: 'ArgumentError', message: /^legacy\(\) .* promises$/ })
    await assert.rejects(Promise.resolve(untyped(redis, 'select', 1)), {
      code: 'ERR_ARGUMENT',
      message: /`database` option/,
    })
    const callback = (): void => assert.fail('no callback is called')
    const noCallback = { code: 'ERR_ARGUMENT', outcome: 'not-sent', message: /no callback/ }
    await assert.rejects(Promise.resolve(untyped(redis, 'get', 'key', callback)), noCallback)
    await assert.rejects(Promise.resolve(untyped(redis, 'set', 'key', 'value', callback)), noCallback)
    await assert.rejects(Promise.resolve(untyped(redis, 'ping', callback)), noCallback)
    await assert.rejects(Promise.resolve(untyped(redis.multi().incr('key'), 'exec', callback)), noCallback)
    await assert.rejects(Promise.resolve(untyped(redis, 'quit', callback)), noCallback)
    await assert.rejects(Promise.resolve(untyped(redis, 'QUIT', callback)), noCallback)
    assert.throws(() => untyped(redis.multi(), 'get', 'key', callback), ArgumentError)
    await redis.lease((connection) =>
      assert.rejects(Promise.resolve(untyped(connection, 'get', 'k', callback)), noCallback),
    )
    for (const [method, ...args] of [
      ['get', null],
      ['set', 'key', null],
      ['hSet', 'key', null],
    ] as const) {
      await assert.rejects(Promise.resolve(untyped(redis, method, ...args)), { code: 'ERR_ARGUMENT' })
    }
    assert.equal(await redis.exists('key'), 0)
    for (const method of ['execute', 'executeIsolated']) {
      const executed = Promise.resolve(untyped(redis, method, 'no function'))
      await assert.rejects(executed, { code: 'ERR_ARGUMENT', message: /^execute\w*\(\) takes a function/ })
    }
    assert.deepEqual([redis.pool.stats().connections.leased, redis.pool.stats().waiting.total], [0, 0])
  })

  it('has no events of subscriptions, and says where messages come', () => {
    const redis = createClient()
    const listener = (): void => assert.fail('nobody tells it')
    for (const method of ['on', 'once', 'addListener', 'prependListener', 'prependOnceListener']) {
      for (const event of ['message', 'pmessage', 'smessage', 'message_buffer', 'pmessageBuffer', 'subscribe']) {
        assert.throws(() => untyped(redis, method, event, listener), {
          name: 'ArgumentError',
          message: `${event} is no event of a handle: give subscribe() or pSubscribe() a listener`,
        })
      }
    }
    untyped(redis, 'off', 'message', listener)
    untyped(redis, 'on', Symbol('message'), listener)
    untyped(redis, 'on', 'of the program', listener)
    assert.equal(redis.eventNames().length, 2)
  })

  it('has none of the names by which libraries tell other clients', () => {
    const redis = createClient()
    for (const name of ['masters', 'slots', 'status', 'defineCommand', 'getSentinelNode', 'nodes']) {
      assert.ok(!(name in redis), name)
    }
    for (const name of ['connect', 'disconnect', 'duplicate', 'sendCommand', 'quit', 'on', 'off', 'once']) {
      assert.equal(typeof Reflect.get(redis, name), 'function', name)
    }
  })
})

describe('a duplicate', { skip: liveSkip }, () => {
  let server: RedisProcess
  let redis: Redis
  liveRedis({ maxConnections: 4, keyPrefix: 'd:', clientName: 'original', commandTimeout: 9_000 }, (started) => {
    server = started.server
    redis = started.redis
  })

  it('has the same options and a pool of its own, which it closes by itself', async () => {
    const copy = redis.duplicate()
    assert.notEqual(copy.pool, redis.pool)
    assert.deepEqual(copy.pool.options, redis.pool.options)
    assert.equal(copy.isOpen, false)
    await copy.set('key', 'value')
    assert.equal(await redis.sendCommand(['GET', 'd:key']), 'value')
    assert.match(await copy.clientInfo().then(({ name }) => name), /^original$/)
    await copy.close()
    assert.equal(await redis.get('key'), 'value')
  })

  it('has the bounds that its original was resized to', async () => {
    await using first = createClient({ url: server.url, maxConnections: 6, lanes: 4 })
    first.pool.resize({ maxConnections: 3, minConnections: 1 })
    const bounds = ({ pool }: { pool: ConnectionPool }) => {
      const { maxConnections, minConnections, lanes } = pool.options
      return [maxConnections, minConnections, lanes]
    }
    assert.deepEqual(bounds(first.duplicate()), [3, 1, 3])
    assert.deepEqual(bounds(first.duplicate({ maxConnections: 5 })), [5, 1, 3])
    assert.deepEqual(bounds(first.createPool({ maximum: 4 })), [4, 1, 3])
    first.pool.resize({ maxConnections: 6, minConnections: 0 })
    assert.deepEqual(bounds(first.duplicate()), [6, 0, 4])
    await using plain = new Redis(server.url)
    plain.pool.resize({ maxConnections: 1 })
    assert.deepEqual(bounds(plain.duplicate()), [1, 0, 2])
  })

  it('may grow as far as its original where that sizes itself, whatever size it has', async () => {
    await using whole = createClient({ url: server.url, autosize: true, maxConnections: 30, lanes: 4 })
    whole.pool.resize({ maxConnections: 2 })
    const bounds = ({ pool }: { pool: ConnectionPool }) => {
      const { maxConnections, lanes, autosize } = pool.options
      return [maxConnections, autosize?.min, autosize?.max, lanes]
    }
    assert.deepEqual(bounds(whole.duplicate()), [30, 1, 30, 4])
    assert.deepEqual(bounds(whole.createPool()), [30, 1, 30, 4])
    assert.deepEqual(bounds(whole.duplicate({ maxConnections: 50 })), [50, 1, 50, 4])
    whole.pool.resize({ maxConnections: 40, minConnections: 35 })
    assert.deepEqual(bounds(whole.duplicate()), [30, 30, 30, 4])
    await using between = createClient({ url: server.url, autosize: { min: 5, max: 20 } })
    for (const [size, becomes] of [
      [12, 12],
      [3, 5],
      [25, 20],
    ] as const) {
      between.pool.resize({ maxConnections: size })
      assert.deepEqual(bounds(between.duplicate()), [becomes, 5, 20, 2])
      assert.deepEqual(bounds(between.createPool()), [becomes, 5, 20, 2])
    }
    between.pool.resize({ maxConnections: 30, minConnections: 25 })
    assert.deepEqual(bounds(between.duplicate()), [20, 20, 20, 2])
  })

  it('takes overrides by the names of both libraries', async () => {
    await using copy = redis.duplicate({
      database: 1,
      socket: { connectTimeout: 77 },
      maxConnections: 2,
      keyPrefix: '',
    })
    assert.equal(copy.pool.options.maxConnections, 2)
    await copy.set('d:key', 'in 1')
    await redis.lease(async (connection) => {
      await connection.select(1)
      assert.equal(await connection.get('key'), 'in 1')
    })
    assert.throws(() => redis.duplicate({ database: -1 }), OptionError)
    assert.throws(() => untyped(redis, 'duplicate', { nonsense: 1 }), /nonsense is not an option/)
    const label = redis.duplicate({ name: 'label' })
    assert.equal(label.pool.stats().name, 'label')
    const named = createClient({ url: server.url, name: 'one' }).duplicate({ name: 'two' })
    assert.equal((await named.clientInfo()).name, 'two')
    named.destroy()
  })

  it('with a URL goes to another address, and nothing of the first comes along', () => {
    const first = new Redis('rediss://ann:pw@first:1/3', { maxConnections: 3, tls: { servername: 'x' } })
    const second = first.duplicate({ url: 'redis://second' })
    assert.equal(second.pool.stats().address, 'second:6379')
    assert.equal(second.pool.options.maxConnections, 3)
    assert.equal(first.duplicate({ path: '/tmp/redis.sock' }).pool.stats().address, '/tmp/redis.sock')
    assert.equal(first.duplicate({ port: 2 }).pool.stats().address, 'first:2')
  })

  it('of a handle on a shared pool has a pool of its own with the options of that one', async () => {
    await using pool = new ConnectionPool(server.url, { maxConnections: 3 })
    const shared = new Redis({ pool, keyPrefix: 's:' })
    const copy = shared.duplicate()
    assert.notEqual(copy.pool, pool)
    assert.equal(copy.pool.options.maxConnections, 3)
    await copy.set('key', 'value')
    await copy.close()
    assert.equal(await shared.get('key'), 'value')
  })

  it('of a view has the settings of the view', async () => {
    await using copy = redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).duplicate()
    await copy.set('bytes', 'x')
    const reply: unknown = await copy.get('bytes')
    assert.ok(Buffer.isBuffer(reply))
    const signal = AbortSignal.abort(new Error('stopped'))
    await assert.rejects(redis.withAbortSignal(signal).duplicate().ping(), /stopped/)
  })
})

describe('the events of a handle', { skip: liveSkip }, () => {
  it('tell of a server that dies and comes back, to programs and to libraries that wait for ready', async () => {
    const leaks = leakCheck()
    {
      await using server = await RedisProcess.start()
      const redis = createClient({ url: server.url, backoffMax: 20 })
      const seen: string[] = []
      for (const event of ['connect', 'ready', 'reconnecting', 'end'] as const) redis.on(event, () => seen.push(event))
      const errors: Error[] = []
      redis.on('error', (error) => errors.push(error))
      await redis.connect()
      assert.deepEqual(seen, ['connect', 'ready'])
      const reconnecting = new Promise<void>((resolve) => redis.once('reconnecting', resolve))
      await server.kill('SIGKILL')
      await reconnecting
      assert.deepEqual([redis.isOpen, redis.isReady], [true, false])
      assert.ok(errors[0] instanceof ConnectionError)
      assert.equal(errors[0].reason, 'server-closed')
      const ready = new Promise<void>((resolve) => redis.once('ready', resolve))
      await server.restart()
      // Nobody sends anything: the connection comes back by itself.
      await ready
      assert.equal(redis.isReady, true)
      assert.equal(await redis.ping(), 'PONG')
      assert.equal(seen.filter((event) => event === 'ready').length, 2)
      await redis.close()
      assert.equal(seen.at(-1), 'end')
      assert.ok(errors.every((error) => error instanceof ConnectionError))
    }
    await leaks.assertNone()
  })

  it('without a listener for error end nobody', async () => {
    await using server = await FakeServer.start()
    server.refuse()
    const redis = new Redis(server.url)
    await assert.rejects(redis.connect(), ConnectionError)
    assert.equal(redis.emit('error', new Error('dropped')), false)
    redis.destroy()
  })

  it('may be listened to by many handles of a pool without a warning of Node.js', async () => {
    const warnings: string[] = []
    const warned = ({ message }: Error): void => {
      warnings.push(message)
    }
    process.on('warning', warned)
    const pool = new ConnectionPool()
    let heard = 0
    for (let handles = 0; handles < 12; handles++) {
      const redis = new Redis({ pool })
      for (const event of ['error', 'ready', 'end'] as const) redis.on(event, () => heard++)
    }
    pool.destroy()
    // A warning is told a tick after its cause.
    await tick()
    process.off('warning', warned)
    assert.deepEqual(warnings, [])
    assert.equal(heard, 12)
  })

  it('tell nothing of connections that respool ends by itself', async () => {
    await using server = await RedisProcess.start()
    await using redis = await new Redis(server.url, { idleTimeout: 20 }).connect()
    const seen: string[] = []
    for (const event of ['error', 'reconnecting', 'ready'] as const) redis.on(event, () => seen.push(event))
    while (redis.pool.stats().connections.total > 0) await tick()
    redis.pool.retire()
    assert.equal(await redis.ping(), 'PONG')
    assert.deepEqual(seen, [])
  })

  it('are those of an EventEmitter, apart from the listeners of the pool itself', async () => {
    await using server = await FakeServer.start()
    await using redis = new Redis(server.url)
    const view = redis.withTypeMapping({})
    const seen: string[] = []
    const twice = (): void => {
      seen.push('twice')
    }
    redis.pool.on('connect', () => seen.push('pool'))
    redis.addListener('connect', twice).on('connect', twice).removeListener('connect', twice)
    view.prependListener('connect', () => seen.push('first'))
    redis.prependOnceListener('ready', () => seen.push('ready'))
    assert.deepEqual([redis.listenerCount('connect'), view.listeners('connect').length], [2, 2])
    assert.deepEqual(redis.eventNames(), ['connect', 'ready'])
    assert.equal(redis.setMaxListeners(20).getMaxListeners(), 20)
    await redis.connect()
    assert.deepEqual(seen, ['pool', 'first', 'twice', 'ready'])
    assert.equal(redis.removeAllListeners('connect').listenerCount('connect'), 0)
    redis.on('end', twice).removeAllListeners()
    assert.deepEqual(redis.eventNames(), [])
    assert.equal(redis.pool.listenerCount('connect'), 1)
  })
})

describe('a client that connects', { skip: liveSkip }, () => {
  it('waits for a server that is not there yet, as node-redis does', async () => {
    await using server = await RedisProcess.start()
    await server.kill('SIGKILL')
    const client = createClient({ url: server.url, backoffMax: 20 })
    const failed = new Promise<Error>((resolve) => client.once('error', resolve))
    const connected = client.connect()
    assert.ok((await failed) instanceof ConnectionError)
    await server.restart()
    assert.equal(await connected, client)
    await client.close()
  })

  it('does not wait where trying again is hopeless, or its strategy says no', async () => {
    await using server = await RedisProcess.start({ password: 'right' })
    const wrong = createClient({ url: server.url, password: 'wrong', socket: {} })
    await assert.doesNotReject(wrong.connect(), 'the password of the URL wins')
    wrong.destroy()
    const refused = createClient({ socket: { host: '127.0.0.1', port: server.port }, password: 'wrong' })
    await assert.rejects(refused.connect(), /WRONGPASS|invalid password/)
    refused.destroy()
    await server.kill('SIGKILL')
    const seen: number[] = []
    const reconnectStrategy = (retries: number): number | false => {
      seen.push(retries)
      return retries < 3 ? 1 : false
    }
    const tired = createClient({ socket: { host: '127.0.0.1', port: server.port, reconnectStrategy } })
    await assert.rejects(tired.connect(), ConnectionError)
    assert.deepEqual(seen, [0, 1, 2, 3])
    tired.destroy()
    const never = createClient({ socket: { host: '127.0.0.1', port: server.port, reconnectStrategy: false } })
    const started = performance.now()
    await assert.rejects(never.get('key'), ConnectionError)
    assert.ok(performance.now() - started < 1_000)
    never.destroy()
  })

  it('does not go on when its connect() was refused for good: its process ends by itself', async () => {
    await using server = await RedisProcess.start({ password: 'right' })
    const child = spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { createClient } from ${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)}
         const client = createClient({ socket: { host: '127.0.0.1', port: ${server.port} }, password: 'wrong', backoffMax: 20 })
         client.on('error', () => {})
         await client.connect().catch((error) => console.log(error.cause.kind))`,
      ],
      { timeout: 10_000, encoding: 'utf8' },
    )
    assert.deepEqual([child.status, child.stdout], [0, 'WRONGPASS\n'], child.stderr)
  })

  it('is connected again after a loss, and so is who calls connect() meanwhile', async () => {
    await using server = await RedisProcess.start()
    await using client = await createClient({ url: server.url, backoffMax: 20 }).connect()
    client.on('error', () => {})
    await server.kill('SIGKILL')
    await until('it knows', () => !client.isReady)
    const connected = client.connect()
    const ready = new Promise<void>((resolve) => client.once('ready', resolve))
    await server.restart()
    await Promise.all([connected, ready])
  })

  it('ends its attempts when it is closed', async () => {
    const leaks = leakCheck()
    {
      await using server = await FakeServer.start()
      server.refuse()
      const client = createClient({ url: server.url })
      const connected = client.connect()
      await new Promise((resolve) => client.once('error', resolve))
      client.destroy()
      await assert.rejects(connected, PoolClosedError)
    }
    await leaks.assertNone()
  })

  it('reports a strategy that throws, and goes on with its own pauses', async () => {
    await using server = await FakeServer.start()
    server.refuse()
    const reconnectStrategy = (): number => {
      throw new RangeError('broken strategy')
    }
    const client = createClient({ url: server.url, socket: { reconnectStrategy }, backoffMax: 20 })
    const errors: Error[] = []
    client.on('error', (error) => errors.push(error))
    const connected = client.connect()
    while (errors.length < 2) await tick()
    await server.listen()
    await connected
    assert.ok(errors.some((error) => error instanceof RangeError))
    await client.close()
  })
})

describe('clientSetName', { skip: liveSkip }, () => {
  it('names all connections of a client, those that are held and those to come too', async () => {
    await using server = await RedisProcess.start()
    await using redis = await createClient({ url: server.url, name: 'before' }).connect()
    const names = async (): Promise<string[]> => (await redis.clientList()).map(({ name }) => name)
    const lease = await redis.lease()
    assert.equal(await redis.clientSetName('after'), 'OK')
    lease.release()
    await redis.lease((other) => other.ping())
    await until('no connection has the old name', async () => !(await names()).includes('before'))
    redis.pool.retire()
    await redis.ping()
    assert.deepEqual([...new Set(await names())], ['after'])
    const bytes = redis.withTypeMapping({ [RESP_TYPES.SIMPLE_STRING]: Buffer })
    assert.deepEqual(await bytes.clientSetName('after'), Buffer.from('OK'))
    assert.equal(await redis.sendCommand(['CLIENT', 'SETNAME', '']), 'OK')
    redis.pool.retire()
    await redis.ping()
    assert.deepEqual([...new Set(await names())], [''])
  })

  it('is refused for a name that no server takes, and on a handle that is not one client', async () => {
    await using server = await RedisProcess.start()
    await using redis = createClient({ url: server.url })
    await assert.rejects(redis.clientSetName('two words'), /printable ASCII/)
    await using plain = new Redis(server.url)
    await assert.rejects(plain.clientSetName('name'), /`clientName` option/)
    assert.deepEqual([redis.pool.stats().counters.sent, plain.pool.stats().counters.sent], [0, 0])
  })
})

describe('ref and unref', { skip: liveSkip }, () => {
  it('decide at any time whether connections keep the process alive', async () => {
    await using server = await RedisProcess.start()
    const run = (last: string, timeout: number) =>
      spawnSync(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          `import { Redis } from ${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)}
           const redis = new Redis(${JSON.stringify(server.url)}, { pingInterval: 0, idleTimeout: 0 })
           console.log(await redis.ping())
           ${last}`,
        ],
        { timeout, encoding: 'utf8' },
      )
    const gone = run('redis.unref()', 20_000)
    assert.deepEqual([gone.status, gone.stdout], [0, 'PONG\n'], gone.stderr)
    const kept = run('redis.unref(); redis.ref()', 2_000)
    assert.deepEqual([kept.signal, kept.stdout], ['SIGTERM', 'PONG\n'], kept.stderr)
  })
})
