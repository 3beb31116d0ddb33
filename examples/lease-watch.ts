// Optimistic locking: WATCH, read, MULTI … EXEC on one connection, and again if somebody else was faster.
import { Redis, WatchError } from 'respool'

const redis = new Redis(process.env.REDIS_URL ?? 'redis://localhost:6379')
const KEY = 'respool:balance'

async function spend(amount: number): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      await redis.lease(async (connection) => {
        await connection.watch(KEY)
        const balance = Number(await connection.get(KEY))
        await connection
          .multi()
          .set(KEY, balance - amount)
          .exec()
      })
      return attempt
    } catch (error) {
      if (!(error instanceof WatchError)) throw error
    }
  }
}

await redis.set(KEY, 100)
const attempts = await Promise.all([spend(10), spend(10), spend(10)])
console.log('attempts:', attempts.join(', '))
console.log('balance:', await redis.get(KEY))
await redis.close()
