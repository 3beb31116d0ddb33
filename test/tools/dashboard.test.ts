// Who may ask the dashboard and what they get: every wrong Host, Origin, method and token, and nothing else of the disk.

import assert from 'node:assert/strict'
import dns from 'node:dns'
import { createServer } from 'node:http'
import { networkInterfaces } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { ConnectionPool, OptionError, Redis } from '../../src/index.js'
import { type DashboardServer, dashboard, serveDashboard } from '../../src/tools/dashboard.js'
import { head, type RawAnswer, rawRequest } from '../support/raw-http.js'

const TOKEN = 'a-token-of-the-test-0123456789'
const BEARER = `Bearer ${TOKEN}`
const HAS_IPV6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))

/** As a browser asks, which sends the host of the address. */
async function statusOf(url: string): Promise<number> {
  const response = await fetch(url, { headers: { Connection: 'close' }, signal: AbortSignal.timeout(5_000) })
  await response.text()
  return response.status
}

describe('the dashboard', () => {
  let pool: ConnectionPool
  let server: DashboardServer
  let port: number
  let own: string

  before(async () => {
    pool = new ConnectionPool('redis://127.0.0.1:1', { name: 'main' })
    server = await serveDashboard({ pools: pool, token: TOKEN })
    port = Number(new URL(server.url).port)
    own = `127.0.0.1:${port}`
  })
  after(async () => {
    await server.close()
    await pool.close()
  })

  const ask = (line: string, headers: Readonly<Record<string, string | undefined>> = {}): Promise<RawAnswer> =>
    rawRequest(port, head(line, { Host: own, ...headers }))

  it('prints an address on this machine, with the token where no server sees it', () => {
    assert.equal(server.url, `http://127.0.0.1:${port}/#token=${TOKEN}`)
  })

  for (const path of ['/', '/app.js', '/app.css', '/uplot.js', '/uplot.css', '/icon.svg']) {
    it(`gives ${path} without a token`, async () => {
      const answer = await ask(`GET ${path}`)
      assert.equal(answer.status, 200)
      assert.ok(answer.body.length > 100)
      assert.doesNotMatch(answer.body, new RegExp(TOKEN))
    })
  }

  it('has no script or style within the page, and nothing from elsewhere', async () => {
    const { body } = await ask('GET /')
    assert.doesNotMatch(body, /<style|style=|<script(?![^>]*src=)|\son\w+=|https?:/i)
    assert.doesNotMatch((await ask('GET /app.css')).body, /@import|url\(/)
    assert.match((await ask('GET /uplot.js')).body, /MIT License[\s\S]*Leon Sorokin/)
  })

  it('gives every module that the page imports', async () => {
    const seen = new Set<string>()
    const visit = async (path: string): Promise<void> => {
      if (seen.has(path)) return
      seen.add(path)
      const { status, body, headers } = await ask(`GET ${path}`)
      assert.deepEqual([status, headers.get('content-type')], [200, 'text/javascript; charset=utf-8'], path)
      for (const [, name] of body.matchAll(/^import [^'"]*'\.(\/[\w-]+\.js)'/gm)) await visit(String(name))
    }
    await visit('/app.js')
    assert.ok(seen.size > 8, [...seen].join())
  })

  it('sends every answer with the same strict headers, refusals too', async () => {
    const answers = await Promise.all([
      ask('GET /'),
      ask('GET /api/pools', { Authorization: BEARER }),
      ask('GET /api/pools'),
      ask('GET /nowhere'),
      ask('POST /', { 'Content-Length': '0' }),
      ask('GET /', { Host: 'evil.example' }),
    ])
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 401, 404, 405, 421],
    )
    for (const { headers } of answers) {
      const policy = headers.get('content-security-policy') ?? ''
      for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"])
        assert.ok(policy.includes(rule), policy)
      assert.match(policy, /frame-ancestors 'none'; base-uri 'none'/)
      assert.doesNotMatch(policy, /unsafe|\*/)
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
      assert.equal(headers.get('referrer-policy'), 'no-referrer')
      assert.match(headers.get('cache-control') ?? '', /^no-store/)
      assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin')
      const open = [...headers.keys()].filter((name) => name.startsWith('access-control') || name === 'set-cookie')
      assert.deepEqual(open, [])
    }
  })

  for (const [what, host] of Object.entries({
    'of another site that was pointed here': 'evil.example',
    'with another port': '127.0.0.1:1',
    'without a port': '127.0.0.1',
    'that only begins as it should': '127.0.0.1.evil.example',
    'with a user in it': 'x@127.0.0.1',
    'that is empty': '',
  })) {
    it(`refuses a Host ${what}`, async () => {
      const full =
        what.includes('begins') || what.includes('user') || what.includes('another site') ? `${host}:${port}` : host
      const { status, body } = await ask('GET /api/pools', { Host: full, Authorization: BEARER })
      assert.equal(status, 421, body)
      assert.doesNotMatch(body, /evil/, 'what was sent is not shown')
    })
  }

  it('refuses a request without a Host, and one with two', async () => {
    assert.equal((await rawRequest(port, 'GET / HTTP/1.0\r\n\r\n')).status, 421)
    const two = `GET / HTTP/1.1\r\nHost: ${own}\r\nHost: evil.example\r\n\r\n`
    assert.ok([400, 421].includes((await rawRequest(port, two)).status))
  })

  it('answers localhost in any case, and the address it was asked at', async () => {
    for (const Host of [`localhost:${port}`, `LocalHost:${port}`, `[::1]:${port}`, own]) {
      assert.equal((await ask('GET /', { Host })).status, 200, Host)
    }
  })

  it('refuses every other Origin, and takes its own', async () => {
    const origins = [
      'http://evil.example',
      'null',
      `http://evil.example:${port}`,
      'http://127.0.0.1',
      `http://localhost:${port}`,
    ]
    for (const Origin of [...origins, `${own}`, 'file://', '']) {
      const { status } = await ask('GET /api/pools', { Origin, Authorization: BEARER })
      assert.equal(status, 403, Origin)
    }
    assert.equal((await ask('GET /api/pools', { Origin: `http://${own}`, Authorization: BEARER })).status, 200)
  })

  it('refuses what a browser sends for another site', async () => {
    for (const site of ['cross-site', 'same-site', 'strange']) {
      assert.equal((await ask('GET /', { 'Sec-Fetch-Site': site })).status, 403, site)
    }
    for (const site of ['same-origin', 'none'])
      assert.equal((await ask('GET /', { 'Sec-Fetch-Site': site })).status, 200)
  })

  it('can only be read', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      for (const path of ['/', '/api/pools', '/api/stream', '/nowhere']) {
        const { status, headers } = await ask(`${method} ${path}`, { Authorization: BEARER, 'Content-Length': '0' })
        assert.deepEqual([status, headers.get('allow')], [405, 'GET, HEAD'], `${method} ${path}`)
      }
    }
  })

  it('answers HEAD as GET, without the content', async () => {
    const headers = { Authorization: BEARER }
    for (const path of ['/', '/api/stream', '/app.css']) {
      const { status, body } = await rawRequest(
        port,
        `${head(`HEAD ${path}`, { Host: own, ...headers, Connection: 'close' })}`,
      )
      assert.deepEqual([status, body], [200, ''], path)
    }
  })

  it('gives no data without the token, or with another, wherever it is sent', async () => {
    const wrong = [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(0, -1)}`,
      'Bearer a, b',
      TOKEN,
    ]
    for (const path of ['/api/pools', '/api/stream']) {
      for (const Authorization of [...wrong, `Basic ${TOKEN}`]) {
        const { status, headers, body } = await ask(`GET ${path}`, { Authorization })
        assert.equal(status, 401, Authorization)
        assert.match(headers.get('www-authenticate') ?? '', /^Bearer/)
        assert.doesNotMatch(body, /main|0123456789/)
      }
      assert.equal((await ask(`GET ${path}?token=${TOKEN}`)).status, 401)
      assert.equal((await ask(`GET ${path}`, { Cookie: `token=${TOKEN}` })).status, 401)
    }
    assert.equal((await ask('GET /api/pools', { Authorization: `bearer ${TOKEN}` })).status, 200)
  })

  it('leads to no file but its own', async () => {
    const paths = [
      '/../package.json',
      '/%2e%2e/dashboard.js',
      '/..%2fdashboard.js',
      '/dashboard-page/app.js',
      '//app.js',
    ]
    const more = [
      '/app.js/',
      '/app.js%00.css',
      '/./app.js',
      '/\\..\\dashboard.js',
      '/uplot.d.ts',
      '/__proto__',
      '/constructor',
    ]
    for (const path of [...paths, ...more, `http://${own}/app.js`, '*', '/api', '/api/', '/api/pools/0']) {
      const { status, body } = await ask(`GET ${path}`, { Authorization: BEARER })
      assert.ok([400, 404].includes(status), `${path} → ${status}`)
      assert.doesNotMatch(body, /import|exports/)
    }
    for (const query of ['pool=1', 'pool=-1', 'pool=x', 'pool=__proto__', 'pool=0.0', 'pool=99999999999']) {
      assert.equal((await ask(`GET /api/stream?${query}`, { Authorization: BEARER })).status, 404, query)
    }
  })

  it('survives a head of 10 MB and text that is no HTTP', async () => {
    const huge = head('GET /', { Host: own, 'X-Much': 'x'.repeat(10_000_000) })
    await rawRequest(port, huge).then(
      ({ status }) => assert.ok([400, 431].includes(status), String(status)),
      // Node.js may close the socket while we still write.
      (error: unknown) => assert.match(String(error), /ECONNRESET|EPIPE|no answer/),
    )
    assert.ok([400, 414, 431].includes((await ask(`GET /${'a'.repeat(100_000)}`)).status))
    assert.equal((await rawRequest(port, 'nonsense\r\n\r\n')).status, 400)
    assert.equal((await ask('GET /')).status, 200)
  })

  it('tells the pools as JSON', async () => {
    const { body, headers } = await ask('GET /api/pools', { Authorization: BEARER })
    assert.equal(headers.get('content-type'), 'application/json; charset=utf-8')
    const document: unknown = JSON.parse(body)
    assert.equal(Reflect.get(Object(document), 'schemaVersion'), 1)
    const [first]: unknown[] = Reflect.get(Object(document), 'pools')
    assert.equal(Reflect.get(Object(Reflect.get(Object(first), 'stats')), 'name'), 'main')
    assert.equal(Reflect.get(Object(Reflect.get(Object(first), 'advice')), 'current'), 10)
  })
})

