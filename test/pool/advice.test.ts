// What size a pool is advised: the number, the arithmetic behind it, and what was and was not known.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Advice } from '../../src/pool/advice.js'
import { readAdviceOptions } from '../../src/pool/advice-options.js'
import { Demand } from '../../src/pool/demand.js'
import { World, type WorldOptions } from '../support/pool-harness.js'
import { type Random, seeded } from '../support/random.js'

const TERMS = { targetWait: 5, percentile: 0.99 } as const

const exponential = (random: Random, mean: number): number => -Math.log(1 - random()) * mean

/** Leases that come at random, so many ms apart on average, and are held for that long on average. */
async function lend(world: World, count: number, pause: number, hold: number): Promise<void> {
  const random = seeded(7)
  for (let index = 0; index < count; index++) {
    const held = exponential(random, hold)
    world.pool.acquire().then(
      (lease) => world.clock.setTimeout(() => lease.release(), held),
      () => {},
    )
    await world.run(exponential(random, pause))
  }
}

/** How many commands with that word have reached the server from now on. */
function countOf(world: World, word: string): () => number {
  let count = 0
  world.server.witness = {
    ...world.server.witness,
    reached: (_connection, args) => {
      if (args.includes(word)) count++
    },
  }
  return () => count
}

async function adviceAfter(options: WorldOptions, count: number, pause: number, hold: number): Promise<Advice> {
  const world = new World(options)
  await lend(world, count, pause, hold)
  return world.pool.advice(TERMS)
}

