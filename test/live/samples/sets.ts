// Samples of sets.

import { call, type Sample, sorted } from './sample.js'

const S = { setUp: ['SADD s 1 2 3', 'SADD t 2 3 4'] }
const ONE = { setUp: ['SADD s a'] }

export const SETS: readonly Sample[] = [
  call('SADD', ['s', ['3', '4']], S),
  call('SCARD', ['s'], S),
  call('SDIFF', [['s', 't']], S),
  call('SDIFFSTORE', ['to', ['s', 't']], S),
  call('SINTER', [['s', 't']], S),
  call('SINTERCARD', [['s', 't']], S),
  call('SINTERCARD', [['s', 't'], { LIMIT: 1 }], S),
  call('SINTERSTORE', ['to', ['s', 't']], S),
  call('SISMEMBER', ['s', '1'], S),
  call('SISMEMBER', ['text', '1'], { setUp: ['SET text 1'] }),
  call('SMEMBERS', ['s'], S),
  call('SMEMBERS', ['none']),
  call('SMISMEMBER', ['s', ['1', '9']], S),
  call('SMOVE', ['s', 't', '1'], S),
  call('SPOP', ['s'], ONE),
  call('SPOP', ['none']),
  call('SPOP_COUNT', ['s', 3], { ...S, normalise: sorted, why: 'the server pops in any order' }),
  call('SRANDMEMBER', ['s'], ONE),
  call('SRANDMEMBER_COUNT', ['s', -3], ONE),
  call('SREM', ['s', ['1', '9']], S),
  call('SSCAN', ['s', '0', { COUNT: 10 }], S),
  call('SUNION', [['s', 't']], S),
  call('SUNIONSTORE', ['to', ['s', 't']], S),
]
