// Finds the argument by whose hash commands keep their order, in arguments that no definition made: those of a raw
// `sendCommand`. It gives what a typed method's parser gives, and knows neither hashes nor lanes.

import type { RedisArgument } from './definitions.js'
import { wireNameOf, wordOf } from './names.js'

// What has its key elsewhere than right after its name. Commands with subcommands have none unless they are here.
const KEY_INDEX: ReadonlyMap<string, number> = new Map([
  ...words('BITOP JSON.DEBUG LMPOP MSETEX SDIFFCARD SINTERCARD SUNIONCARD ZDIFF ZINTER ZINTERCARD ZMPOP ZUNION', 2),
  ...['BLESS CLEAR', 'BLESS GET', 'BLESS SET', 'CLUSTER KEYSLOT', 'HIMPORT SET', 'MEMORY USAGE'].map(at(2)),
  ...['OBJECT ENCODING', 'OBJECT FREQ', 'OBJECT IDLETIME', 'OBJECT REFCOUNT'].map(at(2)),
  ...['XGROUP CREATE', 'XGROUP CREATECONSUMER', 'XGROUP DELCONSUMER', 'XGROUP DESTROY', 'XGROUP SETID'].map(at(2)),
  ...['XINFO CONSUMERS', 'XINFO GROUPS', 'XINFO STREAM'].map(at(2)),
  ...words('BLMPOP BZMPOP EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO', 3),
])

const KEYLESS: ReadonlySet<string> = new Set(
  `ASKING AUTH BGREWRITEAOF BGSAVE COMMAND DBSIZE DEBUG DISCARD ECHO EXEC FAILOVER FLUSHALL FLUSHDB HELLO INFO KEYS
  LASTSAVE LOLWUT MONITOR MULTI PING PSUBSCRIBE PSYNC PUNSUBSCRIBE QUIT RANDOMKEY READONLY READWRITE REPLCONF REPLICAOF
  RESET ROLE SAVE SCAN SELECT SENTINEL SHUTDOWN SLAVEOF SUBSCRIBE SWAPDB SYNC TIME UNSUBSCRIBE UNWATCH WAIT
  WAITAOF`.split(/\s+/),
)

function at(index: number): (name: string) => [string, number] {
  return (name) => [name, index]
}

function words(names: string, index: number): [string, number][] {
  return names.split(' ').map(at(index))
}

/** The first key, or the channel of a message. A command that nobody knows is taken to have its key first. */
export function orderingKeyOf(args: readonly RedisArgument[]): RedisArgument | undefined {
  const name = wireNameOf(args)
  const index = KEY_INDEX.get(name)
  if (index === 3) return wordOf(args[2]) === '0' ? undefined : args[3]
  if (index !== undefined) return args[index]
  if (name === 'XREAD' || name === 'XREADGROUP') return firstStreamOf(args)
  if (name === 'MIGRATE') return migratedKeyOf(args)
  return KEYLESS.has(name) || name.includes(' ') ? undefined : args[1]
}

function firstStreamOf(args: readonly RedisArgument[]): RedisArgument | undefined {
  // A group or a consumer may be called STREAMS: both come right after GROUP.
  const start = wordOf(args[1]) === 'GROUP' ? 4 : 1
  const streams = args.findIndex((argument, index) => index >= start && wordOf(argument) === 'STREAMS')
  return streams < 0 ? undefined : args[streams + 1]
}

function migratedKeyOf(args: readonly RedisArgument[]): RedisArgument | undefined {
  if (args[3] !== undefined && args[3].length > 0) return args[3]
  const keys = args.findIndex((argument, index) => index > 5 && wordOf(argument) === 'KEYS')
  return keys < 0 ? undefined : args[keys + 1]
}
