// Real redis-server processes for the live tests: each on a free port with a folder of its own, ended by its pid.
// Speaks to them through the tests' own RESP, so that the library is never its own witness.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { askAll, type CliReply } from './ask.js'
import { type CertificateKind, makeCertificates, type TlsFiles } from './certificates.js'
import { freePort } from './free-port.js'
import { findBinary, versionAtLeast } from './redis-binary.js'

const READY_WITHIN = 10_000
const ATTEMPTS = 5

export { liveSkip, tlsSkip } from './redis-binary.js'

export interface RedisOptions {
  /** Lines of redis.conf by name; a list gives the same name several times. */
  config?: Record<string, string | number | readonly (string | number)[]>
  /** Listen on TLS only, with a certificate of a new authority that `tls.ca` holds, unless it is to be a bad one. */
  tls?: boolean | CertificateKind
  /** Over TLS, refuse clients that show no certificate of that authority; `tls.client` is one. */
  clientCertificate?: boolean
  /** Listen on a unix socket as well. */
  unix?: boolean
  /** Lines of an ACL file, such as `user app on >secret ~* +@all`. */
  acl?: readonly string[]
  /** What `requirepass` asks for; `cli` knows it. */
  password?: string
  /** Every write is on disk before its reply, so that a restart keeps what was acknowledged. */
  durable?: boolean
  /** Starts as a replica of this server, without TLS between them; `inSync` waits until it has its data. */
  replicaOf?: RedisProcess
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
  readonly #options: RedisOptions
  #tls: TlsFiles | undefined
  #users: readonly string[] | undefined
  #port = 0
  #child: ChildProcess | undefined

  private constructor(options: RedisOptions) {
    this.#options = options
    this.#users = options.acl
    this.dir = mkdtempSync(join(tmpdir(), 'respool-redis-'))
    folders.add(this.dir)
    this.#tls = options.tls ? makeCertificates(this.dir, options.tls === true ? 'good' : options.tls) : undefined
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

  get tls(): TlsFiles | undefined {
    return this.#tls
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

  get #aclFile(): string {
    return join(this.dir, 'users.acl')
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

  async configSet(settings: Readonly<Record<string, string | number>>): Promise<void> {
    // One by one, because servers before 7.0 take no more.
    for (const [name, value] of Object.entries(settings)) await this.cli('CONFIG', 'SET', name, String(value))
  }

  /** Replaces the lines of the ACL file, `acl` of the options, and loads them. */
  async setUsers(lines: readonly string[]): Promise<void> {
    this.#users = lines
    writeFileSync(this.#aclFile, aclText(lines))
    await this.cli('ACL', 'LOAD')
  }

  /** Shows another certificate to new connections, of a new authority; gives what to trust and to show from now on. */
  async changeCertificate(kind: CertificateKind = 'good'): Promise<TlsFiles> {
    const files = makeCertificates(this.dir, kind)
    // At once, which needs a server of 7.0: certificate and key have to fit each other at every moment.
    const names = ['tls-cert-file', files.cert, 'tls-key-file', files.key, 'tls-ca-cert-file', files.ca]
    await this.cli('CONFIG', 'SET', ...names)
    this.#tls = files
    return files
  }

  /** Follows another server from now on, or none. */
  async follow(master: RedisProcess | undefined): Promise<void> {
    await this.configSet({ masterauth: master ? (master.#options.password ?? '') : '' })
    await this.cli('REPLICAOF', ...(master ? ['127.0.0.1', String(master.port)] : ['NO', 'ONE']))
  }

  /** Waits until this replica has what its master has. */
  async inSync(within = READY_WITHIN): Promise<void> {
    const end = performance.now() + within
    for (;;) {
      const { master_link_status, role } = await this.info('replication')
      if (role === 'slave' && master_link_status === 'up') return
      if (performance.now() > end) throw new Error(`not in sync within ${within} ms: ${role}, ${master_link_status}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
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
    const isEnd = signal === 'SIGKILL' || signal === 'SIGTERM'
    const ended = isEnd && new Promise((resolve) => child.once('exit', resolve))
    kill(child.pid, signal)
    await ended
  }

  /** Ends it in good order, with its data on disk: after a `restart` they are there. */
  async shutDown(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    // It answers by closing the connection.
    await this.cli('SHUTDOWN', 'SAVE').catch(() => {})
    await ended
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
    const { config = {}, unix, password, durable, replicaOf, clientCertificate } = this.#options
    const tls = this.#tls
    const lines: [string, string | number][] = [
      ['bind', '127.0.0.1'],
      ['port', tls ? 0 : this.#port],
      ['save', '""'],
      ['appendonly', durable ? 'yes' : 'no'],
      ['appendfsync', 'always'],
      ['dir', this.dir],
      ['daemonize', 'no'],
      ['loglevel', 'warning'],
      // A replica of a test has no reason to wait for others to come.
      ['repl-diskless-sync-delay', 0],
    ]
    // Since 7.0 DEBUG has to be asked for; before, the setting is unknown and a fatal error.
    if (versionAtLeast(7, 0)) lines.push(['enable-debug-command', 'yes'])
    if (unix) lines.push(['unixsocket', this.unixPath])
    if (password !== undefined) lines.push(['requirepass', JSON.stringify(password)])
    if (tls) {
      const ask = clientCertificate ? 'yes' : 'no'
      lines.push(['tls-port', this.#port], ['tls-auth-clients', ask], ['tls-ca-cert-file', tls.ca])
      lines.push(['tls-cert-file', tls.cert], ['tls-key-file', tls.key])
    }
    if (replicaOf) {
      lines.push(['replicaof', `127.0.0.1 ${replicaOf.port}`])
      const secret = replicaOf.#options.password
      if (secret !== undefined) lines.push(['masterauth', JSON.stringify(secret)])
    }
    if (this.#users) {
      writeFileSync(this.#aclFile, aclText(this.#users))
      lines.push(['aclfile', this.#aclFile])
    }
    for (const [name, value] of Object.entries(config)) {
      for (const one of Array.isArray(value) ? value : [value]) lines.push([name, one === '' ? '""' : one])
    }
    return `${lines.map(([name, value]) => `${name} ${value}`).join('\n')}\n`
  }

  #dial(): Socket {
    const at = { host: '127.0.0.1', port: this.#port }
    if (!this.#tls) return connect(at)
    const { cert, key } = this.#tls.client
    return connectTls({ ...at, rejectUnauthorized: false, cert: readFileSync(cert), key: readFileSync(key) })
  }
}

function aclText(lines: readonly string[]): string {
  // Without a line of its own the default user stays as open as it is without an ACL file.
  const channels = versionAtLeast(6, 2) ? ' &*' : ''
  const preset = lines.some((line) => line.startsWith('user default'))
    ? []
    : [`user default on nopass ~*${channels} +@all`]
  return `${[...preset, ...lines].join('\n')}\n`
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
