// What is said on a fresh connection, in which order, and what becomes of it when the server does not play along.

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import {
  type CloseReason,
  ConnectionError,
  ConnectionPool,
  type ConnectionPoolOptions,
  ConnectTimeoutError,
  MaxClientsError,
  Redis,
  ReplyError,
} from '../../src/index.js'
import { FakeServer } from '../support/fake-server.js'
import { leakCheck } from '../support/leak-check.js'
import { NOISE } from '../support/noise.js'
import { OK } from '../support/resp.js'

const CANARY = 'c4n4ry-passw0rd'

interface Attempt {
  readonly error: Error | undefined
  readonly took: number
}

/** One dial: its error and how long it took. */
async function attempt(server: FakeServer, options: ConnectionPoolOptions = {}): Promise<Attempt> {
  const pool = new ConnectionPool(server.url, { connectTimeout: 2_000, ...options })
  const started = performance.now()
  try {
    await pool.connect()
    return { error: undefined, took: performance.now() - started }
  } catch (error) {
    assert.ok(error instanceof Error)
    return { error, took: performance.now() - started }
  } finally {
    pool.destroy()
  }
}

async function failure(
  server: FakeServer,
  reason: CloseReason,
  options: ConnectionPoolOptions = {},
): Promise<ConnectionError> {
  const { error } = await attempt(server, options)
  assert.ok(error instanceof ConnectionError, `expected a ConnectionError, got ${error}`)
  assert.equal(error.reason, reason)
  assert.ok(!error.message.includes(CANARY))
  return error
}

/** Commands by name, a nonce left out. */
function names(server: FakeServer, connection = 0): string[] {
  return (server.connections[connection]?.received ?? []).map((args) =>
    args[0] === 'PING' ? 'PING' : args.slice(0, args[0] === 'HELLO' ? 6 : 3).join(' '),
  )
}

