// What the doctor finds on real servers: the healthy one, those that cannot be reached, those that tell nothing, and
// each trouble that was planted.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { type DoctorDocument, type DoctorOptions, doctor } from '../../src/tools/doctor.js'
import type { Finding } from '../../src/tools/doctor-finding.js'
import { FakeServer } from '../support/fake-server.js'
import { freePort } from '../support/free-port.js'
import { liveSkip, RedisProcess, tlsSkip } from '../support/redis-process.js'

const examine = (url: string, more: Partial<DoctorOptions> = {}, ca?: string): Promise<DoctorDocument> =>
  doctor({ patient: { url, ca }, fleet: undefined, endpoints: [], signal: new AbortController().signal, ...more })

const about = ({ findings }: DoctorDocument, topic: string): Finding =>
  findings.find((finding) => finding.topic === topic) ??
  assert.fail(`nothing about ${topic}: ${JSON.stringify(findings, null, 1)}`)

const troubles = ({ findings }: DoctorDocument): string[] =>
  findings.filter(({ severity }) => severity === 'warning' || severity === 'critical').map(({ topic }) => topic)

describe('the doctor, on a healthy server', { skip: liveSkip }, () => {
  it('finds nothing but notes, and leaves no connection', async () => {
    await using server = await RedisProcess.start()
    const document = await examine(server.url)
    assert.deepEqual(troubles(document), [])
    assert.equal(document.exitCode, 0)
    assert.equal(document.server, `127.0.0.1:${server.port}`)
    for (const topic of ['reachability', 'version', 'role', 'clients', 'who', 'timeout', 'tcp-keepalive', 'slowlog'])
      assert.equal(about(document, topic).severity, 'ok', topic)
    assert.match(about(document, 'protocol').seen, /^RESP3$/)
    assert.match(about(document, 'round-trips').seen, /^300 PINGs: half within [\d.]+ ms/)
    assert.match(about(document, 'memory').seen, /no maxmemory/)
    assert.deepEqual(await server.clientList(), [])
  })

  it('does the sum of a fleet', async () => {
    await using server = await RedisProcess.start({ config: { maxclients: 100 } })
    const of = async (processes: number, maxConnections?: number) =>
      about(await examine(server.url, { fleet: { processes, maxConnections } }), 'fleet')
    assert.equal((await of(7, 10)).severity, 'ok')
    assert.equal((await of(8, 10)).severity, 'warning')
    const tooMany = await of(20)
    assert.equal(tooMany.severity, 'critical')
    assert.match(tooMany.seen, /20 processes of 10 connections each want up to 200; the server takes 100/)
    assert.match(tooMany.remedy ?? '', /maxConnections: 3 /)
  })
})

