// `npm run faults`: compile, look after a redis-server, run the fault matrix. Its words go to test/faults/run.ts.

import { compile, enter, lookAfterRedis, run } from './harness.js'

enter('npm run faults')
await compile('npm run faults', { dist: true })
const redis = lookAfterRedis()
if (!('binary' in redis)) {
  console.error(`npm run faults: there is nothing to hurt: ${redis.obstacle}`)
  process.exit(1)
}
process.exit(
  await run(process.execPath, ['build/test/faults/run.js', ...process.argv.slice(2)], {
    env: { ...process.env, REDIS_SERVER_BIN: redis.binary, REDIS_SERVER_VERSION: redis.version },
  }),
)
