// Owns the scene of @socket.io/redis-adapter: two socket.io servers that hear each other through Redis only.
import assert from 'node:assert/strict'
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { listen } from './http.js'

export const name = 'socket.io'
export const packages = ['@socket.io/redis-adapter', 'socket.io']
const CLIENTS = 10

/** @param {import('./index.js').Stage} stage */
export async function run(stage) {
  for (const make of [createAdapter, createShardedAdapter]) await scene(stage, make)
  return `2 servers, ${CLIENTS} clients, plain and sharded adapter: broadcast, rooms, acks, serverSideEmit, fetchSockets, disconnectSockets`
}

/** @param {import('./index.js').Stage} stage @param {Function} make */
async function scene(stage, make) {
  const servers = []
  const clients = []
  for (let at = 0; at < 2; at++) {
    const pub = await stage.open()
    const sub = pub.duplicate()
    sub.on('error', () => {})
    await sub.connect()
    stage.defer(() => sub.destroy())
    const server = new Server({ adapter: make(pub, sub) })
    server.on('connection', (socket) => {
      socket.on('join', (room, done) => Promise.resolve(socket.join(room)).then(() => done()))
    })
    const base = await listen(
      (_, res) => res.end(),
      (end) => stage.defer(end),
      server,
    )
    stage.defer(() => server.close())
    servers.push(server)
    for (let n = 0; n < CLIENTS / 2; n++) clients.push(await enter(base, stage))
  }
  await settled(() => servers[0].fetchSockets(), CLIENTS)
  const [first, second] = servers

  const all = clients.map((client) => once(client, 'news'))
  first.emit('news', 'to all', Buffer.from([0, 255]))
  for (const [text, bytes] of await Promise.all(all)) {
    assert.equal(text, 'to all')
    assert.deepEqual([...bytes], [0, 255])
  }

  const inside = clients.filter((_, at) => at % 3 === 0)
  await Promise.all(inside.map((client) => client.emitWithAck('join', 'room')))
  await settled(() => second.in('room').fetchSockets(), inside.length)
  const strangers = []
  for (const client of clients) if (!inside.includes(client)) client.on('room news', () => strangers.push(client.id))
  const heard = inside.map((client) => once(client, 'room news'))
  second.to('room').emit('room news', 7)
  assert.deepEqual(
    await Promise.all(heard),
    inside.map(() => [7]),
  )

  for (const client of clients) client.on('ask', (done) => done(client.id))
  const acks = await first.timeout(5_000).emitWithAck('ask')
  assert.deepEqual(acks.sort(), clients.map(({ id }) => id).sort())
  assert.deepEqual(strangers, [])

  second.on('sum', (a, b, done) => done(a + b))
  assert.deepEqual(await first.serverSideEmitWithAck('sum', 2, 3), [5])

  const gone = inside.map((client) => once(client, 'disconnect'))
  first.in('room').disconnectSockets(true)
  await Promise.all(gone)
  await settled(() => first.fetchSockets(), CLIENTS - inside.length)
}

/** @param {string} base @param {import('./index.js').Stage} stage */
async function enter(base, stage) {
  const client = io(base, { transports: ['websocket'], forceNew: true, reconnection: false })
  stage.defer(() => client.disconnect())
  await once(client, 'connect')
  return client
}

/** @param {any} emitter @param {string} event @returns {Promise<any[]>} */
function once(emitter, event) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} within 5 s`)), 5_000)
    emitter.once(event, (/** @type {any[]} */ ...args) => {
      clearTimeout(timer)
      resolve(args)
    })
  })
}

/** @param {() => Promise<unknown[]>} ask @param {number} count */
async function settled(ask, count) {
  for (const end = Date.now() + 5_000; ; ) {
    const { length } = await ask()
    if (length === count) return
    assert.ok(Date.now() < end, `${length} sockets of ${count} after 5 s`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
