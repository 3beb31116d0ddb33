// What a pool is doing, in numbers, and how its size changes while it runs.
import { ConnectionPool, Redis } from 'respool'

const pool = new ConnectionPool(process.env.REDIS_URL ?? 'redis://localhost:6379', {
  maxConnections: 2,
  name: 'orders',
})
const redis = new Redis({ pool })

const show = (when: string): void => {
  const { name, maxConnections, connections, waiting, holders } = pool.stats()
  console.log(`${when}: ${name} has ${connections.total} of ${maxConnections} connections,`)
  console.log(`  ${connections.leased} leased to ${holders.map(({ label }) => label).join()}, ${waiting.leases} wait`)
}

// One connection is kept for sharing, so a pool of 2 lends 1.
const report = await redis.lease({ label: 'report' })
const importing = redis.lease({ label: 'import' })
show('before')
pool.resize({ maxConnections: 4 })
const second = await importing
show('after')

for (const lease of [report, second]) lease.release()
const { wait, use } = pool.stats().durations
console.log('waited:', wait.count, 'held:', use.count)
await pool.close()
