// Decides whether a command may be sent a second time when nobody knows if the first took effect. It judges the
// arguments alone, and whenever it is not certain the answer is no.

import type { RedisArgument } from './definitions.js'
import { accessOf, wireNameOf, wordOf } from './names.js'
import { routeOf } from './routing.js'

/**
 * - `safe`: what has no effect when it is sent again: reads.
 * - `none`: nothing, not even what was refused or never sent.
 * - `idempotent`: also writes whose last one wins. Between the two, another client's write may be undone.
 * - `at-least-once`: everything that neither blocks nor changes a session. A write may take effect twice.
 */
export type RetryMode = 'safe' | 'none' | 'idempotent' | 'at-least-once'

export const RETRY_MODES = ['safe', 'none', 'idempotent', 'at-least-once'] as const satisfies readonly RetryMode[]

/** Writes that leave the same data however often they run, whatever was there before. */
const LAST_WINS: ReadonlySet<string> = new Set([
  'DEL',
  'EXPIREAT',
  'HDEL',
  'HMSET',
  'HSET',
  'LSET',
  'MSET',
  'PERSIST',
  'PEXPIREAT',
  'PSETEX',
  'SADD',
  'SDIFFSTORE',
  'SET',
  'SETBIT',
  'SETEX',
  'SETRANGE',
  'SINTERSTORE',
  'SREM',
  'SUNIONSTORE',
  'UNLINK',
  'ZADD',
  'ZREM',
])

/** Options that make such a write depend on what is there, or answer with it. */
const CONDITIONS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['EXPIREAT', new Set(['NX', 'XX', 'GT', 'LT'])],
  ['PEXPIREAT', new Set(['NX', 'XX', 'GT', 'LT'])],
  ['SET', new Set(['NX', 'XX', 'GET', 'IFEQ', 'IFNE', 'IFDEQ', 'IFDNE'])],
  ['ZADD', new Set(['NX', 'XX', 'GT', 'LT', 'INCR', 'CH'])],
])

/** Whether the command may be sent again although its first reply was lost. */
export function mayRepeat(args: readonly RedisArgument[], mode: RetryMode): boolean {
  if (mode === 'none' || routeOf(args) !== 'shared') return false
  if (accessOf(args) === 'read') return true
  switch (mode) {
    case 'safe':
      return false
    case 'idempotent':
      return lastWins(args)
    case 'at-least-once':
      return true
    default:
      return mode satisfies never
  }
}

/** Whether it only reads; then it does not matter whether a lost one took effect. */
export function onlyReads(args: readonly RedisArgument[]): boolean {
  return accessOf(args) === 'read'
}

function lastWins(args: readonly RedisArgument[]): boolean {
  const name = wireNameOf(args)
  if (!LAST_WINS.has(name)) return false
  const conditions = CONDITIONS.get(name)
  // The value itself may read `NX`: then it is not repeated, which is the safe side to err on.
  return conditions === undefined || !args.slice(2).some((argument) => conditions.has(wordOf(argument)))
}
