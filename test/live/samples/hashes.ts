// Samples of hashes.

import { call, raw, type Sample, sorted } from './sample.js'

const H = { setUp: ['HSET h a 1 b two'] }
const ONE = { setUp: ['HSET h a 1'] }

export const HASHES: readonly Sample[] = [
  call('HDEL', ['h', ['a', 'c']], H),
  call('HEXISTS', ['h', 'a'], H),
  call('HEXISTS', ['h', 'z'], H),
  call('HGET', ['h', 'a'], H),
  call('HGET', ['h', 'z'], H),
  call('HGETALL', ['h'], H),
  call('HGETALL', ['none']),
  call('HGETALL', ['h'], { setUp: ['HSET h constructor 2 toString 3'] }),
  call('HGETALL', ['h'], {
    setUp: ['HSET h __proto__ 1 constructor 2'],
    differs: 'node-redis loses a field called __proto__; to respool every field is data',
  }),
  call('HGETALL', ['text'], { setUp: ['SET text 1'] }),
  call('HINCRBY', ['h', 'a', 5], H),
  call('HINCRBY', ['h', 'b', 5], H),
  call('HINCRBYFLOAT', ['h', 'a', 0.5], H),
  call('HKEYS', ['h'], H),
  call('HLEN', ['h'], H),
  call('HMGET', ['h', ['a', 'z']], H),
  raw('HMSET h a 1 c 3', H),
  call('HRANDFIELD', ['h'], ONE),
  call('HRANDFIELD', ['none']),
  call('HRANDFIELD_COUNT', ['h', 2], { ...H, normalise: sorted, why: 'the server picks in any order' }),
  call('HRANDFIELD_COUNT_WITHVALUES', ['h', -2], ONE),
  call('HSCAN', ['h', '0', { MATCH: '*', COUNT: 10 }], H),
  call('HSCAN_NOVALUES', ['h', '0'], { ...H, why: 'servers before 7.4 refuse it' }),
  call('HSET', ['h', { a: 'x', c: 'y' }], H),
  call('HSET', ['h', 'n', 5]),
  call('HSET', ['h', new Map([['m', '1']])]),
  call('HSETNX', ['h', 'a', '2'], H),
  call('HSTRLEN', ['h', 'b'], H),
  call('HVALS', ['h'], H),
]
