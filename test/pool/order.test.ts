// The promise no other pool makes: what one program does to one key is applied in its order, awaited or not, while
// lanes open, turn late, are lost and come back. Generated programs hold it; broken variants of the code must not.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Request } from '../../src/connection/request.js'
import { Lanes } from '../../src/pool/lanes.js'
import { WaitingRoom } from '../../src/pool/waiting-room.js'
import { withMistake } from '../support/mistake.js'
import type { ModelConnection, Mood } from '../support/model-server.js'
import { type Call, type Loan, World } from '../support/pool-harness.js'

const KEYS = ['a', 'b', 'c', 'd', 'e']

type Step =
  | {
      readonly kind: 'tag' | 'append' | 'incr'
      readonly key: number
      readonly count: number
      readonly awaited: boolean
    }
  | { readonly kind: 'echo' }
  | { readonly kind: 'abort' | 'chain'; readonly key: number }
  | { readonly kind: 'tick'; readonly ms: number }
  | { readonly kind: 'hold'; readonly which: number; readonly what: 'requests' | 'replies' }
  | { readonly kind: 'resume' | 'step' | 'fill' | 'drain'; readonly which: number }
  | {
      readonly kind: 'cut'
      readonly which: number
      readonly how: 'rst' | 'fin'
      readonly received: 'applied' | 'dropped'
    }
  | { readonly kind: 'slow'; readonly which: number; readonly latency: number }
  | { readonly kind: 'lease' | 'release' | 'retire' }
  | { readonly kind: 'resize'; readonly to: number }
  | { readonly kind: 'mood'; readonly mood: Mood }

interface Program {
  readonly seed: number
  readonly maxConnections: number
  readonly lanes: number
  readonly pipelining: number
  readonly commandTimeout: number
  readonly steps: readonly Step[]
}

const NO = fc.constant(false)
const which = fc.nat(7)
const key = fc.nat(KEYS.length - 1)
const write = fc.record({
  kind: fc.constantFrom('tag', 'append', 'incr'),
  key,
  count: fc.constantFrom(1, 1, 2, 3),
  awaited: fc.constantFrom(false, false, false, true),
})
const tick = fc.record({ kind: fc.constant('tick'), ms: fc.constantFrom(1, 1, 2, 5, 12, 30, 120) })
const mood = fc.record({ kind: fc.constant('mood'), mood: fc.constantFrom('ready', 'ready', 'loading', 'readonly') })

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 14, arbitrary: write },
  { weight: 6, arbitrary: tick },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('echo') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('abort', 'chain', 'chain'), key }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('hold'), which, what: fc.constantFrom('requests', 'replies') }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('resume', 'resume', 'step', 'step', 'step', 'fill', 'drain'), which }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('cut'),
      which,
      how: fc.constantFrom('rst', 'fin'),
      received: fc.constantFrom('applied', 'dropped'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('slow'), which, latency: fc.constantFrom(1, 3, 9, 25) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('lease', 'release', 'release', 'retire') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resize'), to: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: mood },
)

const program: fc.Arbitrary<Program> = fc.record({
  seed: fc.nat(),
  maxConnections: fc.integer({ min: 1, max: 5 }),
  lanes: fc.integer({ min: 1, max: 4 }),
  pipelining: fc.constantFrom(2, 2, 3, 8, 1_000),
  commandTimeout: fc.constantFrom(0, 0, 40),
  steps: fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }),
})

/** Little room and a server that answers one command at a time: what waits behind a lane matters most. */
const crowded: fc.Arbitrary<Program> = fc.record({
  seed: fc.nat(),
  maxConnections: fc.constantFrom(2, 3),
  lanes: fc.constantFrom(2, 3),
  pipelining: fc.constantFrom(2, 3),
  commandTimeout: fc.constant(0),
  steps: fc
    .array(
      fc.oneof(
        {
          weight: 8,
          arbitrary: fc.record({ kind: fc.constant('tag'), key, count: fc.constantFrom(1, 2), awaited: NO }),
        },
        { weight: 9, arbitrary: fc.record({ kind: fc.constant('step'), which: fc.nat(2) }) },
        { weight: 5, arbitrary: fc.record({ kind: fc.constant('tick'), ms: fc.constantFrom(1, 1, 2, 5) }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('resume'), which: fc.nat(2) }) },
        { weight: 1, arbitrary: mood },
      ),
      { minLength: 20, maxLength: 60, size: 'max' },
    )
    .map((steps): Step[] => [
      { kind: 'tag', key: 0, count: 1, awaited: true },
      { kind: 'hold', which: 0, what: 'requests' },
      ...steps,
    ]),
})

