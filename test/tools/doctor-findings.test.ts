// What the doctor makes of facts: each finding that takes long to plant on a server, or cannot be planted at all.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clientFindings } from '../../src/tools/doctor-clients.js'
import type { ServerFacts } from '../../src/tools/doctor-facts.js'
import type { Finding } from '../../src/tools/doctor-finding.js'
import { roundTripFindings } from '../../src/tools/doctor-round-trips.js'
import { serverFindings } from '../../src/tools/doctor-server.js'
import { slowFindings } from '../../src/tools/doctor-slow.js'
import { tlsFindings } from '../../src/tools/doctor-tls.js'
import { commandTimes, readClients, readInfo } from '../../src/tools/server-info.js'

const CALM = { p50: 0.1, p99: 0.3, max: 1 }
const DAY = 86_400_000

interface Told {
  readonly info?: string
  readonly clients?: string
  readonly commands?: string
  readonly settings?: Partial<Record<keyof ServerFacts['settings'], string>>
  readonly slowlog?: ServerFacts['slowlog']['value']
  readonly protocol?: number
}

function facts({
  info = '',
  clients = '',
  commands = '',
  settings = {},
  slowlog = [],
  protocol = 3,
}: Told): ServerFacts {
  const preset = { timeout: '0', 'tcp-keepalive': '300', maxclients: '100', maxmemory: '0' }
  const all = { ...preset, 'maxmemory-policy': 'noeviction', 'slowlog-log-slower-than': '10000', ...settings }
  return {
    at: 1_000 * DAY,
    address: 'db:6379',
    roundTrips: { pings: { value: { count: 300, ...CALM } }, loop: CALM },
    tls: undefined,
    protocol: { value: protocol },
    info: { value: readInfo(info) },
    commands: { value: commandTimes(readInfo(commands)) },
    settings: {
      timeout: { value: all.timeout },
      'tcp-keepalive': { value: all['tcp-keepalive'] },
      maxclients: { value: all.maxclients },
      maxmemory: { value: all.maxmemory },
      'maxmemory-policy': { value: all['maxmemory-policy'] },
      'slowlog-log-slower-than': { value: all['slowlog-log-slower-than'] },
    },
    clients: { value: readClients(clients) },
    slowlog: { value: slowlog },
    pool: { maxConnections: 10, idleTimeout: 60_000, pingInterval: 30_000 },
  }
}

const troubles = (findings: readonly Finding[]): string[] =>
  findings.filter(({ severity }) => severity !== 'ok').map(({ topic, severity }) => `${topic} ${severity}`)

const of = (findings: readonly Finding[], topic: string): Finding =>
  findings.find((finding) => finding.topic === topic) ?? assert.fail(`nothing about ${topic}`)

const client = (fields: string): string =>
  `id=1 addr=10.0.0.7:4711 name=web age=9000 idle=1 flags=N cmd=get ${fields}\n`

describe('round trips', () => {
  const judged = (pings: typeof CALM, loop: typeof CALM): string[] =>
    troubles(roundTripFindings({ pings: { value: { count: 300, ...pings } }, loop }))

  it('that are slow are blamed on the server, unless this process was late itself', () => {
    const slow = { p50: 1, p99: 90, max: 120 }
    assert.deepEqual(judged(CALM, CALM), [])
    assert.deepEqual(judged(slow, CALM), ['round-trips warning'])
    assert.deepEqual(judged(slow, { p50: 0, p99: 70, max: 110 }), ['round-trips note'])
    assert.deepEqual(judged({ p50: 20, p99: 22, max: 30 }, CALM), ['round-trips note'])
  })
})

describe('what a server says of itself', () => {
  const judged = (info: string, more: Told = {}): string[] => troubles(serverFindings(facts({ info, ...more })))

  it('is judged by version, protocol and mode', () => {
    assert.deepEqual(judged('redis_version:5.0.7', { protocol: 2 }), ['version warning', 'protocol note'])
    assert.deepEqual(judged('redis_version:6.0.16'), ['version note'])
    assert.deepEqual(judged('redis_version:7.2.4\r\nvalkey_version:9.1.1\r\nrole:master'), [])
    assert.deepEqual(judged('redis_version:7.0.15\r\nredis_mode:cluster'), ['mode note'])
    assert.deepEqual(judged('redis_version:7.0.15\r\nredis_mode:sentinel'), ['mode note'])
  })

  it('is judged by what it is doing', () => {
    assert.deepEqual(judged('loading:1\r\nloading_eta_seconds:30'), ['loading critical'])
    assert.deepEqual(judged('role:slave\r\nslave_read_only:1'), ['role warning'])
    assert.deepEqual(judged('role:slave\r\nslave_read_only:0\r\nmaster_link_status:down'), [
      'role note',
      'replication critical',
    ])
  })

  it('is judged by its memory', () => {
    const memory = (used: number, policy: string) =>
      judged(`used_memory:${used}\r\nmaxmemory:1000\r\nmaxmemory_policy:${policy}`)
    assert.deepEqual(memory(500, 'noeviction'), [])
    assert.deepEqual(memory(950, 'noeviction'), ['memory warning'])
    assert.deepEqual(memory(1_000, 'noeviction'), ['memory critical'])
    assert.deepEqual(memory(1_000, 'allkeys-lru'), [])
    assert.deepEqual(judged('used_memory:5\r\nmaxmemory:0\r\nevicted_keys:7'), ['memory note', 'evictions note'])
  })

  it('is judged by its saves', () => {
    assert.deepEqual(
      judged(
        'rdb_last_bgsave_status:err\r\naof_enabled:1\r\naof_last_write_status:err\r\naof_last_bgrewrite_status:err\r\nlatest_fork_usec:900000\r\naof_delayed_fsync:3',
      ),
      ['snapshots critical', 'append-only-file critical', 'append-only-file warning', 'fork warning', 'disk warning'],
    )
    assert.deepEqual(judged('rdb_last_bgsave_status:ok\r\naof_last_write_status:ok\r\nlatest_fork_usec:900'), [])
  })
})

