// createClient and createClientPool: every option of node-redis is mapped or refused with advice, none is dropped.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RedisClientOptions } from '@redis/client'
import type { CommandOptions as NodeCommandOptions } from '@redis/client/dist/lib/client/commands-queue.js'
import type { RedisPoolOptions } from '@redis/client/dist/lib/client/pool.js'
import type { RedisSocketOptions } from '@redis/client/dist/lib/client/socket.js'
import { translateClientOptions, translatePoolOptions } from '../../src/client/node-redis-options.js'
import {
  clientRules,
  commandRules,
  formerRules,
  poolRules,
  type Rules,
  socketRules,
  type TLS_OPTIONS,
} from '../../src/client/node-redis-rules.js'
import { ownOptions } from '../../src/client/options.js'
import {
  type CommandParser,
  createClient,
  createClientPool,
  defineScript,
  OptionError,
  RESP_TYPES,
  Redis,
} from '../../src/index.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'

/** The names of all members of a union, not only of those they share. */
type NamesOf<T> = T extends unknown ? Exclude<keyof T, number | symbol> : never

/** Whether two types are the same. */
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Fails to compile unless its type argument is `true`: an upgrade that adds an option does. */
function holds<_Claim extends true>(): void {}

type TlsName = (typeof TLS_OPTIONS)[number]

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof OptionError, String(error))
    return error.message
  }
  assert.fail('nothing was refused')
}

const tables: readonly (readonly [string, Rules])[] = [
  ['createClient', clientRules],
  ['socket', socketRules],
  ['commandOptions', commandRules],
  ['createClientPool', poolRules],
  ['createClient', formerRules],
]

describe('every option of node-redis', () => {
  it('has a rule', () => {
    holds<Equal<NamesOf<RedisClientOptions>, keyof typeof clientRules>>()
    holds<Equal<Exclude<NamesOf<RedisSocketOptions>, keyof typeof socketRules | TlsName>, never>>()
    holds<Equal<Exclude<TlsName, NamesOf<RedisSocketOptions>>, never>>()
    holds<Equal<NamesOf<NodeCommandOptions>, keyof typeof commandRules>>()
    holds<Equal<NamesOf<RedisPoolOptions>, keyof typeof poolRules>>()
    assert.ok(tables.every(([, rules]) => Object.keys(rules).length > 3))
  })

  it('becomes options that exist, or says what to do instead', () => {
    const own = ownOptions()
    for (const [where, rules] of tables) {
      for (const [name, { becomes, doc }] of Object.entries(rules)) {
        assert.ok(doc.length > 3, `${where}: ${name}`)
        for (const option of becomes) assert.ok(Object.hasOwn(own, option), `${where}: ${name} becomes ${option}`)
      }
    }
  })

  it('that is refused is named by the error, with the advice of its rule', () => {
    for (const [where, rules] of tables) {
      for (const [name, { becomes, doc }] of Object.entries(rules)) {
        if (becomes.length > 0 || ['modules', 'functions', 'scripts'].includes(name)) continue
        const value = 12_345
        const message = refusal(() => {
          if (where === 'createClientPool') return createClientPool({}, { [name]: value })
          return createClient(where === 'createClient' ? { [name]: value } : { [where]: { [name]: value } })
        })
        assert.ok(message.endsWith(`${name}: ${doc}`), message)
      }
    }
  })
})

