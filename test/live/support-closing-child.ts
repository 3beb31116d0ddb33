// A whole program: opens a pool, uses it in every way, closes it, and ends only when nothing keeps it alive.

import { Redis } from '../../src/index.js'

const [url = '', ending = 'close'] = process.argv.slice(2)
const redis = new Redis(url, { maxConnections: 4, leakThreshold: 60_000 })
await Promise.all(Array.from({ length: 200 }, (_, i) => redis.set(`child:${i}`, 'x')))
await redis.lease(async (lease) => {
  await lease.watch('child:1')
})
await redis.blPop('child:none', 0.01)
const parked = redis.blPop('child:none', 0).catch((error: unknown) => error)
const giveUp = new AbortController()
const aborted = redis
  .withAbortSignal(giveUp.signal)
  .blPop('child:none', 0)
  .catch(() => {})
giveUp.abort()
await aborted
if (ending === 'destroy') redis.destroy()
else if (ending === 'close') await redis.close({ timeout: 20 })
process.stdout.write(`${ending} ${ending === 'none' ? '' : String(await parked)}\n`)