describe("a server's clients", () => {
  const judged = (told: Told): Finding[] => clientFindings(facts(told), undefined)

  it('that are idle are named, but not those that wait or listen', () => {
    const idle = client('').replace('idle=1', 'idle=9000')
    const found = judged({ clients: idle + idle + client('') })
    assert.deepEqual(troubles(found), ['idle-clients warning'])
    assert.match(of(found, 'idle-clients').seen, /^2 clients said nothing for more than an hour, one for 2 h$/)
    assert.match(
      of(found, 'idle-clients').remedy ?? '',
      /look at web first; the server itself never closes idle clients/,
    )
    assert.deepEqual(
      troubles(judged({ clients: idle.replace('flags=N', 'flags=b') + idle.replace('cmd=get', 'sub=2') })),
      [],
    )
    assert.deepEqual(troubles(judged({ clients: idle + client('').repeat(3) })), ['idle-clients note'])
  })

  it('without names, and with replies that they do not read, are named too', () => {
    assert.deepEqual(troubles(judged({ clients: client('').replace('name=web', 'name=').repeat(2) + client('') })), [
      'names note',
    ])
    const heavy = judged({ clients: client('omem=5242880') })
    assert.deepEqual(troubles(heavy), ['output-buffers warning'])
    assert.match(of(heavy, 'output-buffers').seen, /^5 MiB wait to be read by 1 client$/)
    assert.deepEqual(troubles(judged({ info: 'client_output_buffer_limit_disconnections:2' })), [
      'output-buffers warning',
    ])
  })

  it('are grouped by name, or by library and address where they have none', () => {
    const found = judged({
      clients: `${client('lib-name=respool').repeat(3)}id=2 addr=[::1]:5 name= age=1 idle=2 cmd=ping lib-name=jedis\nid=3 addr=/tmp/redis.sock:0 name= idle=0\n`,
    })
    assert.equal(
      of(found, 'who').seen,
      'web: 3 from 10.0.0.7, respool, idle for up to 1s; (no name) jedis: 1 from ::1, idle for up to 2s; (no name) unix: 1 from unix, idle for up to 0s',
    )
  })
})

describe('slow commands', () => {
  it('are told from those that are meant to take their time', () => {
    const judged = (commands: string): string[] => troubles(slowFindings(facts({ commands })))
    assert.deepEqual(judged('cmdstat_get:calls=9,usec=9,usec_per_call=1.00'), [])
    assert.deepEqual(judged('cmdstat_evalsha:calls=3,usec=60000,usec_per_call=20000.00'), ['scripts warning'])
    assert.deepEqual(judged('cmdstat_hgetall:calls=3,usec=60000,usec_per_call=20000.00'), ['commands warning'])
    assert.deepEqual(judged('cmdstat_debug:calls=3,usec=60000,usec_per_call=20000.00'), [])
    assert.deepEqual(judged('cmdstat_config|get:calls=3,usec=60000,usec_per_call=20000.00'), [])
    assert.deepEqual(judged('cmdstat_keys:calls=3,usec=60,usec_per_call=20.00'), ['keys note'])
    assert.deepEqual(judged('cmdstat_get:nonsense'), [])
  })

  it('of long ago are history, and a log that is off is said to be', () => {
    const entry = (ago: number) => [{ at: 1_000 * DAY - ago, microseconds: 300_000, command: 'EVAL' }]
    assert.deepEqual(troubles(slowFindings(facts({ slowlog: entry(60_000) }))), ['slowlog warning'])
    assert.deepEqual(troubles(slowFindings(facts({ slowlog: entry(2 * DAY) }))), ['slowlog note'])
    assert.deepEqual(troubles(slowFindings(facts({ settings: { 'slowlog-log-slower-than': '-1' } }))), ['slowlog note'])
  })
})

describe('a certificate', () => {
  it('is told to be renewed in time, and an old protocol to be switched off', () => {
    const tls = { protocol: 'TLSv1.3', cipher: 'X', subject: 'db', issuer: 'us', names: 'DNS:db', validTo: 0 }
    const judged = (days: number, protocol = 'TLSv1.3'): string[] =>
      troubles(tlsFindings({ ...tls, protocol, validTo: 1_000 * DAY + days * DAY }, 1_000 * DAY))
    assert.deepEqual(judged(90), [])
    assert.deepEqual(judged(20), ['tls-certificate warning'])
    assert.deepEqual(judged(3), ['tls-certificate critical'])
    assert.deepEqual(judged(90, 'TLSv1.1'), ['tls warning'])
  })
})
