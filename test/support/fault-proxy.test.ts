// The proxy harms connections in every way it knows, and never loses a byte of one that goes on.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { FaultProxy } from './fault-proxy.js'
import { leakCheck } from './leak-check.js'

describe('FaultProxy', () => {
  let echo: Server
  let port: number

  before(async () => {
    echo = createServer((socket) => {
      socket.on('error', () => {})
      socket.pipe(socket)
    }).listen(0, '127.0.0.1')
    await once(echo, 'listening')
    port = portOf(echo)
  })
  after(() => echo.close())

  it('passes bytes both ways, sliced and late, in order and whole', async () => {
    const leaks = leakCheck()
    const proxy = await FaultProxy.start({ port, seed: 7 })
    proxy.slice(50)
    proxy.latency(1, 5)
    const sent = Buffer.from(Array.from({ length: 5_000 }, (_, i) => i % 251))
    const socket = connect(proxy.port, '127.0.0.1')
    socket.end(sent)
    assert.deepEqual(await everything(socket), sent)
    assert.equal(proxy.total, 1)
    await proxy.stop()
    await leaks.assertNone()
  })

  it('holds one direction and releases it', async () => {
    await using proxy = await FaultProxy.start({ port })
    const socket = connect(proxy.port, '127.0.0.1')
    socket.write('a')
    assert.equal(String((await once(socket, 'data'))[0]), 'a')
    proxy.hold('down')
    socket.write('b')
    while (proxy.links[0]?.bytes('up') !== 2) await new Promise((resolve) => setImmediate(resolve))
    let early = false
    socket.once('data', () => {
      early = true
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(early, false)
    const arrived = once(socket, 'data')
    proxy.release()
    assert.equal(String((await arrived)[0]), 'b')
    socket.destroy()
  })

  for (const ending of ['fin', 'rst'] as const) {
    it(`cuts after a number of bytes with a ${ending}`, async () => {
      await using proxy = await FaultProxy.start({ port })
      const socket = connect(proxy.port, '127.0.0.1')
      socket.write('x')
      await once(socket, 'data')
      proxy.cutAfter(3, ending)
      const got = endOf(socket)
      socket.write('abcdef')
      const { text, how } = await got
      assert.equal(how, ending === 'fin' ? 'end' : 'ECONNRESET')
      assert.equal(text, 'abc')
      while (proxy.links.length > 0) await new Promise((resolve) => setImmediate(resolve))
    })
  }

  it('kills all, refuses, and leads to another server', async () => {
    const other = createServer((socket) => socket.end('other')).listen(0, '127.0.0.1')
    await once(other, 'listening')
    await using proxy = await FaultProxy.start({ port })
    const socket = connect(proxy.port, '127.0.0.1')
    socket.write('x')
    await once(socket, 'data')
    const end = endOf(socket)
    proxy.killAll()
    assert.equal((await end).how, 'ECONNRESET')
    proxy.refuse()
    assert.equal((await endOf(connect(proxy.port, '127.0.0.1'))).how, 'ECONNREFUSED')
    await proxy.accept()
    proxy.retarget(portOf(other))
    assert.equal((await endOf(connect(proxy.port, '127.0.0.1'))).text, 'other')
    other.close()
  })

  it('ends the client when its server refuses or resets', async () => {
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const closed = portOf(gone)
    gone.close()
    await using proxy = await FaultProxy.start({ port: closed })
    assert.equal((await endOf(connect(proxy.port, '127.0.0.1'))).how, 'ECONNRESET')
    assert.deepEqual(proxy.links, [])
  })

  it('decides the same for the same seed', async () => {
    const sizes = async (seed: number) => {
      const proxy = await FaultProxy.start({ port, seed })
      proxy.slice(20)
      proxy.latency(1, 3)
      const socket = connect(proxy.port, '127.0.0.1')
      socket.end('x'.repeat(100))
      await everything(socket)
      await proxy.stop()
      return proxy.log.map((line) => line.replace(/^seed \d+/, ''))
    }
    assert.deepEqual(await sizes(3), await sizes(3))
  })
})

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function everything(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function endOf(socket: Socket): Promise<{ text: string; how: string }> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('end', () => resolve({ text, how: 'end' }))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve({ text, how: error.code ?? error.message }))
  })
}
