// Shows on a real server that a lease leaves no trace: whatever its holder did to the session, the next holder and the
// shared commands on the same connection find it as new. And that a holder who did nothing costs nothing.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Lease, Redis } from '../../src/index.js'
import { pick, seeded } from '../support/random.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { clientLines, until, Witness } from './support-live.js'

const SEQUENCES = 1_000
const WATCHED = 'watched'

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

const STEPS: readonly Step[] = [
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

describe('leases on a real server', { skip: liveSkip }, () => {
  let server: RedisProcess
  let witness: Witness
  before(async () => {
    server = await RedisProcess.start({ acl: ['user other on >secret ~* &* +@all'] })
    witness = await Witness.connect(server.port)
  })
  after(async () => {
    await witness[Symbol.asyncDispose]()
    await server.stop()
  })

  const pools = [
    { title: 'one connection, so that every holder gets the same', options: { maxConnections: 1 }, database: 0 },
    { title: 'a classic pool of two', options: { maxConnections: 2, pipelining: 1 }, database: 3 },
    { title: 'three connections that also share', options: { maxConnections: 3 }, database: 5 },
  ]
  for (const [index, { title, options, database }] of pools.entries()) {
    it(`leave no trace for the next holder, in ${title}`, async (t) => {
      const seed = 501 + index
      const random = seeded(seed)
      const redis = new Redis(server.url, { ...options, database })
      await redis.set('where', `database ${database}`)
      await redis.set(WATCHED, 'value')
      const count = Math.round(SEQUENCES / pools.length) + 1
      let same = 0
      let ended = 0
      redis.on('close', () => {
        ended++
      })
      for (let i = 0; i < count; i++) {
        const endedBefore = ended
        const left = await leaveBehind(redis, random)
        // Whoever watches these keys, listens to this channel or tracks this key would be told now.
        const touched = Promise.all([
          witness.ask('SELECT', String(database)).then(() => witness.ask('APPEND', WATCHED, '.')),
          witness.ask('PUBLISH', 'channel', 'message'),
        ])
        const shared = redis.get('where')
        const next = await redis.lease()
        await touched
        const what = `sequence ${i} of seed ${seed}: ${left.names.join(', ')}`
        assert.deepEqual(await traceOf(next), untouched(database), what)
        assert.equal(await shared, `database ${database}`, what)
        assert.deepEqual(await next.multi().get('where').exec(), [`database ${database}`], what)
        if (next.connectionId === left.id) same++
        // What can be undone costs no connection, what cannot costs exactly one.
        assert.equal(ended - endedBefore, left.trace === 'lost' ? 1 : 0, what)
        if (left.trace === 'lost') assert.notEqual(next.connectionId, left.id, what)
        next.release()
      }
      const { closed } = redis.pool.stats().counters
      t.diagnostic(
        `seed ${seed}: ${count} sequences, ${same} next holders on the same connection, ${JSON.stringify(closed)}`,
      )
      // A SUBSCRIBE inside of MULTI makes the server nest a push in the reply to EXEC, which is not RESP.
      const reasons = Object.keys(closed).filter((reason) => reason !== 'protocol-error')
      assert.deepEqual(reasons, ['dirty'])
      assert.ok(same > 20 && (closed.dirty ?? 0) > 20)
      await redis.close()
    })
  }

  it('could be told apart by what these tests look at', async (t) => {
    const redis = new Redis(server.url, { maxConnections: 1 })
    const seen: string[] = []
    for (const { name, trace, run } of STEPS) {
      // NO-TOUCH is newer than some servers; MULTI and WATCH do not show in what a connection tells of itself.
      if (trace === 'clean' || /no-touch|watch|multi|reset/i.test(name)) continue
      const lease = await redis.lease()
      await run(lease, () => 0.5)
      assert.notDeepEqual(await traceOf(lease), untouched(0), name)
      seen.push(name)
      lease.release()
    }
    const watching = await redis.lease()
    await watching.watch(WATCHED)
    await witness.ask('SELECT', '0')
    await witness.ask('APPEND', WATCHED, '.')
    await assert.rejects(watching.multi().ping().exec(), { name: 'WatchError' })
    watching.release()
    const open = await redis.lease()
    await open.sendCommand(['MULTI'])
    assert.equal(await open.sendCommand(['PING']), 'QUEUED')
    open.release()
    t.diagnostic(`${seen.length + 2} kinds of traces are seen`)
    await redis.close()
  })

  it('cost no round trip when they were clean, and one pipelined command to undo WATCH or SELECT', async (t) => {
    const redis = new Redis(server.url, { maxConnections: 2, pingInterval: 0 })
    await redis.lease((lease) => lease.ping())
    // The first idle connection is used to ask for the server's settings, once.
    await until('the pool has asked its questions', async () => {
      const before = redis.pool.stats().counters.sent
      await new Promise((resolve) => setTimeout(resolve, 600))
      return redis.pool.stats().counters.sent === before
    })
    const ids = new Set<number>()
    const costs: Record<string, number> = {}
    const users: Record<string, (lease: Lease) => Promise<unknown>> = {
      nothing: async () => {},
      get: (lease) => lease.get('key'),
      watch: (lease) => lease.watch('key'),
      select: (lease) => lease.select(4),
      both: (lease) => Promise.all([lease.watch('key'), lease.select(4)]),
      transaction: async (lease) => {
        await lease.watch('key')
        await lease.multi().get('key').exec()
      },
    }
    for (const [name, use] of Object.entries(users)) {
      const before = await witness.figure('stats', 'total_commands_processed')
      for (let i = 0; i < 100; i++) {
        await redis.lease((lease) => {
          ids.add(lease.connectionId)
          return use(lease)
        })
      }
      await until('all is answered', () => redis.pool.stats().inFlight === 0)
      // INFO counts itself.
      costs[name] = ((await witness.figure('stats', 'total_commands_processed')) - before - 1) / 100
    }
    t.diagnostic(`commands per lease: ${JSON.stringify(costs)}, connections: ${ids.size}`)
    assert.deepEqual(costs, { nothing: 0, get: 1, watch: 2, select: 2, both: 4, transaction: 4 })
    assert.equal(ids.size, 1)
    assert.deepEqual(redis.pool.stats().counters.closed, {})
    await redis.close()
  })

  it('are refused to their former holder, and their commands in flight do not reach the next', async () => {
    const redis = new Redis(server.url, { maxConnections: 1 })
    const answers: Promise<unknown>[] = []
    const wanted: string[] = []
    for (let i = 0; i < 200; i++) {
      const lease = await redis.lease()
      for (let j = 0; j < 5; j++) {
        wanted.push(`echo ${i} ${j}`)
        answers.push(lease.echo(`echo ${i} ${j}`))
      }
      lease.release()
      await assert.rejects(lease.get('key'), { name: 'LeaseReleasedError', outcome: 'not-sent' })
    }
    assert.deepEqual(await Promise.all(answers), wanted)
    await redis.close()
  })
})

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

type Session = Readonly<Record<'db' | 'multi' | 'name' | 'flags' | 'sub' | 'psub' | 'user' | 'redir' | 'resp', string>>

function untouched(database: number): Session {
  const nothing = { multi: '-1', name: '', flags: 'N', sub: '0', psub: '0', user: 'default', redir: '-1', resp: '3' }
  return { db: String(database), ...nothing }
}

/** What the server says of the connection; a push or a reply out of turn would not parse. */
async function traceOf(lease: Lease): Promise<Session> {
  const reply = await lease.sendCommand(['CLIENT', 'INFO'])
  assert.equal(typeof reply, 'string', `CLIENT INFO gave ${JSON.stringify(reply)}`)
  const [line = {}] = clientLines(String(reply))
  const { db = '', multi = '', name = '', flags = '', sub = '', psub = '', user = '', redir = '', resp = '' } = line
  return { db, multi, name, flags, sub, psub, user, redir, resp }
}
