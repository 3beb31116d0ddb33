// Proves every row of every table, what contradicts what, which of URL and options wins, and that no secret shows.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { OptionError } from '../../src/base/errors.js'
import type { AnyOptionTable, OptionRow } from '../../src/base/option-table.js'
import {
  clientOptionTable,
  optionsFromEnvironment,
  readClientOptions,
  readConnectionPoolOptions,
} from '../../src/client/options.js'
import { connectionOptionTable, readConnectionOptions } from '../../src/connection/options.js'
import { poolOptionTable, readPoolLimits, readPoolOptions } from '../../src/pool/options.js'

const CANARY = 'c4nary-Zq8/p#w?'
const ENCODED_CANARY = encodeURIComponent(CANARY)

class FakePool {}
const isFakePool = (value: unknown): value is FakePool => value instanceof FakePool
const readClient = (first?: unknown, second?: unknown) => readClientOptions(isFakePool, first, second)

function readOwn(first?: unknown, second?: unknown) {
  const resolved = readClient(first, second)
  assert.ok(resolved.shared === undefined)
  return resolved
}

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof OptionError, `expected an OptionError, got ${inspect(error)}`)
    assertHidden(error)
    return error.message
  }
  assert.fail('nothing was refused')
}

function assertHidden(value: unknown): void {
  const shown = [inspect(value, { depth: 9, showHidden: true }), JSON.stringify(value) ?? '', String(value)]
  for (const each of shown) {
    assert.ok(!each.includes('c4nary') && !each.includes('Zq8'), `a secret shows: ${each}`)
  }
}

const tables: readonly [string, AnyOptionTable][] = [
  ['connection', { ...connectionOptionTable }],
  ['pool', { ...poolOptionTable }],
  ['client', { ...clientOptionTable }],
]
const rows = tables.flatMap(([layer, table]) => Object.entries(table).map(([name, row]) => ({ layer, name, row })))

function wrongValues(row: OptionRow): unknown[] {
  const never = [null, Symbol('s'), 5n, []]
  switch (row.kind) {
    case 'integer':
    case 'duration':
      return [...never, '5', Number.NaN, Infinity, -1, 1.5, (row.min ?? 0) - 1, (row.max ?? 0) + 1, {}, true]
    case 'boolean':
      return [...never, 'true', 0, 1, {}]
    case 'string':
      return [...never, 5, true, {}]
    case 'union':
      return [...never, 'x', 99, true, {}]
    case 'secret':
      return [...never, 5, true, {}]
    case 'object':
      return [...never, 5, CANARY, new Map(), () => 1]
    case 'function':
      return [...never, 5, CANARY, {}]
  }
}

describe('every option', () => {
  it('belongs to one table only', () => {
    const names = rows.map(({ name }) => name)
    assert.deepEqual(names, [...new Set(names)])
  })

  it('is suggested under the names it has elsewhere, which no other option has', () => {
    const also = rows.flatMap(({ row }) => row.also)
    assert.deepEqual(also, [...new Set(also)])
    for (const { name, row } of rows) {
      for (const other of row.also) {
        assert.match(
          refusal(() => readClient({ [other]: 1 })),
          new RegExp(`^${other} is not an option in the client's options; did you mean ${name}\\?$`),
        )
      }
    }
  })

  for (const { layer, name, row } of rows) {
    it(`${layer}: ${name} has a default it accepts, a sentence, and refuses other types and ranges`, () => {
      assert.ok(row.default === undefined || row.accepts(row.default))
      assert.match(row.doc, /^[A-Z].*\.$/)
      for (const value of wrongValues(row)) {
        const message = refusal(() => readClient({ [name]: value }))
        assert.ok(message.startsWith(`${name}: expected ${row.expected}, got `), message)
      }
    })

    it(`${layer}: ${name} is suggested when misspelt`, () => {
      const wrong = `${name.slice(0, 1)}x${name.slice(1)}`
      assert.match(
        refusal(() => readClient({ [wrong]: 1 })),
        new RegExp(`^${wrong} is not an option in the client's options; did you mean ${name}\\?$`),
      )
    })
  }
})