describe('the handshake', () => {
  it('says HELLO with AUTH and SETNAME first and alone, the rest behind its reply, and PING last', async () => {
    await using server = await FakeServer.start()
    let before: string[] = []
    server.expect('HELLO').do(async (connection) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      before = connection.received.map(([name = '']) => name)
      connection.protocol = 3
      connection.reply(new Map([['id', 1]]))
    })
    const options = { username: 'app', password: CANARY, clientName: 'worker', database: 3 }
    assert.equal((await attempt(server, options)).error, undefined)
    assert.deepEqual(before, ['HELLO'], 'nothing stands behind an unanswered AUTH')
    assert.deepEqual(names(server), [
      `HELLO 3 AUTH app ${CANARY} SETNAME`,
      'SELECT 3',
      'CLIENT SETINFO LIB-NAME',
      'CLIENT SETINFO LIB-VER',
      'PING',
    ])
  })

  it('logs in as the default user when there is only a password, and says no more than it must', async () => {
    await using server = await FakeServer.start()
    await attempt(server, { password: CANARY, clientInfo: false })
    assert.deepEqual(names(server), [`HELLO 3 AUTH default ${CANARY}`, 'PING'])
    await attempt(server, { clientInfo: false })
    assert.deepEqual(names(server, 1), ['HELLO 3', 'PING'])
    await attempt(server, { clientInfo: false, protocol: 2 })
    assert.deepEqual(names(server, 2), ['HELLO 2', 'PING'])
  })

  it('goes on when the server refuses SETINFO', async () => {
    await using server = await FakeServer.start()
    server.expect('CLIENT', 'SETINFO').times(2).reply(new Error('ERR unknown subcommand'))
    assert.equal((await attempt(server)).error, undefined)
    server.verify()
  })

  it('ends the connection when SETINFO is not answered', async () => {
    await using server = await FakeServer.start()
    server.expect('CLIENT', 'SETINFO').stall()
    const { error, took } = await attempt(server, { connectTimeout: 150 })
    assert.ok(error instanceof ConnectTimeoutError)
    assert.ok(took >= 149 && took < 250 + NOISE, `it took ${took} ms`)
  })

  it('takes any other answer to PING than its nonce as a broken stream', async () => {
    for (const answer of ['PONG', 'ffffffffffffffff', OK]) {
      await using server = await FakeServer.start()
      server.expect('PING').reply(answer)
      assert.match((await failure(server, 'handshake-failed')).message, /PING/)
    }
  })

  for (const refusal of [
    'MISCONF Redis is configured to save RDB snapshots, and cannot.',
    "NOPERM this user has no permissions to run the 'ping' command",
  ]) {
    it(`is ready where nothing but PING may be refused: ${refusal.split(' ')[0]}`, async () => {
      await using server = await FakeServer.start()
      server.expect('PING').reply(new Error(refusal))
      server.expect('GET').reply('value')
      await using redis = new Redis(server.url)
      assert.equal(await redis.get('key'), 'value')
      assert.equal(server.connections.length, 1)
    })
  }

  it('asks for another nonce each time', async () => {
    await using server = await FakeServer.start()
    await attempt(server)
    await attempt(server)
    const nonces = server.received.filter(([name]) => name === 'PING').map(([, nonce]) => nonce)
    assert.equal(new Set(nonces).size, 2)
    for (const nonce of nonces) assert.match(nonce ?? '', /^[0-9a-f]{16}$/)
  })

  it('falls back to RESP2 when HELLO is unknown, or knows no RESP3', async () => {
    const refusals = [
      "ERR unknown command 'HELLO', with args beginning with: '3'",
      'ERR unknown command `HELLO`, with args beginning with: `3`, ',
      'NOPROTO unsupported protocol version',
    ]
    for (const text of refusals) {
      await using server = await FakeServer.start()
      server.expect('HELLO').always().reply(new Error(text))
      server.expect('HGETALL').reply(['field', 'value'])
      await using redis = new Redis(server.url, { username: 'app', password: CANARY, clientName: 'w', database: 2 })
      assert.equal((await redis.hGetAll('hash')).field, 'value')
      assert.deepEqual(names(server).slice(0, 4), [
        `HELLO 3 AUTH app ${CANARY} SETNAME`,
        `AUTH app ${CANARY}`,
        'CLIENT SETNAME w',
        'SELECT 2',
      ])
    }
  })

  it('never falls back to RESP2 for any other refusal, and never sends AUTH a second time', async () => {
    const refusals = [
      'NOAUTH HELLO must be called with the client already authenticated, otherwise …',
      'WRONGPASS invalid username-password pair or user is disabled.',
      'NOPERM this user has no permissions to run the hello command',
      'LOADING Redis is loading the dataset in memory',
      'BUSY Redis is busy running a script.',
      'MASTERDOWN Link with MASTER is down',
      'ERR Syntax error in HELLO option',
    ]
    for (const text of refusals) {
      await using server = await FakeServer.start()
      server.expect('HELLO').reply(new Error(text))
      const error = await failure(server, 'handshake-failed', { password: CANARY })
      assert.ok(error.cause instanceof ReplyError)
      assert.equal(error.cause.kind, text.split(' ')[0])
      assert.ok(error.message.includes(text))
      assert.deepEqual(names(server), [`HELLO 3 AUTH default ${CANARY}`])
    }
  })

  it('is not ready while the server loads its data set, and is once that is done', async () => {
    await using server = await FakeServer.start()
    server.expect('PING').times(3).reply(new Error('LOADING Redis is loading the dataset in memory'))
    server.expect('GET').reply('value')
    assert.match((await failure(server, 'handshake-failed')).message, /LOADING/)
    await using redis = new Redis(server.url, { backoffMax: 20 })
    assert.equal(await redis.get('key'), 'value')
    assert.equal(server.connections.length, 4)
  })

  it('names a full server as such, also while the credentials are still being asked for', async () => {
    const slowly = async (): Promise<string> => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      return CANARY
    }
    for (const password of [CANARY, slowly]) {
      await using server = await fullServer('-ERR max number of clients reached\r\n')
      const pool = new ConnectionPool({ host: '127.0.0.1', port: server.port, password })
      await assert.rejects(pool.connect(), MaxClientsError)
      pool.destroy()
    }
  })

  it('gives up at once on a server in protected mode, also while the credentials are still being asked for', async () => {
    const slowly = async (): Promise<string> => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      return CANARY
    }
    for (const password of [CANARY, slowly]) {
      await using server = await fullServer('-DENIED Redis is running in protected mode\r\n')
      const redis = new Redis({ host: '127.0.0.1', port: server.port, password })
      const started = performance.now()
      await assert.rejects(redis.get('key'), (error) => {
        assert.ok(error instanceof ConnectionError)
        assert.ok(error.cause instanceof ReplyError)
        assert.equal(error.cause.kind, 'DENIED')
        return true
      })
      assert.ok(performance.now() - started < 1_000)
      redis.destroy()
    }
  })

  it('ends within connectTimeout when a server accepts and says nothing', async () => {
    await using server = await FakeServer.start()
    server.manner = 'silent'
    const { error, took } = await attempt(server, { connectTimeout: 150 })
    assert.ok(error instanceof ConnectTimeoutError)
    assert.match(error.message, /127\.0\.0\.1:\d+ was ready within 150 ms/)
    assert.ok(took >= 149 && took < 200 + NOISE, `it took ${took} ms`)
    await untilClosed(server)
  })

  it('covers every step and the credentials with the one deadline', async () => {
    for (const step of ['HELLO', 'SELECT', 'PING']) {
      await using server = await FakeServer.start()
      server.expect(step).stall()
      const { error, took } = await attempt(server, { connectTimeout: 100, database: 1 })
      assert.ok(error instanceof ConnectTimeoutError, step)
      assert.ok(took >= 99 && took < 170 + NOISE, `${step} took ${took} ms`)
      await untilClosed(server)
    }
    await using server = await FakeServer.start()
    const { error } = await attempt(server, { connectTimeout: 100, password: () => new Promise(() => {}) })
    assert.ok(error instanceof ConnectTimeoutError)
  })

  it('never pools a connection that ends or resets at any step, and sends nothing of the user before its end', async () => {
    const steps = [['HELLO'], ['SELECT'], ['CLIENT', 'SETINFO', 'LIB-NAME'], ['CLIENT', 'SETINFO', 'LIB-VER'], ['PING']]
    for (const ending of ['fin', 'rst'] as const) {
      for (const step of steps) {
        for (const partial of ['', '+O', '$16\r\nabc']) {
          await using server = await FakeServer.start()
          server.expect('GET').reply('value')
          const expectation = server.expect(...step).raw(partial)
          if (ending === 'fin') expectation.fin()
          else expectation.rst()
          await using redis = new Redis(server.url, { database: 1, backoffMin: 1, backoffMax: 5 })
          assert.equal(await redis.get('key'), 'value')
          const [first, second] = server.connections
          assert.ok(!first?.received.some(([name]) => name === 'GET'), `${step} ${ending}`)
          assert.equal(second?.received.at(-1)?.[0], 'GET')
          assert.equal(server.connections.length, 2)
        }
      }
    }
  })

  it('holds back what users send until the last step is answered', async () => {
    await using server = await FakeServer.start()
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    server
      .expect('PING')
      .wait(gate)
      .do((connection, args) => connection.reply(args[1] ?? ''))
    server.expect('GET').times(50).reply('value')
    await using redis = new Redis(server.url, { lanes: 1 })
    const replies = Array.from({ length: 50 }, (_, index) => redis.get(`key:${index}`))
    await server.until('PING')
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.ok(!server.received.some(([name]) => name === 'GET'))
    release()
    assert.deepEqual(await Promise.all(replies), Array(50).fill('value'))
  })

  it('takes garbage for what it is, without showing a secret', async () => {
    for (const garbage of ['HTTP/1.1 400 Bad Request\r\n\r\n', '\x15\x03\x01\x00\x02\x02\x46', '$-5\r\n', '+OK\rX']) {
      await using server = await FakeServer.start()
      server.expect('HELLO').raw(garbage).stall()
      await failure(server, 'protocol-error', { password: CANARY })
    }
  })

  it('never repeats a password that a server quotes', async () => {
    const quote = (args: string[]): Error =>
      new Error(`ERR unknown command '${args[0]}', with args beginning with: ${args.slice(1).map((arg) => `'${arg}'`)}`)
    await using server = await FakeServer.start()
    server.expect('HELLO').always().reply(quote)
    server.expect('AUTH').always().reply(quote)
    const error = await failure(server, 'handshake-failed', { password: CANARY })
    assert.match(error.message, /unknown command 'AUTH'/)
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      assert.ok(!`${cause.message}${cause.stack}`.includes(CANARY))
    }
  })

  it('tells apart what the credentials function did wrong', async () => {
    await using server = await FakeServer.start()
    const throwing = await failure(server, 'handshake-failed', {
      password: () => {
        throw new Error('the vault is sealed')
      },
    })
    assert.match(throwing.message, /the vault is sealed/)
    const asked: Promise<string> = Promise.resolve(JSON.parse('5'))
    const wrong = await failure(server, 'handshake-failed', { password: () => asked })
    assert.match(wrong.message, /credentials/)
    assert.deepEqual(server.received, [], 'nothing was sent')
  })

  it('leaves nothing behind, however it ends', async () => {
    const leaks = leakCheck()
    {
      await using server = await FakeServer.start()
      await attempt(server)
      server.manner = 'silent'
      await attempt(server, { connectTimeout: 50 })
      server.manner = 'closing'
      await attempt(server)
      server.manner = 'resetting'
      await attempt(server)
      server.refuse()
      await attempt(server)
    }
    await leaks.assertNone()
  })
})

async function untilClosed(server: FakeServer): Promise<void> {
  while (server.open.length > 0) await new Promise((resolve) => setImmediate(resolve))
}

/** A server that speaks first and hangs up, as a full one or one in protected mode does. */
async function fullServer(text: string): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.resume().end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
