// Decides where a command may run, and what it does to the session of the connection it runs on. It judges the
// arguments alone, typed and raw alike, and knows neither connections nor pools.

import type { RedisArgument } from './definitions.js'
import { wireNameOf, wordOf } from './names.js'

/**
 * - `shared`: on a connection with others' commands in flight.
 * - `blocking`: it may hold up its connection, so it needs one of its own while it runs.
 * - `session`: it changes or depends on the state of its connection, so its caller needs that connection.
 */
export type Route = 'shared' | 'blocking' | 'session'

/** What a command does to its connection's session; `unknown` means nothing short of a new connection undoes it. */
export type SessionEffect = 'none' | 'watch' | 'unwatch' | 'select' | 'multi' | 'exec' | 'discard' | 'unknown'

/** Where a blocking command has its timeout: an index from the front, or from the back if negative. */
interface TimeoutPosition {
  readonly index: number
  readonly unit: 1 | 1000
}

const BLOCKING: ReadonlyMap<string, TimeoutPosition | 'option'> = new Map<string, TimeoutPosition | 'option'>([
  ['BLMOVE', { index: 5, unit: 1000 }],
  ['BLMOVEM', { index: 5, unit: 1000 }],
  ['BLMPOP', { index: 1, unit: 1000 }],
  ['BLPOP', { index: -1, unit: 1000 }],
  ['BRPOP', { index: -1, unit: 1000 }],
  ['BRPOPLPUSH', { index: 3, unit: 1000 }],
  ['BZMPOP', { index: 1, unit: 1000 }],
  ['BZPOPMAX', { index: -1, unit: 1000 }],
  ['BZPOPMIN', { index: -1, unit: 1000 }],
  ['TS.READ', 'option'],
  ['WAIT', { index: 2, unit: 1 }],
  ['WAITAOF', { index: 3, unit: 1 }],
  ['XREAD', 'option'],
  ['XREADGROUP', 'option'],
])

interface SessionCommand {
  readonly effect: SessionEffect
  /** What to do instead of sending it on a shared handle. */
  readonly instead: string
}

const LEASE = 'use lease() and send it on the connection you hold'
const SUBSCRIBE = 'use subscribe(), pSubscribe(), sSubscribe() and their opposites, which listen on one of their own'
const TRANSACTION = 'use multi(), which sends a whole transaction at once, or lease() with watch()'
const CREDENTIALS = 'give `username` and `password` as options, so that every connection logs in with them'
const TRACKING = 'invalidations arrive on one connection: use lease()'

function dirty(instead: string): SessionCommand {
  return { effect: 'unknown', instead }
}

const SESSION: ReadonlyMap<string, SessionCommand> = new Map<string, SessionCommand>([
  ['ASKING', dirty('it concerns only the next command of its connection: use lease()')],
  ['AUTH', dirty(CREDENTIALS)],
  ['CLIENT CACHING', dirty(TRACKING)],
  ['CLIENT CAPA', dirty(LEASE)],
  ['CLIENT IMPORT-SOURCE', dirty(LEASE)],
  ['CLIENT MAINT_NOTIFICATIONS', dirty(LEASE)],
  ['CLIENT NO-EVICT', dirty(LEASE)],
  ['CLIENT NO-TOUCH', dirty(LEASE)],
  ['CLIENT REPLY', dirty('every command here has a reply that someone awaits: use lease()')],
  ['CLIENT SETINFO', dirty('every connection says what it is when it connects')],
  ['CLIENT SETNAME', dirty('give the `clientName` option, so that every connection has it')],
  ['CLIENT TRACKING', dirty(TRACKING)],
  ['DISCARD', { effect: 'discard', instead: TRANSACTION }],
  ['EXEC', { effect: 'exec', instead: TRANSACTION }],
  ['HELLO', dirty('give `protocol`, `username` and `password` as options, so that every connection has them')],
  ['HIMPORT DISCARD', dirty(LEASE)],
  ['HIMPORT DISCARDALL', dirty(LEASE)],
  ['HIMPORT PREPARE', dirty(LEASE)],
  ['HIMPORT SET', { effect: 'none', instead: 'it needs a fieldset prepared on the same connection: use lease()' }],
  ['MONITOR', dirty('use monitor(), which listens on one of its own')],
  ['MULTI', { effect: 'multi', instead: TRANSACTION }],
  ['PSUBSCRIBE', dirty(SUBSCRIBE)],
  ['PSYNC', dirty(LEASE)],
  ['PUNSUBSCRIBE', dirty(SUBSCRIBE)],
  ['QUIT', dirty('use close()')],
  ['READONLY', dirty(LEASE)],
  ['READWRITE', dirty(LEASE)],
  ['REPLCONF', dirty(LEASE)],
  ['RESET', dirty('a lease leaves a clean connection behind by itself')],
  ['SCRIPT DEBUG', dirty(LEASE)],
  ['SELECT', { effect: 'select', instead: 'open a handle with the `database` option, or use lease()' }],
  ['SSUBSCRIBE', dirty(SUBSCRIBE)],
  ['SUBSCRIBE', dirty(SUBSCRIBE)],
  ['SUNSUBSCRIBE', dirty(SUBSCRIBE)],
  ['SYNC', dirty(LEASE)],
  ['UNSUBSCRIBE', dirty(SUBSCRIBE)],
  ['UNWATCH', { effect: 'unwatch', instead: 'use lease(): only the connection that watches can stop watching' }],
  ['WATCH', { effect: 'watch', instead: 'use lease(), and call watch() and multi() on what it gives you' }],
])

