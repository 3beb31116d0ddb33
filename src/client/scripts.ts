// Owns how a Lua script is sent: by its hash to a server that should have it, else by its source. Knows neither handles
// nor what a script does. https://redis.io/docs/latest/develop/programmability/eval-intro/

import { createHash } from 'node:crypto'
import type { RedisScriptConfig, SHA1 } from '../command/definitions.js'
import type { Request } from '../connection/request.js'
import type { Script } from './command-set.js'

/** The script with its `SHA1`, as the option `scripts` takes it. */
export function defineScript<S extends RedisScriptConfig>(script: S): S & SHA1 {
  return { ...script, SHA1: hashOfScript(script.SCRIPT) }
}

export function hashOfScript(source: string | Buffer): string {
  return createHash('sha1').update(source).digest('hex')
}

/** Scripts that a pool has run, so that its server should still have them. */
const ranBy = new WeakMap<object, Set<string>>()

/**
 * Shortens a request that has a script's source to the script's hash, once `pool` has run it. The first time the source
 * goes out unasked: an EVALSHA in vain would come to its effect after what was called behind it.
 */
export function abridge(request: Request, { hash, byHash }: Script, pool: object): void {
  const ran = ranBy.get(pool) ?? new Set()
  ranBy.set(pool, ran)
  const { args, transform } = request
  if (ran.has(hash)) {
    request.args = [byHash, hash, ...args.slice(2)]
    request.inFull = () => {
      ran.delete(hash)
      return args
    }
  }
  request.transform = (reply, protocol) => {
    ran.add(hash)
    return transform === undefined ? reply : transform(reply, protocol)
  }
}
