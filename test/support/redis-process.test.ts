// Real servers on demand: TCP, TLS, unix socket, ACL; stopped, killed and started again on their port.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { KeyPair } from './certificates.js'
import { leakCheck } from './leak-check.js'
import { liveSkip, RedisProcess, tlsSkip } from './redis-process.js'

describe('RedisProcess', { skip: liveSkip }, () => {
  it('starts on a free port, keeps that port over a restart, and leaves nothing behind', async () => {
    const leaks = leakCheck()
    const server = await RedisProcess.start({ config: { maxclients: 50 } })
    assert.notEqual(server.port, 6379)
    assert.equal(await server.cli('PING'), 'PONG')
    assert.deepEqual(await server.cli('CONFIG', 'GET', 'maxclients'), ['maxclients', '50'])
    const { port, pid, dir } = server
    await server.cli('SET', 'a', '1')
    await server.restart()
    assert.equal(server.port, port)
    assert.notEqual(server.pid, pid)
    assert.equal(await server.cli('GET', 'a'), null)
    await server.stop()
    assert.equal(existsSync(dir), false)
    await assert.rejects(server.cli('PING'), /ECONNREFUSED/)
    await leaks.assertNone()
  })

  it('lists clients without its own, and gives error replies as errors', async () => {
    await using server = await RedisProcess.start()
    assert.deepEqual(await server.clientList(), [])
    const socket = connect(server.port, '127.0.0.1')
    socket.write('CLIENT SETNAME someone\r\n')
    await new Promise((resolve) => socket.once('data', resolve))
    assert.deepEqual(
      (await server.clientList()).map(({ name }) => name),
      ['someone'],
    )
    socket.destroy()
    await assert.rejects(server.cli('LPUSH'), /ERR wrong number of arguments/)
  })

  it('stands still and goes on', async () => {
    await using server = await RedisProcess.start()
    await server.kill('SIGSTOP')
    let answered = false
    const pong = server.cli('PING').then(() => {
      answered = true
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(answered, false)
    await server.kill('SIGCONT')
    await pong
  })

  it('knows passwords, ACL users and unix sockets', async () => {
    await using server = await RedisProcess.start({ unix: true, acl: ['user app on >secret ~app:* +@read'] })
    assert.equal(existsSync(server.unixPath), true)
    assert.ok(String(await server.cli('ACL', 'LIST')).includes('user app on'))
    await using guarded = await RedisProcess.start({ password: 'pass word' })
    assert.equal(await guarded.cli('PING'), 'PONG')
    assert.equal(new URL(guarded.url).password, 'pass%20word')
  })

  it('takes settings while it runs', async () => {
    await using server = await RedisProcess.start()
    await server.configSet({ maxclients: 77, timeout: 9 })
    assert.deepEqual(await server.cli('CONFIG', 'GET', 'maxclients'), ['maxclients', '77'])
    assert.deepEqual(await server.cli('CONFIG', 'GET', 'timeout'), ['timeout', '9'])
    await assert.rejects(server.configSet({ nonsense: 1 }), /nonsense|Unsupported|Unknown/)
  })

  it('changes its ACL users while it runs, and keeps them over a restart', async () => {
    await using server = await RedisProcess.start({ acl: ['user app on >old ~* +@all'] })
    const users = ['user app on >new ~* +@all', 'user other on nopass ~* +@all']
    await server.setUsers(users)
    const logIn = (password: string) => server.cli('AUTH', 'app', password)
    assert.equal(await logIn('new'), 'OK')
    await assert.rejects(logIn('old'), /WRONGPASS/)
    await server.restart()
    assert.equal(await logIn('new'), 'OK')
  })

  it('keeps what it acknowledged over a kill when it is durable', async () => {
    await using server = await RedisProcess.start({ durable: true })
    for (let index = 0; index < 20; index++) await server.cli('RPUSH', 'list', String(index))
    await server.restart()
    assert.equal(await server.cli('LLEN', 'list'), 20)
    await server.cli('RPUSH', 'list', 'more')
    await server.restart()
    assert.equal(await server.cli('LLEN', 'list'), 21)
  })

  it('keeps what it has over an end in good order', async () => {
    await using server = await RedisProcess.start()
    await server.cli('SET', 'key', 'value')
    await server.shutDown()
    await assert.rejects(server.cli('PING'), /ECONNREFUSED/)
    await server.restart()
    assert.equal(await server.cli('GET', 'key'), 'value')
  })

  it('follows a master with a password from its start, leads when told to, and follows again', async () => {
    await using master = await RedisProcess.start({ password: 'secret' })
    await master.cli('SET', 'key', 'of the master')
    await using replica = await RedisProcess.start({ replicaOf: master })
    await replica.inSync()
    assert.equal(await replica.cli('GET', 'key'), 'of the master')
    await assert.rejects(replica.cli('SET', 'key', 'x'), /READONLY/)
    await replica.follow(undefined)
    assert.equal(await replica.cli('SET', 'key', 'of its own'), 'OK')
    await assert.rejects(replica.inSync(50), /not in sync within 50 ms: master/)
    await replica.follow(master)
    await replica.inSync()
    assert.equal(await replica.cli('GET', 'key'), 'of the master')
  })

  it('says what the server said when it does not start', async () => {
    await assert.rejects(RedisProcess.start({ config: { nonsense: 1 } }), /redis-server ended with 1: [\s\S]*nonsense/)
  })
})

describe('RedisProcess over TLS', { skip: tlsSkip() }, () => {
  it('speaks TLS with a certificate of an authority of its own', async () => {
    await using server = await RedisProcess.start({ tls: true })
    assert.match(server.url, /^rediss:/)
    assert.equal(await server.cli('PING'), 'PONG')
    assert.equal(await greeting(server), 'trusted')
  })

  for (const [kind, code] of [
    ['self-signed', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['expired', 'CERT_HAS_EXPIRED'],
    ['wrong name', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['other authority', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ] as const) {
    it(`shows a certificate that is bad: ${kind}`, async () => {
      await using server = await RedisProcess.start({ tls: kind })
      assert.equal(await server.cli('PING'), 'PONG')
      assert.equal(await greeting(server), code)
    })
  }

  it('refuses a client without a certificate, and takes one with', async () => {
    await using server = await RedisProcess.start({ tls: true, clientCertificate: true })
    assert.match(await greeting(server), /CERTIFICATE_REQUIRED/)
    assert.equal(await greeting(server, { shown: server.tls?.client }), 'trusted')
    await using other = await RedisProcess.start({ tls: true })
    assert.match(await greeting(server, { shown: other.tls?.client }), /UNKNOWN_CA/)
  })

  it('changes its certificate while it runs, for connections to come', async () => {
    await using server = await RedisProcess.start({ tls: true })
    const before = server.tls?.ca
    const old = await connected(server)
    const { ca } = await server.changeCertificate()
    assert.notEqual(ca, before)
    assert.equal(await greeting(server), 'trusted')
    assert.match(await greeting(server, { trusted: before }), /SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY/)
    old.write('PING\r\n')
    assert.equal(String((await once(old, 'data'))[0]), '+PONG\r\n')
    old.destroy()
    await server.changeCertificate('expired')
    assert.equal(await greeting(server), 'CERT_HAS_EXPIRED')
  })
})

interface Greeting {
  readonly trusted?: string | undefined
  readonly shown?: KeyPair | undefined
}

function dial(server: RedisProcess, { trusted = server.tls?.ca, shown }: Greeting = {}): TLSSocket {
  assert.ok(trusted)
  const own = shown && { cert: readFileSync(shown.cert), key: readFileSync(shown.key) }
  return connectTls({ host: '127.0.0.1', port: server.port, ca: readFileSync(trusted), ...own })
}

async function connected(server: RedisProcess): Promise<TLSSocket> {
  const socket = dial(server)
  await once(socket, 'secureConnect')
  return socket
}

/** `trusted` when a PING is answered, else the code of what went wrong. */
async function greeting(server: RedisProcess, options?: Greeting): Promise<string> {
  const socket = dial(server, options)
  try {
    socket.write('PING\r\n')
    const [bytes] = await once(socket, 'data')
    return String(bytes) === '+PONG\r\n' ? 'trusted' : String(bytes)
  } catch (error) {
    return String(Reflect.get(Object(error), 'code'))
  } finally {
    socket.destroy()
  }
}
