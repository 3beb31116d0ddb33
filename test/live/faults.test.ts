// Real servers that stop, die, refuse, load and hang up: a clear error within the deadline, and recovery without help.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  CommandTimeoutError,
  ConnectionError,
  type ConnectionPool,
  ConnectionPoolTimeoutError,
  MaxClientsError,
  type NoMapping,
  Redis,
  type RedisOptions,
  RespoolError,
} from '../../src/index.js'
import { FakeServer } from '../support/fake-server.js'
import { FaultProxy } from '../support/fault-proxy.js'
import { freePort } from '../support/free-port.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'

/** How much later than its deadline a call may end. */
const SLACK = 50
/** What these tests allow a burdened machine beyond that. */
const NOISE = 100

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

interface Result {
  readonly error: unknown
  readonly took: number
}

async function settle(promise: Promise<unknown>): Promise<Result> {
  const started = performance.now()
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return { error, took: performance.now() - started }
}

/** Every error is one of ours and says what happened to the command. */
function assertTyped(error: unknown): asserts error is RespoolError {
  assert.ok(error instanceof RespoolError, `not an error of ours: ${error}`)
  assert.ok(error.outcome !== undefined, `no outcome: ${error.message}`)
  assert.match(error.code, /^ERR_/)
}

async function handle(url: string, options: RedisOptions<3, NoMapping>): Promise<Redis & AsyncDisposable> {
  const redis = new Redis(url, options)
  return Object.assign(redis, {
    [Symbol.asyncDispose]: async () => redis.destroy(),
  })
}

/** Asks until it works; how long that took. */
async function recovery(redis: Redis, within = 3_000): Promise<number> {
  const started = performance.now()
  for (;;) {
    const { error } = await settle(redis.set('probe', 'x'))
    const took = performance.now() - started
    if (error === undefined) return took
    if (took > within) throw new Error(`not recovered after ${took} ms`, { cause: error })
    await sleep(5)
  }
}

/** Callers that never pause: what they got, by the class of error. */
class Load {
  readonly errors: RespoolError[] = []
  ok = 0
  longest = 0
  #running = true
  readonly #callers: Promise<void>[]

  constructor(redis: Redis, callers: number) {
    this.#callers = Array.from({ length: callers }, (_, index) => this.#call(redis, index))
  }

  async stop(): Promise<void> {
    this.#running = false
    await Promise.all(this.#callers)
  }

  async #call(redis: Redis, caller: number): Promise<void> {
    for (let round = 0; this.#running; round++) {
      const value = `${caller}:${round}`
      const started = performance.now()
      try {
        assert.equal(await redis.echo(value), value, 'a reply went to the wrong caller')
        this.ok++
      } catch (error) {
        assertTyped(error)
        this.errors.push(error)
        await sleep(1)
      }
      this.longest = Math.max(this.longest, performance.now() - started)
    }
  }
}

describe('a server that is stopped', { skip: liveSkip }, () => {
  it('costs each caller no more than commandTimeout, meets few attempts, and is used again when it goes on', async () => {
    await using server = await RedisProcess.start()
    await using proxy = await FaultProxy.start({ port: server.port })
    await using redis = await handle(proxy.url, {
      maxConnections: 5,
      commandTimeout: 300,
      connectTimeout: 400,
      backoffMax: 200,
    })
    await redis.set('warm', 'up')
    const load = new Load(redis, 20)
    await sleep(100)
    const dialed = proxy.total
    await server.kill('SIGSTOP')
    await sleep(1_500)
    await server.kill('SIGCONT')
    const attempts = proxy.total - dialed
    const recovered = await recovery(redis)
    await sleep(100)
    await load.stop()
    assert.ok(attempts <= 12, `${attempts} attempts in 1.5 s`)
    assert.ok(recovered < 500, `recovered after ${recovered} ms`)
    assert.ok(load.longest < 300 + SLACK + NOISE, `the longest call took ${load.longest} ms`)
    assert.ok(load.errors.length > 0)
    for (const error of load.errors) assert.ok(error instanceof CommandTimeoutError, String(error))
  })

  it('is found out by socketTimeout when commands have no deadline', async () => {
    await using server = await RedisProcess.start()
    await using redis = await handle(server.url, { socketTimeout: 300, acquireTimeout: 1_000, connectTimeout: 500 })
    await redis.set('warm', 'up')
    await server.kill('SIGSTOP')
    const { error, took } = await settle(redis.set('key', 'value'))
    assertTyped(error)
    assert.ok(error instanceof ConnectionError)
    assert.deepEqual([error.reason, error.outcome], ['stalled', 'ambiguous'])
    assert.ok(took >= 295 && took < 300 + 100 + NOISE, `it took ${took} ms`)
    const next = await settle(redis.get('key'))
    assert.ok(next.error instanceof ConnectionPoolTimeoutError, String(next.error))
    assert.ok(next.took < 1_000 + SLACK + NOISE, `it took ${next.took} ms`)
    assert.equal(next.error.verdict.cause, next.error.cause ? 'failing-dials' : 'slow-server')
    await server.kill('SIGCONT')
    assert.ok((await recovery(redis)) < 1_000)
  })

  it('is not connected to', async () => {
    await using server = await RedisProcess.start()
    await using redis = await handle(server.url, { connectTimeout: 200, acquireTimeout: 700 })
    await server.kill('SIGSTOP')
    const { error, took } = await settle(redis.connect())
    assert.ok(error instanceof ConnectionError)
    assert.equal(error.code, 'ERR_CONNECT_TIMEOUT')
    assert.ok(took < 200 + SLACK + NOISE, `it took ${took} ms`)
    await server.kill('SIGCONT')
    assert.ok((await recovery(redis)) < 700)
  })
})

