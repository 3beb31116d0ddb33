// The set-up that suites on a real server share: one server and one handle for all tests of a suite.

import { after, before } from 'node:test'
import { Redis, type RedisOptions } from '../../src/index.js'
import { RedisProcess } from './redis-process.js'

export interface LiveRedis {
  readonly server: RedisProcess
  readonly redis: Redis
}

/** Starts both before the suite's first test, hands them over, and ends them after its last. */
export function liveRedis(options: RedisOptions, take: (started: LiveRedis) => void): void {
  let started: LiveRedis | undefined
  before(async () => {
    const server = await RedisProcess.start()
    started = { server, redis: new Redis(server.url, options) }
    take(started)
  })
  after(async () => {
    started?.redis.destroy()
    await started?.server.stop()
  })
}
