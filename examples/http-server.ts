// An HTTP service: one pool for the whole process, and an orderly end on SIGTERM.
import { createServer } from 'node:http'
import { Redis } from 'respool'

const redis = new Redis(process.env.REDIS_URL ?? 'redis://localhost:6379', { commandTimeout: 1_000 })
await redis.connect() // fails now rather than at the first request

const server = createServer((request, response) => {
  redis.incr(`respool:hits:${request.url}`).then(
    (hits) => response.end(`${request.url} was asked for ${hits} times\n`),
    (error: Error) => response.writeHead(503).end(`${error.name}\n`),
  )
})
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1')

process.once('SIGTERM', () => {
  server.close(async () => {
    await redis.close({ timeout: 5_000 })
    console.log('closed')
  })
})

// So that the example ends by itself: ask once, then stop. Leave the rest out in a service.
server.once('listening', async () => {
  const address = server.address()
  if (typeof address !== 'object' || address === null) return
  console.log(await (await fetch(`http://127.0.0.1:${address.port}/books`)).text())
  process.kill(process.pid, 'SIGTERM')
})
