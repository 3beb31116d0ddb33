// A redis-server in a network namespace of its own, behind a link that goes down and up like a pulled cable: packets are
// lost without a word, as no proxy can lose them. The namespace lives as long as the server, the server no longer than
// this process, and the link no longer than either, so nothing is left however a test ends.

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { askAll, type CliReply } from './ask.js'
import { findBinary, liveSkip } from './redis-binary.js'

const PORT = 7_000
/** Of the server's end; alone on its link, it may be the same on all. */
const HARDWARE_ADDRESS = '02:00:00:00:00:02'
const READY_WITHIN = 10_000
const run = promisify(execFile)

let started = 0
const folders = new Set<string>()
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

export class HalfOpenServer implements AsyncDisposable {
  readonly host: string
  readonly port = PORT
  /** Our end of the link. */
  readonly device: string
  readonly #own: string
  readonly #dir: string
  #child: ChildProcess | undefined

  private constructor() {
    const block = (process.pid + started * 4_099) % 2 ** 14
    // Addresses set aside for measuring networks (RFC 2544), four for each server.
    const network = `198.18.${block >> 6}`
    this.device = `rsp${process.pid}n${started++}`
    this.#own = `${network}.${(block & 63) * 4 + 1}`
    this.host = `${network}.${(block & 63) * 4 + 2}`
    this.#dir = mkdtempSync(join(tmpdir(), 'respool-half-open-'))
    folders.add(this.#dir)
  }

  static async start(): Promise<HalfOpenServer> {
    const server = new HalfOpenServer()
    try {
      await server.#serve()
      await server.#plug()
      return server
    } catch (error) {
      await server.stop()
      throw error
    }
  }

  get url(): string {
    return `redis://${this.host}:${PORT}`
  }

  /** Nothing passes the link from now on, and neither end is told. */
  async down(): Promise<void> {
    await this.#inside('ip', 'link', 'set', 'peer', 'down')
  }

  async up(): Promise<void> {
    await this.#inside('ip', 'link', 'set', 'peer', 'up')
  }

  /** One command on a connection of its own that does not need the link. */
  async cli(...args: string[]): Promise<CliReply> {
    return (await askAll(connect(this.#unixPath), [args])).at(0) ?? null
  }

  async stop(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    // The kernel would do it too, some time after the server's end.
    await run('ip', ['link', 'del', this.device]).catch(() => {})
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    }
    rmSync(this.#dir, { recursive: true, force: true })
    folders.delete(this.#dir)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  get #unixPath(): string {
    return join(this.#dir, 'redis.sock')
  }

  async #serve(): Promise<void> {
    const settings = ['--port', String(PORT), '--bind', '0.0.0.0', '--protected-mode', 'no', '--dir', this.#dir]
    const storage = ['--unixsocket', this.#unixPath, '--save', '', '--appendonly', 'no']
    // Ours to the end: it dies with us even when we are killed.
    const bound = ['--pdeathsig', 'KILL', 'unshare', '--net', findBinary() ?? 'redis-server']
    const child = spawn('setpriv', [...bound, ...settings, ...storage], { stdio: ['ignore', 'ignore', 'inherit'] })
    this.#child = child
    const end = performance.now() + READY_WITHIN
    for (;;) {
      try {
        await this.cli('PING')
        return
      } catch (error) {
        const ended = child.exitCode ?? child.signalCode
        if (ended !== null) throw new Error(`redis-server in its namespace ended with ${ended}`, { cause: error })
        if (performance.now() > end)
          throw new Error('redis-server in its namespace did not get ready', { cause: error })
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
  }

  async #plug(): Promise<void> {
    const peer = ['peer', 'name', 'peer', 'address', HARDWARE_ADDRESS, 'netns', String(this.#child?.pid)]
    await run('ip', ['link', 'add', this.device, 'type', 'veth', ...peer])
    await run('ip', ['addr', 'add', `${this.#own}/30`, 'dev', this.device])
    await this.#inside('ip', 'addr', 'add', `${this.host}/30`, 'dev', 'peer')
    await run('ip', ['link', 'set', this.device, 'up'])
    await this.up()
    // A neighbour that has to be asked for would be found missing after some seconds, and connects told so.
    const neighbour = [this.host, 'lladdr', HARDWARE_ADDRESS, 'nud', 'permanent']
    await run('ip', ['neigh', 'replace', ...neighbour, 'dev', this.device])
  }

  async #inside(...command: string[]): Promise<void> {
    await run('nsenter', ['--target', String(this.#child?.pid), '--net', ...command])
  }
}

/** What a suite passes as `skip`: false, or in words why no link can be made here. */
export function halfOpenSkip(): false | string {
  if (liveSkip) return liveSkip
  for (const tool of ['ip', 'setpriv', 'nsenter']) {
    if (spawnSync(tool, ['-V'], { timeout: 5_000 }).error) return `no ${tool} to make a network namespace with`
  }
  const link = ['ip', 'link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'two']
  const { status, stderr, error } = spawnSync('unshare', ['--net', ...link], { encoding: 'utf8', timeout: 5_000 })
  if (status === 0) return false
  return `no right to make a network namespace and a link: ${(error?.message ?? stderr).trim()}`
}
