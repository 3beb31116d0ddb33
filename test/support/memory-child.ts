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

/**
 * The longest turn of the event loop. As long as others have the processor nothing is done here, so a turn counts for no
 * more than the time that this process was at work.
 */
class Pauses {
  #longest = 0
  #last = performance.now()
  #worked = process.cpuUsage()
  readonly #timer = setInterval(() => this.#turn(), 1)

  forget(): void {
    this.#turn()
    this.#longest = 0
  }

  end(): number {
    clearInterval(this.#timer)
    return this.#longest
  }

  #turn(): void {
    const now = performance.now()
    const { user, system } = process.cpuUsage(this.#worked)
    // A millisecond is the timer's own.
    this.#longest = Math.max(this.#longest, Math.min(now - this.#last - 1, (user + system) / 1_000))
    this.#last = now
    this.#worked = process.cpuUsage()
  }
}

async function costOf(redis: Redis, command: string[]): Promise<Cost> {
  const [mapping, ...words] = command
  const handle = mapping === 'buffer' ? redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }) : redis
  const pauses = new Pauses()
  await new Promise((resolve) => setTimeout(resolve, 20))
  globalThis.gc?.()
  pauses.forget()
  forgetPeak()
  const before = resident('VmRSS')
  const started = performance.now()
  const outcome = await handle.sendCommand(words).then(
    () => 'ok',
    (error: unknown) => String(Reflect.get(Object(error), 'reason') ?? error),
  )
  const took = performance.now() - started
  await new Promise((resolve) => setTimeout(resolve, 5))
  return { outcome, memory: resident('VmHWM') - before, stall: pauses.end(), took }
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