describe('the handler', () => {
  it('makes a token of 128 random bits, another at each start', async () => {
    const pool = new ConnectionPool()
    const handlers = [dashboard({ pools: pool }), dashboard({ pools: [pool] })]
    const [first, second] = handlers.map(({ token }) => token)
    assert.match(first ?? '', /^[\w-]{22}$/)
    assert.notEqual(first, second)
    for (const handler of handlers) handler.close()
    await pool.close()
  })

  it('serves below a base, sends who forgets the slash there, and knows the hosts it is told of', async () => {
    const redis = new Redis({ maxConnections: 2 })
    const handler = dashboard({ pools: redis, base: '/tools/respool/', hosts: ['Admin.example.com'], token: TOKEN })
    const server = createServer(handler)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const bound = server.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0
    const ask = (path: string) =>
      rawRequest(port, head(`GET ${path}`, { Host: 'admin.example.com', Authorization: BEARER }))
    try {
      const { status, headers } = await ask('/tools/respool')
      assert.deepEqual([status, headers.get('location')], [308, './respool/'])
      assert.equal((await ask('/tools/respool/')).status, 200)
      assert.equal((await ask('/tools/respool/api/pools')).status, 200)
      for (const path of ['/', '/app.js', '/tools/respoolx/', '/tools/'])
        assert.equal((await ask(path)).status, 404, path)
      handler.add(redis)
      handler.add(new ConnectionPool({ name: 'second' }))
      const document: unknown = JSON.parse((await ask('/tools/respool/api/pools')).body)
      assert.equal(Reflect.get(Object(Reflect.get(Object(document), 'pools')), 'length'), 2)
      handler.close()
      const closed = await ask('/tools/respool/api/pools')
      assert.deepEqual([closed.status, closed.body], [410, 'The dashboard is closed.\n'])
    } finally {
      handler.close()
      await new Promise((resolve) => server.close(resolve))
      await redis.close()
    }
  })

  it('refuses what does not fit, and shows no token', async () => {
    const pool = new ConnectionPool()
    const wrong: readonly [() => unknown, RegExp][] = [
      [() => dashboard({ pools: pool, token: 'short-secret' }), /^OptionError: token: expected 16 or more/],
      [() => dashboard({ pools: pool, token: 'with a space in it, secret' }), /token: expected/],
      [() => dashboard({ pools: pool, base: 'respool' }), /base: expected a path/],
      [() => dashboard({ pools: pool, base: '/a/../b//' }), /base: expected a path/],
      [() => dashboard({ pools: pool, hosts: ['http://x'] }), /hosts: expected/],
      [() => dashboard({ pools: [pool, Object({})] }), /pools: expected a ConnectionPool/],
      [() => dashboard(Object({ pools: pool, tokn: 'x' })), /unknown option 'tokn'/],
    ]
    for (const [make, complaint] of wrong) {
      assert.throws(make, (error) => {
        assert.ok(error instanceof OptionError)
        assert.match(String(error), complaint)
        assert.doesNotMatch(String(error), /secret/)
        return true
      })
    }
    await pool.close()
  })

  const wildcards = ['0.0.0.0', ...(HAS_IPV6 ? ['::'] : [])]
  for (const host of ['127.0.0.1', 'localhost', ...(HAS_IPV6 ? ['::1'] : []), ...wildcards]) {
    it(`answers at the address that it gives when it listens on ${host}`, async () => {
      const pool = new ConnectionPool()
      const server = await serveDashboard({ pools: pool, host, token: TOKEN, allowRemote: true })
      try {
        assert.equal(await statusOf(server.url), 200, server.url)
      } finally {
        await server.close()
        await pool.close()
      }
    })
  }

  it('answers at the address that it gives when its host is a name', async (test) => {
    const resolve = dns.lookup
    test.mock.method(dns, 'lookup', (_name: string, ...rest: unknown[]) =>
      Reflect.apply(resolve, dns, ['127.0.0.1', ...rest]),
    )
    const pool = new ConnectionPool()
    const server = await serveDashboard({ pools: pool, host: 'Dashboard.example', token: TOKEN, allowRemote: true })
    try {
      const { host, port } = new URL(server.url)
      assert.equal(host, `dashboard.example:${port}`)
      assert.equal(await statusOf(server.url), 200, server.url)
      for (const other of ['dashboard.example', 'dashboard.example:1', `x.dashboard.example:${port}`])
        assert.equal((await rawRequest(Number(port), head('GET /', { Host: other }))).status, 421, other)
    } finally {
      await server.close()
      await pool.close()
    }
  })

  it('listens for other machines only with a token of one’s own and the word for it', async () => {
    const pool = new ConnectionPool()
    for (const host of ['0.0.0.0', '::', '192.0.2.1']) {
      await assert.rejects(serveDashboard({ pools: pool, host }), /allowRemote: true/)
      await assert.rejects(serveDashboard({ pools: pool, host, token: TOKEN }), /allowRemote: true/)
      await assert.rejects(serveDashboard({ pools: pool, host, allowRemote: true }), /a token of your own/)
    }
    await assert.rejects(serveDashboard({ pools: pool, port: 70_000 }), /port: expected/)
    const open = await serveDashboard({ pools: pool, host: '0.0.0.0', token: TOKEN, allowRemote: true })
    const port = Number(new URL(open.url).port)
    assert.equal((await rawRequest(port, head('GET /', { Host: `evil.example:${port}` }))).status, 421)
    assert.equal((await rawRequest(port, head('GET /', { Host: `127.0.0.1:${port}` }))).status, 200)
    await assert.rejects(serveDashboard({ pools: pool, port }), /EADDRINUSE/)
    await open.close()
    await pool.close()
  })
})