describe('clientSideCache', () => {
  it('is completed from its own table', () => {
    assert.deepEqual(readOwn({ clientSideCache: {} }).pool.clientSideCache, {
      ttl: 0,
      maxEntries: 0,
      maxBytes: 67_108_864,
      evictPolicy: 'LRU',
    })
    assert.equal(
      readOwn({ clientSideCache: { ttl: 5, evictPolicy: 'FIFO' } }).pool.clientSideCache?.evictPolicy,
      'FIFO',
    )
  })

  it('names what does not fit in it', () => {
    const refused = (clientSideCache: unknown): string => refusal(() => readClient({ clientSideCache }))
    assert.match(
      refused({ maxEntrys: 1 }),
      /^maxEntrys is not an option in clientSideCache; did you mean maxEntries\?$/,
    )
    assert.match(refused({ ttl: -1 }), /^ttl: expected a whole number of milliseconds/)
    assert.match(refused({ evictPolicy: 'lru' }), /^evictPolicy: expected 'LRU' or 'FIFO', got the string 'lru'$/)
    assert.match(refused(true), /^clientSideCache: expected an object such as/)
  })

  it('needs protocol 3, however that was said', () => {
    const options = { clientSideCache: {} }
    assert.match(
      refusal(() => readClient({ ...options, protocol: 2 })),
      /^clientSideCache: needs protocol 3/,
    )
    assert.match(
      refusal(() => readClient('redis://h?protocol=2', options)),
      /^clientSideCache: needs protocol 3/,
    )
    assert.match(
      refusal(() => readConnectionPoolOptions({ ...options, protocol: 2 })),
      /^clientSideCache: needs/,
    )
    assert.equal(readOwn('redis://h?protocol=3', options).connection.protocol, 3)
  })
})

describe('defaults', () => {
  it('are those of the documentation', () => {
    const { connection, pool, client } = readOwn()
    const { credentials, ...rest } = connection
    assert.equal(inspect(credentials), 'none')
    assert.deepEqual(rest, {
      host: 'localhost',
      port: 6379,
      family: 0,
      path: undefined,
      database: 0,
      clientName: undefined,
      protocol: 3,
      connectTimeout: 5_000,
      socketTimeout: 30_000,
      keepAlive: 30_000,
      maxReplySize: 536_870_912,
      integrity: 'off',
      clientInfo: true,
      clientInfoTag: undefined,
      tls: undefined,
    })
    assert.deepEqual(pool, {
      maxConnections: 10,
      minConnections: 0,
      autosize: undefined,
      lanes: 2,
      pipelining: 1_000,
      acquireTimeout: 5_000,
      commandTimeout: 0,
      retry: 'safe',
      maxWaiting: 100_000,
      maxConnecting: 4,
      idleTimeout: 60_000,
      maxLifetime: 1_800_000,
      pingInterval: 30_000,
      leakThreshold: 0,
      leakTracking: false,
      backoffMin: 10,
      backoffMax: 1_000,
      backoff: undefined,
      clientSideCache: undefined,
      unref: false,
      name: undefined,
    })
    assert.deepEqual(client, { typeMapping: {}, keyPrefix: undefined })
  })

  it('are frozen at every level', () => {
    const settings = readOwn()
    for (const each of [settings, settings.connection, settings.pool, settings.client]) assert.ok(Object.isFrozen(each))
  })
})

