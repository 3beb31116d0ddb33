// Owns the words of `respool doctor`. Only data.

import { AUTHORITY_OPTION, AUTHORITY_VARIABLE } from './authority.js'
import { type CommandSpec, HELP, SERVER_OPTIONS } from './command-spec.js'
import { POOL_OPTIONS } from './pool-endpoint.js'

export const DOCTOR: CommandSpec = {
  doc: 'Find what ails a server and the pools that use it',
  about: [
    'Connects to a server, asks it about itself, and says what it found, the worst first: what was seen, what that \
means, and what to do. Nothing is changed, and nothing but names of commands, names of clients and figures is shown: \
no keys, no values, no arguments. It takes one connection, and a second or two.',
    'Looked at: reachability and why not, round trips beside how late this process itself was, TLS and certificate, \
version, protocol, role, timeouts, maxclients and who is connected, refused connections, memory and evictions, output \
buffers, slow commands and scripts, SLOWLOG, persistence. What the server refuses to tell (ACL, renamed commands) is a \
finding that says what to grant; enough is: +info +ping +hello +config|get +client|list +slowlog|get.',
    'With --pool it looks at live pools too, twice within a second, and names the cause in the words of \
ConnectionPoolTimeoutError: leak, slow-server, failing-dials, blocked-loop, too-small.',
  ],
  options: {
    url: SERVER_OPTIONS.url,
    ...AUTHORITY_OPTION,
    ...POOL_OPTIONS,
    processes: { value: 'N', doc: 'Processes of the fleet: do their pools fit into maxclients?' },
    'max-connections': { value: 'N', doc: 'maxConnections of each of them', default: 'that of the URL, else 10' },
    json: { doc: 'Print one JSON document, with schemaVersion' },
    help: HELP,
  },
  environment: AUTHORITY_VARIABLE,
  examples: [
    { words: 'respool doctor --url redis://localhost:6379', doc: 'What ails this server' },
    {
      words: 'respool doctor --url rediss://db.example:6380 --ca authority.pem --processes 40 --max-connections 25',
      doc: 'Over TLS, and whether 40 processes with 25 connections each fit',
    },
    {
      words: 'respool doctor --pool http://127.0.0.1:8080/respool/ --token-file token.txt',
      doc: 'What ails the pools of a process that runs',
    },
    { words: 'respool doctor --json | jq .worst', doc: 'For a monitor; the server is that of REDIS_URL' },
  ],
  exits: {
    done: 'Healthy: nothing but notes',
    failed: 'The worst finding is a warning',
    critical: 'The worst finding is critical',
    unavailable: 'Nothing could be examined: neither the server nor a pool could be reached',
  },
}
