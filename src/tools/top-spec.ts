// Owns the words of `respool top`. Only data.

import { AUTHORITY_OPTION, AUTHORITY_VARIABLE } from './authority.js'
import { type CommandSpec, HELP, POOL_OPTIONS, SERVER_OPTIONS } from './command-spec.js'

/** What clients can be sorted by. */
export const SORTS = ['count', 'age', 'idle', 'memory', 'name'] as const
export type Sort = (typeof SORTS)[number]

export const TOP: CommandSpec = {
  doc: "Watch a server's clients, and the pools that use it",
  about: [
    'Shows a server’s operations per second, clients, memory, hit rate and evictions; its clients by name, or by library \
and address where they have none, with how many they are, the age of the oldest, how long one was idle, and what most of \
them sent last; and pools that publish their figures through a dashboard, with what ails them.',
    'On a terminal it takes the whole screen. Keys: q quits; c, a, i, m and n sort by count, age, idle time, memory and \
name; r reverses; space pauses. Elsewhere it prints lines. A server that goes away is waited for.',
    'It asks with INFO and CLIENT LIST, from one connection, CLIENT LIST more seldom the longer it takes. The rights it \
needs: +info +client|list. What is refused is said, and the rest is shown.',
  ],
  options: {
    url: SERVER_OPTIONS.url,
    ...AUTHORITY_OPTION,
    ...POOL_OPTIONS,
    interval: {
      value: 'TIME',
      default: '250ms on a screen, else 1s',
      doc: 'Time between two refreshes: milliseconds, or with a unit as in 500ms or 2s; from 100ms to 1h',
    },
    sort: { value: 'FIELD', choices: SORTS, default: 'count', doc: 'Order of the clients' },
    once: { doc: 'Print one moment, with rates over the second before it, and end' },
    json: { doc: 'Print a JSON document a line at every refresh, with schemaVersion' },
    help: HELP,
  },
  environment: { ...AUTHORITY_VARIABLE, TERM: '"dumb": no full screen' },
  examples: [
    { words: 'respool top --url redis://localhost:6379', doc: 'Watch this server' },
    {
      words: 'respool top --pool http://127.0.0.1:8080/respool/ --token-file token.txt',
      doc: 'Watch the pools of a process; --url beside it shows their server too',
    },
    { words: 'respool top --json --interval 10s >> top.jsonl', doc: 'Keep a record; the server is that of REDIS_URL' },
  ],
  exits: { failed: null, unavailable: 'With --once: neither the server nor a pool answered' },
}