describe('the doctor, at a server that cannot be used', () => {
  const unreached = async (url: string, ca?: string): Promise<Finding> => {
    const document = await examine(url, {}, ca)
    assert.equal(document.exitCode, 69)
    assert.deepEqual([document.findings.length, document.worst], [1, 'critical'])
    return about(document, 'reachability')
  }

  it('tells a port at which nobody listens from a name that DNS does not know', async () => {
    const refused = await unreached(`redis://127.0.0.1:${await freePort()}`)
    assert.match(refused.means ?? '', /nobody listens on this port/)
    const unknown = await unreached('redis://no-such-host.invalid')
    assert.match(unknown.means ?? '', /^DNS /)
    assert.match((await unreached('unix:///no/such/socket')).means ?? '', /no unix socket/)
  })

  it('tells what speaks no RESP, and what says nothing', async () => {
    await using server = await FakeServer.start()
    server.expect('HELLO').raw('HTTP/1.1 400 Bad Request\r\n\r\n').always()
    assert.match((await unreached(server.url)).means ?? '', /does not speak the protocol of Redis/)
  })

  it('tells a server that loads its data', async () => {
    await using server = await FakeServer.start({
      fallback: () => new Error('LOADING Redis is loading the dataset in memory'),
    })
    server.expect('HELLO').reply(new Error('LOADING Redis is loading the dataset in memory')).always()
    assert.match((await unreached(server.url)).means ?? '', /loads its data/)
  })

  it('tells a wrong password from a missing one, and shows neither', { skip: liveSkip }, async () => {
    await using server = await RedisProcess.start({ password: 'right' })
    const wrong = await unreached(`redis://:hush@127.0.0.1:${server.port}`)
    assert.match(wrong.means ?? '', /refuses this user or password/)
    assert.doesNotMatch(JSON.stringify(wrong), /hush/)
    assert.match((await unreached(`redis://127.0.0.1:${server.port}`)).means ?? '', /wants a password/)
    assert.match((await unreached(`${server.url}/99`)).means ?? '', /no database of this number/)
  })

  it('tells a server that takes no more clients', { skip: liveSkip }, async () => {
    await using server = await RedisProcess.start()
    await server.configSet({ maxclients: 1 })
    const holder = connect({ host: '127.0.0.1', port: server.port })
    holder.write('PING\r\n')
    await new Promise((resolve) => holder.once('data', resolve))
    try {
      assert.match((await unreached(server.url)).means ?? '', /all of maxclients are connected/)
    } finally {
      holder.destroy()
    }
  })

  it('calls a server that was stopped slow, in the words of the exhaustion error', { skip: liveSkip }, async () => {
    await using server = await RedisProcess.start()
    await server.kill('SIGSTOP')
    const found = await unreached(server.url)
    await server.kill('SIGCONT')
    assert.match(found.means ?? '', /slow-server/)
  })

  it('names each kind of bad certificate, and a port without TLS', { skip: tlsSkip() }, async () => {
    const expected = {
      expired: /certificate has expired/,
      'self-signed': /signed by nobody but itself/,
      'wrong name': /is for another name/,
      'other authority': /authority .* unknown here|authority that this machine does not know/,
    } as const
    await using server = await RedisProcess.start({ tls: true })
    for (const [kind, means] of Object.entries(expected)) {
      const files = await server.changeCertificate(kind as keyof typeof expected)
      assert.match((await unreached(server.url, pem(files.ca))).means ?? '', means, kind)
    }
    await using plain = await RedisProcess.start()
    assert.match(
      (await unreached(plain.url.replace('redis:', 'rediss:'))).means ?? '',
      /may not speak TLS|closed the connection/,
    )
    assert.match((await unreached(server.url.replace('rediss:', 'redis:'))).means ?? '', /TLS port/)
  })

  it('over TLS sees protocol, cipher and how long the certificate lasts', { skip: tlsSkip() }, async () => {
    await using server = await RedisProcess.start({ tls: true })
    const document = await examine(server.url, {}, pem(server.tls?.ca ?? ''))
    assert.match(about(document, 'tls').seen, /^TLSv1\.3 with TLS_/)
    const certificate = about(document, 'tls-certificate')
    assert.match(certificate.seen, /certificate of server \(DNS:localhost, IP Address:127\.0\.0\.1\).* 1 more days?$/)
    assert.deepEqual([certificate.severity, document.exitCode], ['critical', 2])
  })
})

describe('the doctor, at a server that tells little', { skip: liveSkip }, () => {
  it('says for each refusal of an ACL what to grant, and fails at none', async () => {
    await using server = await RedisProcess.start({
      acl: ['user app on >secret -@all +ping +@connection -client|list'],
    })
    const document = await examine(`redis://app:secret@127.0.0.1:${server.port}`)
    assert.deepEqual(troubles(document), [])
    assert.equal(document.exitCode, 0)
    const lost: [string, string][] = [
      ['info', '+info'],
      ['clients', '+config|get'],
      ['who', '+client|list'],
      ['timeout', '+config|get'],
      ['commands', '+info'],
      ['slowlog', '+slowlog|get'],
    ]
    for (const [topic, right] of lost) {
      const finding = about(document, topic)
      assert.equal(finding.severity, 'note', topic)
      assert.match(finding.seen, /could not be asked, because the user has no right to ask \(NOPERM\)/)
      assert.ok(finding.remedy?.includes(`ACL SETUSER <user> ${right} `), finding.remedy)
    }
    assert.doesNotMatch(JSON.stringify(document), /secret/)
  })

  it('with the rights that the help names asks everything', async () => {
    const rights = '+info +ping +hello +config|get +client|list +slowlog|get'
    await using server = await RedisProcess.start({ acl: [`user app on >secret -@all ${rights}`] })
    const document = await examine(`redis://app:secret@127.0.0.1:${server.port}`)
    assert.doesNotMatch(JSON.stringify(document), /could not be asked/)
  })

  it('says of commands that were renamed that the server does not know them', async () => {
    await using server = await RedisProcess.start({
      config: { 'rename-command': ['CONFIG ""', 'SLOWLOG ""'] },
    })
    const document = await examine(server.url)
    assert.match(about(document, 'timeout').seen, /because the server knows no such command, or not by this name/)
    assert.match(about(document, 'timeout').means ?? '', /a pool cannot learn/)
    assert.deepEqual(troubles(document), [])
  })
})

