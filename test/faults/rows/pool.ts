// Rows F: the logic of the pool, in the order of the matrix; what they do is in the files beside this one.

import type { Row } from '../row.js'
import { ends } from './pool-closing.js'
import { CONNECTING, DOWN, herd, POOLS, spikes } from './pool-growing.js'
import { leakedLeases, staleLeases } from './pool-leases.js'
import { throwingListeners } from './pool-listeners.js'
import { model, simulation } from './pool-logic.js'
import { fullQueue } from './pool-queue.js'
import { dirtySessions } from './pool-sessions.js'

export const pool: readonly Row[] = [
  {
    id: 'F1',
    fault: 'Everything that may happen to a pool, in any order',
    injection: 'the real pool, connections and codec in a simulated world, one run for each seed, fresh ones each time',
    expected: 'no law is broken after any step, and a seed gives the same run again',
    tiers: ['commit', 'nightly'],
    run: simulation,
  },
  {
    id: 'F2',
    fault: 'Programs that use a pool in every way',
    injection: 'generated programs against the pool and a model of it, shrunk to the shortest one that fails',
    expected: 'pool and model agree after each step',
    tiers: ['commit', 'nightly'],
    run: model,
  },
  {
    id: 'F3',
    fault: 'A lease is released again, used after its release, or released by a stranger',
    injection: 'its former holder tries at random while the next one works on the same connection',
    expected: 'a use is refused, a release does nothing, and the next holder notices neither',
    tiers: ['commit', 'nightly'],
    run: staleLeases,
  },
  {
    id: 'F4',
    fault: 'Leases are forgotten',
    injection: 'their holders keep them; others give theirs back in time, or wait in blocking commands',
    expected: 'each is reported once, with the stack of its borrower, and stays its own',
    tiers: ['commit', 'nightly'],
    run: leakedLeases,
  },
  {
    id: 'F5',
    fault: 'A holder leaves its session changed',
    injection: 'SELECT, MULTI, WATCH, SUBSCRIBE, CLIENT, AUTH, HELLO, RESET and more at random, awaited or not',
    expected: 'the next holder finds a fresh session, on the same connection where that can be',
    tiers: ['commit', 'nightly'],
    run: dirtySessions,
  },
  {
    id: 'F6',
    fault: 'Many want a connection at once, and few are there',
    injection: `500 callers, 5 idle connections, and ${CONNECTING} ms to make another; and 8 callers who stay for longer`,
    expected: 'in their order, with no more connections than allowed and no more dials than callers that wait',
    tiers: ['commit', 'nightly'],
    run: spikes,
  },
  {
    id: 'F7',
    fault: 'Many pools lose their server and find it again',
    injection: `${POOLS} pools lose all connections, and the server is away for ${DOWN / 1_000} s`,
    expected: 'they do not come back all at once',
    tiers: ['nightly'],
    run: herd,
  },
  {
    id: 'F8',
    fault: 'Pools end at any moment, and in any way',
    injection:
      'close() and destroy(), alone, together and twice, unused, while connecting, under load, without a server',
    expected: 'a close lets finish what was accepted; a moment later nothing is left, and the process may end',
    tiers: ['commit', 'nightly'],
    run: ends,
  },
  {
    id: 'F9',
    fault: 'Listeners and functions of users throw, or are slow',
    injection: 'half of all listeners of all events throw, and so do three fifths of the functions with a lease',
    expected: 'the pool goes on, callers are served in order, and each error comes out where it belongs',
    tiers: ['commit', 'nightly'],
    run: throwingListeners,
  },
  {
    id: 'F10',
    fault: 'Nothing is answered, and the queue is full',
    injection: 'the proxy holds all bytes while 1,000 wait (maxWaiting) and calls go on',
    expected: 'a call is refused at once and keeps no memory; who waits is served when the hole is gone',
    tiers: ['commit', 'nightly'],
    run: fullQueue,
  },
]
