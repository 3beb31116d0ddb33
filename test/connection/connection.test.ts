// One connection under a server that does what the script says: whose reply is whose, what became of a command when
// the connection ended, and when silence is too long.

import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import {
  CommandTimeoutError,
  ConnectionError,
  type NoMapping,
  type Outcome,
  ProtocolError,
  Redis,
  type RedisOptions,
  ReplyError,
} from '../../src/index.js'
import { FakeServer } from '../support/fake-server.js'
import { leakCheck } from '../support/leak-check.js'
import { NOISE } from '../support/noise.js'
import { encodeReply, OK, WireReader } from '../support/resp.js'

/** A handle with a single connection, so that everything goes through it. */
function open(server: FakeServer, options: RedisOptions<3, NoMapping> = {}): Redis {
  // What becomes of a command whose connection ends is the subject here; that reads are sent again is the pool's.
  return new Redis(server.url, { maxConnections: 1, backoffMin: 1, backoffMax: 20, retry: 'none', ...options })
}

/** Ends it in the end, and does not wait for replies that never come. */
function ending(redis: Redis): Redis & Disposable {
  return Object.assign(redis, { [Symbol.dispose]: () => redis.destroy() })
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

interface Failure {
  readonly error: unknown
  readonly took: number
}

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const started = performance.now()
  try {
    await promise
  } catch (error) {
    return { error, took: performance.now() - started }
  }
  return assert.fail('it should have failed')
}

function assertLost(error: unknown, outcome: Outcome, command: string): void {
  assert.ok(error instanceof ConnectionError, String(error))
  assert.deepEqual([error.outcome, error.command], [outcome, command])
}

describe('tombstones', () => {
  it('give a late reply to nobody after a timeout, and the next commands their own', async () => {
    await using server = await FakeServer.start()
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    server.expect('GET', 'slow').wait(gate).reply('slow reply')
    server
      .expect('GET')
      .always()
      .reply((args) => `reply to ${args[1]}`)
    await using redis = open(server, { commandTimeout: 60 })
    // The clock of this test starts when the call returns; connecting and loading are not to be part of the call.
    await redis.connect()
    const { error, took } = await failureOf(redis.get('slow'))
    assert.ok(error instanceof CommandTimeoutError)
    assert.deepEqual([error.outcome, error.command, error.timeout], ['ambiguous', 'GET', 60])
    assert.ok(took >= 55 && took < 110 + NOISE, `it took ${took} ms`)
    const patient = redis.withCommandOptions({ timeout: 5_000 })
    const next = Promise.all(['a', 'b', 'c'].map((key) => patient.get(key)))
    release()
    assert.deepEqual(await next, ['reply to a', 'reply to b', 'reply to c'])
    assert.equal(server.connections.length, 1)
  })

  it('do the same for an abort before, between and after the replies', async () => {
    for (const chosen of [0, 1, 2]) {
      await using server = await FakeServer.start()
      server
        .expect('GET')
        .always()
        .wait(() => sleep(10))
        .reply((args) => `reply to ${args[1]}`)
      await using redis = open(server)
      await redis.connect()
      const controller = new AbortController()
      const reason = new Error('no longer wanted')
      const calls = [0, 1, 2].map((index) =>
        (index === chosen ? redis.withAbortSignal(controller.signal) : redis).get(`key ${index}`),
      )
      await server.until('GET', 3)
      controller.abort(reason)
      const results = await Promise.allSettled(calls)
      for (const [index, result] of results.entries()) {
        if (index === chosen) assert.deepEqual(result, { status: 'rejected', reason })
        else assert.deepEqual(result, { status: 'fulfilled', value: `reply to key ${index}` })
      }
      assert.equal(await redis.get('after'), 'reply to after')
      assert.equal(server.connections.length, 1)
    }
  })

  it('drop an error reply too, and one that comes in halves', async () => {
    await using server = await FakeServer.start()
    server
      .expect('GET', 'slow')
      .wait(() => sleep(80))
      .raw('-WRONGTYPE Opera')
      .wait(() => sleep(20))
      .raw('tion against a key\r\n')
    server.expect('GET', 'next').reply('its own')
    await using redis = open(server, { commandTimeout: 40 })
    await assert.rejects(redis.get('slow'), CommandTimeoutError)
    assert.equal(await redis.withCommandOptions({ timeout: 2_000 }).get('next'), 'its own')
  })
})

