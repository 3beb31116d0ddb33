// Shows on a real server that the commands of one key keep the order of the program, awaited or not, while lanes are
// opened, late, lost and replaced.

import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it, type TestContext } from 'node:test'
import { Redis, type RedisOptions, RespoolError } from '../../src/index.js'
import { pick, seeded } from '../support/random.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { nextTurn, pause, until, Witness } from './support-live.js'
import { Relay } from './support-relay.js'

const KEYS = 200

/** Every key's own program: numbers appended, in this order. */
class History {
  readonly acknowledged: number[][] = Array.from({ length: KEYS }, () => [])
  readonly unsure: number[][] = Array.from({ length: KEYS }, () => [])
  /** The length that each APPEND answered with, in the order of the calls. */
  readonly lengths: (number | undefined)[][] = Array.from({ length: KEYS }, () => [])
  readonly open = new Set<Promise<void>>()
  readonly #next: number[] = Array(KEYS).fill(0)
  lost = 0
  refused = 0

  get calls(): number {
    return this.#next.reduce((sum, next) => sum + next, 0)
  }

  append(redis: Redis, key: number): Promise<void> {
    const number = this.#next[key] ?? 0
    this.#next[key] = number + 1
    const call = redis.append(nameOf(key), `${number},`).then(
      (length) => {
        list(this.acknowledged, key).push(number)
        list(this.lengths, key)[number] = length
      },
      (error: unknown) => {
        assert.ok(error instanceof RespoolError, String(error))
        if (error.outcome === 'ambiguous') {
          this.lost++
          list(this.unsure, key).push(number)
        } else {
          this.refused++
        }
      },
    )
    this.open.add(call)
    void call.then(() => this.open.delete(call))
    return call
  }

  /** Complaints about what the server holds in the end. */
  judge(values: readonly (string | null)[]): string[] {
    const complaints: string[] = []
    for (const [key, value] of values.entries()) {
      const found = (value ?? '').split(',').slice(0, -1).map(Number)
      const acknowledged = new Set(list(this.acknowledged, key))
      const unsure = new Set(list(this.unsure, key))
      const kept = found.filter((number) => acknowledged.has(number))
      if (kept.some((number, i) => i > 0 && number <= (kept[i - 1] ?? 0)))
        complaints.push(`key ${key}: ${found} is out of order`)
      if (new Set(found).size < found.length) complaints.push(`key ${key}: ${found} has duplicates`)
      if (kept.length < acknowledged.size) complaints.push(`key ${key}: acknowledged, but not there`)
      if (found.some((number) => !acknowledged.has(number) && !unsure.has(number))) {
        complaints.push(`key ${key}: applied, but said not to be`)
      }
      const lengths = list(this.lengths, key).filter((length) => length !== undefined)
      if (lengths.some((length, i) => i > 0 && length <= (lengths[i - 1] ?? 0))) {
        complaints.push(`key ${key}: replies out of order`)
      }
    }
    return complaints
  }
}

type Trouble = (redis: Redis, relay: Relay, witness: Witness, random: () => number) => Promise<void>

interface Scene {
  readonly title: string
  readonly options: RedisOptions<3, Record<never, never>>
  readonly trouble: Trouble
  /** What must have happened, or the scene showed nothing. */
  readonly happened: (seen: Seen) => boolean
}

interface Seen {
  readonly late: number
  readonly mostLanes: number
  readonly opened: number
  readonly lost: number
}

const holdOne: Trouble = async (_redis, relay, _witness, random) => {
  await until('there is a connection', () => relay.links.length > 0)
  const link = pick(random, relay.links)
  link.hold(random() < 0.5 ? 'commands' : 'replies')
  await pause(15 + random() * 40)
  link.release()
}

const killOne: Trouble = async (_redis, _relay, witness, random) => {
  const clients = await witness.clients()
  if (clients.length > 0) await witness.ask('CLIENT', 'KILL', 'ID', pick(random, clients).id ?? '0')
  await pause(random() * 20)
}

