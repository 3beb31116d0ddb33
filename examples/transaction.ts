// Several commands at once: as a transaction, with the type of each reply, or as a plain pipeline.
import { MultiErrorReply, Redis } from 'respool'

const redis = new Redis(process.env.REDIS_URL ?? 'redis://localhost:6379')
await redis.del(['respool:a', 'respool:b', 'respool:text'])

// Nobody's command comes between these two.
const [a, b] = await redis.multi().incr('respool:a').incrBy('respool:b', 10).execTyped()
console.log('sum:', a + b)

// One round trip, not atomic.
const replies = await redis.multi().set('respool:text', 'word').get('respool:text').execAsPipeline()
console.log('pipeline:', replies.join(', '))

// Redis does not roll back: what can be applied is applied, and the error says which command was not.
try {
  await redis.multi().incr('respool:a').incr('respool:text').exec()
} catch (error) {
  if (!(error instanceof MultiErrorReply)) throw error
  console.log('failed:', error.errorIndexes.join(), 'replies:', error.replies.map(String).join('; '))
}
await redis.close()