describe('a doubt about the replies', () => {
  it('ends the connection when a reply comes that no command asked for', async () => {
    await using server = await FakeServer.start()
    server.expect('GET', 'a').reply('first')
    server.expect('GET', 'b').reply('second', 'one too many')
    server.expect('GET', 'c').reply('third')
    await using redis = open(server)
    const closed: Error[] = []
    redis.on('close', (_, error) => closed.push(error))
    assert.equal(await redis.get('a'), 'first')
    assert.equal(await redis.get('b'), 'second')
    server.connections[0]?.send('+idle\r\n')
    while (closed.length === 0) await sleep(1)
    assert.ok(closed[0] instanceof ConnectionError)
    assert.equal(closed[0].reason, 'protocol-error')
    assert.equal(await redis.get('c'), 'third')
    assert.equal(server.connections.length, 2)
  })

  it('ends an idle leased connection as well', async () => {
    await using server = await FakeServer.start()
    await using redis = open(server)
    const lease = await redis.lease()
    const closed = new Promise<Error>((resolve) => redis.on('close', (_, error) => resolve(error)))
    server.connections[0]?.send(':1\r\n')
    await closed
    assertLost((await failureOf(lease.get('key'))).error, 'not-sent', 'GET')
    lease.release()
  })

  it('ends the connection at garbage; what was in flight is ambiguous, and the next command works', async () => {
    const garbage = ['@nonsense\r\n', '$5\r\nabcdefg\r\n', ':1x\r\n', '*99999999999\r\n', '$-5\r\n', '#x\r\n', '+OK\rX']
    for (const bytes of garbage) {
      await using server = await FakeServer.start()
      server.expect('GET', 'a').raw(bytes).stall()
      server.expect('GET', 'c').reply('fine')
      await using redis = open(server)
      const calls = [redis.get('a'), redis.get('b')]
      for (const result of await Promise.allSettled(calls)) {
        assert.ok(result.status === 'rejected', bytes)
        assertLost(result.reason, 'ambiguous', 'GET')
        assert.equal(result.reason.reason, 'protocol-error')
        const { cause } = result.reason.cause
        assert.ok(cause instanceof ProtocolError || cause instanceof ReplyError)
      }
      assert.equal(await redis.get('c'), 'fine')
    }
  })

  it('is not raised by pushes before, between and behind replies', async () => {
    await using server = await FakeServer.start()
    const push = ['invalidate', ['key']]
    server
      .expect('GET')
      .always()
      .push(...push)
      .reply((args) => `reply to ${args[1]}`)
      .push(...push)
    await using redis = open(server)
    await redis.connect()
    server.connections[0]?.push(push)
    const keys = Array.from({ length: 100 }, (_, index) => `k${index}`)
    assert.deepEqual(
      await Promise.all(keys.map((key) => redis.get(key))),
      keys.map((key) => `reply to ${key}`),
    )
    assert.equal(server.connections.length, 1)
  })
})

