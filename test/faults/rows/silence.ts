// Rows B: the server or the network falls silent, or is slow. Says what they are; how they run is in the files beside it.

import { inChild } from '../in-child.js'
import type { Row } from '../row.js'
import { abortStorm } from './silence-aborts.js'
import { BLOCK, blockedLoops } from './silence-blocked.js'
import { drip } from './silence-drip.js'
import { blackHoles, oneWayHoles } from './silence-holes.js'
import { LATE, lateReplies } from './silence-late.js'
import { halfOpenLink } from './silence-link.js'
import { pausedServer } from './silence-paused.js'
import { stoppedServer } from './silence-stopped.js'

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
    id: 'B2',
    fault: 'The link to the server is down, and up again',
    injection: 'the network namespace of the server loses its link for 22 s, as when a cable is pulled',
    expected: 'busy connections and idle ones are given up; what comes late is delivered to nobody',
    tiers: ['nightly'],
    run: halfOpenLink,
  },
  {
    id: 'B3',
    fault: 'Nothing passes in one direction',
    injection: 'the proxy holds the bytes to the server, then those to the client',
    expected: 'as with both',
    tiers: ['commit', 'nightly'],
    run: oneWayHoles,
  },
  {
    id: 'B4',
    fault: 'The server is stopped, and goes on later',
    injection: 'SIGSTOP, and SIGCONT',
    expected: 'its connections are given up by socketTimeout, new ones by connectTimeout, and never are there too many',
    tiers: ['commit', 'nightly'],
    run: stoppedServer,
  },
  {
    id: 'B5',
    fault: 'Replies come when nobody waits for them any more',
    injection: `the proxy delays all replies of the lanes by ${LATE.least} to ${LATE.most} ms`,
    expected: 'they are read and dropped, who waits behind them gets their own, and late lanes take nothing new',
    tiers: ['commit', 'nightly'],
    run: lateReplies,
  },
  {
    id: 'B6',
    fault: 'Callers give up at any moment',
    injection:
      'AbortSignals of commands, transactions, leases and blocking commands, before, while and after they are sent',
    expected: 'each settles once, its slot stays until its reply has come, and no signal keeps a listener',
    tiers: ['commit', 'nightly'],
    run: abortStorm,
  },
  {
    id: 'B7',
    fault: 'The line passes one byte at a time',
    injection: 'the proxy passes single bytes, both ways, of commands and 20 kinds of replies',
    expected: 'it all works',
    tiers: ['commit', 'nightly'],
    run: drip,
  },
  {
    id: 'B8',
    fault: 'Far more is written than the line can carry',
    injection: '50 MB of writes, half of them at once, where 10 KB a second pass on each connection',
    expected: 'little is buffered, callers wait or are refused, and the process has time for others',
    tiers: ['nightly'],
    run: (context) => inChild('slow line', context),
  },
  {
    id: 'B9',
    fault: 'The server keeps commands back for a moment',
    injection: 'CLIENT PAUSE of all commands, then of writes, for less than socketTimeout',
    expected: 'calls wait as long as they may; no connection ends',
    tiers: ['commit', 'nightly'],
    run: pausedServer,
  },
  {
    id: 'B10',
    fault: 'The server, or this very process, does something else for a while',
    injection: `a script of ${BLOCK} ms, a loop that stands still for ${BLOCK} ms and outlasts every deadline, and both at once`,
    expected: 'a reply that has arrived is delivered, whatever the clock says by then',
    tiers: ['commit', 'nightly'],
    run: blockedLoops,
  },
]
