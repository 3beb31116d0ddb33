// Real servers on demand: TCP, TLS, unix socket, ACL; stopped, killed and started again on their port.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
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

  it('says what the server said when it does not start', async () => {
    await assert.rejects(RedisProcess.start({ config: { nonsense: 1 } }), /redis-server ended with 1: [\s\S]*nonsense/)
  })
})

describe('RedisProcess over TLS', { skip: tlsSkip() }, () => {
  it('speaks TLS with a certificate of an authority of its own', async () => {
    await using server = await RedisProcess.start({ tls: true })
    assert.match(server.url, /^rediss:/)
    assert.equal(await server.cli('PING'), 'PONG')
    assert.equal(existsSync(server.tls?.ca ?? ''), true)
  })
})
