// Many handles, one pool: each with its own reply types, all within one bound of connections.
import { ConnectionPool, RESP_TYPES, Redis } from 'respool'

const pool = new ConnectionPool(process.env.REDIS_URL ?? 'redis://localhost:6379', { maxConnections: 5 })
pool.on('connect', ({ address }) => console.error('connected to', address))

const redis = new Redis({ pool })
const binary = new Redis({ pool, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } })
const impatient = redis.withCommandOptions({ timeout: 500 })

await redis.set('respool:image', Buffer.from([0x89, 0x50, 0x4e, 0x47]))
console.log('bytes:', await binary.get('respool:image'))
console.log('in time:', await impatient.exists('respool:image'))

await Promise.all(Array.from({ length: 100 }, (_, i) => [redis, binary, impatient][i % 3]?.ping()))
console.log('within the bound:', pool.stats().connections.total <= 5)

// Closing the pool closes it for all its handles.
await pool.close()
console.log('open:', redis.isOpen)