/** One run of a program, and what it may be held to afterwards. */
class Run {
  readonly world: World
  /** What was sent on the shared handle, by key, in program order. */
  readonly sent = new Map<string, Call[]>()
  readonly #program: Program
  readonly #loans: Loan[] = []
  #token = 0

  constructor(program: Program) {
    const { seed, maxConnections, lanes, pipelining } = program
    this.#program = program
    this.world = new World({
      seed,
      maxConnections,
      lanes: Math.min(lanes, maxConnections),
      pipelining,
      socketTimeout: 400,
      connectTimeout: 200,
      acquireTimeout: 600,
      idleTimeout: 150,
      backoffMax: 20,
    })
  }

  async play(): Promise<void> {
    const { world } = this
    for (const each of this.#program.steps) {
      await this.#take(each)
      world.assertBooks()
    }
    world.server.mood = 'ready'
    for (const connection of world.server.open) connection.resume()
    for (const loan of this.#loans) if (loan.state === 'held') loan.release()
    await world.run(1_000)
    for (const loan of this.#loans) if (loan.state === 'held') loan.release()
    world.assertBooks()
    void world.pool.close(100)
    await world.run(300)
    await world.assertNothingLeft()
  }

  async #take(each: Step): Promise<void> {
    const { world } = this
    switch (each.kind) {
      case 'tag':
      case 'append':
      case 'incr':
        for (let left = each.count; left > 0; left--) {
          const call = this.#write(each.kind, KEYS[each.key] ?? '')
          if (each.awaited && left === 1) await until(world, call)
        }
        return
      case 'echo':
        world.send('ECHO', this.#next())
        return
      case 'chain': {
        const name = `tag:${KEYS[each.key]}`
        const calls = world.sendChain(
          ['TAG', name, this.#next()],
          ['TAG', name, this.#next()],
          ['TAG', name, this.#next()],
        )
        for (const call of calls) this.#remember(name, call)
        return
      }
      case 'abort': {
        const controller = new AbortController()
        this.#write('tag', KEYS[each.key] ?? '', controller.signal)
        await world.run(1)
        controller.abort()
        return
      }
      case 'tick':
        await world.run(each.ms)
        return
      case 'resize':
        world.pool.resize({ maxConnections: each.to, minConnections: 0 })
        return
      case 'retire':
        world.pool.retire()
        return
      case 'mood':
        world.server.mood = each.mood
        return
      case 'lease':
        this.#loans.push(world.lease())
        await world.settle()
        return
      case 'release':
        await this.#release()
        return
      default:
        this.#disturb(each)
        await world.settle()
    }
  }

  #disturb(each: Extract<Step, { readonly which: number }>): void {
    const { open } = this.world.server
    const connection: ModelConnection | undefined = open[each.which % Math.max(1, open.length)]
    switch (each.kind) {
      case 'hold':
        connection?.hold(each.what)
        return
      case 'resume':
        connection?.resume()
        return
      case 'step':
        connection?.step()
        return
      case 'cut':
        connection?.cut(each.how, each.received)
        return
      case 'fill':
        if (connection !== undefined) connection.pending = 2 ** 20
        return
      case 'drain':
        connection?.drain()
        return
      case 'slow':
        if (connection !== undefined) connection.latency = each.latency
        return
      default:
        each satisfies never
    }
  }

  async #release(): Promise<void> {
    const loan = this.#loans.find(({ state }) => state === 'held')
    if (loan === undefined) return
    this.world.sendOn(loan, 'TAG', 'of-a-lease', this.#next())
    loan.release()
    await this.world.settle()
  }

  #next(): string {
    return `<${this.#token++}>`
  }

  #write(kind: 'tag' | 'append' | 'incr', key: string, signal?: AbortSignal): Call {
    // Each command has a key of its own per kind of value, and they must keep one order per key.
    const name = `${kind}:${key}`
    const args = kind === 'incr' ? ['INCR', name] : [kind.toUpperCase(), name, this.#next()]
    const timeout = this.#program.commandTimeout
    const call = this.world.sendWith(signal === undefined ? { timeout } : { timeout, signal }, ...args)
    this.#remember(name, call)
    return call
  }

  #remember(name: string, call: Call): void {
    const sent = this.sent.get(name)
    if (sent === undefined) this.sent.set(name, [call])
    else sent.push(call)
  }

  /** What was answered was applied in program order, and each answer belongs to its command. */
  judge(): void {
    const { applied } = this.world.server
    const at = new Map(applied.map(({ args }, index) => [args[2], index]))
    at.delete(undefined)
    for (const [name, calls] of this.sent) {
      const answered = calls.filter(({ state }) => state === 'answered')
      if (name.startsWith('incr:')) {
        const values = answered.map(({ value }) => Number(value))
        assert.deepEqual(
          values,
          values.toSorted((a, b) => a - b),
          `INCR ${name} out of order`,
        )
        assert.equal(new Set(values).size, values.length, `INCR ${name} answered twice with one number`)
        continue
      }
      const order = answered.map(({ args }) => at.get(args[2]) ?? -1)
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
        `${name} was applied out of order`,
      )
      assert.ok(!order.includes(-1), `an answered command of ${name} was never applied`)
    }
    for (const { args, state, value, outcome } of this.world.calls) {
      const index = args[2] === undefined ? undefined : at.get(args[2])
      if (outcome === 'not-sent') assert.equal(index, undefined, `${args[0]} was applied and is called not-sent`)
      if (state !== 'answered') continue
      if (args[0] === 'TAG') assert.equal(value, args[2], 'a reply was crossed')
      if (args[0] === 'ECHO') assert.equal(value, args[1], 'a reply was crossed')
      if (args[0] === 'APPEND') assert.equal(value, applied[index ?? -1]?.result, 'a reply was crossed')
    }
  }
}

/** Awaits a call as far as that is possible while a connection may be held. */
async function until(world: World, call: Call): Promise<void> {
  for (let left = 60; left > 0 && call.state === 'pending'; left--) await world.run(1)
}

async function playAndJudge(given: Program): Promise<void> {
  const run = new Run(given)
  await run.play()
  run.judge()
}

const keepsOrder = fc.asyncProperty(program, playAndJudge)
const keepsOrderInACrowd = fc.asyncProperty(crowded, playAndJudge)

describe('program order per key', () => {
  it('holds in generated programs with leases, late, lost and retired lanes, resizes and aborts', async () => {
    await fc.assert(keepsOrder, { numRuns: 400, includeErrorInReport: true })
  })

  it('holds for what waits behind lanes with little room', async () => {
    await fc.assert(keepsOrderInACrowd, { numRuns: 400, includeErrorInReport: true })
  })
})

/** Runs the properties against a broken variant of the code and demands that one of them notices. */
function bites<T extends object, K extends keyof T>(
  target: T,
  name: K,
  mistake: (sound: T[K]) => T[K],
): Promise<string> {
  return withMistake(target, name, mistake, async () => {
    for (const property of [keepsOrder, keepsOrderInACrowd]) {
      const { failed, errorInstance } = await fc.check(property, { numRuns: 400, seed: 7, endOnFailure: true })
      if (failed) return String(errorInstance)
    }
    return assert.fail(`nobody noticed the broken ${String(name)}`)
  })
}

describe('the property of order bites', () => {
  it('when a change of lanes pins no key to its unanswered commands', async () => {
    assert.match(await bites(Lanes.prototype, 'changed', () => () => {}), /out of order/)
  })

  it('when a pinned key does not follow what is sent after the change', async () => {
    assert.match(await bites(Lanes.prototype, 'follow', () => () => {}), /out of order/)
  })

  it('when what is sent again stands among what waits, and not before it', async () => {
    assert.match(await bites(WaitingRoom.prototype, 'comeBack', () => () => {}), /out of order/)
  })

  it('when a settled request that holds a slot is forgotten instead of kept as a tombstone', async () => {
    const message = await bites(
      Request.prototype,
      'succeed',
      (succeed) =>
        function (this: Request, reply, protocol) {
          if (this.state === 'settled') this.state = 'sent'
          succeed.call(this, reply, protocol)
        },
    )
    assert.match(message, /settled|crossed|a call ends once/)
  })
})
