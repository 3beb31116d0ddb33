// Samples of the commands that take keys of any type.

import { call, raw, type Sample, shape } from './sample.js'

const K = { setUp: ['SET k v'] }
const TTL = { setUp: ['SET k v PX 100000'], normalise: shape, why: 'the time that is left' }
const AT = { setUp: ['SET k v PXAT 4102444800000'] }
const LIST = { setUp: ['RPUSH l 3 1 2'] }
const LATE = 4_102_444_800

export const KEYS: readonly Sample[] = [
  call('COPY', ['k', 'to'], K),
  call('COPY', ['none', 'to', { REPLACE: true }]),
  call('DBSIZE', [], K),
  call('DEL', [['k', 'none']], K),
  call('DUMP', ['k'], K),
  call('DUMP', ['none']),
  call('EXISTS', [['k', 'k', 'none']], K),
  call('EXPIRE', ['k', 10], K),
  call('EXPIRE', ['k', 10, 'XX'], K),
  call('EXPIREAT', ['k', LATE], K),
  call('EXPIREAT', ['k', new Date(LATE * 1_000)], K),
  call('EXPIRETIME', ['k'], AT),
  call('EXPIRETIME', ['none']),
  call('FLUSHALL', [], K),
  call('FLUSHDB', ['ASYNC'], K),
  call('KEYS', ['*'], K),
  call('MIGRATE', ['127.0.0.1', 1, 'none', 0, 10]),
  call('MOVE', ['k', 1], K),
  call('OBJECT_ENCODING', ['k'], K),
  call('OBJECT_ENCODING', ['none']),
  call('OBJECT_FREQ', ['k'], K),
  call('OBJECT_IDLETIME', ['k'], { ...K, normalise: shape, why: 'seconds since the last use' }),
  call('OBJECT_REFCOUNT', ['k'], K),
  raw('OBJECT HELP'),
  call('PERSIST', ['k'], AT),
  call('PEXPIRE', ['k', 10_000], K),
  call('PEXPIREAT', ['k', new Date(LATE * 1_000)], K),
  call('PEXPIRETIME', ['k'], AT),
  call('PTTL', ['k'], TTL),
  call('RANDOMKEY', [], K),
  call('RANDOMKEY'),
  call('RENAME', ['k', 'to'], K),
  call('RENAME', ['none', 'to']),
  call('RENAMENX', ['k', 'to'], K),
  call('RESTORE', ['k', 0, 'no dump']),
  call('RESTORE-ASKING', []),
  call('SCAN', ['0', { MATCH: 'k*', COUNT: 100, TYPE: 'string' }], K),
  call('SORT', ['l'], LIST),
  call('SORT', ['l', { DIRECTION: 'DESC', LIMIT: { offset: 0, count: 2 }, ALPHA: true }], LIST),
  call('SORT_RO', ['l'], LIST),
  call('SORT_STORE', ['l', 'to'], LIST),
  call('SWAPDB', [0, 1], K),
  call('TOUCH', [['k', 'none']], K),
  call('TTL', ['k'], { ...TTL }),
  call('TTL', ['none']),
  call('TYPE', ['k'], K),
  call('TYPE', ['none']),
  call('UNLINK', [['k', 'none']], K),
  call('WAIT', [0, 10]),
]
