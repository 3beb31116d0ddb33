// The end of a connection on a real socket: what is left of it in this process when nobody answers its goodbye.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { Anchor } from '../../src/base/anchor.js'
import { systemClock } from '../../src/base/clock.js'
import { Parting } from '../../src/connection/parting.js'
import { dialerFor, type Transport } from '../../src/connection/transport.js'
import { leakCheck } from '../support/leak-check.js'

/** Longer than a connection waits for the server's own goodbye. */
const STALL = 300

function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

/** Accepts and says nothing, a goodbye to a goodbye least of all. */
async function withDeafServer(use: (port: number) => Promise<void>): Promise<void> {
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {}).resume()
    sockets.push(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  try {
    await use(address.port)
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

function open(port: number): Promise<Transport> {
  return new Promise((resolve) => {
    const nothing = (): void => {}
    const transport: Transport = dialerFor({
      host: '127.0.0.1',
      port,
      path: undefined,
      tls: undefined,
      keepAlive: 0,
      family: 0,
      anchor: new Anchor(true),
    })({ opened: () => resolve(transport), received: nothing, drained: nothing, closed: nothing })
  })
}

describe('a goodbye that the server does not answer', () => {
  for (const [when, stall] of [
    ['in time', 0],
    ['while this process stands still', STALL],
  ] as const) {
    it(`leaves no socket behind when it is said ${when}`, async () => {
      await using leaks = leakCheck()
      await withDeafServer(async (port) => {
        const transport = await open(port)
        await new Promise<void>((gone) => {
          const parting = new Parting(transport, systemClock, gone)
          // The last thing before the timers of a round: the kernel hears of it in the next one.
          setImmediate(() => {
            parting.begin('dirty')
            process.nextTick(block, stall)
          })
        })
      })
      await leaks.assertNone()
    })
  }
})
