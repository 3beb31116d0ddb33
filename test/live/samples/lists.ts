// Samples of lists. What blocks finds data, or times out at once in MULTI.

import { call, type Sample } from './sample.js'

const L = { setUp: ['RPUSH l a b c b'] }

export const LISTS: readonly Sample[] = [
  call('BLMOVE', ['l', 'to', 'LEFT', 'RIGHT', 1], L),
  call('BLMOVE', ['none', 'to', 'LEFT', 'RIGHT', 0.01]),
  call('BLMPOP', [1, ['none', 'l'], 'LEFT', { COUNT: 2 }], L),
  call('BLMPOP', [0.01, 'none', 'LEFT']),
  call('BLPOP', [['none', 'l'], 1], L),
  call('BLPOP', ['none', 0.01]),
  call('BRPOP', ['l', 1], L),
  call('BRPOPLPUSH', ['l', 'to', 1], L),
  call('LINDEX', ['l', -1], L),
  call('LINDEX', ['l', 9], L),
  call('LINSERT', ['l', 'BEFORE', 'b', 'x'], L),
  call('LLEN', ['l'], L),
  call('LMOVE', ['l', 'to', 'LEFT', 'LEFT'], L),
  call('LMPOP', [['none', 'l'], 'RIGHT', { COUNT: 2 }], L),
  call('LMPOP', ['none', 'RIGHT']),
  call('LPOP', ['l'], L),
  call('LPOP', ['none']),
  call('LPOP_COUNT', ['l', 2], L),
  call('LPOP_COUNT', ['none', 2]),
  call('LPOS', ['l', 'b'], L),
  call('LPOS', ['l', 'z'], L),
  call('LPOS_COUNT', ['l', 'b', 0], L),
  call('LPUSH', ['l', ['x', 'y']], L),
  call('LPUSHX', ['none', 'x']),
  call('LRANGE', ['l', 0, -1], L),
  call('LREM', ['l', 0, 'b'], L),
  call('LSET', ['l', 0, 'x'], L),
  call('LSET', ['l', 10, 'x'], L),
  call('LTRIM', ['l', 1, 2], L),
  call('RPOP', ['l'], L),
  call('RPOP_COUNT', ['l', 2], L),
  call('RPOPLPUSH', ['l', 'to'], L),
  call('RPUSH', ['l', Buffer.from([255])], L),
  call('RPUSHX', ['l', 'x'], L),
]
