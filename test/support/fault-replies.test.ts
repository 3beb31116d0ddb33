// The proxy's faults by replies and commands: stops behind them and inside them at every byte, replies lost with their
// connection, and the tampering that no network does.

import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { until } from '../live/support-live.js'
import { FaultProxy } from './fault-proxy.js'
import { answer, RawClient, WordServer } from './raw-ends.js'

const PUSH = '>2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n'

let server: WordServer
let proxy: FaultProxy
let client: RawClient

beforeEach(async () => {
  server = await WordServer.start()
  proxy = await FaultProxy.start({ port: server.port, seed: 11 })
  client = new RawClient(proxy.port)
  client.send('hello')
  await until('the first answer', () => client.text === answer('hello'))
  client.pieces.length = 0
})
afterEach(async () => {
  client.socket.destroy()
  await proxy.stop()
  await server[Symbol.asyncDispose]()
})

const link = () => proxy.links[0] ?? assert.fail('there is no link')
const arrived = (text: string) => until(`${JSON.stringify(text)} to arrive`, () => client.text === text)
const ended = () => until('the end', () => client.how !== undefined)
const toServer = (words: readonly string[]) => until('words at the server', () => server.words.length === words.length)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('stops of the fault proxy', () => {
  for (const ending of ['fin', 'rst'] as const) {
    it(`ends behind a number of replies with a ${ending}, whole to the last byte`, async () => {
      link().cutAfter({ replies: 2 }, ending)
      client.send('a', 'b', 'c')
      await ended()
      assert.deepEqual([client.text, client.how], [answer('a', 'b'), ending === 'fin' ? 'end' : 'ECONNRESET'])
    })
  }

  it('ends behind a number of commands, which the server has got', async () => {
    link().cutAfter({ commands: 2 }, 'rst')
    client.send('a', 'b', 'c')
    await ended()
    await toServer(['hello', 'a', 'b'])
    assert.deepEqual(server.words, ['hello', 'a', 'b'])
  })

  it('counts replies that begin from now on, and no pushes', async () => {
    proxy.hold('down')
    client.send('under way')
    await toServer(['hello', 'under way'])
    link().holdAfter(5)
    proxy.release()
    await arrived(answer('under way').slice(0, 5))
    link().cutAfter({ replies: 1 }, 'rst')
    link().release()
    await arrived(answer('under way'))
    server.sockets[0]?.write(PUSH)
    await arrived(answer('under way') + PUSH)
    client.send('next', 'never')
    await ended()
    assert.equal(client.text, answer('under way') + PUSH + answer('next'))
  })

  it('ends inside a reply, at every byte of it', async () => {
    const whole = answer('abc')
    for (let byte = 1; byte < whole.length; byte++) {
      using fresh = new RawClient(proxy.port)
      await until('its link', () => proxy.links.length === 2)
      proxy.links[1]?.cutAfter({ insideReply: 2, byte }, 'rst')
      fresh.send('first', 'abc', 'never')
      await until('the end', () => fresh.how !== undefined)
      assert.equal(fresh.text, answer('first') + whole.slice(0, byte))
      await until('the link to go', () => proxy.links.length === 1)
    }
  })

  it('ends inside a reply at a byte that the seed chooses, and says which', async () => {
    link().cutAfter({ insideReply: 1 }, 'rst')
    client.send('long enough')
    await ended()
    const byte = Number(/at byte (\d+) of 18/.exec(proxy.log.join('\n'))?.[1])
    assert.ok(byte > 0 && byte < 18)
    assert.equal(client.text, answer('long enough').slice(0, byte))
  })

  it('ends inside a command, which the server does not get', async () => {
    link().cutAfter({ insideCommand: 2 }, 'rst')
    client.send('a', 'b')
    await ended()
    assert.deepEqual(server.words, ['hello', 'a'])
  })

  it('holds behind a reply, inside a reply and inside a command, and loses nothing', async () => {
    link().holdAfter({ replies: 1 })
    client.send('a', 'b')
    await arrived(answer('a'))
    link().release()
    await arrived(answer('a', 'b'))
    link().holdAfter({ insideReply: 2, byte: 3 })
    client.send('c', 'd', 'e')
    await arrived(answer('a', 'b', 'c') + answer('d').slice(0, 3))
    await pause(10)
    link().release()
    await arrived(answer('a', 'b', 'c', 'd', 'e'))
    link().holdAfter({ insideCommand: 1, byte: 4 })
    client.send('f', 'g')
    await pause(10)
    assert.equal(server.words.includes('f'), false)
    link().release()
    await arrived(answer('a', 'b', 'c', 'd', 'e', 'f', 'g'))
    assert.equal(link().replies, 8)
  })

  it('drops a reply whose command the server carried out, and resets in its place', async () => {
    link().dropReplyThenRst(2)
    client.send('a', 'b', 'c')
    await ended()
    assert.deepEqual([client.text, client.how], [answer('a'), 'ECONNRESET'])
    assert.deepEqual(server.words.slice(0, 3), ['hello', 'a', 'b'])
  })

  it('refuses two faults for one reply', () => {
    link().dropReplyThenRst()
    assert.throws(() => link().tamper.eatReply(), /frame 2 has its fault already/)
  })
})

