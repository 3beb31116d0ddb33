// Rows C: the server refuses, or a client may not in. Says what they are; how they run is in the files beside it.

import type { Row } from '../row.js'
import { greetings } from './refusals-greetings.js'
import { refusedLogins, rotatedPasswords } from './refusals-logins.js'
import { demoted, staleReplica } from './refusals-roles.js'
import { busyServer, fullServer, loadingServer } from './refusals-state.js'
import { changedCertificates, unacceptable } from './refusals-tls.js'
import { refusedWrites } from './refusals-writes.js'

export const refusals: readonly Row[] = [
  {
    id: 'C1',
    fault: 'The server is full',
    injection: 'maxclients leaves room for 3 connections where the pool wants 8',
    expected: 'what there is goes on serving; who waits in vain is told why; the rest comes once there is room',
    tiers: ['commit', 'nightly'],
    run: fullServer,
  },
  {
    id: 'C2',
    fault: 'The server loads its data set',
    injection: 'DEBUG RELOAD, one key every millisecond',
    expected: 'no caller is told; what was refused is sent again once the server is ready',
    tiers: ['commit', 'nightly'],
    run: loadingServer,
  },
  {
    id: 'C3',
    fault: 'A script holds the server up',
    injection: 'EVAL of an endless loop, later SCRIPT KILL',
    expected: 'callers are told BUSY; no connection ends',
    tiers: ['commit', 'nightly'],
    run: busyServer,
  },
  {
    id: 'C4',
    fault: 'The server takes no writes',
    injection: 'maxmemory is exceeded, a save has failed, or a replica is missing that min-replicas-to-write asks for',
    expected: 'writes are rejected and their callers told; reads go on, also those of new clients; no connection ends',
    tiers: ['commit', 'nightly'],
    run: refusedWrites,
  },
  {
    id: 'C5',
    fault: 'The server becomes a replica, and the name leads to the new primary',
    injection: 'REPLICAOF both ways while writes wait; the proxy leads on at once, or 300 ms later',
    expected:
      'READONLY replaces all connections, none of which is given another command; what was refused is sent again',
    tiers: ['commit', 'nightly'],
    run: demoted,
  },
  {
    id: 'C6',
    fault: 'The server is a replica without its primary, and the name leads to another server',
    injection: 'replica-serve-stale-data no, REPLICAOF to a port where nobody is; the proxy leads on at once',
    expected: 'MASTERDOWN replaces the connection; what was refused is sent again where the name leads now',
    tiers: ['commit', 'nightly'],
    run: staleReplica,
  },
  {
    id: 'C7',
    fault: 'The login is refused, missing, or does not allow a command',
    injection: 'a wrong password, none where one is asked for, and an ACL rule taken away under load',
    expected: 'callers are told why; a refused login is not tried again before backoffMax; NOPERM ends no connection',
    tiers: ['commit', 'nightly'],
    run: refusedLogins,
  },
  {
    id: 'C8',
    fault: 'Passwords change under load',
    injection: 'a second password, retire(), the first one taken away; later ACL DELUSER, with the user made anew',
    expected: 'no call fails; where connections are ended, what was in flight is ambiguous and nothing else',
    tiers: ['nightly'],
    run: rotatedPasswords,
  },
  {
    id: 'C9',
    fault: 'Servers greet in every way there is',
    injection:
      'HELLO renamed away; scripted: NOPROTO, DENIED, silence, each refusal of HELLO and of a command, AUTH unanswered',
    expected:
      'RESP2 only where HELLO or RESP3 is unknown; a login goes alone; each refusal is told, or met by another attempt',
    tiers: ['commit', 'nightly'],
    run: greetings,
  },
  {
    id: 'C10',
    fault: 'TLS that does not come about',
    injection:
      'certificates that are self-signed, expired, of another name or authority, or missing; TLS to a plain port and the reverse; handshakes that are cut',
    expected: 'no call waits longer than it would for a connection; few attempts, whose errors say what is wrong',
    tiers: ['commit', 'nightly'],
    run: unacceptable,
  },
  {
    id: 'C11',
    fault: 'The certificate and its authority change under load',
    injection: 'CONFIG SET tls-cert-file and retire(), ten times, where clients trust both authorities',
    expected: 'no call fails',
    tiers: ['nightly'],
    run: changedCertificates,
  },
]
