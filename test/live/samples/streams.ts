// Samples of streams, with ids of their own choice.

import { call, raw, type Sample, shape } from './sample.js'

const X = { setUp: ['XADD x 1-1 a 1 b 2', 'XADD x 2-1 a 3', 'XADD x 3-0 c 4'] }
const G = {
  setUp: [...X.setUp, 'XGROUP CREATE x g 0', 'XREADGROUP GROUP g alice COUNT 2 STREAMS x >', 'XADD x 4-0 d 5'],
}
const IDLE = { ...G, normalise: shape, why: 'milliseconds since the last delivery' }
const GENERATED = { normalise: shape, why: 'the id is the time' }

export const STREAMS: readonly Sample[] = [
  call('XACK', ['x', 'g', ['1-1', '9-9']], G),
  call('XADD', ['x', '9-1', { a: '1' }], X),
  call('XADD', ['x', '1-1', { a: '1' }], X),
  call('XADD', ['new', '*', { a: '1' }], GENERATED),
  call('XADD', ['x', '9-*', { a: '1' }, { TRIM: { strategy: 'MAXLEN', strategyModifier: '=', threshold: 2 } }], X),
  call('XADD_NOMKSTREAM', ['none', '*', { a: '1' }]),
  call('XAUTOCLAIM', ['x', 'g', 'bob', 0, '0-0', { COUNT: 5 }], G),
  call('XAUTOCLAIM', ['x', 'g', 'bob', 0, '0-0'], { setUp: [...G.setUp, 'XDEL x 1-1'] }),
  call('XAUTOCLAIM_JUSTID', ['x', 'g', 'bob', 0, '0-0'], G),
  call('XCLAIM', ['x', 'g', 'bob', 0, ['1-1', '2-1']], G),
  call('XCLAIM', ['x', 'g', 'bob', 0, '1-1', { IDLE: 1, RETRYCOUNT: 2, FORCE: true }], G),
  call('XCLAIM_JUSTID', ['x', 'g', 'bob', 0, '1-1'], G),
  call('XDEL', ['x', ['1-1', '9-9']], X),
  call('XGROUP_CREATE', ['x', 'g', '$'], X),
  call('XGROUP_CREATE', ['none', 'g', '$']),
  call('XGROUP_CREATE', ['new', 'g', '$', { MKSTREAM: true }]),
  call('XGROUP_CREATE', ['x', 'g', '0'], G),
  call('XGROUP_CREATECONSUMER', ['x', 'g', 'bob'], G),
  call('XGROUP_DELCONSUMER', ['x', 'g', 'alice'], G),
  call('XGROUP_DESTROY', ['x', 'g'], G),
  call('XGROUP_SETID', ['x', 'g', '0'], G),
  raw('XGROUP HELP'),
  call('XINFO_CONSUMERS', ['x', 'g'], IDLE),
  call('XINFO_GROUPS', ['x'], G),
  raw('XINFO HELP'),
  call('XINFO_STREAM', ['x'], G),
  call('XINFO_STREAM', ['none']),
  call('XLEN', ['x'], X),
  call('XPENDING', ['x', 'g'], G),
  call('XPENDING', ['x', 'g'], { setUp: [...X.setUp, 'XGROUP CREATE x g $'] }),
  call('XPENDING_RANGE', ['x', 'g', '-', '+', 10], IDLE),
  call('XRANGE', ['x', '-', '+', { COUNT: 2 }], X),
  call('XRANGE', ['none', '-', '+']),
  call('XREAD', [{ key: 'x', id: '0' }, { COUNT: 2 }], X),
  call(
    'XREAD',
    [
      [
        { key: 'x', id: '0' },
        { key: 'none', id: '0' },
      ],
      { BLOCK: 10 },
    ],
    X,
  ),
  call('XREAD', [{ key: 'x', id: '9' }], X),
  call('XREADGROUP', ['g', 'alice', { key: 'x', id: '>' }], G),
  call('XREADGROUP', ['g', 'alice', { key: 'x', id: '0' }], { setUp: [...G.setUp, 'XDEL x 1-1'] }),
  call('XREADGROUP', ['none', 'alice', { key: 'x', id: '>' }], G),
  call('XREADGROUP', ['g', 'bob', { key: 'x', id: '>' }, { BLOCK: 10 }], G),
  call('XREVRANGE', ['x', '+', '-'], X),
  call('XSETID', ['x', '9-9'], X),
  call('XTRIM', ['x', 'MAXLEN', 1], X),
]
