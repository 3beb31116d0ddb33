// What a caller gets when no connection comes free in time: an error that says who holds them, and why.
import { ConnectionPoolTimeoutError, Redis } from 'respool'

const redis = new Redis(process.env.REDIS_URL ?? 'redis://localhost:6379', {
  maxConnections: 2,
  pipelining: 1, // the classic pool: every command borrows a whole connection
  acquireTimeout: 200,
})

const leases = [await redis.lease({ label: 'nightly report' }), await redis.lease({ label: 'cache warm-up' })]
try {
  await redis.get('respool:greeting')
} catch (error) {
  if (!(error instanceof ConnectionPoolTimeoutError)) throw error
  console.log(error.message)
  console.log('verdict:', error.verdict.cause, error.verdict.maxConnections)
  console.log('outcome:', error.outcome)
}

for (const lease of leases) lease.release()
console.log('served again:', await redis.ping())
await redis.close()
