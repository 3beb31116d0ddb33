// Rows B: the server or the network falls silent, or is slow. Says what they are; how they run is in the files beside it.

import type { Row } from '../row.js'
import { blackHoles, oneWayHoles } from './silence-holes.js'

export const silence: readonly Row[] = [
  {
    id: 'B1',
    fault: 'Nothing passes any more, and nobody is told',
    injection: 'the proxy holds all bytes, of one busy connection and then of all, and cuts or releases them later',
    expected: 'silent connections are given up by socketTimeout; the others go on meanwhile',
    tiers: ['commit', 'nightly'],
    run: blackHoles,
  },
  {
    id: 'B3',
    fault: 'Nothing passes in one direction',
    injection: 'the proxy holds the bytes to the server, then those to the client',
    expected: 'as with both',
    tiers: ['commit', 'nightly'],
    run: oneWayHoles,
  },
]