describe('the options of createClient', () => {
  const read = (options: object) => translateClientOptions(options)

  it('become those of respool, in its units', () => {
    assert.deepEqual(
      read({
        socket: {
          host: 'h',
          port: 7_000,
          family: 4,
          connectTimeout: 1_000,
          socketTimeout: 2_000,
          keepAlive: true,
          keepAliveInitialDelay: 3_000,
          noDelay: true,
        },
        username: 'ann',
        password: 'pw',
        name: 'web',
        database: 3,
        keyPrefix: 'app:',
        commandsQueueMaxLength: 50,
        disableOfflineQueue: false,
        readonly: false,
        pingInterval: 4_000,
        RESP: 2,
        disableClientInfo: true,
        emitInvalidate: false,
        maintNotifications: 'disabled',
        commandOptions: { timeout: 5_000, typeMapping: {} },
        maxConnections: 20,
      }),
      {
        host: 'h',
        port: 7_000,
        family: 4,
        connectTimeout: 1_000,
        socketTimeout: 2_000,
        keepAlive: 3_000,
        username: 'ann',
        password: 'pw',
        clientName: 'web',
        database: 3,
        keyPrefix: 'app:',
        maxWaiting: 50,
        pingInterval: 4_000,
        protocol: 2,
        clientInfo: false,
        commandTimeout: 5_000,
        typeMapping: {},
        maxConnections: 20,
      },
    )
    assert.deepEqual(read({ clientInfoTag: 'x', socket: { path: '/tmp/redis.sock' } }), {
      clientInfoTag: 'x',
      path: '/tmp/redis.sock',
    })
    assert.deepEqual(read({ socket: { keepAlive: false, keepAliveInitialDelay: 3_000 } }), { keepAlive: 0 })
    assert.deepEqual(read({ commandsQueueMaxLength: 0 }), { maxWaiting: 100_000_000 })
    assert.deepEqual(read({ socket: undefined, url: undefined }), {})
  })

  it('of TLS stand in socket, and are asked for by tls or by the URL', () => {
    assert.deepEqual(read({ socket: { tls: true } }), { tls: true })
    assert.deepEqual(read({ socket: { tls: true, ca: 'c', servername: 's' } }), { tls: { ca: 'c', servername: 's' } })
    assert.deepEqual(read({ url: 'rediss://h', socket: { ca: 'c' } }), { url: 'rediss://h', tls: { ca: 'c' } })
    assert.match(
      refusal(() => read({ socket: { ca: 'c' } })),
      /^socket\.ca: is an option of TLS; set socket\.tls/,
    )
    assert.match(
      refusal(() => read({ url: 'rediss://h', socket: { tls: false } })),
      /^socket\.tls: is false, but/,
    )
    assert.match(
      refusal(() => read({ url: 'redis://h', socket: { tls: true } })),
      /^socket\.tls: is true, but/,
    )
    assert.match(
      refusal(() => read({ socket: { tls: {} } })),
      /^socket\.tls: expected true or false/,
    )
  })

  it('say when to dial again, as node-redis counts', () => {
    const asked: unknown[] = []
    const strategy = (retries: number, cause: Error) => {
      asked.push([retries, cause.message])
      return 7
    }
    const { backoff } = read({ socket: { reconnectStrategy: strategy } })
    assert.ok(typeof backoff === 'function')
    assert.equal(backoff(1, new Error('outer', { cause: new Error('inner') })), 7)
    assert.equal(backoff(2, new Error('alone')), 7)
    assert.deepEqual(asked, [
      [0, 'inner'],
      [1, 'alone'],
    ])
    for (const value of [false, 0, 250]) {
      const { backoff: constant } = read({ socket: { reconnectStrategy: value } })
      assert.ok(typeof constant === 'function')
      assert.equal(constant(1, new Error()), value)
    }
    assert.match(
      refusal(() => read({ socket: { reconnectStrategy: '1' } })),
      /^socket\.reconnectStrategy: expected/,
    )
  })

  it('with a provider ask it, and prefer it', async () => {
    const login = { username: 'ann', password: 'pw' }
    const provider = { type: 'async-credentials-provider', credentials: async () => login }
    const { credentials, ...rest } = read({ credentialsProvider: provider, username: 'x', password: 'y' })
    assert.deepEqual(rest, {})
    assert.ok(typeof credentials === 'function')
    assert.equal(await credentials(), login)
    const streaming = { type: 'streaming-credentials-provider', subscribe: async () => [login, { dispose() {} }] }
    assert.equal(read({ credentialsProvider: streaming }).credentials, streaming)
    for (const wrong of [{}, { type: 'other' }, { type: 'async-credentials-provider' }, 5, null]) {
      assert.match(
        refusal(() => read({ credentialsProvider: wrong })),
        /^credentialsProvider: expected a provider/,
      )
    }
  })

  it('take an empty login for none, and a user without a password for one that needs none', () => {
    assert.deepEqual(read({ username: '', password: '' }), {})
    assert.doesNotThrow(() => createClient({ username: 'ann' }))
    assert.doesNotThrow(() => createClient({ url: 'redis://ann@h' }))
    assert.doesNotThrow(() => createClient({ username: 'ann', password: 'pw' }).duplicate({ username: 'bob' }))
    assert.deepEqual(read({ url: 'redis://ann@h' }), { url: 'redis://ann@h', password: '' })
  })

  it('yield to what the URL says, as in node-redis', () => {
    const url = 'redis://ann:pw@h:1/2'
    const beside = { socket: { host: 'other', port: 5 }, username: 'bob', password: 'x', database: 9 }
    assert.deepEqual(read({ url, ...beside }), { url })
    assert.deepEqual(read({ url: 'redis://h', password: 'x', socket: { port: 5 } }), {
      url: 'redis://h',
      password: 'x',
      port: 5,
    })
  })

  it('that are unknown, of the wrong kind, or given twice are errors that name them', () => {
    const act = (options: object) => () => createClient(options)
    assert.match(refusal(act({ keyprefix: 'x' })), /^keyprefix is not an option .*; did you mean keyPrefix\?$/)
    assert.match(refusal(act({ sockets: {} })), /^sockets is not an option .*; did you mean socket\?$/)
    assert.match(refusal(act({ socket: { conectTimeout: 1 } })), /did you mean connectTimeout\?$/)
    assert.match(refusal(act({ socket: { servrname: 'x' } })), /did you mean servername\?$/)
    assert.match(refusal(act({ maxConection: 1 })), /did you mean maxConnections\?$/)
    assert.match(refusal(act({ commandOptions: { timout: 1 } })), /did you mean timeout\?$/)
    assert.match(refusal(act({ socket: 'h' })), /^socket: expected a plain object/)
    assert.match(refusal(act({ database: '3' })), /^database: expected a whole number/)
    assert.match(refusal(act({ disableClientInfo: 1 })), /^disableClientInfo: expected true or false$/)
    assert.match(refusal(act({ host: 'a', socket: { host: 'b' } })), /^host: is given twice, by host and by socket$/)
    assert.match(refusal(act({ url: 'http://h' })), /^the URL: expected redis:\/\//)
    assert.match(
      refusal(() => createClientPool({ acquireTimeout: 1 }, { acquireTimeout: 2 })),
      /^acquireTimeout: is given twice/,
    )
  })

  it('of older versions, and their arguments, are errors that say what is there now', () => {
    assert.match(
      refusal(() => createClient(Object({ legacyMode: true }))),
      /^legacyMode: commands return promises here/,
    )
    assert.match(
      refusal(() => createClient(Object({ auth_pass: 'x' }))),
      /^auth_pass: use password$/,
    )
    assert.match(
      refusal(() => createClient().duplicate(Object({ retry_strategy: () => 5 }))),
      /^retry_strategy: use socket\.reconnectStrategy/,
    )
    const { address } = createClient({ host: 'h', port: 7 }).pool.stats()
    assert.equal(address, 'h:7', 'these two have the same names here')
    for (const args of [[6379, 'h'], ['redis://u:c4nary@h'], [new URL('redis://u:c4nary@h')], ['/tmp/s']]) {
      const message = refusal(() => Reflect.apply(createClient, undefined, args))
      assert.equal(message, "createClient's options: expected one object: { url }, or { socket: { host, port } }")
    }
  })

  it('show no secret', () => {
    const secret = 'c4nary-Zq8'
    const cases: readonly object[] = [
      { password: secret, nonsense: 1 },
      { url: `redis://:${secret}@h`, socket: { tls: true } },
      { credentialsProvider: secret },
      { socket: { key: secret } },
    ]
    for (const options of cases) {
      assert.ok(!refusal(() => createClient(options)).includes('c4nary'))
    }
  })
})

describe('a URL', () => {
  it('is read as node-redis reads it', () => {
    for (const [url, host, port, database] of [
      ['redis://localhost', 'localhost', 6379, 0],
      ['redis://', 'localhost', 6379, 0],
      ['redis://localhost/', 'localhost', 6379, 0],
      ['redis://localhost:7000/5', 'localhost', 7000, 5],
      ['rediss://u:p@h:1', 'h', 1, 0],
      ['redis://:p@h', 'h', 6379, 0],
      ['redis://u@h', 'h', 6379, 0],
      ['redis://u:@h', 'h', 6379, 0],
      ['redis://u%40x:p%2Fy@h/0', 'h', 6379, 0],
      ['redis://[::1]:6380/1', '::1', 6380, 1],
    ] as const) {
      const client = createClient({ url })
      const { address } = client.pool.stats()
      assert.equal(address, host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, url)
      assert.equal(translateClientOptions({ url }).url, url)
      assert.equal(client.duplicate({ database }).pool.stats().address, address)
    }
    assert.equal(createClient({ url: 'unix:///tmp/redis.sock?db=2' }).pool.stats().address, '/tmp/redis.sock')
  })
})

describe('createClientPool', () => {
  it('takes the bounds of the pool', () => {
    assert.deepEqual(translatePoolOptions({ minimum: 1, maximum: 5, acquireTimeout: 100, cleanupDelay: 1_000 }), {
      minConnections: 1,
      maxConnections: 5,
      acquireTimeout: 100,
      idleTimeout: 1_000,
    })
    const { options } = createClientPool({ socket: { host: 'h' } }, { minimum: 1, maximum: 5 }).pool
    assert.deepEqual([options.minConnections, options.maxConnections], [1, 5])
    assert.match(
      refusal(() => createClientPool({}, { acquireTimeout: 0 })),
      /^acquireTimeout: 0 is for ever there/,
    )
    assert.match(
      refusal(() => createClientPool({}, { minimum: 6, maximum: 5 })),
      /^minConnections: expected at most/,
    )
    assert.match(
      refusal(() => Reflect.apply(createClientPool, undefined, [{}, { maximun: 1 }])),
      /did you mean maximum\?$/,
    )
  })
})

describe('the type of a client', () => {
  // Never called: only their types matter.
  const made = {
    plain: () => createClient().get('key'),
    three: () => createClient({ RESP: 3 }).zRangeWithScores('key', 0, -1),
    two: () => createClient({ RESP: 2 }).zRangeWithScores('key', 0, -1),
    bytes: () => createClient({ commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } } }).get('key'),
    pool: () => createClientPool({ RESP: 2 }, { maximum: 5 }),
    copy: () => createClient({ RESP: 2 }).duplicate(),
    other: () => createClient().duplicate({ RESP: 2 }),
  }
  type Made = { [NAME in keyof typeof made]: Awaited<ReturnType<(typeof made)[NAME]>> }

  it('follows RESP and the type mapping', () => {
    holds<Equal<Made['plain'], string | null>>()
    holds<Equal<Made['bytes'], Buffer | null>>()
    holds<Equal<Made['three'], Made['two']>>()
    holds<Made['pool'] extends Redis<2> ? true : false>()
    holds<Equal<Made['copy'], Redis<2>>>()
    holds<Equal<Made['other'], Redis<2>>>()
    for (const make of Object.values(made)) assert.equal(typeof make, 'function')
    assert.ok(createClient() instanceof Redis)
  })
})

