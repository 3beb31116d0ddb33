// Rows A: connections die. Each row brings up its own servers and proxies, and takes them down; how is in the files
// beside this one.

import type { Row } from '../row.js'
import { EVERY, lostReplies, orderlyEnds, resets } from './connections-storms.js'

export const connections: readonly Row[] = [
  {
    id: 'A1',
    fault: 'Connections are reset at random',
    injection: `the proxy resets one connection every ${EVERY} ms`,
    expected: 'what was in flight on it is ambiguous, everything else goes on',
    tiers: ['commit', 'nightly'],
    run: resets,
  },
  {
    id: 'A2',
    fault: 'A reply is lost after its command was applied',
    injection: 'the proxy drops a reply and resets the connection in its place',
    expected: 'a write is ambiguous and never sent again',
    tiers: ['commit', 'nightly'],
    run: lostReplies,
  },
  {
    id: 'A4',
    fault: 'Connections are closed in good order',
    injection: 'the proxy ends a connection, or one of its directions, with a FIN',
    expected: 'as after a reset',
    tiers: ['commit', 'nightly'],
    run: orderlyEnds,
  },
]
