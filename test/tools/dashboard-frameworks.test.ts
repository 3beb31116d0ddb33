// The dashboard within the frameworks that people have: mounted as their own documentation mounts a handler.

import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { describe, it } from 'node:test'
import express from 'express'
import fastify from 'fastify'
import { ConnectionPool } from '../../src/index.js'
import { dashboard } from '../../src/tools/dashboard.js'
import { EventReader } from '../support/event-reader.js'
import { head, rawRequest } from '../support/raw-http.js'

const TOKEN = 'a-token-of-the-test-0123456789'

const portOf = (server: Server): number => {
  const bound = server.address()
  return typeof bound === 'object' && bound !== null ? bound.port : 0
}

/** What each of them has to do. */
async function tryOut(port: number): Promise<void> {
  const own = `127.0.0.1:${port}`
  const ask = (line: string, headers: Readonly<Record<string, string>> = {}) =>
    rawRequest(port, head(line, { Host: own, Authorization: `Bearer ${TOKEN}`, ...headers }))
  const moved = await ask('GET /respool')
  assert.deepEqual([moved.status, moved.headers.get('location')], [308, './respool/'])
  for (const path of ['/respool/', '/respool/app.js', '/respool/uplot.css', '/respool/api/pools']) {
    const { status, headers } = await ask(`GET ${path}`)
    assert.equal(status, 200, path)
    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/)
  }
  assert.equal((await ask('HEAD /respool/app.js', { Connection: 'close' })).status, 200)
  assert.equal((await ask('POST /respool/api/pools', { 'Content-Length': '0' })).status, 405)
  assert.equal((await ask('GET /respool/api/pools', { Authorization: 'Bearer other' })).status, 401)
  assert.equal((await ask('GET /respool/', { Host: 'evil.example' })).status, 421)
  assert.equal((await ask('GET /respool/nowhere')).status, 404)
  assert.equal((await ask('GET /mine')).body, 'mine')
  using reader = await EventReader.open(port, TOKEN, '/respool/api/stream')
  await reader.until(() => reader.all('points').length > 0)
}

describe('respool/dashboard in', () => {
  it('Express: app.use(path, handler)', async () => {
    const pool = new ConnectionPool()
    const handler = dashboard({ pools: pool, token: TOKEN })
    const app = express()
    app.get('/mine', (_, response) => {
      response.end('mine')
    })
    app.use('/respool', handler)
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      await tryOut(portOf(server))
    } finally {
      handler.close()
      await new Promise((resolve) => server.close(resolve))
      await pool.close()
    }
  })

  it('Fastify: a route that hands over the raw request', async () => {
    const pool = new ConnectionPool()
    const handler = dashboard({ pools: pool, token: TOKEN, base: '/respool' })
    const app = fastify()
    app.get('/mine', () => 'mine')
    for (const path of ['/respool', '/respool/*']) {
      app.all(path, (request, reply) => {
        reply.hijack()
        handler(request.raw, reply.raw)
      })
    }
    await app.listen({ port: 0, host: '127.0.0.1' })
    try {
      await tryOut(portOf(app.server))
    } finally {
      handler.close()
      await app.close()
      await pool.close()
    }
  })
})
