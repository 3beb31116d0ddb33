// Owns `createClient` and `createClientPool`, by which a program written for node-redis gets a handle of respool. Knows
// no option by name.

import { OptionError } from '../base/errors.js'
import type { RedisFunctions, RedisModules, RedisScripts, RespVersions, TypeMapping } from '../command/definitions.js'
import type { Extensions, NoExtensions } from './extensions.js'
import {
  type CreateClientOptions,
  type PoolSizeOptions,
  translateClientOptions,
  translatePoolOptions,
  withPassword,
} from './node-redis-options.js'
import type { GivenOptions } from './options.js'
import { type NoMapping, openRedis, type RedisClient } from './redis.js'

/**
 * A handle from the options of node-redis's `createClient`; respool's own may stand beside them.
 * @throws OptionError for an option that has no counterpart, is unknown, of the wrong kind or out of range
 */
export function createClient<
  M extends RedisModules = NoExtensions,
  F extends RedisFunctions = NoExtensions,
  S extends RedisScripts = NoExtensions,
  RESP extends RespVersions = 3,
  TM extends TypeMapping = NoMapping,
>(options: CreateClientOptions<RESP, TM> & Extensions<M, F, S> = {}): NoInfer<RedisClient<M, F, S, RESP, TM>> {
  return openRedis<M, F, S, RESP, TM>(optionsOf(options), options, 'node-redis')
}

/** As `createClient`, with the bounds of the pool as node-redis's `createClientPool` takes them. */
export function createClientPool<
  M extends RedisModules = NoExtensions,
  F extends RedisFunctions = NoExtensions,
  S extends RedisScripts = NoExtensions,
  RESP extends RespVersions = 3,
  TM extends TypeMapping = NoMapping,
>(
  clientOptions: CreateClientOptions<RESP, TM> & Extensions<M, F, S> = {},
  poolOptions: PoolSizeOptions = {},
): NoInfer<RedisClient<M, F, S, RESP, TM>> {
  const ofClient = optionsOf(clientOptions)
  const ofPool = translatePoolOptions(poolOptions)
  const twice = Object.keys(ofPool).find((name) => Object.hasOwn(ofClient, name))
  if (twice !== undefined) throw new OptionError(`${twice}: is given twice, to the client and to the pool`)
  return openRedis<M, F, S, RESP, TM>({ ...ofClient, ...ofPool }, clientOptions, 'node-redis')
}

function optionsOf(given: unknown): GivenOptions {
  const options = translateClientOptions(given)
  return options.username === undefined ? options : withPassword(options)
}
