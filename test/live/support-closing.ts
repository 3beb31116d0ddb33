// The ends of pools: one that is opened, used and closed, and a whole program that has to end by itself. Judges nothing.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Redis } from '../../src/index.js'

/** Closes in every other round, and destroys in the rest; `signal` is used, and never aborted. */
export async function openUseClose(url: string, round: number, signal?: AbortSignal): Promise<void> {
  const redis = new Redis(url, { maxConnections: 3 })
  const handle = signal === undefined ? redis : redis.withAbortSignal(signal)
  const gets = Array.from({ length: 20 }, (_, i) => handle.get(`key:${i}`))
  const lease = handle.lease(async (connection) => {
    if (round % 3 === 0) await connection.watch('a')
    await connection.ping()
  })
  const pop = handle.blPop('nothing', round % 2 === 0 ? 0.001 : 0)
  await Promise.all([...gets, lease])
  if (round % 2 === 0) {
    await pop
    await redis.close()
  } else {
    redis.destroy()
    await assert.rejects(pop)
  }
}

export interface ChildReport {
  readonly output: string
  readonly closedAt: number
  readonly endedAt: number
  readonly stayed: boolean
}

/** Runs the child program; one that stays for longer than `patience` is ended. */
export async function runChild(url: string, ending: string, patience = 10_000): Promise<ChildReport> {
  const script = join(import.meta.dirname, 'support-closing-child.js')
  const child = spawn(process.execPath, [script, url, ending], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
  })
  await once(child.stdout, 'data')
  const closedAt = performance.now()
  let stayed = false
  const timer = setTimeout(() => {
    stayed = true
    child.kill('SIGKILL')
  }, patience)
  await exit
  clearTimeout(timer)
  return { output, closedAt, endedAt: performance.now(), stayed }
}