describe('the advice of a pool', () => {
  it('is arithmetic that its reader can check', async () => {
    const { evidence, because, maxConnections, wouldChange } = await adviceAfter({ maxConnections: 20 }, 1_000, 10, 40)
    const { arrivalsPerSecond, meanHold, meanHeld } = evidence
    assert.ok(Math.abs((arrivalsPerSecond * meanHold) / 1_000 - meanHeld) < 1e-6)
    assert.ok(meanHeld > 3 && meanHeld < 5, `${meanHeld}`)
    assert.equal(evidence.borrowings, 1_000)
    assert.equal(evidence.shared, 1)
    assert.match(
      because,
      /^[\d.]+ borrowings a second × [\d.]+ ms = [\d.]+ connections held on average, and (\d+) let 99 % of them wait at most 5 ms; 1 for commands that share: (\d+) connections in all$/,
    )
    assert.ok(because.endsWith(`: ${maxConnections} connections in all`))
    const advised = evidence.sizes.find((size) => size.maxConnections === maxConnections)
    const smaller = evidence.sizes.find((size) => size.maxConnections === maxConnections - 1)
    assert.ok(advised !== undefined && advised.wait !== null && advised.wait <= 5 && advised.longer <= 0.01)
    assert.ok(smaller !== undefined && (smaller.wait === null || smaller.wait > 5))
    const [twice = ''] = wouldChange
    const [, more = 0] = /^held for twice as long, (\d+) connections would be needed/.exec(twice) ?? []
    assert.ok(Number(more) > maxConnections, twice)
  })

  it('says whether the pool has too few, enough or too many', async () => {
    const verdicts = await Promise.all(
      [4, 11, 30].map(async (maxConnections) => await adviceAfter({ maxConnections }, 1_000, 10, 40)),
    )
    assert.deepEqual(
      verdicts.map(({ verdict, current }) => [current, verdict]),
      [
        [4, 'too-small'],
        [11, 'right'],
        [30, 'larger-than-needed'],
      ],
    )
  })

  it('is about the same where the pool was too small, because it goes by when callers asked', async () => {
    const large = await adviceAfter({ maxConnections: 30 }, 2_000, 10, 40)
    const small = await adviceAfter({ maxConnections: 7, acquireTimeout: 60_000 }, 2_000, 10, 40)
    assert.ok(Math.abs(large.maxConnections - small.maxConnections) <= 1)
    assert.ok(small.wouldChange.every((sentence) => !sentence.startsWith('nearly all connections')))
  })

  it('counts callers who gave up, and says that more may be asked for than can be seen', async () => {
    const { verdict, evidence, wouldChange } = await adviceAfter(
      { maxConnections: 3, acquireTimeout: 100 },
      1_500,
      10,
      40,
    )
    assert.equal(verdict, 'too-small')
    assert.equal(evidence.borrowings, 1_500)
    assert.ok(evidence.meanHeld > 3, `${evidence.meanHeld}`)
    const told = wouldChange.find((sentence) => sentence.startsWith('nearly all connections were in use'))
    assert.match(told ?? '', /and \d{3,} callers of these waited in vain or wait still/)
  })

  it('does not guess from too little: then it tells the most that was seen at once', async () => {
    const world = new World({ maxConnections: 8 })
    assert.equal(world.pool.advice(TERMS).because, 'nobody has borrowed a connection yet; commands share 1 connection')
    const loans = [await world.leased(), await world.leased(), await world.leased()]
    const { verdict, because, maxConnections, evidence, options } = world.pool.advice(TERMS)
    assert.equal(verdict, 'not-enough-seen')
    assert.equal(
      because,
      '3 borrowings were seen of 200 that an advice needs; at most 3 connections were held and wanted at once',
    )
    assert.equal(maxConnections, 4)
    assert.deepEqual([evidence.sizes, options], [[], []])
    for (const loan of loans) loan.release()
  })

  it('needs no connection for commands in a classic pool, and says what sharing would save', async () => {
    const world = new World({ maxConnections: 10, pipelining: 1 })
    for (let index = 0; index < 600; index++) {
      world.send('GET', `k${index}`)
      await world.run(2)
    }
    const { evidence, maxConnections, wouldChange } = world.pool.advice(TERMS)
    assert.equal(evidence.shared, 0)
    assert.equal(evidence.borrowings, 600)
    assert.equal(maxConnections, 1)
    assert.ok(wouldChange.some((sentence) => sentence.startsWith('with pipelining above 1')))
  })

  it('keeps the lanes that commands use beside what is lent', async () => {
    const world = new World({ maxConnections: 20 })
    world.server.latency = 20
    for (let index = 0; index < 50; index++) world.send('INCR', `k${index}`)
    await lend(world, 500, 10, 10)
    assert.equal(world.stats.connections.shared, 2)
    const { evidence, because } = world.pool.advice(TERMS)
    assert.equal(evidence.shared, 2)
    assert.match(because, /; 2 for commands that share: /)
  })

  it('counts consumers and listeners as one connection each, for good', async () => {
    const world = new World({ maxConnections: 12 })
    await world.leased({ kind: 'stream', label: 'listener' })
    for (let consumer = 0; consumer < 3; consumer++) world.send('BLPOP', `queue${consumer}`, '0')
    await lend(world, 600, 10, 10)
    const { evidence, because, wouldChange, maxConnections } = world.pool.advice(TERMS)
    assert.equal(evidence.staying, 4)
    assert.match(because, /; 4 held for good by who listens, waits for work or never gives back; /)
    assert.ok(wouldChange.some((sentence) => /they are 4$/.test(sentence)))
    const alone = await adviceAfter({ maxConnections: 12 }, 600, 10, 10)
    assert.equal(maxConnections, alone.maxConnections + 4)
  })

  it('counts consumers that call again and again as those that they are', async () => {
    const world = new World({ maxConnections: 8 })
    const consumers = Array.from({ length: 3 }, (_, index) => `queue${index}`)
    for (let round = 0; round < 150; round++) {
      for (const queue of consumers) world.send('BLPOP', queue, '0')
      await world.run(100)
      for (const queue of consumers) world.send('RPUSH', queue, 'job')
      await world.run(3)
    }
    const { evidence, maxConnections } = world.pool.advice(TERMS)
    assert.equal(evidence.staying, 3)
    assert.equal(maxConnections, 3 + evidence.shared)
  })

  it('counts leases that are never given back, also when they are older than the record', async () => {
    const world = new World({ maxConnections: 12 })
    await world.leased({ label: 'leak' })
    await world.leased({ label: 'leak' })
    await lend(world, 300, 10, 10)
    assert.equal(world.pool.advice(TERMS).evidence.staying, 2)
    await lend(world, 17_000, 1, 1)
    const { evidence } = world.pool.advice(TERMS)
    assert.deepEqual([evidence.staying, evidence.borrowings], [2, 16_384])
  })

  it('sees waves that come together, which the mean does not show', async () => {
    const world = new World({ maxConnections: 40 })
    for (let wave = 0; wave < 40; wave++) {
      for (let caller = 0; caller < 10; caller++)
        world.pool.acquire().then((lease) => world.clock.setTimeout(() => lease.release(), 30), assert.ifError)
      await world.run(1_000)
    }
    const { evidence, maxConnections } = world.pool.advice(TERMS)
    assert.ok(evidence.meanHeld < 0.5, `${evidence.meanHeld}`)
    assert.equal(maxConnections, 11)
  })

  it('is calculated once a second at most when that takes long', async () => {
    const world = new World({ maxConnections: 20 })
    await lend(world, 1_200, 10, 40)
    const first = world.pool.advice(TERMS)
    assert.equal(world.pool.advice(TERMS), first)
    assert.notEqual(world.pool.advice({ ...TERMS, targetWait: 6 }), first)
    await world.run(1_001)
    assert.notEqual(world.pool.advice(TERMS), first)
    world.pool.resize({ maxConnections: 19, minConnections: 0 })
    assert.equal(world.pool.advice(TERMS).current, 19)
  })
})

