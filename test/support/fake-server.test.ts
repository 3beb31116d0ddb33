// The scripted server does what its script says, to the byte.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { FakeServer } from './fake-server.js'
import { leakCheck } from './leak-check.js'
import { encodeCommand, encodeReply, OK } from './resp.js'

describe('FakeServer', () => {
  it('answers a handshake by itself, over TCP and over a unix socket', async () => {
    const leaks = leakCheck()
    for (const unix of [false, true]) {
      const server = await FakeServer.start({ unix })
      const wire = new Wire(unix ? connect(server.path) : connect(server.port, '127.0.0.1'))
      wire.send('HELLO', '3', 'SETNAME', 'app')
      assert.match(await wire.until('modules\r\n*0\r\n'), /^%7\r\n.*\r\nproto\r\n:3\r\n/s)
      wire.send('SELECT', '2')
      wire.send('PING', 'nonce')
      assert.equal(await wire.until('nonce\r\n'), '+OK\r\n$5\r\nnonce\r\n')
      assert.deepEqual(server.received[1], ['SELECT', '2'])
      await server.stop()
    }
    await leaks.assertNone()
  })

  it('follows expectations in order, once each, and says which never came', async () => {
    await using server = await FakeServer.start()
    server.expect('GET', 'a').reply('first')
    server
      .expect('get')
      .times(2)
      .reply((args) => `any ${args[1]}`)
    const wire = new Wire(connect(server.port, '127.0.0.1'))
    wire.send('get', 'b')
    wire.send('GET', 'a')
    assert.equal(await wire.until('first\r\n'), '$5\r\nany b\r\n$5\r\nfirst\r\n')
    assert.throws(() => server.verify(), /never came: get/)
    wire.send('GET', 'a')
    await server.until('GET', 3)
    server.verify()
    wire.send('GET', 'z')
    assert.match(await wire.until('expect it\r\n'), /-ERR unknown command 'GET'/)
  })

  it('keeps replies in order when one of them waits', async () => {
    await using server = await FakeServer.start()
    let go: () => void = () => {}
    server
      .expect('GET')
      .wait(new Promise<void>((resolve) => (go = resolve)))
      .reply('late')
    const wire = new Wire(connect(server.port, '127.0.0.1'))
    wire.send('GET', 'a')
    wire.send('PING')
    await server.until('PING')
    assert.equal(wire.text, '')
    go()
    assert.equal(await wire.until('PONG\r\n'), '$4\r\nlate\r\n+PONG\r\n')
  })

  it('sends half a reply and then ends, resets or falls silent', async () => {
    await using server = await FakeServer.start()
    server.expect('GET', 'fin').raw('$5\r\nhe').fin()
    server.expect('GET', 'rst').raw('$5\r\nhe').rst()
    server.expect('GET', 'stall').raw('$5\r\nhe').stall()
    const endings = []
    for (const key of ['fin', 'rst', 'stall']) {
      const wire = new Wire(connect(server.port, '127.0.0.1'))
      wire.send('GET', key)
      wire.send('PING')
      if (key === 'stall') endings.push(['open', await wire.until('he')])
      else endings.push([await wire.ending, wire.text])
    }
    assert.deepEqual(endings, [
      ['end', '$5\r\nhe'],
      ['ECONNRESET', '$5\r\nhe'],
      ['open', '$5\r\nhe'],
    ])
  })

  it('accepts in silence, closes at once, and refuses until it listens again', async () => {
    await using server = await FakeServer.start()
    server.manner = 'silent'
    const silent = new Wire(connect(server.port, '127.0.0.1'))
    silent.send('PING')
    await server.until('PING')
    server.manner = 'closing'
    assert.equal(await new Wire(connect(server.port, '127.0.0.1')).ending, 'end')
    server.refuse()
    assert.equal(await new Wire(connect(server.port, '127.0.0.1')).ending, 'ECONNREFUSED')
    assert.equal(silent.text, '')
    server.manner = 'answering'
    await server.listen()
    const wire = new Wire(connect(server.port, '127.0.0.1'))
    wire.send('PING')
    await wire.until('PONG\r\n')
  })

  it('writes values as each protocol does', () => {
    const value = [null, true, 1.5, 7, OK, new Error('ERR x'), new Map([['k', [1]]])]
    assert.equal(
      String(encodeReply(value, 3)),
      '*7\r\n_\r\n#t\r\n,1.5\r\n:7\r\n+OK\r\n-ERR x\r\n%1\r\n$1\r\nk\r\n*1\r\n:1\r\n',
    )
    assert.equal(
      String(encodeReply(value, 2)),
      '*7\r\n$-1\r\n:1\r\n$3\r\n1.5\r\n:7\r\n+OK\r\n-ERR x\r\n*2\r\n$1\r\nk\r\n*1\r\n:1\r\n',
    )
  })
})

class Wire {
  text = ''
  /** `end`, or the code of the error. */
  readonly ending: Promise<string>
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.text += chunk
    })
    this.ending = new Promise((resolve) => {
      socket.on('end', () => resolve('end'))
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
  }

  send(...args: string[]): void {
    this.#socket.write(encodeCommand(args))
  }

  /** What has come since the last call, once it ends like this. */
  async until(end: string): Promise<string> {
    while (!this.text.endsWith(end)) await once(this.#socket, 'data')
    const { text } = this
    this.text = ''
    return text
  }
}
