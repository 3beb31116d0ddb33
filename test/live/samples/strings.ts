// Samples of strings, bits and HyperLogLogs.

import { call, raw, type Sample } from './sample.js'

const A = { setUp: ['SET a hello'] }
const N = { setUp: ['SET n 10'] }
const BITS = { setUp: ['SET a foobar', 'SET b abcdef'] }
const LCS = { setUp: ['MSET a ohmytext b mynewtext'] }

export const STRINGS: readonly Sample[] = [
  call('APPEND', ['a', ' world'], A),
  call('DECR', ['n'], N),
  call('DECR', ['a'], A),
  call('DECRBY', ['n', 3], N),
  call('GET', ['a'], A),
  call('GET', ['none']),
  call('GET', ['list'], { setUp: ['RPUSH list 1'] }),
  call('get', ['a'], A),
  call('GETDEL', ['a'], A),
  call('GETEX', ['a', { type: 'EX', value: 10 }], A),
  call('GETEX', ['a', { type: 'PERSIST' }], A),
  call('GETRANGE', ['a', 1, -2], A),
  call('GETSET', ['a', 'new'], A),
  call('GETSET', ['none', 'new']),
  call('INCR', ['n'], N),
  call('INCRBY', ['n', 5], N),
  call('INCRBYFLOAT', ['n', 0.25], N),
  call('LCS', ['a', 'b'], LCS),
  call('LCS_LEN', ['a', 'b'], LCS),
  call('LCS_IDX', ['a', 'b'], LCS),
  call('LCS_IDX', ['a', 'b', { MINMATCHLEN: 4 }], LCS),
  call('LCS_IDX_WITHMATCHLEN', ['a', 'b'], LCS),
  call('MGET', [['a', 'none', 'a']], A),
  call('MSET', [{ x: '1', y: '2' }]),
  call('MSETNX', [{ x: '1', a: '2' }], A),
  call('MSETNX', [['x', '1', 'y', '2']]),
  call('PSETEX', ['a', 1_000, 'v']),
  call('SET', ['a', 'v']),
  call('SET', ['a', 'v', { condition: 'NX' }], A),
  call('SET', ['a', 'v', { GET: true, expiration: { type: 'EX', value: 10 } }], A),
  call('SET', ['a', 'v', { expiration: { type: 'EX', value: 0 } }]),
  call('SETEX', ['a', 10, 'v']),
  call('SETNX', ['a', 'v'], A),
  call('SETNX', ['b', 'v'], A),
  call('SETRANGE', ['a', 6, 'redis'], A),
  call('STRLEN', ['a'], A),
  raw('SUBSTR a 1 2', A),
]

export const BIT_STRINGS: readonly Sample[] = [
  call('BITCOUNT', ['a'], BITS),
  call('BITCOUNT', ['a', { start: 5, end: 30, mode: 'BIT' }], BITS),
  call('BITFIELD', ['a', [{ operation: 'GET', encoding: 'u8', offset: 0 }]], BITS),
  call(
    'BITFIELD',
    [
      'a',
      [
        { operation: 'OVERFLOW', behavior: 'FAIL' },
        { operation: 'INCRBY', encoding: 'u2', offset: 102, increment: 9 },
      ],
    ],
    BITS,
  ),
  call('BITFIELD_RO', ['a', [{ encoding: 'i5', offset: 4 }]], BITS),
  call('BITOP', ['AND', 'to', ['a', 'b']], BITS),
  call('BITOP', ['NOT', 'to', ['a', 'b']], BITS),
  call('BITPOS', ['a', 1, 2], BITS),
  call('BITPOS', ['a', 0, 1, 20, 'BIT'], BITS),
  call('GETBIT', ['a', 1], BITS),
  call('SETBIT', ['a', 7, 1], BITS),
  call('SETBIT', ['a', -1, 1], BITS),
]

const P = { setUp: ['PFADD p a b c', 'PFADD q c d'] }

export const HYPERLOGLOGS: readonly Sample[] = [
  call('PFADD', ['p', ['a', 'x']], P),
  call('PFADD', ['p', 'a'], P),
  call('PFCOUNT', [['p', 'q']], P),
  call('PFCOUNT', ['no'], { setUp: ['SET no text'] }),
  call('PFMERGE', ['to', ['p', 'q']], P),
]
