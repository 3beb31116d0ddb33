// Owns the words of `respool simulate`. Only data.

import { type CommandSpec, HELP } from './command-spec.js'

export const SIMULATE: CommandSpec = {
  doc: 'Work out how long callers would wait, by the size of the pools',
  about: [
    'Simulates a fleet: so many processes, each with a pool, callers that come at a rate and hold a connection for a \
time. Prints the waits for each size, and the smallest one that keeps them below the target. Needs no server.',
    'Time is virtual, and the same seed gives the same callers to every size. The first tenth of the time is not \
counted: the lines have to form first. A pool keeps one of its connections for commands that share, unless \
--pipelining is 1 or it has no other; it is not lent.',
    'Example: respool simulate --processes 50 --rate 200 --hold 5ms,p99=40ms --target-wait 5ms',
  ],
  options: {
    processes: { value: 'N', doc: 'Processes, each with a pool of its own (1)' },
    connections: { value: 'LIST', doc: 'Sizes to try, such as 5,10,20 or 1-12; by default they are searched for' },
    rate: { value: 'N', doc: 'Callers per second that come to each process (100)' },
    'total-rate': { value: 'N', doc: 'Callers per second that come to all processes together, instead of --rate' },
    hold: {
      value: 'TIME',
      doc: 'How long a connection is held: 5ms (exponential, this mean), 5ms,p99=40ms (lognormal), 5ms,constant, or \
1ms,slow=200ms:1% (two times, and the share of the slow one) (5ms)',
    },
    arrivals: { value: 'HOW', doc: 'poisson, periodic, or bursty:N, so many at once (poisson)' },
    from: { value: 'FILE', doc: 'Take callers and hold times from JSON of pool.record().points() or pool.stats()' },
    seconds: { value: 'N', doc: 'Seconds of virtual time (60)' },
    'acquire-timeout': { value: 'TIME', doc: 'How long a caller waits at most (5s)' },
    traffic: { value: 'HOW', doc: 'leases: a connection for each caller; shared: commands on lanes (leases)' },
    lanes: { value: 'N', doc: 'With shared traffic: lanes that are open from the beginning (2)' },
    pipelining: { value: 'N', doc: 'Commands in flight on one lane; 1: every connection is lent (1000)' },
    'command-time': {
      value: 'TIME',
      doc: 'Let one server, which does one command at a time, need this for each; comes on top of --hold',
    },
    commands: { value: 'N', doc: 'Commands that are sent while a connection is held, with --command-time (1)' },
    maxclients: { value: 'N', doc: 'Connections that the server lets in (10000, the default of Redis)' },
    'target-wait': { value: 'TIME', doc: 'The wait that is acceptable (5ms)' },
    percentile: { value: 'N', doc: 'For how many of a hundred callers (99)' },
    seed: { value: 'N', doc: 'Another one draws other callers (1)' },
    svg: { value: 'FILE', doc: 'Write the chart to this file, too' },
    json: { doc: 'Print one JSON document' },
    help: HELP,
  },
  codes:
    'Exit codes: 0 done, 1 no size that was tried keeps to the target, 64 wrong usage, 70 a mistake of ours, 130 interrupted.',
}