describe('a server that dies', { skip: liveSkip }, () => {
  it('is replaced on the same port without a storm, and nothing is left hanging', async () => {
    await using server = await RedisProcess.start()
    await using redis = await handle(server.url, {
      maxConnections: 4,
      commandTimeout: 500,
      acquireTimeout: 500,
      backoffMax: 200,
    })
    await redis.set('warm', 'up')
    const load = new Load(redis, 10)
    await sleep(50)
    await server.kill('SIGKILL')
    await sleep(700)
    await server.restart()
    const recovered = await recovery(redis)
    await sleep(50)
    const { ok } = load
    await sleep(50)
    assert.ok(load.ok > ok, 'the load goes on')
    await load.stop()
    assert.ok(recovered < 400, `recovered after ${recovered} ms`)
    assert.ok(load.longest < 500 + SLACK + NOISE, `the longest call took ${load.longest} ms`)
    assert.ok(load.errors.some((error) => error.outcome === 'ambiguous' || error.outcome === 'not-sent'))
    assert.ok(redis.pool.stats().connections.total <= 4)
  })

  it('meets at most a few attempts a second while it is down, by whatever number of callers', async () => {
    await using server = await FakeServer.start()
    server.manner = 'resetting'
    await using redis = await handle(server.url, { acquireTimeout: 400, maxWaiting: 5_000 })
    const end = performance.now() + 2_500
    const callers = Array.from({ length: 50 }, async () => {
      while (performance.now() < end) {
        const { error, took } = await settle(redis.get('key'))
        assert.ok(error instanceof ConnectionPoolTimeoutError, String(error))
        assert.equal(error.outcome, 'not-sent')
        assert.equal(error.verdict.cause, 'failing-dials')
        assert.ok(error.cause instanceof ConnectionError)
        assert.ok(took < 400 + SLACK + NOISE, `it took ${took} ms`)
      }
    })
    await sleep(1_000)
    const first = server.connections.length
    await Promise.all(callers)
    assert.ok(first <= 14, `${first} attempts in the first second`)
    const later = server.connections.length - first
    assert.ok(later <= 10, `${later} attempts in the ${Math.round(1.5)} seconds after that`)
  })

  it('that never was there is told of by address and reason', async () => {
    const port = await freePort()
    await using redis = await handle(`redis://127.0.0.1:${port}`, { acquireTimeout: 150 })
    const connect = await settle(redis.connect())
    assert.ok(connect.error instanceof ConnectionError)
    assert.match(connect.error.message, new RegExp(`cannot connect to 127.0.0.1:${port}: connect ECONNREFUSED`))
    const { error, took } = await settle(redis.get('key'))
    assert.ok(error instanceof ConnectionPoolTimeoutError)
    assert.match(error.message, /ECONNREFUSED/)
    assert.ok(took >= 149 && took < 150 + SLACK + NOISE, `it took ${took} ms`)
  })

  it('of a name that does not exist is told of as well', async () => {
    await using redis = await handle('redis://no-such-host.invalid', { acquireTimeout: 300, connectTimeout: 2_000 })
    const { error } = await settle(redis.connect())
    assert.ok(error instanceof ConnectionError)
    assert.match(error.message, /no-such-host\.invalid:6379/)
  })
})