describe('tampering of the fault proxy', () => {
  it('eats, repeats and swaps replies, each by its number', async () => {
    link().tamper.eatReply(1)
    link().tamper.dupReply(3)
    link().tamper.swapReplies(4)
    client.send('a', 'b', 'c', 'd', 'e', 'f')
    await arrived(answer('b', 'c', 'c', 'e', 'd', 'f'))
  })

  it('lets pushes pass while a reply is kept for its swap', async () => {
    link().tamper.swapReplies()
    client.send('a')
    await toServer(['hello', 'a'])
    server.sockets[0]?.write(PUSH)
    await arrived(PUSH)
    client.send('b')
    await arrived(PUSH + answer('b', 'a'))
  })

  it('does so at any split of the bytes', async () => {
    proxy.slice(1)
    link().tamper.swapReplies(2)
    link().tamper.eatReply(5)
    client.send('a', 'b', 'c', 'd', 'e', 'f')
    await arrived(answer('a', 'c', 'b', 'd', 'f'))
  })

  it('flips one bit of one byte, chosen by the test or by the seed', async () => {
    const differences = (sent: string) => [...sent].flatMap((char, at) => (client.text[at] === char ? [] : [at]))
    link().tamper.flipByte(2, 5)
    client.send('a', 'hello', 'b')
    await until('the answers', () => client.text.length === answer('a', 'hello', 'b').length)
    assert.deepEqual(differences(answer('a', 'hello', 'b')), [answer('a').length + 5])
    const bits = (client.text.charCodeAt(answer('a').length + 5) ^ 'e'.charCodeAt(0)).toString(2)
    assert.match(bits, /^10*$/)
    client.pieces.length = 0
    link().tamper.flipByte()
    client.send('by chance')
    await until('the answer', () => client.text.length === answer('by chance').length)
    const logged = Number(/bit \d of byte (\d+) of 15/.exec(proxy.log.join('\n'))?.[1])
    assert.deepEqual(differences(answer('by chance')), [logged])
  })

  it('injects between replies, at once when none is under way', async () => {
    link().tamper.inject('+idle\r\n')
    await arrived('+idle\r\n')
    link().holdAfter({ insideReply: 1, byte: 2 })
    client.send('a')
    await arrived(`+idle\r\n${answer('a').slice(0, 2)}`)
    link().tamper.inject(PUSH)
    link().release()
    await arrived(`+idle\r\n${answer('a')}${PUSH}`)
  })

  it('injects in the middle of a reply when told so', async () => {
    link().holdAfter(2)
    client.send('a')
    await arrived(answer('a').slice(0, 2))
    link().tamper.inject('???', 'now')
    link().release()
    await arrived(`${answer('a').slice(0, 2)}???${answer('a').slice(2)}`)
  })

  it('injects behind every reply until told to stop', async () => {
    proxy.tamper.injectAfterEach(PUSH)
    client.send('a', 'b')
    await arrived(answer('a') + PUSH + answer('b') + PUSH)
    assert.equal(link().pushes, 0)
    proxy.tamper.injectAfterEach(undefined)
    client.send('c')
    await arrived(answer('a') + PUSH + answer('b') + PUSH + answer('c'))
  })
})
