// Owns the words of `respool simulate`. Only data.

import { type CommandSpec, HELP } from './command-spec.js'

export const SIMULATE: CommandSpec = {
  doc: 'Work out how long callers would wait, by the size of the pools',
  about: [
    'Simulates a fleet: so many processes, each with a pool, callers that come at a rate and hold a connection for a \
time. Prints the waits for each size, and the smallest one that keeps them below the target. Needs no server.',
    'Time is virtual, and the same seed gives the same callers to every size. The first tenth of the time is not \
counted: the lines have to form first. A pool keeps one of its connections for commands that share, unless \
--pipelining is 1 or it has no other; it is not lent. Connections are made in no time, and none is lost.',
    'Durations are written 200us, 5ms, 1.5s or 2m.',
  ],
  options: {
    processes: { value: 'N', doc: 'Processes, each with a pool of its own', default: '1' },
    connections: {
      value: 'LIST',
      doc: 'Values of maxConnections to try, such as 5,10,20 or 1-12',
      default: 'a search for the smallest that will do',
    },
    rate: { value: 'N', doc: 'Callers per second that come to each process', default: '100' },
    'total-rate': { value: 'N', doc: 'Callers per second that come to all processes together, instead of --rate' },
    hold: {
      value: 'TIME',
      doc: 'How long a connection is held: 5ms (exponential, this mean), 5ms,p99=40ms (lognormal, this mean), \
5ms,constant, or 1ms,slow=200ms:1% (two times, and the share of the slow one)',
      default: '5ms',
    },
    arrivals: {
      value: 'HOW',
      doc: 'How callers come: poisson, periodic, or bursty:N, so many at once',
      default: 'poisson',
    },
    from: {
      value: 'FILE',
      doc: 'Take callers and hold times from what a pool of one process recorded: JSON of pool.record().points() or \
pool.stats()',
    },
    seconds: { value: 'N', doc: 'Seconds of virtual time', default: '60' },
    'acquire-timeout': { value: 'TIME', doc: 'How long a caller waits at most', default: '5s' },
    traffic: {
      value: 'HOW',
      doc: 'leases: each caller has a connection to itself; shared: commands on lanes, --hold is until the reply',
      default: 'leases',
      choices: ['leases', 'shared'],
    },
    lanes: {
      value: 'N',
      doc: 'Lanes that shared traffic has from the beginning; a full one has another opened',
      default: '2',
    },
    pipelining: {
      value: 'N',
      doc: 'Commands in flight on one lane; with 1, every connection is lent',
      default: '1000',
    },
    'command-time': {
      value: 'TIME',
      doc: 'Let all connections lead to one server that does one command at a time, and needs this for each; it comes \
on top of --hold',
    },
    commands: { value: 'N', doc: 'Commands sent while a connection is held, with --command-time', default: '1' },
    maxclients: { value: 'N', doc: 'Connections that the server lets in', default: '10000' },
    'target-wait': { value: 'TIME', doc: 'The wait for a connection that is acceptable', default: '5ms' },
    percentile: { value: 'N', doc: 'For how many of a hundred callers', default: '99' },
    seed: { value: 'N', doc: 'Another one draws other callers', default: '1' },
    svg: { value: 'FILE', doc: 'Write the chart to this file, too' },
    json: { doc: 'Print one JSON document, with schemaVersion' },
    help: HELP,
  },
  examples: [
    {
      words: 'respool simulate --processes 50 --rate 200 --hold 5ms,p99=40ms',
      doc: 'How large the pools of 50 processes should be',
    },
    {
      words: 'respool simulate --processes 50 --connections 5,10,20 --from history.json --svg waits.svg',
      doc: 'Three sizes under the traffic that one of the processes recorded',
    },
    {
      words: 'respool simulate --processes 20 --rate 900 --hold 1ms --command-time 50us',
      doc: 'With a server that such a fleet keeps busy 90 % of the time',
    },
  ],
  exits: { failed: 'No size that was tried keeps to the target' },
}
