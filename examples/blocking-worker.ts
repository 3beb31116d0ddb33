// A worker that waits in BLPOP and stops on SIGTERM without losing a job.
import { Redis } from 'respool'

const redis = new Redis(process.env.REDIS_URL ?? 'redis://localhost:6379')
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())

// An aborted BLPOP still delivers a job that the server had already popped.
const worker = redis.withAbortSignal(stop.signal)

async function work(): Promise<void> {
  while (!stop.signal.aborted) {
    const job = await worker.blPop('respool:jobs', 0).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error
    })
    if (job) console.log('job:', job.element)
    if (job?.element === 'third') process.kill(process.pid, 'SIGTERM') // so that the example ends by itself
  }
}

await redis.rPush('respool:jobs', ['first', 'second', 'third'])
await work()
console.log('left in the list:', await redis.lLen('respool:jobs'))
await redis.close()
