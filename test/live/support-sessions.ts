// What one holder of a lease may do to its session, at random, and what the next one would see of it. Judges nothing.

import type { Lease, Redis } from '../../src/index.js'
import { pick } from '../support/random.js'
import { clientLines, type Witness } from './support-live.js'

export const WATCHED = 'watched'

/** What a step does to the connection it runs on. `clean`: nothing · `undone`: the pool can undo it · `lost`: it cannot. */
type Trace = 'clean' | 'undone' | 'lost'

interface Step {
  readonly name: string
  readonly trace: Trace
  run(lease: Lease, random: () => number): Promise<unknown>
}

const raw = (trace: Trace, ...args: string[]): Step => ({
  name: args.join(' '),
  trace,
  run: (lease) => lease.sendCommand(args),
})

export const STEPS: readonly Step[] = [
  raw('clean', 'GET', WATCHED),
  raw('clean', 'CLIENT', 'ID'),
  raw('clean', 'NOSUCHCOMMAND'),
  { name: 'get()', trace: 'clean', run: (lease) => lease.get(WATCHED) },
  { name: 'multi()', trace: 'clean', run: (lease) => lease.multi().incr('counter').ping().exec() },
  { name: 'a refused CLIENT REPLY', trace: 'clean', run: (lease) => lease.sendCommand(['client', 'reply', 'OFF']) },
  { name: 'a refused MONITOR', trace: 'clean', run: (lease) => lease.sendCommand(['Monitor']) },
  { name: 'watch()', trace: 'undone', run: (lease) => lease.watch([WATCHED, 'another']) },
  raw('undone', 'watch', WATCHED),
  { name: 'select()', trace: 'undone', run: (lease, random) => lease.select(1 + Math.floor(random() * 15)) },
  raw('undone', 'sElEcT', '7'),
  raw('undone', 'MULTI'),
  raw('clean', 'EXEC'),
  raw('clean', 'DISCARD'),
  raw('clean', 'UNWATCH'),
  raw('lost', 'SUBSCRIBE', 'channel'),
  raw('lost', 'psubscribe', 'chan*'),
  raw('lost', 'SSUBSCRIBE', 'channel'),
  raw('lost', 'CLIENT', 'SETNAME', 'left-behind'),
  raw('lost', 'client', 'setname', 'left-behind'),
  raw('lost', 'CLIENT', 'TRACKING', 'ON'),
  raw('lost', 'CLIENT', 'TRACKING', 'ON', 'BCAST'),
  raw('lost', 'CLIENT', 'NO-EVICT', 'ON'),
  raw('lost', 'CLIENT', 'NO-TOUCH', 'ON'),
  raw('lost', 'AUTH', 'other', 'secret'),
  raw('lost', 'HELLO', '2'),
  raw('lost', 'HELLO', '3', 'SETNAME', 'left-behind'),
  raw('lost', 'HELLO', '3', 'AUTH', 'other', 'secret'),
  raw('lost', 'RESET'),
]

/** What came to light after one holder had left and another had come. */
export interface Succession {
  readonly left: LeftBehind
  /** What the server says of the connection of the next holder. */
  readonly session: Session
  /** What the shared handle, and a transaction of the next holder, read in the meantime. */
  readonly shared: unknown
  readonly inTransaction: unknown
  /** Whether the next holder got the same connection. */
  readonly isSame: boolean
}

/** One holder does what it likes and leaves; the world goes on; the next one looks around and leaves too. */
export async function succeed(
  redis: Redis,
  witness: Witness,
  database: number,
  random: () => number,
): Promise<Succession> {
  const left = await leaveBehind(redis, random)
  // Whoever watches these keys, listens to this channel or tracks this key would be told now.
  const touched = Promise.all([
    witness.ask('SELECT', String(database)).then(() => witness.ask('APPEND', WATCHED, '.')),
    witness.ask('PUBLISH', 'channel', 'message'),
  ])
  const reading = redis.get('where')
  const next = await redis.lease()
  await touched
  try {
    const session = await traceOf(next)
    const shared = await reading
    const inTransaction = await next.multi().get('where').exec()
    return { left, session, shared, inTransaction, isSame: next.connectionId === left.id }
  } finally {
    next.release()
  }
}

/** What `where` holds in a database. */
export function whereabouts(database: number): string {
  return `database ${database}`
}

/** Pools in which sessions may be left behind, and the users that the server must know. */
export const SESSION_POOLS = [
  { title: 'one connection, so that every holder gets the same', options: { maxConnections: 1 }, database: 0 },
  { title: 'a classic pool of two', options: { maxConnections: 2, pipelining: 1 }, database: 3 },
  { title: 'three connections that also share', options: { maxConnections: 3 }, database: 5 },
] as const
export const SESSION_USERS = ['user other on >secret ~* &* +@all']

interface LeftBehind {
  readonly id: number
  readonly names: readonly string[]
  readonly trace: Trace
}

/** One holder does one to five things, awaited or not, and leaves. */
async function leaveBehind(redis: Redis, random: () => number): Promise<LeftBehind> {
  const lease = await redis.lease()
  const id = lease.connectionId
  const names: string[] = []
  let trace: Trace = 'clean'
  const replies: Promise<unknown>[] = []
  for (let i = 1 + Math.floor(random() * 5); i > 0; i--) {
    // What costs the connection comes less often, or there would be few connections that two holders share.
    const step = pick(random, random() < 0.8 ? STEPS.filter((one) => one.trace !== 'lost') : STEPS)
    names.push(step.name)
    if (step.trace === 'lost') trace = 'lost'
    else if (step.trace === 'undone' && trace === 'clean') trace = 'undone'
    const reply = step.run(lease, random).catch(() => {})
    // The reply to what follows SUBSCRIBE or an open MULTI is of no interest; that it comes at all is.
    if (random() < 0.5) await reply
    replies.push(reply)
  }
  if (random() < 0.5) await Promise.all(replies)
  lease.release()
  await Promise.all(replies)
  return { id, names, trace }
}

export type Session = Readonly<
  Record<'db' | 'multi' | 'name' | 'flags' | 'sub' | 'psub' | 'user' | 'redir' | 'resp', string>
>

export function untouched(database: number): Session {
  const nothing = { multi: '-1', name: '', flags: 'N', sub: '0', psub: '0', user: 'default', redir: '-1', resp: '3' }
  return { db: String(database), ...nothing }
}

/** What the server says of the connection; a push or a reply out of turn would not parse. */
export async function traceOf(lease: Lease): Promise<Session> {
  const reply = await lease.sendCommand(['CLIENT', 'INFO'])
  if (typeof reply !== 'string') throw new Error(`CLIENT INFO gave ${JSON.stringify(reply)}`)
  const [line = {}] = clientLines(reply)
  const { db = '', multi = '', name = '', flags = '', sub = '', psub = '', user = '', redir = '', resp = '' } = line
  return { db, multi, name, flags, sub, psub, user, redir, resp }
}