describe('a connection that ends', () => {
  it('delivers the complete replies before the end, and calls the rest ambiguous', async () => {
    for (const ending of ['fin', 'rst'] as const) {
      await using server = await FakeServer.start()
      server.expect('GET', 'a').reply('whole')
      const last = server.expect('GET', 'b').raw('$5\r\nhal')
      if (ending === 'fin') last.fin()
      else last.rst()
      await using redis = open(server)
      await redis.connect()
      const [a, b, c] = await Promise.allSettled([redis.get('a'), redis.get('b'), redis.get('c')])
      assert.deepEqual(a, { status: 'fulfilled', value: 'whole' })
      assert.ok(b?.status === 'rejected' && c?.status === 'rejected')
      assertLost(b.reason, 'ambiguous', 'GET')
      assertLost(c.reason, 'ambiguous', 'GET')
      assert.match(b.reason.message, /^GET got no reply: .*127\.0\.0\.1:\d+/)
    }
  })

  it('has ended when the server says goodbye, also while it still has much to write', async () => {
    await using slow = await SlowReader.start({})
    const redis = new Redis({ host: '127.0.0.1', port: slow.port, maxConnections: 1, acquireTimeout: 500 })
    await redis.connect()
    slow.pause()
    const failed = failureOf(redis.set('key', Buffer.alloc(30_000_000)))
    await sleep(20)
    slow.halfClose()
    const { error, took } = await failed
    assertLost(error, 'ambiguous', 'SET')
    assert.ok(took < 1_000, `it took ${took} ms`)
    redis.destroy()
  })

  it('calls not-sent what it had not handed to the socket', async () => {
    await using server = await FakeServer.start()
    server.expect('GET', 'a').stall()
    const redis = open(server, { lanes: 1 })
    await redis.connect()
    // With this many in flight a command is no longer written at once, but with the others of its tick.
    const inFlight = failureOf(redis.get('a'))
    const others = Array.from({ length: 8 }, () => failureOf(redis.get('a')))
    await server.until('GET')
    const fresh = failureOf(redis.get('b'))
    redis.destroy()
    const outcomes = [await inFlight, await fresh].map(({ error }) => error instanceof ConnectionError && error.outcome)
    assert.deepEqual(outcomes, ['ambiguous', 'not-sent'])
    await Promise.all(others)
    await sleep(20)
    assert.ok(!server.received.some(([name, key]) => name === 'GET' && key === 'b'))
  })

  it('is replaced, and the next commands do not notice', async () => {
    await using server = await FakeServer.start()
    server.expect('GET').always().reply('value')
    await using redis = open(server)
    for (let round = 1; round <= 20; round++) {
      assert.equal(await redis.get('key'), 'value')
      assert.equal(server.connections.length, round)
      const gone = new Promise((resolve) => redis.once('close', resolve))
      if (round % 2) server.connections.at(-1)?.rst()
      else server.connections.at(-1)?.fin()
      await gone
    }
  })
})

