// A process whose pool is published, and whose event loop stands still most of the time once it is told so. Its first
// argument is the URL of a server, its second for how many milliseconds the loop is blocked at a time.

import { Redis } from '../../src/index.js'
import { publish } from './published.js'

const [, , url = '', blocked = '0'] = process.argv
const redis = new Redis(url, { name: 'blocked' })
await redis.connect()
const { url: endpoint } = await publish([redis.pool])

function block(): void {
  // What is owed is when the pool looks at its loop.
  redis.get('key').catch(() => {})
  const end = performance.now() + Number(blocked)
  while (performance.now() < end);
}

process.once('message', () => {
  process.send?.('blocking', () => setInterval(block, 50))
})
process.once('disconnect', () => process.exit())
process.send?.(endpoint)