const sleep: Trouble = async (_redis, _relay, witness) => {
  await witness.ask('DEBUG', 'SLEEP', '0.03')
  await pause(5)
}

const change: Trouble = async (redis, _relay, _witness, random) => {
  if (random() < 0.3) redis.pool.retire()
  else redis.pool.resize({ maxConnections: 1 + Math.floor(random() * 8) })
  await pause(random() * 15)
}

/** Leases take lanes away and give them back. */
const leases: Trouble = async (redis, _relay, _witness, random) => {
  await Promise.all(
    Array.from({ length: 8 }, () =>
      redis.lease(async (lease) => {
        await lease.ping()
        await pause(random() * 5)
      }),
    ),
  )
}

const everything: Trouble = (...facts) => pick(facts[3], [holdOne, killOne, sleep, change, leases])(...facts)

const SCENES: readonly Scene[] = [
  { title: 'lanes that open', options: {}, trouble: () => pause(10), happened: (seen) => seen.mostLanes >= 2 },
  {
    title: 'short pipelines',
    options: { pipelining: 4, lanes: 4 },
    trouble: leases,
    happened: (s) => s.mostLanes >= 3,
  },
  { title: 'a late lane', options: { maxConnections: 6 }, trouble: holdOne, happened: (seen) => seen.late > 0 },
  { title: 'late lanes of many', options: { lanes: 4, pipelining: 64 }, trouble: holdOne, happened: (s) => s.late > 0 },
  { title: 'a server that sleeps', options: { maxConnections: 6 }, trouble: sleep, happened: (seen) => seen.late > 0 },
  {
    title: 'lanes that leases take away',
    options: { maxConnections: 4 },
    trouble: leases,
    happened: (s) => s.opened === 4,
  },
  { title: 'lost lanes', options: { maxConnections: 6 }, trouble: killOne, happened: (seen) => seen.lost > 0 },
  { title: 'resizing and retiring', options: {}, trouble: change, happened: (seen) => seen.opened > 10 },
  { title: 'all of it', options: { lanes: 3 }, trouble: everything, happened: (s) => s.late > 0 && s.lost > 0 },
]

describe('program order per key on a real server', { skip: liveSkip }, () => {
  let server: RedisProcess
  let witness: Witness
  let relay: Relay
  before(async () => {
    server = await RedisProcess.start()
    witness = await Witness.connect(server.port)
    relay = await Relay.start(server.port)
  })
  beforeEach(() => witness.ask('FLUSHALL'))
  after(async () => {
    await relay[Symbol.asyncDispose]()
    await witness[Symbol.asyncDispose]()
    await server.stop()
  })

  for (const [index, { title, options, trouble, happened }] of SCENES.entries()) {
    it(`holds through ${title}`, async (t) => {
      const redis = new Redis(relay.url, { backoffMin: 1, backoffMax: 5, ...options })
      t.after(() => redis.destroy())
      const random = seeded(301 + index)
      const { history, seen } = await play(redis, random, 900, () => trouble(redis, relay, witness, random))
      await finish(t, redis, history, `seed ${301 + index}: ${JSON.stringify(seen)}`)
      assert.ok(happened(seen), `nothing happened: ${JSON.stringify(seen)}`)
      if (seen.lost === 0) assert.equal(history.lost + history.refused, 0)
    })
  }

  for (const asPipeline of [false, true]) {
    const what = asPipeline ? 'pipeline' : 'transaction'
    it(`holds for what follows a ${what} that the server has read in part when its lane is replaced`, async (t) => {
      const redis = new Redis(relay.url)
      t.after(() => redis.destroy())
      await redis.ping()
      const link = relay.links.at(-1)
      link?.holdAfter(20_000)
      const { replies } = redis.pool.stats().counters
      const filler = 'x'.repeat(100_000)
      const whole = redis.multi().append('key', '0,').set('filler', filler).append('key', '1,').exec(asPipeline)
      await until('its first command is answered', () => redis.pool.stats().counters.replies > replies)
      redis.pool.retire()
      const later = [redis.append('key', '2,'), redis.append('key', '3,')]
      await pause(30)
      link?.release()
      await Promise.all([whole, ...later])
      assert.equal(await redis.get('key'), '0,1,2,3,')
    })
  }

  it('would not hold if a key changed lanes with commands unanswered: so it goes with two pools', async () => {
    await using one = new Redis(relay.url)
    await using two = new Redis(relay.url)
    await one.ping()
    const link = relay.links.at(-1)
    await two.ping()
    const history = new History()
    link?.hold('commands')
    void history.append(one, 1)
    await history.append(two, 1)
    link?.release()
    await Promise.all(history.open)
    assert.match(history.judge(await read(one)).join('; '), /key 1: 1,0 is out of order/)
  })

  it('would be missed by nothing: the judge complains of each fault', () => {
    const history = new History()
    history.acknowledged[0] = [0, 1, 2]
    const judge = (value: string): string => history.judge([value]).join('; ')
    assert.equal(judge('0,1,2,'), '')
    assert.match(judge('0,2,1,'), /out of order/)
    assert.match(judge('0,1,1,2,'), /duplicates/)
    assert.match(judge('0,1,'), /acknowledged, but not there/)
    assert.match(judge('0,1,2,3,'), /applied, but said not to be/)
    history.lengths[0] = [2, 6, 4]
    assert.match(judge('0,1,2,'), /replies out of order/)
  })
})