describe('connection options', () => {
  it('refuse a host with a port, brackets or a URL in it, without showing the URL', () => {
    for (const host of ['', 'localhost:6379', '[::1]', `redis://:${CANARY}@host`, 'a b', 'a/b', 'a\n']) {
      assert.match(
        refusal(() => readConnectionOptions({ host })),
        /^host: expected a host name or an IP address, without port or brackets/,
      )
    }
    for (const host of ['localhost', '127.0.0.1', '::1', 'fe80::1%eth0', 'redis_1', 'bücher.example']) {
      assert.equal(readConnectionOptions({ host }).host, host)
    }
  })

  it('refuse a unix socket together with a host or a port', () => {
    assert.equal(
      refusal(() => readConnectionOptions({ path: '/tmp/redis.sock', host: 'localhost' })),
      'path: a unix socket has no host; give one or the other',
    )
    refusal(() => readConnectionOptions({ path: '/tmp/redis.sock', port: 1 }))
    refusal(() => readConnectionOptions({ path: '' }))
    assert.equal(readConnectionOptions({ path: '/tmp/redis.sock', port: undefined }).path, '/tmp/redis.sock')
  })

  it('refuse a client name that CLIENT SETNAME would', () => {
    for (const clientName of ['', 'two words', 'line\nbreak', 'ü']) refusal(() => readConnectionOptions({ clientName }))
  })

  it('hold TLS options back from printing, and copy them', () => {
    const tls = { passphrase: CANARY, servername: 'redis.example' }
    const settings = readConnectionOptions({ tls })
    tls.servername = 'changed.example'
    assertHidden(settings)
    assert.deepEqual(settings.tls?.reveal(), { passphrase: CANARY, servername: 'redis.example' })
    assert.deepEqual(readConnectionOptions({ tls: true }).tls?.reveal(), {})
    assert.equal(readConnectionOptions({ tls: false }).tls, undefined)
  })

  it('give credentials as text, from a password function, or from a provider', async () => {
    const password = CANARY
    const read = (options: unknown) => readConnectionOptions(options).credentials.read()
    assert.deepEqual(await read({}), {})
    assert.deepEqual(await read({ password }), { password })
    assert.deepEqual(await read({ username: 'ann', password }), { username: 'ann', password })
    assert.deepEqual(await read({ username: 'ann', password: '' }), { username: 'ann', password: '' })
    assert.deepEqual(await read({ username: 'ann', password: () => password }), { username: 'ann', password })
    assert.deepEqual(await read({ password: async () => password }), { password })
    assert.deepEqual(await read({ credentials: async () => ({ username: 'bob', password }) }), {
      username: 'bob',
      password,
    })
  })

  it('ask for the credentials anew each time', async () => {
    let count = 0
    const { credentials } = readConnectionOptions({ password: () => `p${++count}` })
    assert.deepEqual(await credentials.read(), { password: 'p1' })
    assert.deepEqual(await credentials.read(), { password: 'p2' })
  })

  it('refuse what a credentials function gives back when it is no login, without showing it', async () => {
    for (const result of [
      undefined,
      null,
      CANARY,
      { password: 5 },
      { username: 'a' },
      { username: 5, password: CANARY },
    ]) {
      const { credentials } = readConnectionOptions({ credentials: () => result })
      await assert.rejects(credentials.read(), (error) => {
        assert.ok(error instanceof OptionError)
        assertHidden(error)
        return true
      })
    }
    const { credentials } = readConnectionOptions({ password: () => 5 })
    await assert.rejects(credentials.read(), OptionError)
  })

  it('refuse a user without a password, and two sources of credentials', () => {
    assert.match(
      refusal(() => readConnectionOptions({ username: 'ann' })),
      /^username: expected a password with it/,
    )
    assert.match(
      refusal(() => readConnectionOptions({ password: CANARY, credentials: () => ({}) })),
      /^credentials: takes the place of username and password/,
    )
  })
})

