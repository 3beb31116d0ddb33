// The proxy harms connections as networks and hosts do: late, slow, in pieces, held, refused, silent, cut by bytes. It
// never loses a byte of one that goes on, and the same seed makes the same decisions.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { until } from '../live/support-live.js'
import { FaultProxy, type FaultProxyOptions } from './fault-proxy.js'
import { leakCheck } from './leak-check.js'
import { NOISE } from './noise.js'
import { answer, portOf, RawClient, WordServer } from './raw-ends.js'
import { reset } from './reset.js'

let server: WordServer
let proxy: FaultProxy
let client: RawClient

/** Starts over with a proxy of these options; the client's first word has been answered. */
async function begin(options: Partial<FaultProxyOptions> = {}): Promise<void> {
  await end()
  server = await WordServer.start()
  proxy = await FaultProxy.start({ port: server.port, ...options })
  client = await opened('hello')
}

async function end(): Promise<void> {
  client?.socket.destroy()
  await proxy?.stop()
  await server?.[Symbol.asyncDispose]()
}

async function opened(word: string): Promise<RawClient> {
  const fresh = new RawClient(proxy.port)
  fresh.send(word)
  await until('the first answer', () => fresh.text === answer(word))
  fresh.pieces.length = 0
  return fresh
}

function answered(...words: string[]): Promise<void> {
  return until(`answers to ${words.join(', ')}`, () => client.text === answer(...words))
}

const link = () => proxy.links[0] ?? assert.fail('there is no link')
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

beforeEach(() => begin())
afterEach(end)