/** Some programs await each APPEND, some never do; trouble comes meanwhile. */
async function play(
  redis: Redis,
  random: () => number,
  duration: number,
  trouble: () => Promise<void>,
): Promise<{ history: History; seen: Seen }> {
  const history = new History()
  const end = performance.now() + duration
  let late = 0
  let mostLanes = 0
  const running = (): boolean => performance.now() < end
  const awaiting = async (key: number): Promise<void> => {
    while (running()) await history.append(redis, key)
  }
  const rushing = async (): Promise<void> => {
    while (running()) {
      const burst = Math.floor(random() * 300)
      // Only keys that nobody awaits, each several times in one burst; bounded by what is open.
      for (let i = 0; i < burst; i++) void history.append(redis, 20 + Math.floor(random() * (KEYS - 20)))
      if (history.open.size > 3_000) await Promise.race(history.open)
      if (random() < 0.5) await nextTurn()
      else await pause(1)
    }
  }
  const watching = async (): Promise<void> => {
    while (running()) {
      const { connections } = redis.pool.stats()
      late = Math.max(late, connections.late)
      mostLanes = Math.max(mostLanes, connections.shared)
      await pause(1)
    }
  }
  const troubling = async (): Promise<void> => {
    await pause(50)
    while (running()) await trouble()
  }
  const programs = Array.from({ length: 20 }, (_, key) => awaiting(key))
  await Promise.all([...programs, rushing(), watching(), troubling()])
  await Promise.all(history.open)
  const { opened, closed } = redis.pool.stats().counters
  const lost = (closed['server-closed'] ?? 0) + (closed['network-error'] ?? 0)
  return { history, seen: { late, mostLanes, opened, lost } }
}

async function finish(t: TestContext, redis: Redis, history: History, about: string): Promise<void> {
  await until('all is answered', () => redis.pool.stats().inFlight === 0)
  const complaints = history.judge(await read(redis))
  t.diagnostic(
    `${about}; ${history.calls} appends to ${KEYS} keys, ${history.lost} ambiguous, ${history.refused} not applied, ` +
      `${complaints.length} complaints`,
  )
  assert.deepEqual(complaints.slice(0, 3), [])
  assert.ok(history.calls > 2_000, `${history.calls} appends`)
  await redis.close()
}

function read(redis: Redis): Promise<(string | null)[]> {
  return redis.mGet(Array.from({ length: KEYS }, (_, key) => nameOf(key)))
}

function nameOf(key: number): string {
  return `order:${key}`
}

function list<T>(lists: T[][], key: number): T[] {
  return lists[key] ?? []
}