describe('a client with scripts', { skip: liveSkip }, () => {
  const add = defineScript({
    SCRIPT: "return redis.call('incrby', KEYS[1], ARGV[1])",
    NUMBER_OF_KEYS: 1,
    parseCommand(parser: CommandParser, key: string, by: number) {
      parser.pushKey(key)
      parser.push(by.toString())
    },
    transformReply: (value: number) => value,
  })

  it('has them on all that comes from it, with its key prefix and beside its cache', async () => {
    await using server = await RedisProcess.start()
    const options = { url: server.url, keyPrefix: 'p:', scripts: { add }, clientSideCache: {} }
    await using client = await createClient(options).connect()
    assert.equal(await client.add('n', 1), 1)
    assert.equal(await client.get('n'), '1')
    assert.equal(await client.add('n', 2), 3)
    assert.equal(await client.get('n'), '3', 'a reply from before the script')
    assert.deepEqual(await client.multi().add('n', 3).get('n').execTyped(), [6, '6'])
    assert.equal(await client.lease((lease) => lease.add('n', 4)), 10)
    await using copy = client.duplicate()
    assert.equal(await copy.withCommandOptions({ timeout: 1_000 }).add('n', 5), 15)
    assert.deepEqual(await client.sendCommand(['KEYS', '*']), ['p:n'])
  })
})
