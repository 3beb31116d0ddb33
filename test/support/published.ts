// Publishes pools as a dashboard does, for the tools that read its endpoint: one path, a token, and nothing else.

import { createServer, type Server } from 'node:http'
import type { ConnectionPool } from '../../src/index.js'

export interface Published extends AsyncDisposable {
  readonly url: string
  readonly token: string
  /** The headers of the requests so far. */
  readonly asked: readonly string[]
}

export const TOKEN = 'a-token-of-the-tests'

export async function publish(pools: readonly ConnectionPool[], advice?: unknown): Promise<Published> {
  return publishText(() => {
    const published = pools.map((pool) => ({ stats: pool.stats(), advice }))
    return JSON.stringify({ schemaVersion: 1, pools: published })
  })
}

/** The same with any text. */
export async function publishText(text: () => string): Promise<Published> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    if (request.headers.authorization !== `Bearer ${TOKEN}`) response.writeHead(401).end()
    else if (request.url !== '/respool/api/pools') response.writeHead(404).end()
    else response.writeHead(200, { 'content-type': 'application/json' }).end(text())
  })
  const port = await listen(server)
  return {
    url: `http://127.0.0.1:${port}/respool/`,
    token: TOKEN,
    asked,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}