describe('pool options', () => {
  it('refuse bounds that contradict each other, whichever was given', () => {
    assert.equal(
      refusal(() => readPoolOptions({ minConnections: 20 })),
      'minConnections: expected at most maxConnections, which is 10, got 20',
    )
    refusal(() => readPoolOptions({ minConnections: 3, maxConnections: 2 }))
    refusal(() => readPoolOptions({ backoffMin: 2_000 }))
    assert.equal(readPoolOptions({ minConnections: 2, maxConnections: 2 }).minConnections, 2)
  })

  it('refuse more lanes than connections, but not because of the default', () => {
    assert.equal(
      refusal(() => readPoolOptions({ lanes: 3, maxConnections: 2 })),
      'lanes: expected at most maxConnections, which is 2, got 3',
    )
    assert.equal(readPoolOptions({ maxConnections: 1 }).maxConnections, 1)
    assert.equal(readPoolOptions({ maxConnections: 1, lanes: undefined }).maxConnections, 1)
  })

  it('track the place of a lease when leaks are reported, unless told otherwise', () => {
    assert.equal(readPoolOptions({ leakThreshold: 1_000 }).leakTracking, true)
    assert.equal(readPoolOptions({ leakThreshold: 1_000, leakTracking: false }).leakTracking, false)
    assert.equal(readPoolOptions({ leakTracking: true }).leakTracking, true)
  })

  it('allow the least and the most of each number', () => {
    for (const [name, row] of Object.entries({ ...poolOptionTable })) {
      if (row.kind !== 'integer' && row.kind !== 'duration') continue
      const room = name.startsWith('backoff') ? { backoffMin: 1, backoffMax: row.max } : { maxConnections: 65_535 }
      for (const value of [row.min, row.max]) assert.ok(readPoolOptions({ ...room, [name]: value }))
    }
  })

  it('are changed by resize only where it says so', () => {
    const current = { maxConnections: 10, minConnections: 2 }
    assert.deepEqual(readPoolLimits({ maxConnections: 4 }, current), { maxConnections: 4, minConnections: 2 })
    assert.deepEqual(readPoolLimits({}, current), current)
    refusal(() => readPoolLimits({ maxConnections: 1 }, current))
    refusal(() => readPoolLimits({ maxConnections: 0 }, current))
    assert.match(
      refusal(() => readPoolLimits({ lanes: 1 }, current)),
      /^lanes is not an option in resize\(\)/,
    )
  })
})

