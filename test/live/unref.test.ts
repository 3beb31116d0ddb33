// When a process ends whose connections keep nothing alive: not while it waits for them, and by itself as soon as it does
// not, also where the server is down.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { freePort } from '../support/free-port.js'
import { liveRedis } from '../support/live-redis.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'

interface Ending {
  readonly output: string
  /** Whether it ended by itself, and with what; 13 is what node says of a top-level `await` that is never settled. */
  readonly code: number | null
}

const PATIENCE = 20_000

/** Runs a scene of the child to its end. One that stays is ended after `patience` ms; `said` may answer its lines. */
async function run(
  url: string,
  scene: string,
  unref: boolean,
  { patience = PATIENCE, said = async () => {} }: { patience?: number; said?: (line: string) => Promise<void> } = {},
): Promise<Ending> {
  const script = join(import.meta.dirname, 'support-unref-child.js')
  const child = spawn(process.execPath, [script, url, scene, unref ? 'unref' : 'ref'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exit = once(child, 'close')
  let output = ''
  let timer: NodeJS.Timeout | undefined
  child.stdin.on('error', () => {})
  child.stdout.on('data', async (chunk: Buffer) => {
    output += chunk
    await said(String(chunk).trim())
    child.stdin.write('\n')
    timer ??= setTimeout(() => child.kill('SIGKILL'), patience)
  })
  await exit
  clearTimeout(timer)
  return { output, code: child.exitCode }
}

describe('a process with unref: true', { skip: liveSkip }, () => {
  let server: RedisProcess
  liveRedis({}, (started) => {
    server = started.server
  })

  it('ends while connections are open that nobody waits for; without the option it stays', async () => {
    assert.deepEqual(await run(server.url, 'idle', true), { output: 'PONG\n', code: 0 })
    assert.deepEqual(await run(server.url, 'idle', false, { patience: 1_000 }), { output: 'PONG\n', code: null })
  })

  for (const scene of ['outage', 'listening']) {
    it(`ends while its server is down, by the scene '${scene}'; without the option it goes on trying`, async () => {
      for (const unref of [true, false]) {
        await using own = await RedisProcess.start()
        const said = async (line: string): Promise<void> => {
          if (line === 'connected') await own.kill('SIGKILL')
        }
        const { output, code } = await run(own.url, scene, unref, { said, ...(unref ? {} : { patience: 2_000 }) })
        assert.deepEqual({ output, code }, { output: 'connected\nlost\n', code: unref ? 0 : null })
      }
    })
  }

  it('does not end within a command that is awaited: one that blocks, or one of many in a row', async () => {
    assert.deepEqual(await run(server.url, 'pop', true), { output: 'null\n', code: 0 })
    assert.deepEqual(await run(server.url, 'replies', true), { output: '200\n', code: 0 })
  })

  it('does not end while a lease waits for a reply, and does while it is only held', async () => {
    assert.deepEqual(await run(server.url, 'lease', true), { output: 'PONG\nnull\n', code: 0 })
  })

  it('does not end while somebody waits for a connection, or for the end', async () => {
    const nobody = `redis://127.0.0.1:${await freePort()}`
    const { output, code } = await run(nobody, 'waiting', true)
    assert.deepEqual({ output, code }, { output: 'ConnectionPoolTimeoutError\n', code: 0 })
    assert.deepEqual(await run(server.url, 'closing', true), { output: 'closed\n', code: 0 })
  })
})
