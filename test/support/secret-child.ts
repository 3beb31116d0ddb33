// A program that ends by an error nobody caught, while it holds a secret: what Node prints is what a log would have.

import { ConnectionPool, Redis } from '../../src/index.js'

const [url = '', way = ''] = process.argv.slice(2)
const password = process.env.SECRET ?? ''
const redis = new Redis(url, { username: 'app', password, acquireTimeout: 300 })

switch (way) {
  case 'rejection':
    void redis.get('key')
    break
  case 'event':
    redis.on('connectError', (error) => {
      throw new Error('a listener failed', { cause: error })
    })
    void redis.connect().catch(() => {})
    break
  case 'url':
    new ConnectionPool(`${url.replace('//', `//app:${encodeURIComponent(password)}@`)}/wrong?passwrod=${password}`)
    break
  case 'thrown handle':
    throw { redis, options: redis.pool.options, stats: redis.pool.stats() }
  case 'trace':
    console.trace(redis, redis.pool)
    process.emitWarning(new Error('seen', { cause: await redis.get('key').catch((error: unknown) => error) }))
    process.exitCode = 1
    redis.destroy()
    break
  case 'planted':
    throw new Error('the scanner must find this', { cause: { password } })
  default:
    throw new Error(`unknown way: ${way}`)
}
