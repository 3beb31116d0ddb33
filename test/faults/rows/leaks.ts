// Rows G: what is left behind. They run in processes of their own, where nobody else's garbage is counted.

import { inChild } from '../in-child.js'
import type { Row } from '../row.js'

export const leaks: readonly Row[] = [
  {
    id: 'G1',
    fault: 'Pools are opened, used and closed, again and again',
    injection: 'each with commands, a lease and a blocking command; half of them are closed, half destroyed under way',
    expected: 'nothing of them is left: no descriptor, listener, timer, client of the server, and no memory',
    tiers: ['commit', 'nightly'],
    run: (context) => inChild('lives', context),
  },
  {
    id: 'G2',
    fault: 'All of these faults, one after the other, for half an hour',
    injection: 'the same two clients, 40 callers, a fault of the groups A to E every moment, chosen by chance',
    expected: 'every call is judged as in a single row; memory and reply times in quiet stay where they were',
    tiers: ['soak'],
    run: (context) => inChild('soak', context),
  },
  {
    id: 'G3',
    fault: 'Handles, connections and calls that are over',
    injection: 'a thousand of each are closed, released or settled, in good and in bad ways, and then forgotten',
    expected: 'the garbage collector takes every one of them, also while the pool that they were of goes on',
    tiers: ['commit', 'nightly'],
    run: (context) => inChild('collection', context),
  },
]
