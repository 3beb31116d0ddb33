// Real redis-server processes for the live tests: each on a free port with a folder of its own, ended by its pid.
// Speaks to them through the tests' own RESP, so that the library is never its own witness.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { askAll, type CliReply } from './ask.js'
import { makeCertificates, type TlsFiles } from './certificates.js'
import { freePort } from './free-port.js'
import { findBinary, versionAtLeast } from './redis-binary.js'

const READY_WITHIN = 10_000
const ATTEMPTS = 5

export { liveSkip, tlsSkip } from './redis-binary.js'

export interface RedisOptions {
  /** Lines of redis.conf by name; a list gives the same name several times. */
  config?: Record<string, string | number | readonly (string | number)[]>
  /** Listen on TLS only, with a certificate of a new authority that `tls.ca` holds. */
  tls?: boolean
  /** Listen on a unix socket as well. */
  unix?: boolean
  /** Lines of an ACL file, such as `user app on >secret ~* +@all`. */
  acl?: readonly string[]
  /** What `requirepass` asks for; `cli` knows it. */
  password?: string
}

const running = new Set<ChildProcess>()
const folders = new Set<string>()
// Nothing that we started or made outlives us, however we end.
process.on('exit', () => {
  for (const child of running) if (child.pid !== undefined) kill(child.pid, 'SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

export class RedisProcess implements AsyncDisposable {
  readonly dir: string
  readonly tls: TlsFiles | undefined
  readonly #options: RedisOptions
  #port = 0
  #child: ChildProcess | undefined

  private constructor(options: RedisOptions) {
    this.#options = options
    this.dir = mkdtempSync(join(tmpdir(), 'respool-redis-'))
    folders.add(this.dir)
    this.tls = options.tls ? makeCertificates(this.dir) : undefined
  }

  static async start(options: RedisOptions = {}): Promise<RedisProcess> {
    const server = new RedisProcess(options)
    for (let attempt = 1; ; attempt++) {
      server.#port = await freePort()
      try {
        await server.#run()
        return server
      } catch (error) {
        // Someone took the port between our look and the server's bind.
        if (attempt < ATTEMPTS && /Address already in use|another process/.test(String(error))) continue
        await server.stop()
        throw error
      }
    }
  }

  get port(): number {
    return this.#port
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('this redis-server is not running')
    return this.#child.pid
  }

  get url(): string {
    const auth = this.#options.password === undefined ? '' : `:${encodeURIComponent(this.#options.password)}@`
    return `${this.tls ? 'rediss' : 'redis'}://${auth}127.0.0.1:${this.#port}`
  }

  get unixPath(): string {
    return join(this.dir, 'redis.sock')
  }

  /** Sends one command on a connection of its own and gives the reply, bulk strings as text; throws on an error. */
  async cli(...args: string[]): Promise<CliReply> {
    const { password } = this.#options
    const commands = password === undefined ? [args] : [['AUTH', password], args]
    return (await askAll(this.#dial(), commands)).at(-1) ?? null
  }

  /** CLIENT LIST, without the connection that asks. */
  async clientList(): Promise<Record<string, string>[]> {
    const text = String(await this.cli('CLIENT', 'LIST'))
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => Object.fromEntries(line.split(' ').map((pair) => splitOnce(pair))))
      .filter(({ cmd }) => cmd !== 'client|list' && cmd !== 'client')
  }

  /** One section of INFO as a table. */
  async info(section: string): Promise<Record<string, string>> {
    const lines = String(await this.cli('INFO', section)).split('\r\n')
    return Object.fromEntries(lines.filter((line) => line.includes(':')).map((line) => splitOnce(line, ':')))
  }

  /** Stops the process in its tracks, lets it go on, or ends it. */
  async kill(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    kill(child.pid, signal)
    if (signal === 'SIGKILL' || signal === 'SIGTERM') await ended
  }

  /** Ends it, if it runs, and starts it again on the same port with the same folder. */
  async restart(): Promise<void> {
    await this.kill('SIGKILL')
    await this.#run()
  }

  async stop(): Promise<void> {
    await this.kill('SIGKILL')
    rmSync(this.dir, { recursive: true, force: true })
    folders.delete(this.dir)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #run(): Promise<void> {
    const binary = findBinary()
    if (!binary) throw new Error('no redis-server (REDIS_SERVER_BIN, PATH)')
    const file = join(this.dir, 'redis.conf')
    writeFileSync(file, this.#config())
    const child = spawn(binary, [file], { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.dir })
    this.#child = child
    running.add(child)
    let output = ''
    const listen = (chunk: Buffer) => {
      output = (output + chunk).slice(-2_000)
    }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
    const exited = new Promise<never>((_, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => {
        running.delete(child)
        if (this.#child === child) this.#child = undefined
        reject(new Error(`redis-server ended with ${code ?? signal}: ${output.trim()}`))
      })
    })
    exited.catch(() => {})
    await Promise.race([exited, this.#untilReady(child)])
  }

  async #untilReady(child: ChildProcess): Promise<void> {
    const end = performance.now() + READY_WITHIN
    for (;;) {
      try {
        await this.cli('PING')
        break
      } catch (error) {
        if (child.exitCode !== null || child.signalCode !== null) throw error
        if (performance.now() > end) throw new Error('redis-server did not get ready', { cause: error })
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    const { process_id } = await this.info('server')
    if (process_id !== String(child.pid)) throw new Error(`another process (${process_id}) answers on ${this.#port}`)
  }

  #config(): string {
    const { config = {}, tls, unix, acl, password } = this.#options
    const lines: [string, string | number][] = [
      ['bind', '127.0.0.1'],
      ['port', tls ? 0 : this.#port],
      ['save', '""'],
      ['appendonly', 'no'],
      ['dir', this.dir],
      ['daemonize', 'no'],
      ['loglevel', 'warning'],
    ]
    // Since 7.0 DEBUG has to be asked for; before, the setting is unknown and a fatal error.
    if (versionAtLeast(7, 0)) lines.push(['enable-debug-command', 'yes'])
    if (unix) lines.push(['unixsocket', this.unixPath])
    if (password !== undefined) lines.push(['requirepass', JSON.stringify(password)])
    if (this.tls) {
      lines.push(['tls-port', this.#port], ['tls-auth-clients', 'no'], ['tls-ca-cert-file', this.tls.ca])
      lines.push(['tls-cert-file', this.tls.cert], ['tls-key-file', this.tls.key])
    }
    if (acl) {
      const file = join(this.dir, 'users.acl')
      // Without a line of its own the default user stays as open as it is without an ACL file.
      const channels = versionAtLeast(6, 2) ? ' &*' : ''
      const preset = acl.some((line) => line.startsWith('user default'))
        ? []
        : [`user default on nopass ~*${channels} +@all`]
      writeFileSync(file, `${[...preset, ...acl].join('\n')}\n`)
      lines.push(['aclfile', file])
    }
    for (const [name, value] of Object.entries(config)) {
      for (const one of Array.isArray(value) ? value : [value]) lines.push([name, one === '' ? '""' : one])
    }
    return `${lines.map(([name, value]) => `${name} ${value}`).join('\n')}\n`
  }

  #dial(): Socket {
    if (!this.tls) return connect({ host: '127.0.0.1', port: this.#port })
    return connectTls({ host: '127.0.0.1', port: this.#port, rejectUnauthorized: false })
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended already.
  }
}

function splitOnce(text: string, by = '='): [string, string] {
  const at = text.indexOf(by)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