describe('a server that loads its data set', { skip: liveSkip }, () => {
  it('is waited for: no caller with time to spare sees LOADING', async () => {
    await using server = await RedisProcess.start({
      config: { 'key-load-delay': 100, 'loading-process-events-interval-bytes': 1024 },
    })
    const filler = Array.from({ length: 8_000 }, (_, index) => [`fill:${index}`, 'x'.repeat(50)]).flat()
    await server.cli('MSET', ...filler)
    await server.cli('SAVE')
    await using redis = await handle(server.url, { acquireTimeout: 8_000, backoffMax: 50 })
    const reload = server.cli('DEBUG', 'RELOAD', 'NOSAVE').catch((error: unknown) => error)
    await sleep(50)
    assert.match(String(await server.cli('PING').catch((error: unknown) => error)), /LOADING/, 'the server loads')
    const results = await Promise.all(Array.from({ length: 20 }, () => settle(redis.get('fill:1'))))
    assert.deepEqual(
      results.map(({ error }) => error),
      Array(20).fill(undefined),
    )
    await reload
  })
})

describe('a server that closes idle connections', { skip: liveSkip }, () => {
  it('finds none: they are pinged in time, and no caller notices', async () => {
    await using server = await RedisProcess.start({ config: { timeout: 1 } })
    await using redis = await handle(server.url, { maxConnections: 4, minConnections: 4 })
    await redis.connect()
    const closed: string[] = []
    redis.on('close', (_, error) => closed.push(error.message))
    for (let round = 0; round < 9; round++) {
      const calls = Array.from({ length: 10 }, (_, index) => redis.set(`key:${index}`, round))
      assert.deepEqual(
        (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected'),
        [],
      )
      await sleep(150 + round * 80)
    }
    assert.deepEqual(closed, [])
    assert.equal(redis.pool.stats().counters.opened, 4)
  })
})

describe('connections that are killed', { skip: liveSkip }, () => {
  it('under load cost what was in flight and no more', async () => {
    await using server = await RedisProcess.start()
    await using redis = await handle(server.url, { maxConnections: 4, commandTimeout: 1_000, backoffMax: 100 })
    await redis.set('warm', 'up')
    const load = new Load(redis, 32)
    const recoveries: number[] = []
    for (let round = 0; round < 15; round++) {
      await sleep(40)
      await server.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      recoveries.push(await recovery(redis))
    }
    await load.stop()
    assert.ok(load.ok > 1_000, `${load.ok} calls`)
    // A caller may meet both lanes of a round after they were killed and before that is known.
    assert.ok(load.errors.length <= 15 * 33 * 2, `${load.errors.length} errors`)
    for (const error of load.errors) {
      assert.ok(error instanceof ConnectionError, String(error))
      assert.equal(error.outcome, 'ambiguous')
    }
    assert.ok(Math.max(...recoveries) < 250, `recoveries: ${recoveries}`)
    assert.ok(load.longest < 1_000)
    assert.ok(redis.pool.stats().connections.total <= 4)
  })

  it('fail their lease and blocking command at once, and free their place', async () => {
    await using server = await RedisProcess.start()
    await using redis = await handle(server.url, { maxConnections: 4 })
    const blocked = settle(redis.blPop('nothing', 0))
    const lease = await redis.lease()
    while (!(await server.clientList()).some(({ cmd }) => cmd === 'blpop')) await sleep(5)
    await server.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    const { error } = await blocked
    assertTyped(error)
    assert.deepEqual([error.command, error.outcome], ['BLPOP', 'ambiguous'])
    assert.ok(error instanceof ConnectionError)
    lease.release()
    await recovery(redis)
    assert.equal(redis.pool.stats().connections.leased, 0)
  })
})

describe('a full server', { skip: liveSkip }, () => {
  it('is used with the connections it gives, and with all once it has room', async () => {
    await using server = await RedisProcess.start({ config: { maxclients: 4 } })
    // The server keeps a place for the connection that configures it.
    await using redis = await handle(server.url, {
      pipelining: 1,
      maxConnections: 8,
      commandTimeout: 2_000,
      // Pauses are random up to this; with it the bound below is far from what chance brings.
      backoffMax: 400,
    })
    const failures: Error[] = []
    redis.on('connectError', (error) => failures.push(error))
    const load = new Load(redis, 16)
    await sleep(800)
    const { total } = redis.pool.stats().connections
    const attempts = failures.length
    assert.ok(total <= 5, `${total} connections`)
    assert.ok(attempts > 0)
    for (const error of failures) assert.ok(error instanceof MaxClientsError, String(error))
    await load.stop()
    assert.deepEqual(load.errors, [])
    assert.ok(load.ok > 200)
    assert.ok(attempts <= 24, `${attempts} attempts in 0.8 s`)
    await makeRoom(server, redis.pool)
    const again = new Load(redis, 16)
    const end = performance.now() + 2_000
    while (redis.pool.stats().connections.leased < 8 && performance.now() < end) await sleep(5)
    await again.stop()
    assert.equal(redis.pool.stats().connections.total, 8)
  })

  it('that has no place at all is named in the error', async () => {
    await using server = await RedisProcess.start({ config: { maxclients: 2 } })
    await using first = await handle(server.url, { minConnections: 2, lanes: 2 })
    await first.connect()
    await using redis = await handle(server.url, { acquireTimeout: 200 })
    assert.ok((await settle(redis.connect())).error instanceof MaxClientsError)
    const { error, took } = await settle(redis.get('key'))
    assert.ok(error instanceof ConnectionPoolTimeoutError)
    assert.ok(error.cause instanceof MaxClientsError)
    assert.ok(took < 200 + SLACK + NOISE)
  })
})

/** Raises maxclients through the only connections there are. */
async function makeRoom(server: RedisProcess, pool: ConnectionPool): Promise<void> {
  const redis = new Redis({ pool })
  await redis.sendCommand(['CONFIG', 'SET', 'maxclients', '50'])
  assert.match(JSON.stringify(await server.cli('CONFIG', 'GET', 'maxclients')), /50/)
}

describe('a deadline', { skip: liveSkip }, () => {
  it('ends every kind of call in time, whatever holds it up', async () => {
    await using server = await RedisProcess.start()
    await using redis = await handle(server.url, { commandTimeout: 250, maxConnections: 3, acquireTimeout: 5_000 })
    await redis.set('warm', 'up')
    await server.kill('SIGSTOP')
    const calls: Record<string, () => Promise<unknown>> = {
      get: () => redis.get('key'),
      raw: () => redis.sendCommand(['GET', 'key']),
      transaction: () => redis.multi().incr('n').exec(),
      pipeline: () => redis.multi().incr('n').execAsPipeline(),
      many: () => Promise.all(Array.from({ length: 50 }, (_, index) => redis.get(`key:${index}`))),
      scoped: () => redis.withCommandOptions({ timeout: 200 }).get('key'),
    }
    const results = await Promise.all(
      Object.entries(calls).map(async ([name, call]) => ({ name, ...(await settle(call())) })),
    )
    for (const { name, error, took } of results) {
      assert.ok(error instanceof CommandTimeoutError, `${name}: ${error}`)
      assert.ok(took < 250 + SLACK + NOISE, `${name} took ${took} ms`)
    }
    await server.kill('SIGCONT')
    assert.ok((await recovery(redis)) < 500)
  })

  it('ends a blocking command at its own timeout and a little, and loses no element', async () => {
    await using server = await RedisProcess.start()
    await using redis = await handle(server.url, { commandTimeout: 200, maxConnections: 3 })
    await redis.connect()
    const short = await settle(redis.blPop('list', 0.2))
    assert.equal(short.error, undefined)
    assert.ok(short.took >= 190 && short.took < 500, `it took ${short.took} ms`)
    // The wait for a connection counts, the time that the command asks for comes on top.
    const held = await Promise.all([redis.lease(), redis.lease()])
    const late = await settle(redis.blPop('list', 0.1))
    assert.ok(late.error instanceof CommandTimeoutError, String(late.error))
    assert.equal(late.error.outcome, 'not-sent')
    assert.ok(late.took >= 299 && late.took < 300 + SLACK + NOISE, `it took ${late.took} ms`)
    for (const lease of held) lease.release()
    const waiting = redis.blPop('list', 5)
    await sleep(50)
    await redis.rPush('list', 'element')
    assert.equal((await waiting)?.element, 'element')
  })
})

describe('a process that stops its own event loop', { skip: liveSkip }, () => {
  it('finds no timeout in replies that arrived meanwhile', async () => {
    await using server = await RedisProcess.start()
    await using redis = await handle(server.url, { commandTimeout: 200, socketTimeout: 250 })
    await redis.get('warm')
    const replies = Promise.allSettled(Array.from({ length: 200 }, (_, index) => redis.get(`key:${index}`)))
    // The commands are written by the end of this tick; the server answers while nobody here can look.
    await new Promise<void>((resolve) => process.nextTick(resolve))
    const end = performance.now() + 300
    while (performance.now() < end);
    const failed = (await replies).filter(({ status }) => status === 'rejected')
    assert.deepEqual(failed, [])
    assert.deepEqual(redis.pool.stats().counters.closed, {})
  })
})