describe('what an advice says of other options', () => {
  const optionsOf = async (options: WorldOptions, pause = 10): Promise<[string, number, number][]> => {
    const { options: found } = await adviceAfter(options, 1_000, pause, 40)
    return found.map(({ option, current, advised }) => [option, current, advised])
  }

  it('is nothing where they fit', async () => {
    assert.deepEqual(await optionsOf({ maxConnections: 11 }), [])
  })

  it('is a longer acquireTimeout where one borrower in a thousand waits nearly as long', async () => {
    const [found] = await optionsOf({ maxConnections: 11, acquireTimeout: 20 })
    assert.equal(found?.[0], 'acquireTimeout')
    assert.ok((found?.[2] ?? 0) > 20)
  })

  it('is an acquireTimeout below commandTimeout, so that the error says who holds the connections', async () => {
    assert.deepEqual(await optionsOf({ maxConnections: 11, commandTimeout: 1_000 }), [['acquireTimeout', 5_000, 500]])
  })

  it('is more pipelining where commands wait for full lanes', async () => {
    const world = new World({ maxConnections: 11, pipelining: 4, lanes: 2 })
    for (let index = 0; index < 400; index++) world.send('INCR', `k${index}`)
    await lend(world, 300, 10, 40)
    const [found] = world.pool.advice(TERMS).options
    assert.deepEqual([found?.option, found?.current, found?.advised], ['pipelining', 4, 8])
    assert.match(found?.because ?? '', /^\d+ % of all commands had to wait because .* had 4 in flight$/)
  })
})

describe('an advice as JSON', () => {
  it('is the same, also where a line would grow for ever', async () => {
    const advice = await adviceAfter({ maxConnections: 3, acquireTimeout: 60_000 }, 1_000, 10, 40)
    assert.equal(advice.evidence.sizes[0]?.wait, null)
    assert.deepEqual(JSON.parse(JSON.stringify(advice)), advice)
  })
})

describe('what an advice knows of the server', () => {
  it('is how many clients it takes, asked for in the background', async () => {
    const world = new World({ maxConnections: 20 })
    world.server.clients = { max: 100, others: 60 }
    await lend(world, 500, 10, 40)
    assert.match(world.pool.advice(TERMS).wouldChange.at(-1) ?? '', /^the server was not asked yet for its maxclients/)
    await world.run(10)
    const { evidence, wouldChange } = world.pool.advice(TERMS)
    const ours = world.stats.connections.total
    assert.deepEqual(evidence.server, { maxClients: 100, connected: 60 + ours, ours })
    assert.match(
      wouldChange.at(-1) ?? '',
      new RegExp(`^the server takes 100 clients and has ${60 + ours}, ${ours} of them`),
    )
  })

  it('bounds the advice', async () => {
    const world = new World({ maxConnections: 20 })
    world.server.clients = { max: 70, others: 65 }
    await lend(world, 500, 10, 40)
    world.pool.advice(TERMS)
    await world.run(10)
    const { maxConnections, because } = world.pool.advice(TERMS)
    assert.equal(maxConnections, 5)
    assert.match(because, /connections in all, but the server takes 70 clients, and 65 of those it has are others$/)
  })

  it('is nothing where the server refuses, and that is no error', async () => {
    const world = new World({ maxConnections: 20 })
    await lend(world, 500, 10, 40)
    world.pool.advice(TERMS)
    await world.run(10)
    const { evidence, wouldChange } = world.pool.advice(TERMS)
    assert.equal(evidence.server, undefined)
    assert.match(wouldChange.at(-1) ?? '', /^the server did not tell its maxclients: processes × maxConnections/)
    world.assertBooks()
  })

  it('stays where the connection that it was asked over is lost', async () => {
    const world = new World({ maxConnections: 20 })
    world.server.clients = { max: 100, others: 60 }
    await world.warm()
    world.pool.advice(TERMS)
    await world.run(10)
    const { server } = world.pool.advice(TERMS).evidence
    assert.equal(server?.maxClients, 100)
    await world.run(10_000)
    const asked = countOf(world, 'clients')
    for (const connection of world.server.open) connection.hold('replies')
    world.pool.advice(TERMS)
    await world.run(10)
    assert.equal(asked(), 1)
    for (const connection of world.server.open) connection.cut()
    await world.run(10)
    assert.deepEqual(world.pool.advice(TERMS).evidence.server, server)
  })

  it('is asked for again minutes after it was refused', async () => {
    const world = new World({ maxConnections: 20, idleTimeout: 0 })
    const asked = countOf(world, 'clients')
    await world.warm()
    const adviseFor = async (ms: number): Promise<Advice> => {
      for (const end = world.clock.now() + ms; world.clock.now() < end; await world.run(5_000)) world.pool.advice(TERMS)
      return world.pool.advice(TERMS)
    }
    await adviseFor(290_000)
    assert.equal(asked(), 1)
    world.server.clients = { max: 100, others: 60 }
    const { evidence } = await adviseFor(30_000)
    assert.equal(evidence.server?.maxClients, 100)
  })

  it('is not asked for while the pool ends', async () => {
    const world = new World({ maxConnections: 20 })
    await world.warm()
    const asked = countOf(world, 'maxclients')
    const loan = await world.leased()
    for (const connection of world.server.open) connection.hold()
    world.pool.advice(TERMS)
    await world.run(10)
    world.pool.close(0)
    for (const connection of world.server.open) connection.resume()
    await world.run(10)
    assert.equal(asked(), 0)
    loan.release()
    await world.run(10)
    await world.assertNothingLeft()
  })

  it('is not asked over a connection that would have to be made, and leaves no timer', async () => {
    const world = new World({ maxConnections: 20 })
    world.pool.advice(TERMS)
    await world.run(10)
    assert.equal(world.stats.connections.total, 0)
    assert.equal(world.poolTimers, 0)
  })
})

