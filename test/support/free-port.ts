// Finds a TCP port on loopback that nobody listens on. Someone may take it before you do: try again when that happens.

import { createServer } from 'node:net'

/** Never 6379, which belongs to whoever runs this machine. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await anyPort()
    if (port !== 6379) return port
  }
}

function anyPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
