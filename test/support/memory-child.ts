// A program that reads from the server it is told, and says what that cost it: memory at its peak, and the longest pause
// of its event loop. It ends with one line of JSON.

import { readFileSync, writeFileSync } from 'node:fs'
import { RESP_TYPES, Redis } from '../../src/index.js'

export interface Cost {
  /** What became of the command: `ok`, or the reason for which its connection ended. */
  readonly outcome: string
  /** Bytes of memory at the peak, beyond those before the command. */
  readonly memory: number
  /** Milliseconds. */
  readonly stall: number
  readonly took: number
}

const [url = '', options = '{}', ...commands] = process.argv.slice(2)

/** Resident memory, and its peak since `forgetPeak`, where the system tells. */
function resident(field: 'VmRSS' | 'VmHWM'): number {
  try {
    return 1024 * Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
  } catch {
    return process.memoryUsage.rss()
  }
}

function forgetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // Then the peak counts from the start.
  }
}

async function costOf(redis: Redis, command: string[]): Promise<Cost> {
  const [mapping, ...words] = command
  const handle = mapping === 'buffer' ? redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }) : redis
  // What one turn of the loop takes while a big reply comes, the timer's own delay left out.
  let stall = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    stall = Math.max(stall, now - last - 1)
    last = now
  }, 1)
  await new Promise((resolve) => setTimeout(resolve, 20))
  globalThis.gc?.()
  stall = 0
  last = performance.now()
  forgetPeak()
  const before = resident('VmRSS')
  const started = performance.now()
  const outcome = await handle.sendCommand(words).then(
    () => 'ok',
    (error: unknown) => String(Reflect.get(Object(error), 'reason') ?? error),
  )
  const took = performance.now() - started
  await new Promise((resolve) => setTimeout(resolve, 5))
  clearInterval(timer)
  return { outcome, memory: resident('VmHWM') - before, stall, took }
}

const redis = new Redis(url, {
  retry: 'none',
  socketTimeout: 0,
  clientInfo: false,
  backoffMin: 1,
  backoffMax: 20,
  ...JSON.parse(options),
})
// The first commands allocate what all that follow use.
for (let warm = 0; warm < 300; warm++) await redis.ping()
const costs: Cost[] = []
for (const command of commands) costs.push(await costOf(redis, command.split(' ')))
process.stdout.write(JSON.stringify(costs))
redis.destroy()