describe('the record of borrowings', () => {
  const caller = { kind: 'lease', label: 'x', stack: undefined } as const

  it('tells when each asked, how long it waited and held, and what is not over', () => {
    const demand = new Demand()
    const first = demand.begin(caller, 10)
    const waiting = demand.asked('command', 11)
    demand.asked('lease', 12)
    demand.end(first, 30)
    demand.begin({ ...caller, kind: 'command' }, 31, waiting)
    assert.deepEqual(
      [...demand],
      [
        { kind: 'lease', asked: 10, waited: 0, held: 20 },
        { kind: 'command', asked: 11, waited: 20, held: Number.NaN },
        { kind: 'lease', asked: 12, waited: Number.NaN, held: Number.NaN },
      ],
    )
  })

  it('forgets the oldest, also when they end later', () => {
    const demand = new Demand()
    const first = demand.begin(caller, 0)
    for (let index = 1; index < 16_384; index++) demand.end(demand.begin(caller, index), index + 1)
    assert.ok(first.borrowing >= demand.first)
    const next = demand.begin(caller, 16_384)
    assert.ok(first.borrowing < demand.first)
    assert.equal(demand.end(first, 20_000), 20_000)
    demand.end(next, 16_390)
    const all = [...demand]
    assert.equal(all.length, 16_384)
    assert.equal(all[0]?.asked, 1)
    assert.deepEqual(all.at(-1), { kind: 'lease', asked: 16_384, waited: 0, held: 6 })
  })
})

describe('the options of an advice', () => {
  it('have defaults, and are refused where they make no sense', () => {
    assert.deepEqual({ ...readAdviceOptions(undefined) }, TERMS)
    assert.deepEqual({ ...readAdviceOptions({ targetWait: 0, percentile: 0.5 }) }, { targetWait: 0, percentile: 0.5 })
    assert.equal(readAdviceOptions({ percentile: 0.9998 }).percentile, 0.9998)
    for (const percentile of [0.9999, 0.99999])
      assert.throws(() => readAdviceOptions({ percentile }), { message: /at most 0\.9998779296875 \(1 - 2 \/ 16384,/ })
    for (const percentile of [0, 1, 99, -1, Number.NaN, '0.9'])
      assert.throws(() => readAdviceOptions({ percentile }), { name: 'OptionError', message: /^percentile: expected/ })
    assert.throws(() => readAdviceOptions({ targetWait: -1 }), {
      message: /^targetWait: expected a whole number of mill/,
    })
    assert.throws(() => readAdviceOptions({ target: 1 }), { message: /did you mean targetWait\?$/ })
  })
})
