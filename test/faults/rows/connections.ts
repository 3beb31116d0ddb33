// Rows A: connections die. Each row brings up its own servers and proxies, and takes them down; how is in the files
// beside this one.

import type { Row } from '../row.js'
import { lostBlockingCommands } from './connections-blocking.js'
import { unfetchedReplies } from './connections-buffers.js'
import { cutHandshakes } from './connections-handshake.js'
import { idleCloses } from './connections-idle.js'
import { cutReplies } from './connections-replies.js'
import { clientKills, crashes, ROUND, shutdown } from './connections-server.js'
import { EVERY, lostReplies, orderlyEnds, resets } from './connections-storms.js'
import { lostTransactions } from './connections-transactions.js'

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
    id: 'A3',
    fault: 'A connection ends inside a reply',
    injection: 'a scripted server ends it behind every byte of 20 kinds of replies, in RESP2 and RESP3',
    expected: 'no part of a reply is delivered; a read is sent again, a write is ambiguous',
    tiers: ['commit', 'nightly'],
    run: cutReplies,
  },
  {
    id: 'A4',
    fault: 'Connections are closed in good order',
    injection: 'the proxy ends a connection, or one of its directions, with a FIN',
    expected: 'as after a reset',
    tiers: ['commit', 'nightly'],
    run: orderlyEnds,
  },
  {
    id: 'A5',
    fault: 'The server kills all its clients',
    injection: `CLIENT KILL TYPE normal, again ${ROUND} ms after the pool is whole`,
    expected: 'as after a reset, and all connections come back',
    tiers: ['commit', 'nightly'],
    run: clientKills,
  },
  {
    id: 'A6',
    fault: 'The server crashes and comes back',
    injection: 'SIGKILL, and a restart with every acknowledged write on disk',
    expected: 'few attempts while it is down, and nothing acknowledged is lost',
    tiers: ['commit', 'nightly'],
    run: crashes,
  },
  {
    id: 'A7',
    fault: 'The server is down for seconds',
    injection: 'it is shut down, and started again later',
    expected: 'every call and every wait ends by its deadline, and says why',
    tiers: ['commit', 'nightly'],
    run: shutdown,
  },
  {
    id: 'A8',
    fault: 'The server closes idle connections',
    injection:
      'its timeout is one second; pools that ping, that may read the setting, or neither are busy and idle by turns',
    expected: 'no caller is told',
    tiers: ['nightly'],
    run: idleCloses,
  },
  {
    id: 'A9',
    fault: 'The server closes connections whose replies are not fetched',
    injection: 'large replies, held by the proxy, exceed client-output-buffer-limit or maxmemory-clients',
    expected: 'what was in flight is ambiguous and not done twice, everything else goes on',
    tiers: ['commit', 'nightly'],
    run: unfetchedReplies,
  },
  {
    id: 'A10',
    fault: 'A connection ends inside its handshake',
    injection: 'the proxy ends it before every byte of HELLO, AUTH, SETNAME, SELECT, SETINFO and PING, both ways',
    expected: 'it is never used; who waits is served by the next one',
    tiers: ['commit', 'nightly'],
    run: cutHandshakes,
  },
  {
    id: 'A11',
    fault: 'Connections end inside transactions',
    injection: 'the proxy resets connections, or drops a reply first, under MULTI and under leases that WATCH',
    expected: 'all of a transaction was applied or nothing; before EXEC was sent, nothing was',
    tiers: ['commit', 'nightly'],
    run: lostTransactions,
  },
  {
    id: 'A12',
    fault: 'Connections end under blocking commands',
    injection: 'the proxy ends all of them before, together with and behind the element that BLPOP or BLMOVE waits for',
    expected: 'the commands fail, their leases end, and every element is somewhere',
    tiers: ['commit', 'nightly'],
    run: lostBlockingCommands,
  },
]
