// Owns the server of a run: a real redis-server or valkey-server in a process of its own, and a minimal way to ask it.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BINARIES = ['valkey-server', 'redis-server']
const READY_WITHIN = 5_000

/**
 * @typedef {object} Server
 * @property {string} url
 * @property {string} version  for example 'redis 7.0.15'
 * @property {(...args: string[]) => Promise<string>} ask  one command, its raw reply
 * @property {() => void} stop
 */

/** @returns {Promise<Server>} */
export async function startServer() {
  const binary = BINARIES.find((name) => spawnSync(name, ['--version']).status === 0)
  if (!binary) {
    throw new Error(
      `no ${BINARIES.join(' or ')} on PATH (Debian, Ubuntu: apt-get install redis-server; macOS: brew install valkey)`,
    )
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOn(binary, await freePort())
    } catch (error) {
      if (attempt === 3) throw error
    }
  }
}

/** @param {string} binary @param {number} port @returns {Promise<Server>} */
async function startOn(binary, port) {
  const dir = mkdtempSync(join(tmpdir(), 'respool-server-'))
  const settings = { port, bind: '127.0.0.1', save: '', appendonly: 'no', dir, loglevel: 'warning' }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (log = (log + data).slice(-2_000)))
  let ended = false
  child.on('error', () => (ended = true))
  child.on('exit', () => (ended = true))
  const stop = () => {
    process.off('exit', stop)
    child.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  }
  process.on('exit', stop)
  /** @param {string[]} command */
  const ask = (...command) => askOnce(port, command)
  for (const deadline = Date.now() + READY_WITHIN; ; ) {
    const reply = await ask('PING').catch(() => '')
    if (reply.startsWith('+PONG') && !ended) break
    if (ended || Date.now() > deadline) {
      stop()
      throw new Error(`${binary} did not start on port ${port}: ${log.trim()}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const info = await ask('INFO', 'server')
  const valkey = info.match(/^valkey_version:(.*?)\r$/m)
  const version = valkey ? `valkey ${valkey[1]}` : `redis ${info.match(/^redis_version:(.*?)\r$/m)?.[1]}`
  return { url: `redis://127.0.0.1:${port}`, version, ask, stop }
}

/** A field of INFO as a number. @param {Server} server @param {string} field */
export async function serverInfo(server, field) {
  const info = await server.ask('INFO', 'everything')
  return Number(info.match(new RegExp(`^${field}:(\\d+)`, 'm'))?.[1])
}

/** @param {number} port @param {string[]} args @returns {Promise<string>} */
function askOnce(port, args) {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    let text = ''
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the server closed the connection')))
    socket.on('data', (data) => {
      text += data
      const bulk = text.match(/^\$(\d+)\r\n/)
      if (bulk ? text.length >= bulk[0].length + Number(bulk[1]) + 2 : text.endsWith('\r\n')) {
        socket.destroy()
        resolve(text)
      }
    })
    socket.write(`*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`)
  })
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}
