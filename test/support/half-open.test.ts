// The link loses what a pulled cable loses, tells nobody, and nothing of it is left, however its process ends.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { until } from '../live/support-live.js'
import { HalfOpenServer, halfOpenSkip } from './half-open.js'
import { reset } from './reset.js'

/** The kernel sends again after 200 ms, then after twice that, and so on. */
const RESENT_WITHIN = 5_000

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const devices = (): string => execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' })

const sockets: Socket[] = []

function dial(server: HalfOpenServer): Socket {
  const socket = connect(server.port, server.host)
  sockets.push(socket)
  return socket
}

async function connected(server: HalfOpenServer): Promise<{ socket: Socket; said: string[] }> {
  const socket = dial(server)
  const said: string[] = []
  for (const event of ['end', 'close', 'error']) socket.on(event, () => said.push(event))
  socket.on('data', (bytes) => said.push(String(bytes)))
  socket.write('PING\r\n')
  await until('the first answer', () => said.length === 1)
  said.length = 0
  return { socket, said }
}

/** How many clients the server sees on its link. */
async function seen(server: HalfOpenServer): Promise<number> {
  const lines = String(await server.cli('CLIENT', 'LIST')).split('\n')
  return lines.filter((line) => line.includes(` laddr=${server.host}:`)).length
}

describe('a server behind a link of its own', { skip: halfOpenSkip() }, () => {
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
  })

  it('is silent while the link is down, to old connections and new ones, and answers when it is up', async () => {
    await using server = await HalfOpenServer.start()
    const { socket, said } = await connected(server)
    await server.down()
    socket.write('PING\r\n')
    const fresh = dial(server)
    const outcome = Promise.race([once(fresh, 'connect').then(() => 'connected'), pause(300).then(() => 'silent')])
    assert.equal(await outcome, 'silent')
    assert.deepEqual(said, [])
    assert.equal(await seen(server), 1)
    await server.up()
    await until('the answer', () => said.length === 1, RESENT_WITHIN)
    assert.deepEqual(said, ['+PONG\r\n'])
    if (fresh.connecting) await once(fresh, 'connect')
  })

  it('leaves a connection half open whose reset was lost', async () => {
    await using server = await HalfOpenServer.start()
    const { socket } = await connected(server)
    await server.down()
    reset(socket)
    await once(socket, 'close')
    await server.up()
    await connected(server)
    assert.equal(await seen(server), 2)
  })

  it('leaves nothing behind', async () => {
    const server = await HalfOpenServer.start()
    assert.ok(devices().includes(server.device))
    await server.stop()
    assert.ok(!devices().includes(server.device))
  })

  it('leaves nothing behind when its process is killed', async () => {
    const file = JSON.stringify(new URL('./half-open.js', import.meta.url))
    const script = `const { HalfOpenServer } = await import(${file}); console.log((await HalfOpenServer.start()).device)`
    const folder = mkdtempSync(join(tmpdir(), 'respool-killed-'))
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: folder },
    })
    const [line] = await once(child.stdout, 'data')
    const device = String(line).trim()
    assert.match(device, /^rsp\d+n0$/)
    assert.ok(devices().includes(device))
    child.kill('SIGKILL')
    await until('the link to go', () => !devices().includes(device))
    rmSync(folder, { recursive: true })
  })
})
