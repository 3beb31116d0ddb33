// The stream of the dashboard: what it begins with, what follows, how much goes out, and that nothing of it is left.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { describe, it } from 'node:test'
import { ConnectionPool, Redis } from '../../src/index.js'
import { dashboard, serveDashboard } from '../../src/tools/dashboard.js'
import { EventStream, RATE } from '../../src/tools/dashboard-stream.js'
import { EventReader } from '../support/event-reader.js'
import { leakCheck } from '../support/leak-check.js'
import { head, rawRequest } from '../support/raw-http.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'

const TOKEN = 'a-token-of-the-test-0123456789'
const HTML = '<img src=x onerror="alert(1)">'

const field = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce((at: unknown, name) => Reflect.get(Object(at), name), value)

const portOf = ({ url }: { readonly url: string }): number => Number(new URL(url).port)

const askPools = (port: number) =>
  rawRequest(port, head('GET /api/pools', { Host: `127.0.0.1:${port}`, Authorization: `Bearer ${TOKEN}` }))

describe('the stream', () => {
  it('begins with what there is, and goes on with a point a second and events as they happen', async () => {
    const pool = new ConnectionPool('redis://127.0.0.1:1', { name: HTML, acquireTimeout: 200 })
    const server = await serveDashboard({ pools: pool, token: TOKEN })
    try {
      using first = await EventReader.open(portOf(server), TOKEN)
      await first.until(() => first.all('points').length >= 2)
      using reader = await EventReader.open(portOf(server), TOKEN)
      await reader.until(() => reader.all('points').length > 0)
      assert.deepEqual(
        reader.events.slice(0, 3).map(({ name }) => name),
        ['hello', 'news', 'points'],
      )
      const [hello] = reader.all('hello')
      const columns: string[] = Object(field(hello, 'columns'))
      assert.deepEqual([field(hello, 'selected'), field(hello, 'interval')], [0, 1_000])
      const rows: unknown[] = Object(reader.all('points')[0])
      assert.ok(rows.length >= 2, 'the history is not there')
      assert.equal(field(rows, 0, columns.indexOf('maxConnections')), 10)
      await assert.rejects(new Redis({ pool }).get('k'))
      const kinds = () =>
        reader.all('events').flatMap((events) => Object.values(Object(events)).map((each) => field(each, 'kind')))
      await reader.until(() => kinds().includes('connect-failed') && kinds().includes('exhausted'))
      const news = await reader.until(() =>
        reader.all('news').find((each) => field(each, 'finding', 'cause') === 'failing-dials'),
      )
      assert.match(String(field(news, 'finding', 'because')), /ECONNREFUSED/)
      assert.equal(field(news, 'stats', 'name'), HTML, 'text stays what it is')
      await reader.until(() => kinds().includes('finding'))
    } finally {
      await server.close()
      pool.destroy()
    }
  })

  it('is for four readers at once, and for the next when one has gone', async () => {
    const pool = new ConnectionPool()
    const server = await serveDashboard({ pools: pool, token: TOKEN })
    const open = () => EventReader.open(portOf(server), TOKEN)
    const readers = await Promise.all(Array.from({ length: 4 }, open))
    try {
      assert.deepEqual(
        readers.map(({ status }) => status),
        [200, 200, 200, 200],
      )
      const fifth = await open()
      assert.equal(fifth.status, 503)
      readers.pop()?.[Symbol.dispose]()
      const end = performance.now() + 5_000
      let next = await open()
      while (next.status === 503 && performance.now() < end) next = await open()
      assert.equal(next.status, 200)
      readers.push(next)
      assert.equal((await askPools(portOf(server))).status, 200)
    } finally {
      for (const reader of readers) reader[Symbol.dispose]()
      await server.close()
      await pool.close()
    }
  })

  it('ends with the dashboard, and leaves nothing, though a reader does not read', async () => {
    await using check = leakCheck()
    const pool = new ConnectionPool()
    const server = await serveDashboard({ pools: pool, token: TOKEN })
    const [reader, stuck] = await Promise.all([0, 1].map(() => EventReader.open(portOf(server), TOKEN)))
    assert.ok(reader !== undefined && stuck !== undefined)
    stuck.pause()
    await reader.until(() => reader.all('points').length > 0)
    const closing = performance.now()
    await server.close()
    assert.ok(performance.now() - closing < 3_000)
    await reader.until(() => reader.all('end').length > 0)
    stuck[Symbol.dispose]()
    await pool.close()
    await check.assertNone()
  })

  it('ends within a second on a server of the program, with its timers, though a reader does not read', async () => {
    const pool = new ConnectionPool()
    const handler = dashboard({ pools: pool, token: TOKEN })
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    let answer: ServerResponse | undefined
    const server = createServer((request, response) => {
      handler(request, response)
      // More than the system takes for a reader.
      response.write('x'.repeat(32 * 1024 * 1024))
      answer = response
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const bound = server.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0
    const before = timers()
    using stuck = await EventReader.open(port, TOKEN)
    stuck.pause()
    try {
      assert.ok(answer !== undefined && answer.writableLength > 0, 'all was read')
      const closed = once(answer, 'close', { signal: AbortSignal.timeout(5_000) })
      assert.ok(timers() > before, 'the pulse is not there to be told from none')
      handler.close()
      assert.equal(timers(), before)
      await closed
    } finally {
      handler.close()
      server.closeAllConnections()
      server.close()
      await pool.close()
    }
  })

  it('tells of a pool’s end, and goes on answering, while it closes and after', async () => {
    const pool = new ConnectionPool('redis://127.0.0.1:1', { name: 'closing' })
    const server = await serveDashboard({ pools: pool, token: TOKEN })
    try {
      using reader = await EventReader.open(portOf(server), TOKEN)
      await reader.until(() => reader.all('news').length > 0)
      const closing = pool.close()
      const during = await askPools(portOf(server))
      await closing
      assert.equal(during.status, 200)
      const ended = await reader.until(() =>
        reader.all('news').find((news) => field(news, 'stats', 'state') === 'closed'),
      )
      assert.equal(field(ended, 'pools', 0, 'state'), 'closed')
      assert.match((await askPools(portOf(server))).body, /"state":"closed"/)
      using later = await EventReader.open(portOf(server), TOKEN)
      await later.until(() => later.all('news').length > 1, 5_000)
      server.add(pool)
      const over = new ConnectionPool()
      over.destroy()
      server.add(over)
      using second = await EventReader.open(portOf(server), TOKEN, '/api/stream?pool=1')
      await second.until(() => second.all('news').some((news) => field(news, 'stats', 'state') === 'closed'))
    } finally {
      await server.close()
    }
  })
})

describe('pools that come and go', () => {
  const names = async (port: number): Promise<unknown[]> => {
    const { pools } = JSON.parse((await askPools(port)).body)
    return Object.values(Object(pools)).map((each) => field(each, 'stats', 'name'))
  }

  it('keep their ids, and end the streams of those that are removed', async () => {
    await using check = leakCheck()
    const pools = ['a', 'b', 'c'].map((name) => new ConnectionPool({ name }))
    const [a, b, c] = pools
    assert.ok(a !== undefined && b !== undefined && c !== undefined)
    const server = await serveDashboard({ pools, token: TOKEN })
    const port = portOf(server)
    const open = (id: number) => EventReader.open(port, TOKEN, `/api/stream?pool=${id}`)
    const idsIn = (reader: EventReader) => {
      const [news] = reader.all('news')
      return Object.values(Object(field(news, 'pools'))).map((each) => field(each, 'id'))
    }
    try {
      using ofA = await open(0)
      server.remove(a)
      await ofA.until(() => ofA.all('end').length > 0)
      assert.deepEqual(await names(port), ['b', 'c'])
      assert.equal((await open(0)).status, 404)
      using ofC = await open(2)
      await ofC.until(() => ofC.all('news').length > 0)
      assert.deepEqual([field(ofC.all('hello')[0], 'selected'), idsIn(ofC)], [2, [1, 2]])
      using first = await EventReader.open(port, TOKEN)
      await first.until(() => first.all('hello').length > 0)
      assert.equal(field(first.all('hello')[0], 'selected'), 1)
      server.add(a)
      server.remove(new ConnectionPool())
      assert.deepEqual(await names(port), ['b', 'c', 'a'])
      using again = await open(3)
      assert.equal(again.status, 200)
    } finally {
      await server.close()
      for (const pool of pools) await pool.close()
    }
    await check.assertNone()
  })

  it('are forgotten when many have ended since, oldest first', async () => {
    const stays = new ConnectionPool({ name: 'stays' })
    const server = await serveDashboard({ pools: stays, token: TOKEN })
    const all = ['stays']
    try {
      for (let index = 0; index < 40; index++) {
        const pool = new ConnectionPool({ name: `pool ${index}` })
        server.add(pool)
        all.push(`pool ${index}`)
        await pool.close()
      }
      assert.deepEqual(await names(portOf(server)), ['stays', ...all.slice(-32)])
    } finally {
      await server.close()
      await stays.close()
    }
  })
})

describe('how much goes out', () => {
  it('is 64 KB a second, with older news left out', async () => {
    const server = createServer((_, response: ServerResponse) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      const stream = new EventStream(response)
      const part = Array.from({ length: 1_600 }, (_, index) => [index])
      for (let count = 0; count < 20; count++) stream.send('points', part)
      stream.send('events', [])
      setTimeout(() => stream.end(), 4_000).unref()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const bound = server.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0
    const began = performance.now()
    using reader = await EventReader.open(port, TOKEN, '/')
    await reader.until(() => {
      const allowed = RATE * (1 + (performance.now() - began) / 1_000)
      assert.ok(reader.text.length <= allowed, `${reader.text.length} bytes where ${Math.round(allowed)} are allowed`)
      return reader.all('events').length > 0
    })
    assert.ok(reader.text.length > 2 * RATE, 'too little was sent to tell')
    assert.equal(reader.all('points').length, 20)
    reader[Symbol.dispose]()
    server.close()
    await once(server, 'close')
  })
})

describe('the dashboard of a pool in use', { skip: liveSkip }, () => {
  it('sends nothing to the server but the pool’s own question for its limits, whatever is asked of it', async () => {
    await using redisServer = await RedisProcess.start()
    const redis = new Redis(redisServer.url, { pingInterval: 0 })
    await redis.set('k', 'v')
    const server = await serveDashboard({ pools: redis, token: TOKEN })
    // What a pool asks a server on its own comes with its first second.
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    const counts = async () => {
      const text = String(await redisServer.cli('INFO', 'commandstats'))
      return text
        .split('\n')
        .filter((line) => /^cmdstat_/.test(line) && !/^cmdstat_(info|config)/.test(line))
        .map((line) => line.replace(/,usec.*/, ''))
    }
    const before = await counts()
    using reader = await EventReader.open(portOf(server), TOKEN)
    for (let count = 0; count < 20; count++) assert.equal((await askPools(portOf(server))).status, 200)
    await reader.until(() => reader.all('points').length >= 2)
    assert.deepEqual(await counts(), before)
    await server.close()
    await redis.close()
  })

  it('stays small however many commands, holders and long labels there are', async () => {
    await using redisServer = await RedisProcess.start()
    const pool = new ConnectionPool(redisServer.url, { maxConnections: 60, maxConnecting: 20, name: 'n'.repeat(5_000) })
    const redis = new Redis({ pool })
    const names = Array.from({ length: 300 }, (_, index) => `NOSUCH${index}`)
    await Promise.allSettled(names.map((name) => redis.sendCommand([name, HTML])))
    const leases = await Promise.all(Array.from({ length: 50 }, () => redis.lease({ label: HTML.repeat(400) })))
    const server = await serveDashboard({ pools: pool, token: TOKEN })
    try {
      using reader = await EventReader.open(portOf(server), TOKEN)
      await reader.until(() => reader.all('points').length > 1)
      for (const news of reader.all('news')) {
        assert.ok(JSON.stringify(news).length < RATE / 2, `${JSON.stringify(news).length} bytes`)
        assert.ok(Number(field(news, 'moreCommands')) > 200)
        assert.equal(field(news, 'moreHolders'), 20)
      }
    } finally {
      for (const lease of leases) lease.release()
      await server.close()
      await pool.close()
    }
  })
})
