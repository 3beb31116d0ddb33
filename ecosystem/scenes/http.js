// Owns a http server on a free port of loopback that ends with its scene.
import { createServer } from 'node:http'

/**
 * @param {import('node:http').RequestListener} app
 * @param {(end: () => unknown) => void} defer
 * @param {{ attach(server: import('node:http').Server): unknown }} [beside]  takes the upgrades, as socket.io does
 * @returns {Promise<string>}
 */
export async function listen(app, defer, beside) {
  const server = createServer(app)
  beside?.attach(server)
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  defer(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${server.address().port}`
}