describe('silence', () => {
  it('ends a connection that owes replies after socketTimeout', async () => {
    await using server = await FakeServer.start()
    server.expect('GET', 'silent').stall()
    server.expect('GET', 'next').reply('fine')
    await using redis = open(server, { socketTimeout: 200 })
    await redis.connect()
    const { error, took } = await failureOf(redis.get('silent'))
    assertLost(error, 'ambiguous', 'GET')
    assert.ok(error instanceof ConnectionError)
    assert.equal(error.reason, 'stalled')
    assert.ok(took >= 195 && took < 300 + NOISE, `it took ${took} ms`)
    assert.equal(await redis.get('next'), 'fine')
  })

  it('is noticed in the middle of a reply', async () => {
    await using server = await FakeServer.start()
    server.expect('GET').raw('$5\r\nhal').stall()
    await using redis = open(server, { socketTimeout: 150 })
    const { error } = await failureOf(redis.get('key'))
    assert.ok(error instanceof ConnectionError)
    assert.equal(error.reason, 'stalled')
  })

  it('is no silence while a reply drips in', async () => {
    await using server = await FakeServer.start()
    const bytes = encodeReply('dripping')
    const drip = server.expect('GET')
    for (const byte of bytes) drip.raw(Buffer.of(byte)).wait(() => sleep(40))
    await using redis = open(server, { socketTimeout: 150 })
    assert.equal(await redis.get('key'), 'dripping')
  })

  // Until a transport can tell that the kernel goes on taking bytes of one large write.
  it('goes on with small commands behind large values', async () => {
    await using slow = await SlowReader.start({})
    using redis = ending(new Redis({ host: '127.0.0.1', port: slow.port, maxConnections: 1, acquireTimeout: 2_000 }))
    for (const size of [300_000, 524_289, 600_000, 5_000_000]) {
      const large = redis.set('large', Buffer.alloc(size))
      assert.equal(await redis.set('small', 'behind it'), 'OK')
      assert.equal(await large, 'OK')
      assert.equal(await redis.set('small', 'after it'), 'OK')
    }
  })

  it('is no silence while a large value drips out', async () => {
    // What the kernel has taken is out of sight: the timeout leaves time for the server to read that much.
    await using slow = await SlowReader.start({ every: 4 })
    const redis = new Redis({ host: '127.0.0.1', port: slow.port, socketTimeout: 1_000 })
    await redis.connect()
    const started = performance.now()
    try {
      assert.equal(await redis.set('key', Buffer.alloc(LARGE_VALUE)), 'OK')
    } finally {
      redis.destroy()
    }
    assert.ok(performance.now() - started > 1_100, 'the server read too fast for this test to mean anything')
  })

  it('is allowed to blocking commands for as long as they asked for, and no longer', async () => {
    await using server = await FakeServer.start()
    server
      .expect('BLPOP', 'a')
      .wait(() => sleep(400))
      .reply(['a', 'element'])
    server.expect('BLPOP', 'b').stall()
    await using redis = new Redis(server.url, { socketTimeout: 100 })
    assert.deepEqual({ ...(await redis.blPop('a', 0)) }, { key: 'a', element: 'element' })
    const { error, took } = await failureOf(redis.blPop('b', 0.3))
    assert.ok(error instanceof ConnectionError)
    assert.equal(error.reason, 'stalled')
    assert.ok(took >= 395 && took < 1_100, `it took ${took} ms`)
  })

  it('is no matter when nothing is owed', async () => {
    await using server = await FakeServer.start()
    server.expect('GET').always().reply('value')
    await using redis = open(server, { socketTimeout: 50 })
    await redis.get('key')
    await sleep(150)
    await redis.get('key')
    assert.equal(server.connections.length, 1)
  })
})

describe('deadlines', () => {
  it('hold for a command that had to wait for its connection first', async () => {
    await using server = await FakeServer.start()
    server.expect('SET').always().reply(OK)
    server.expect('GET').always().stall()
    using redis = ending(open(server, { commandTimeout: 400, backoffMax: 40 }))
    await redis.set('key', 'value')
    server.refuse()
    const gone = new Promise((resolve) => redis.once('close', resolve))
    for (const connection of server.open) connection.rst()
    await gone
    const failed = failureOf(redis.get('key'))
    await sleep(100)
    await server.listen()
    const { error, took } = await failed
    assert.ok(error instanceof CommandTimeoutError)
    assert.equal(error.outcome, 'ambiguous', 'it was sent')
    assert.ok(took >= 395 && took < 460 + NOISE, `it took ${took} ms`)
  })

  it('settle each of many calls once, within 50 ms', async () => {
    await using server = await FakeServer.start()
    server.expect('GET').always().stall()
    using redis = ending(open(server, { commandTimeout: 150 }))
    await redis.connect()
    const calls = Array.from({ length: 500 }, async (_, index) => {
      const started = performance.now()
      const { error } = await failureOf(redis.get(`key:${index}`))
      return { error, took: performance.now() - started }
    })
    const failures = await Promise.all(calls)
    for (const { error, took } of failures) {
      assert.ok(error instanceof CommandTimeoutError)
      assert.ok(took >= 149 && took < 200 + NOISE, `it took ${took} ms`)
    }
  })
})

