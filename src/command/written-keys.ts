// Decides which keys a command may change, from its arguments alone, typed and raw alike. Whenever that is not certain,
// it may change any. It knows neither caches nor connections.

import type { RedisArgument } from './definitions.js'
import { accessOf, wireNameOf, wordOf } from './names.js'

/** Keys as they are sent; `none`: no data change; `any`: nobody can tell. */
export type WrittenKeys = readonly RedisArgument[] | 'none' | 'any'

type Finder = (args: readonly RedisArgument[]) => WrittenKeys

const first = range(1, 2)
const second = range(2, 3)

/** What is missing here and does not only read may change any key. */
const WRITES: ReadonlyMap<string, Finder> = new Map([
  ...words(
    `APPEND ARDEL ARDELRANGE ARINSERT ARMSET ARRING ARSEEK ARSET BITFIELD DECR DECRBY DELEX EXPIRE EXPIREAT GEOADD
    GEOSEARCHSTORE GETDEL GETEX GETSET HDEL HEXPIRE HEXPIREAT HGETDEL HGETEX HINCRBY HINCRBYFLOAT HMSET HPERSIST
    HPEXPIRE HPEXPIREAT HSET HSETEX HSETNX INCR INCRBY INCRBYFLOAT INCREX LINSERT LPOP LPUSH LPUSHX LREM LSET LTRIM
    MOVE PERSIST PEXPIRE PEXPIREAT PFADD PFMERGE PSETEX RESTORE RPOP RPUSH RPUSHX SADD SDIFFSTORE SET SETBIT SETEX
    SETNX SETRANGE SINTERSTORE SPOP SREM SUNIONSTORE VADD VREM VSETATTR XACK XACKDEL XADD XAUTOCLAIM XCFGSET XCLAIM
    XDEL XDELEX XNACK XSETID XTRIM ZADD ZDIFFSTORE ZINCRBY ZINTERSTORE ZPOPMAX ZPOPMIN ZRANGESTORE ZREM ZREMRANGEBYLEX
    ZREMRANGEBYRANK ZREMRANGEBYSCORE ZUNIONSTORE`,
    first,
  ),
  ...words('BITOP COPY', second),
  ...['BLESS CLEAR', 'BLESS SET', 'HIMPORT SET'].map((name): [string, Finder] => [name, second]),
  ...words('CREATE CREATECONSUMER DELCONSUMER DESTROY SETID', second, 'XGROUP '),
  ...words('BLMOVE BLMOVEM BRPOPLPUSH LMOVE LMOVEM RENAME RENAMENX RPOPLPUSH SMOVE', range(1, 3)),
  ...words('DEL UNLINK', range(1)),
  ...words('BLPOP BRPOP BZPOPMAX BZPOPMIN', range(1, -1)),
  ...words('MSET MSETNX', (args) => args.filter((_, index) => index % 2 === 1)),
  ...words('LMPOP ZMPOP', counted(1)),
  ...words('BLMPOP BZMPOP', counted(2)),
  // A script has to declare the keys that it uses; one that declares none may be one that does not.
  ...words('EVAL EVALSHA FCALL', counted(2)),
  ...words('GEORADIUS GEORADIUSBYMEMBER SORT', unlessStored),
  ...words('XREADGROUP', streams),
])

/** Commands of these containers, and what follows, leave all data as they are. */
const HARMLESS: ReadonlySet<string> = new Set(
  `ACL CLIENT COMMAND CONFIG FUNCTION HOTKEYS LATENCY MEMORY PUBSUB SCRIPT SLOWLOG
  ASKING AUTH BGREWRITEAOF BGSAVE DISCARD ECHO HELLO LASTSAVE MONITOR MULTI PING PSUBSCRIBE PUBLISH PUNSUBSCRIBE QUIT
  READONLY READWRITE RESET SAVE SELECT SPUBLISH SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE TIME UNSUBSCRIBE UNWATCH WAIT WAITAOF
  WATCH`.split(/\s+/),
)

/** The keys that the command may change, once it takes effect. */
export function writtenKeysOf(args: readonly RedisArgument[]): WrittenKeys {
  const find = WRITES.get(wireNameOf(args))
  if (find !== undefined) return find(args)
  return HARMLESS.has(wordOf(args[0])) || accessOf(args) === 'read' ? 'none' : 'any'
}

function words(names: string, find: Finder, container = ''): [string, Finder][] {
  return names.split(/\s+/).map((name) => [container + name, find])
}

function range(start: number, end?: number): Finder {
  return (args) => args.slice(start, end)
}

/** Keys behind their number. */
function counted(at: number): Finder {
  return (args) => {
    const count = Number(wordOf(args[at]))
    return count > 0 ? args.slice(at + 1, at + 1 + count) : 'any'
  }
}

/** They only read, unless they are told to keep the result; a pattern or key of that name is taken for it. */
function unlessStored(args: readonly RedisArgument[]): WrittenKeys {
  return args.some((argument) => /^STORE(DIST)?$/.test(wordOf(argument))) ? 'any' : 'none'
}

/** Reading for a group changes what the stream knows of it. Keys and as many IDs come last. */
function streams(args: readonly RedisArgument[]): WrittenKeys {
  // A group or a consumer may be called STREAMS: both come right after GROUP.
  const at = args.findIndex((argument, index) => index >= 4 && wordOf(argument) === 'STREAMS')
  return at < 0 ? 'any' : args.slice(at + 1, at + 1 + Math.ceil((args.length - at - 1) / 2))
}