/** Where a command may run. Judges raw arguments like a typed method's. */
export function routeOf(args: readonly RedisArgument[]): Route {
  const route = staticRouteOf(wireNameOf(args))
  if (route !== 'by-arguments') return route
  return blockOptionOf(args) === undefined ? 'shared' : 'blocking'
}

/** The route of all calls of one command, found once per definition, unless its arguments decide. */
export function staticRouteOf(wireName: string): Route | 'by-arguments' {
  if (SESSION.has(wireName)) return 'session'
  const timeout = BLOCKING.get(wireName)
  if (timeout === undefined) return 'shared'
  return timeout === 'option' ? 'by-arguments' : 'blocking'
}

/** A blocking command's own timeout in milliseconds, Infinity for none; undefined if the command does not block. */
export function blockingTimeoutOf(args: readonly RedisArgument[]): number | undefined {
  const position = BLOCKING.get(wireNameOf(args))
  if (position === undefined) return undefined
  if (position === 'option') {
    const block = blockOptionOf(args)
    return block === undefined ? undefined : millisecondsOf(args[block + 1], 1)
  }
  return millisecondsOf(args.at(position.index), position.unit)
}

// A timeout that is no number is the server's to refuse, which it does at once: no deadline of ours may come first.
function millisecondsOf(argument: RedisArgument | undefined, unit: number): number {
  const value = Number(wordOf(argument)) * unit
  return value > 0 ? value : Number.POSITIVE_INFINITY
}

/**
 * Index of the word BLOCK among the options of XREAD and XREADGROUP, which end where STREAMS begins, or of TS.READ, where
 * they stand behind key and timestamp: https://redis.io/docs/latest/commands/?group=timeseries
 */
function blockOptionOf(args: readonly RedisArgument[]): number | undefined {
  for (let index = wordOf(args[0]) === 'TS.READ' ? 3 : 1; index < args.length; ) {
    switch (wordOf(args[index])) {
      case 'STREAMS':
        return undefined
      case 'BLOCK':
        return index
      case 'GROUP':
        index += 3
        break
      case 'CLAIM':
      case 'COUNT':
      case 'MAXCOUNT':
      case 'MAX_COUNT':
      case 'MAXSIZE':
        index += 2
        break
      default:
        index += 1
    }
  }
  return undefined
}

/** What the command does to the session of the connection it is sent on. */
export function sessionEffectOf(args: readonly RedisArgument[]): SessionEffect {
  return SESSION.get(wireNameOf(args))?.effect ?? 'none'
}

/** For a session command sent on a shared handle: one sentence on why not, and what to do. */
export function refusalOf(args: readonly RedisArgument[]): string | undefined {
  const name = wireNameOf(args)
  const command = SESSION.get(name)
  return command && `${name} concerns one connection, and this handle has many: ${command.instead}`
}