describe('the doctor, at a server in trouble', { skip: liveSkip }, () => {
  it('names a slow script, without its arguments', async () => {
    await using server = await RedisProcess.start()
    const busy =
      "local t = redis.call('TIME') local e = t[1] * 1e6 + t[2] + 150000 repeat t = redis.call('TIME') until t[1] * 1e6 + t[2] > e"
    await server.cli('EVAL', busy, '1', 'secret-key')
    const document = await examine(server.url)
    assert.match(about(document, 'scripts').seen, /slow scripts: EVAL 1\d\d ms on average over 1 call/)
    assert.match(about(document, 'scripts').means ?? '', /^slow-server/)
    assert.match(about(document, 'slowlog').seen, /the slowest, EVAL, took 1\d\d ms/)
    assert.equal(document.exitCode, 1)
    assert.doesNotMatch(JSON.stringify(document), /secret-key|redis\.call/)
  })

  it('sees who fills it, who is idle, and what it has refused', async () => {
    await using server = await RedisProcess.start({ config: { maxclients: 10 } })
    const sockets = Array.from({ length: 9 }, () => connect({ host: '127.0.0.1', port: server.port }))
    try {
      for (const socket of sockets) {
        socket.on('error', () => {})
        socket.write('CLIENT SETNAME crowd\r\n')
        await new Promise((resolve) => socket.once('data', resolve))
      }
      const over = connect({ host: '127.0.0.1', port: server.port })
      over.on('error', () => {})
      sockets.push(over)
      const another = connect({ host: '127.0.0.1', port: server.port })
      another.on('error', () => {})
      await new Promise((resolve) => another.once('close', resolve).resume())
      over.destroy()
      const document = await examine(server.url)
      const clients = about(document, 'clients')
      assert.equal(clients.severity, 'critical', clients.seen)
      assert.match(about(document, 'who').seen, /^crowd: 9 from 127\.0\.0\.1, idle for up to \ds$/)
      assert.match(about(document, 'rejected').seen, /^\d+ connections? refused/)
      assert.equal(document.exitCode, 2)
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  })

  it('names settings that do not fit, a replica, and a memory that is full', async () => {
    await using server = await RedisProcess.start({
      config: { timeout: 5, 'tcp-keepalive': 0, maxmemory: 500_000, 'maxmemory-policy': 'noeviction' },
    })
    const document = await examine(server.url)
    assert.equal(about(document, 'timeout').severity, 'warning')
    assert.equal(about(document, 'tcp-keepalive').severity, 'warning')
    assert.equal(about(document, 'memory').severity, 'critical')
    await server.configSet({ timeout: 30, maxmemory: 0 })
    assert.match(about(await examine(server.url), 'timeout').seen, /\(timeout 30\); idleTimeout of a pool is 60 s/)
    assert.equal(about(await examine(`${server.url}?idleTimeout=20s`), 'timeout').severity, 'ok')

    await using replica = await RedisProcess.start({ replicaOf: server })
    await replica.inSync()
    assert.match(about(await examine(replica.url), 'role').means ?? '', /READONLY/)
    await server.kill('SIGKILL')
    await untilDown(replica)
    assert.equal(about(await examine(replica.url), 'replication').severity, 'critical')
  })
})

describe('the doctor, in the middle of it', () => {
  it('says so when the server goes away', async () => {
    await using server = await FakeServer.start()
    server.expect('INFO').rst().always()
    const document = await examine(server.url)
    assert.match(about(document, 'answers').seen, /could not be asked to the end/)
    assert.equal(document.exitCode, 2)
  })

  it('calls a server that stops answering slow', async () => {
    await using server = await FakeServer.start()
    server.expect('INFO').stall().always()
    const document = await examine(server.url)
    assert.match(about(document, 'answers').means ?? '', /^slow-server/)
  })

  it('ends at once when it is interrupted', async () => {
    await using server = await FakeServer.start()
    const ending = new AbortController()
    server
      .expect('INFO')
      .do(() => ending.abort())
      .stall()
    const document = await examine(server.url, { signal: ending.signal })
    assert.deepEqual([document.interrupted, document.worst, document.exitCode], [true, null, null])
    assert.deepEqual(troubles(document), [])
  })
})

async function untilDown(replica: RedisProcess): Promise<void> {
  await until(async () => (await replica.info('replication')).master_link_status === 'down')
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error('it did not come to that within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const pem = (file: string): string => readFileSync(file, 'utf8')
