// Rows B: connections are silent, slow or late. Says what they are; how they run is in the files beside it.

import type { Row } from '../row.js'
import { LATE, lateReplies } from './silence-late.js'

export const silence: readonly Row[] = [
  {
    id: 'B5',
    fault: 'Replies come when nobody waits for them any more',
    injection: `the proxy delays all replies of the lanes by ${LATE.least} to ${LATE.most} ms`,
    expected: 'they are read and dropped, who waits behind them gets their own, and late lanes take nothing new',
    tiers: ['commit', 'nightly'],
    run: lateReplies,
  },
]
