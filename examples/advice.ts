// How many connections this program needs, calculated from what it did.
import { Redis } from 'respool'

const redis = new Redis(process.env.REDIS_URL ?? 'redis://localhost:6379', { maxConnections: 3 })

/** Holds a connection for about 10 ms. */
const order = async (): Promise<void> => {
  await redis.lease(async (connection) => {
    await connection.watch('respool:stock')
    await new Promise((resolve) => setTimeout(resolve, 10))
  })
}

const orders: Promise<void>[] = []
for (let count = 0; count < 400; count++) {
  orders.push(order())
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
}
await Promise.all(orders)

const { maxConnections, verdict, because, wouldChange } = redis.pool.advice({ targetWait: 5, percentile: 0.99 })
console.log(verdict, maxConnections)
console.log(because)
console.log(wouldChange[0])
await redis.close()