describe('the fault proxy', () => {
  it('passes bytes both ways and counts commands, replies and pushes', async () => {
    client.send('one', 'two')
    await answered('one', 'two')
    server.sockets[0]?.write('>1\r\n:1\r\n')
    await until('the push', () => client.text.endsWith('>1\r\n:1\r\n'))
    assert.deepEqual([link().commands, link().replies, link().pushes], [3, 3, 1])
    assert.equal(link().bytes('down'), answer('hello', 'one', 'two').length + 8)
  })

  it('passes everything in order and whole through slices, delays, jitter and joins, and leaves nothing behind', async () => {
    await end()
    const leaks = leakCheck()
    await begin({ seed: 7 })
    for (const [joined, sliced] of [
      [0, 50],
      [3, 0],
      [2, 400],
    ] as const) {
      proxy.coalesce(joined)
      proxy.slice(sliced)
      proxy.latency(1, 5)
      client.pieces.length = 0
      const words = Array.from({ length: 200 }, (_, index) => `word ${index} `.repeat(1 + (index % 7)))
      for (const word of words) client.send(word)
      await answered(...words)
    }
    assert.equal(proxy.total, 1)
    client.socket.end()
    await until('the end', () => client.how === 'end' && proxy.links.length === 0)
    await end()
    await leaks.assertNone()
  })

  it('delays by its latency, and by no more than the jitter on top', async () => {
    proxy.latency(40, 20, 'down')
    const started = performance.now()
    client.send('late')
    await answered('late')
    const took = performance.now() - started
    assert.ok(took >= 39 && took <= 60 + NOISE, `${took} ms`)
  })

  it('lets so many bytes pass a second, and stays in step when its timers are late', async () => {
    proxy.rate(100_000, 'down')
    const word = 'x'.repeat(30_000)
    const started = performance.now()
    client.send(word)
    await answered(word)
    const took = performance.now() - started
    assert.ok(took >= 260 && took <= 300 + NOISE, `${took} ms for 300 ms worth of bytes`)
    proxy.rate(0)
    client.pieces.length = 0
    client.send(word)
    await answered(word)
  })

  it('slices into pieces that arrive apart', async () => {
    proxy.slice(1, 'down')
    client.send('drip'.repeat(25))
    await answered('drip'.repeat(25))
    assert.ok(client.pieces.length > 90, `${client.pieces.length} pieces of 108 bytes`)
  })

  it('joins what arrives within its window into one piece', async () => {
    proxy.coalesce(30, 'down')
    for (const word of ['a', 'b', 'c']) {
      client.send(word)
      await pause(2)
    }
    await answered('a', 'b', 'c')
    assert.equal(client.pieces.length, 1)
    proxy.coalesce(0)
    client.send('d')
    await answered('a', 'b', 'c', 'd')
  })

  for (const [held, direction] of [
    ['commands', 'up'],
    ['replies', 'down'],
  ] as const) {
    it(`holds ${held} and releases them`, async () => {
      proxy.hold(direction)
      client.send('held')
      if (direction === 'down') await until('the command at the server', () => server.words.length === 2)
      await pause(20)
      assert.equal(server.words.length, direction === 'down' ? 2 : 1)
      assert.equal(client.text, '')
      proxy.release()
      await answered('held')
    })
  }

  it('holds one link and not the other, and holds a new one when all are held', async () => {
    using other = await opened('other')
    link().hold()
    client.send('held')
    other.send('free')
    await until('the free answer', () => other.text === answer('free'))
    assert.equal(client.text, '')
    proxy.hold('down')
    using third = new RawClient(proxy.port)
    third.send('new')
    await until('the word of the third', () => server.words.includes('new'))
    link().release()
    await answered('held')
    assert.equal(third.text, '')
    proxy.release()
    await until('the answer to the third', () => third.text === answer('new'))
  })

  it('keeps an end and a reset back while it holds', async () => {
    proxy.hold()
    server.sockets[0]?.end()
    reset(client.socket)
    await pause(20)
    assert.deepEqual([client.how, server.ends], [undefined, []])
    assert.equal(proxy.links.length, 1)
    proxy.release()
    await until('the reset', () => server.ends.length > 0)
    assert.deepEqual([server.ends, proxy.links], [['ECONNRESET'], []])
  })

  for (const held of ['a held link', 'a slow receiver'] as const) {
    it(`reads no further than its buffer behind ${held}, and loses nothing`, async () => {
      await begin({ buffer: 2 ** 20 })
      const total = 32 * 2 ** 20
      if (held === 'a held link') proxy.hold('down')
      else client.socket.pause()
      const socket = server.sockets[0] ?? assert.fail()
      socket.write(Buffer.alloc(total, 'x'))
      let left = -1
      await until('the sender stands still', async () => {
        const before = left
        left = socket.writableLength
        await pause(30)
        return left > 0 && left === before && left === socket.writableLength
      })
      // What else is under way is in the sockets of the kernel.
      assert.ok(left > total / 4, `${left} bytes of ${total} were not taken`)
      proxy.release()
      client.socket.resume()
      await until('all bytes', () => client.socket.bytesRead === total + answer('hello').length)
    })
  }

  for (const ending of ['fin', 'rst'] as const) {
    it(`cuts after a number of bytes with a ${ending}`, async () => {
      proxy.cutAfter(3, ending)
      client.send('abcdef')
      await until('the end', () => client.how !== undefined)
      assert.deepEqual(
        [client.text, client.how],
        [answer('abcdef').slice(0, 3), ending === 'fin' ? 'end' : 'ECONNRESET'],
      )
      await until('no link', () => proxy.links.length === 0)
    })
  }

  it('cuts upwards, before the server has the whole command', async () => {
    link().cutAfter(10, 'rst', 'up')
    client.send('never')
    await until('the end', () => client.how !== undefined)
    assert.deepEqual([server.words, client.text], [['hello'], ''])
  })

  it('holds after a number of bytes and goes on with the next', async () => {
    link().holdAfter(4)
    client.send('abcdef', 'ghi')
    await until('the first bytes', () => client.text === answer('abcdef').slice(0, 4))
    await pause(10)
    assert.equal(client.text.length, 4)
    link().release()
    await answered('abcdef', 'ghi')
  })

  it('half-closes downwards: the client sees an end, and its commands still arrive', async () => {
    link().halfClose()
    await until('the end', () => client.how === 'end')
    client.send('after')
    await until('the command', () => server.words.includes('after'))
    assert.deepEqual([client.text, server.ends], ['', []])
  })

  it('half-closes upwards: the server sees an end, and its answers still arrive', async () => {
    proxy.hold('down')
    client.send('before')
    await until('the command', () => server.words.includes('before'))
    link().halfClose('up')
    await until('the end at the server', () => server.ends.includes('end'))
    proxy.release('down')
    await answered('before')
  })

  it('accepts and says nothing, without a word to the server, until it accepts again', async () => {
    proxy.acceptSilent()
    using silent = new RawClient(proxy.port)
    silent.send('anyone?')
    await until('the link', () => proxy.links.length === 2)
    await pause(20)
    assert.deepEqual([silent.text, silent.how, server.words, server.sockets.length], ['', undefined, ['hello'], 1])
    client.send('still here')
    await answered('still here')
    await proxy.accept()
    using next = await opened('next')
    assert.equal(next.how, undefined)
    silent.socket.end()
    await until('the silent link is gone', () => proxy.links.length === 2)
  })

  it('hands over each new link before a byte has passed, until it is told not to', async () => {
    proxy.meet((fresh) => fresh.cutAfter(fresh.id === 2 ? 0 : 1, 'rst', 'up'))
    using second = new RawClient(proxy.port)
    second.send('nothing')
    await until('its end', () => second.how !== undefined)
    using third = new RawClient(proxy.port)
    third.send('one byte')
    await until('the end of the next', () => third.how !== undefined)
    proxy.meet(undefined)
    using fourth = await opened('free')
    assert.equal(fourth.how, undefined)
    assert.deepEqual(server.words, ['hello', 'free'])
    assert.equal(proxy.total, 4)
  })

  for (const commands of [0, 1, 2]) {
    it(`stalls a handshake after ${commands} commands`, async () => {
      proxy.stallHandshake(commands)
      using stalled = new RawClient(proxy.port)
      stalled.send('a', 'b', 'c')
      const let_through = ['a', 'b', 'c'].slice(0, commands)
      await until('the answers to those', () => proxy.links.length === 2 && stalled.text === answer(...let_through))
      await pause(10)
      assert.deepEqual(server.words, ['hello', ...let_through])
      proxy.stallHandshake(undefined)
      using free = await opened('free')
      assert.equal(free.how, undefined)
      proxy.release()
      await until('the rest', () => stalled.text === answer('a', 'b', 'c'))
    })
  }

  it('kills all, refuses, and leads to another server', async () => {
    const other = createServer((socket) => socket.end('other')).listen(0, '127.0.0.1')
    await once(other, 'listening')
    proxy.killAll()
    await until('the reset', () => client.how === 'ECONNRESET')
    proxy.refuse()
    using refused = new RawClient(proxy.port)
    await until('the refusal', () => refused.how === 'ECONNREFUSED')
    await proxy.accept()
    proxy.retarget(portOf(other))
    using led = new RawClient(proxy.port)
    await until('the other server', () => led.text === 'other')
    other.close()
  })

  it('ends the client when its server refuses', async () => {
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    proxy.retarget(portOf(gone))
    gone.close()
    using late = new RawClient(proxy.port)
    await until('the reset', () => late.how === 'ECONNRESET')
    assert.equal(proxy.links.length, 1)
  })

  it('makes the same decisions for the same seed, and logs them with it', async () => {
    const run = async (seed: number): Promise<string[]> => {
      await begin({ seed, logPieces: true })
      proxy.slice(20)
      proxy.latency(0, 2)
      link().cutAfter({ insideReply: 3 }, 'rst')
      client.send('one'.repeat(50), 'two'.repeat(50), 'three'.repeat(50))
      await until('the end', () => client.how !== undefined)
      for (const line of proxy.log) assert.ok(line.startsWith(`seed ${seed}, link `), line)
      return proxy.log.filter((line) => line.includes('link 1: down')).map((line) => line.replace(/^seed \d+/, ''))
    }
    const slices = (log: string[]) => log.filter((line) => /a slice of/.test(line))
    // How many pieces there are depends on how the bytes arrive as well.
    const jitters = (log: string[]) => log.filter((line) => /ms of jitter/.test(line)).slice(0, 20)
    const cuts = (log: string[]) => log.filter((line) => /at byte \d+ of 258/.test(line))
    const [first, again, other] = [await run(3), await run(3), await run(4)]
    for (const [kind, count] of [
      [slices, 20],
      [jitters, 20],
      [cuts, 1],
    ] as const) {
      assert.ok(kind(first).length >= count, first.join('\n'))
      assert.deepEqual(kind(again), kind(first))
      assert.notDeepEqual(kind(other), kind(first))
    }
  })
})
