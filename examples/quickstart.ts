// A handle, a few commands, the end. Every example takes REDIS_URL and uses keys that start with `respool:`.
import { Redis } from 'respool'

const redis = new Redis(process.env.REDIS_URL ?? 'redis://localhost:6379')

await redis.set('respool:greeting', 'hello', { EX: 60 })
console.log('greeting:', await redis.get('respool:greeting'))

// The commands of all callers travel together on a few shared connections.
await redis.del('respool:visits')
const visits = await Promise.all(Array.from({ length: 1_000 }, () => redis.incr('respool:visits')))
console.log('visits:', visits.at(-1))

console.log('connections:', redis.pool.stats().connections.total)

await redis.close()