describe('a server that does not read', () => {
  it('gets a bounded amount at once; what waits is not in the socket, and all arrives in the end', async () => {
    await using slow = await SlowReader.start({})
    const redis = new Redis({ host: '127.0.0.1', port: slow.port, maxConnections: 1, socketTimeout: 0 })
    await redis.connect()
    slow.pause()
    const value = Buffer.alloc(100_000, 'v')
    let settled = 0
    const calls: Promise<unknown>[] = []
    for (let index = 0; index < 400; index++) {
      calls.push(redis.set(`key:${index}`, value).then(() => settled++))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const { inFlight, waiting } = redis.pool.stats()
    assert.ok(inFlight < 120, `${inFlight} commands were written to a socket that drains nothing`)
    assert.equal(inFlight + waiting.commands, 400)
    assert.equal(settled, 0)
    slow.resume()
    await Promise.all(calls)
    assert.deepEqual(
      slow.keys,
      Array.from({ length: 400 }, (_, index) => `key:${index}`),
    )
    redis.destroy()
  })
})

describe('a unix socket', () => {
  it('carries commands like TCP, and its path stands in errors', async () => {
    const leaks = leakCheck()
    {
      await using server = await FakeServer.start({ unix: true })
      server.expect('GET').times(2).reply('value')
      const redis = new Redis({ path: server.path, backoffMin: 1, backoffMax: 10 })
      assert.equal(await redis.get('key'), 'value')
      const gone = new Promise((resolve) => redis.once('close', resolve))
      server.connections[0]?.fin()
      await gone
      assert.equal(await redis.get('key'), 'value')
      await redis.close()
      server.refuse()
      const late = new Redis(`unix://${server.path}`)
      const { error } = await failureOf(late.connect())
      assert.ok(error instanceof ConnectionError)
      assert.equal(error.address, server.path)
      late.destroy()
    }
    await leaks.assertNone()
  })

  it('whose path no system takes is an error like any other', async () => {
    const redis = new Redis({ path: `/tmp/${'x'.repeat(300)}`, acquireTimeout: 300 })
    const { error } = await failureOf(redis.connect())
    assert.ok(error instanceof ConnectionError)
    assert.equal(error.reason, 'connect-failed')
    redis.destroy()
  })
})

/** Takes the slow reader far longer to read than what the kernel holds of it. */
const LARGE_VALUE = 40_000_000

/** A server that answers SET, and reads only as fast as it is told. */
class SlowReader implements AsyncDisposable {
  readonly keys: string[] = []
  port = 0
  readonly #server
  readonly #every: number
  #socket: Socket | undefined
  readonly #sockets = new Set<Socket>()

  private constructor(every: number) {
    this.#every = every
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))
  }

  static async start({ every = 0 }: { every?: number }): Promise<SlowReader> {
    const reader = new SlowReader(every)
    await new Promise<void>((resolve) => reader.#server.listen(0, '127.0.0.1', resolve))
    const address = reader.#server.address()
    reader.port = typeof address === 'object' && address !== null ? address.port : 0
    return reader
  }

  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  halfClose(): void {
    this.#socket?.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(socket: Socket): void {
    this.#socket = socket
    this.#sockets.add(socket)
    const reader = new WireReader()
    let large = 0
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      // Joining the pieces of a large value at each chunk would be quadratic, so its bytes are only counted.
      if (this.#every > 0 && (large > 0 || chunk.length > 2_000)) {
        if (large < LARGE_VALUE && large + chunk.length >= LARGE_VALUE) socket.write('+OK\r\n')
        large += chunk.length
        socket.pause()
        setTimeout(() => socket.resume(), this.#every)
        return
      }
      reader.push(chunk)
      for (let frame = reader.next(); frame; frame = reader.next()) {
        const [name, first] = Array.isArray(frame.value) ? frame.value.map(String) : []
        if (name === 'SET' && first !== undefined) this.keys.push(first)
        socket.write(
          name === 'HELLO' ? '%1\r\n$2\r\nid\r\n:1\r\n' : name === 'PING' ? encodeReply(first ?? '') : '+OK\r\n',
        )
      }
    })
  }
}
