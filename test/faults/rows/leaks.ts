// Rows G: what is left behind. They run in processes of their own, where nobody else's garbage is counted.

import { inChild } from '../in-child.js'
import type { Row } from '../row.js'

export const leaks: readonly Row[] = [
  {
    id: 'G2',
    fault: 'All of these faults, one after the other, for half an hour',
    injection: 'the same two clients, 40 callers, a fault of the groups A to E every moment, chosen by chance',
    expected: 'every call is judged as in a single row; memory and reply times in quiet stay where they were',
    tiers: ['soak'],
    run: (context) => inChild('soak', context),
  },
]
