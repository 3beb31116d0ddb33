// A whole program that never ends its pool: what it waits for, or does not, decides when it ends.

import { createClient, Redis } from '../../src/index.js'

const [url = '', scene = '', unref = ''] = process.argv.slice(2)
const options = { url, unref: unref === 'unref', backoffMax: 100, pingInterval: 0, idleTimeout: 0 }
const say = (text: unknown): void => {
  process.stdout.write(`${String(text)}\n`)
}

/** Waits for a line on stdin, which keeps nothing alive afterwards. */
const told = (): Promise<void> =>
  new Promise((resolve) => {
    process.stdin.once('data', () => {
      process.stdin.destroy()
      resolve()
    })
  })

const scenes: Record<string, () => Promise<void>> = {
  async idle() {
    const redis = await new Redis(options).connect()
    say(await redis.ping())
  },

  /** The server goes away once it was connected, and is not missed. */
  async outage() {
    const redis = createClient(options)
    await redis.connect()
    const lost = new Promise<void>((resolve) => redis.once('reconnecting', () => resolve()))
    say('connected')
    await told()
    await lost
    say('lost')
  },

  /** As before, with somebody who listens. */
  async listening() {
    const redis = createClient(options)
    await redis.subscribe('channel', () => {})
    const lost = new Promise<void>((resolve) => redis.once('reconnecting', () => resolve()))
    say('connected')
    await told()
    // A connection that was lost within its first second is missed after a pause, which keeps nothing alive.
    const stay = setInterval(() => {}, 1_000)
    await lost
    clearInterval(stay)
    say('lost')
  },

  async pop() {
    const redis = new Redis(options)
    say(JSON.stringify(await redis.blPop('nothing', 0.4)))
  },

  async replies() {
    const redis = new Redis(options)
    for (let call = 0; call < 200; call++) await redis.incr('calls')
    say(await redis.get('calls'))
  },

  async lease() {
    const redis = new Redis(options)
    const lease = await redis.lease()
    say(await lease.ping())
    say(JSON.stringify(await lease.blPop('nothing', 0.1)))
  },

  async waiting() {
    const redis = new Redis({ ...options, acquireTimeout: 400 })
    await redis.get('key').catch((error: Error) => say(error.name))
  },

  async closing() {
    const redis = new Redis(options)
    await redis.lease()
    await redis.close({ timeout: 300 })
    say('closed')
  },
}

await scenes[scene]?.()
