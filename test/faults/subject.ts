// What a workload needs of a client under test, and respool seen that way. Knows no fault and judges nothing.

import { type NoMapping, type Outcome, Redis, type RedisOptions, RespoolError } from '../../src/index.js'
import { unbalanced } from './books.js'

/** The keys of one transaction: an element, a count and a mark, all of the same value. */
export interface TransactionKeys {
  readonly list: string
  readonly counter: string
  readonly mark: string
}

export interface Subject {
  readonly name: string
  echo(nonce: string): Promise<unknown>
  get(key: string): Promise<unknown>
  set(key: string, value: string): Promise<unknown>
  rpush(key: string, value: string): Promise<unknown>
  incr(key: string): Promise<unknown>
  /** MULTI, RPUSH list value, INCR counter, SET mark value, EXEC; resolves to the three replies. */
  transaction(keys: TransactionKeys, value: string): Promise<unknown>
  /** What an error says about its command; undefined when it says nothing. */
  outcomeOf(error: unknown): Outcome | undefined
  /** By how much its own counters do not add up while nothing is under way. */
  unbalanced?(): number
  close(): Promise<void>
}

export function respool(url: string, options: RedisOptions<3, NoMapping> = {}): Subject & { readonly redis: Redis } {
  return respoolOn(new Redis(url, options))
}

/** For a row that makes the handle itself; closing the subject destroys it. */
export function respoolOn(redis: Redis): Subject & { readonly redis: Redis } {
  return {
    name: 'respool',
    redis,
    echo: (nonce) => redis.echo(nonce),
    get: (key) => redis.get(key),
    set: (key, value) => redis.set(key, value),
    rpush: (key, value) => redis.rPush(key, value),
    incr: (key) => redis.incr(key),
    transaction: ({ list, counter, mark }, value) =>
      redis.multi().rPush(list, value).incr(counter).set(mark, value).exec(),
    outcomeOf: (error) => (error instanceof RespoolError ? error.outcome : undefined),
    unbalanced: () => unbalanced(redis.pool.stats()),
    close: async () => redis.destroy(),
  }
}