describe('client options', () => {
  it('come as a URL, a URL object, options, both, or an option named url', () => {
    const text = 'redis://example.com:7000/3?maxConnections=20'
    for (const settings of [
      readOwn(text),
      readOwn(new URL(text)),
      readOwn({ url: text }),
      readOwn({ url: new URL(text) }),
      readOwn(text, {}),
      readOwn({ host: 'example.com', port: 7000, database: 3, maxConnections: 20 }),
    ]) {
      assert.equal(settings.connection.host, 'example.com')
      assert.equal(settings.connection.port, 7000)
      assert.equal(settings.connection.database, 3)
      assert.equal(settings.pool.maxConnections, 20)
    }
  })

  it('win over the URL', async () => {
    const { connection, pool } = readOwn('redis://ann:a@example.com:7000/3?maxConnections=20&acquireTimeout=1s', {
      port: 7001,
      database: 4,
      password: 'b',
      maxConnections: 30,
      acquireTimeout: undefined,
    })
    assert.equal(connection.host, 'example.com')
    assert.equal(connection.port, 7001)
    assert.equal(connection.database, 4)
    assert.equal(pool.maxConnections, 30)
    assert.equal(pool.acquireTimeout, 1_000)
    assert.deepEqual(await connection.credentials.read(), { username: 'ann', password: 'b' })
  })

  it('win over the URL as a group where they exclude each other', async () => {
    assert.equal(readOwn('redis://example.com:7000', { path: '/tmp/redis.sock' }).connection.path, '/tmp/redis.sock')
    assert.equal(readOwn('unix:///tmp/redis.sock', { host: 'example.com' }).connection.path, undefined)
    const { connection } = readOwn('redis://ann:a@example.com', { credentials: () => ({ password: 'c' }) })
    assert.deepEqual(await connection.credentials.read(), { password: 'c' })
  })

  it('take a password beside a URL that only names the user', async () => {
    const { connection } = readOwn('redis://ann@example.com', { password: CANARY })
    assert.deepEqual(await connection.credentials.read(), { username: 'ann', password: CANARY })
  })

  it('never switch off in silence the TLS that a URL asks for', () => {
    assert.match(
      refusal(() => readOwn('rediss://example.com', { tls: false })),
      /^tls: is false, but the URL asks for TLS/,
    )
    assert.deepEqual(readOwn('rediss://example.com', { tls: { ca: 'x' } }).connection.tls?.reveal(), { ca: 'x' })
    assert.deepEqual(readOwn('redis://example.com', { tls: true }).connection.tls?.reveal(), {})
  })

  it('refuse arguments in the wrong place', () => {
    refusal(() => readClient({}, 'redis://localhost'))
    refusal(() => readClient({}, {}))
    refusal(() => readClient(null))
    refusal(() => readClient(6379))
    refusal(() => readClient(6379, 'localhost'))
    refusal(() => readClient(undefined, {}))
    refusal(() => readClient(`redis://:${ENCODED_CANARY}@host`, `redis://:${ENCODED_CANARY}@host`))
    refusal(() => readClient('redis://a', { url: `redis://:${ENCODED_CANARY}@host` }))
    refusal(() => readClient({ url: 5 }))
    refusal(() => readClient(new FakePool()))
  })

  it('take a pool instead of everything that belongs to a pool', () => {
    const pool = new FakePool()
    const resolved = readClient({ pool, typeMapping: { 36: Buffer } })
    assert.equal(resolved.shared, pool)
    assert.deepEqual(resolved.client.typeMapping, { 36: Buffer })
    assert.equal(
      refusal(() => readClient({ pool, maxConnections: 5 })),
      'maxConnections: cannot be given together with pool; give it to the ConnectionPool',
    )
    refusal(() => readClient({ pool, password: CANARY }))
    refusal(() => readClient(`redis://:${ENCODED_CANARY}@host`, { pool }))
    assert.match(
      refusal(() => readClient({ pool, maxConection: 5 })),
      /did you mean maxConnections\?$/,
    )
    assert.equal(readClient({ pool, maxConnections: undefined }).shared, pool)
    assert.equal(
      refusal(() => readClient({ pool: {} })),
      'pool: expected a ConnectionPool',
    )
    assert.ok(readClient({ pool: undefined }).shared === undefined)
  })

  it('of a pool are those of a client without the client’s own', () => {
    const { connection, pool } = readConnectionPoolOptions('redis://example.com/2', { maxConnections: 3 })
    assert.equal(connection.database, 2)
    assert.equal(pool.maxConnections, 3)
    refusal(() => readConnectionPoolOptions({ typeMapping: {} }))
    refusal(() => readConnectionPoolOptions({ pool: new FakePool() }))
  })

  it('take a type mapping of RESP types to constructors', () => {
    assert.deepEqual(readOwn({ typeMapping: { 36: Buffer, 37: Map } }).client.typeMapping, { 36: Buffer, 37: Map })
    for (const typeMapping of [{ BLOB_STRING: Buffer }, { 36: 'Buffer' }, { 999: Buffer }, Buffer]) {
      refusal(() => readOwn({ typeMapping }))
    }
  })

  it('show no secret when printed', () => {
    const sources = [
      readClient(`rediss://ann:${ENCODED_CANARY}@host`),
      readClient({ url: `redis://ann:${ENCODED_CANARY}@host` }),
      readClient({ username: 'ann', password: CANARY, tls: { key: CANARY, passphrase: CANARY } }),
      readClient({ credentials: () => ({ password: CANARY }) }),
      readConnectionPoolOptions({ password: () => CANARY }),
    ]
    for (const source of sources) assertHidden(source)
  })

  it('show no secret when refused', () => {
    for (const url of [CANARY, `:${CANARY}`, `${CANARY}://host`, `redis:${CANARY}`, `redis://:${CANARY}`]) {
      refusal(() => readClient(url))
      refusal(() => readClient({ url }))
    }
    for (const { name } of rows.filter(({ row }) => row.kind !== 'string' && row.kind !== 'secret')) {
      refusal(() => readClient({ password: CANARY, [name]: CANARY }))
    }
    refusal(() => readClient({ [CANARY]: CANARY }))
  })
})

describe('options from the environment', () => {
  it('are the REDIS_URL that is passed in', () => {
    assert.deepEqual(optionsFromEnvironment({ REDIS_URL: 'redis://example.com' }), { url: 'redis://example.com' })
  })

  it('are refused when there is none', () => {
    for (const env of [{}, { REDIS_URL: '' }, { REDIS_URL: undefined }]) {
      assert.match(
        refusal(() => optionsFromEnvironment(env)),
        /^REDIS_URL: /,
      )
    }
  })
})
