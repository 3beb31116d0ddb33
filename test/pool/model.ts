// The pool against a model of what a caller may rely on, in generated sequences of everything a caller and a network
// can do. After each step: no connection too many, one owner each, first come first served, nothing settled twice.
// A property only: who checks it, and how often, is not known here.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Call, type Loan, World } from '../support/pool-harness.js'

interface Model {
  maxConnections: number
  closing: boolean
  /** Loans in order of arrival that still wait and were neither aborted nor granted. */
  readonly line: Loan[]
  readonly controllers: Map<Loan | Call, AbortController>
  seen: number
}

type Command = fc.AsyncCommand<Model, World>

/** One step: what it does to the pool, and then what must hold after any step. */
function step(
  name: string,
  act: (world: World, model: Model) => unknown,
  possible = (_: Readonly<Model>) => true,
): Command {
  return {
    check: possible,
    run: async (model, world) => {
      await act(world, model)
      await world.settle()
      judge(world, model)
    },
    toString: () => name,
  }
}

const isOpen = (model: Readonly<Model>): boolean => !model.closing

function judge(world: World, model: Model): void {
  world.assertBooks()
  // First come, first served: whoever was granted a lease stood first in line among those who still waited.
  for (const loan of world.granted.slice(model.seen)) {
    while (model.line[0] !== undefined && model.line[0] !== loan && model.line[0].state === 'failed') model.line.shift()
    assert.equal(model.line.shift(), loan, 'somebody was served out of turn')
  }
  model.seen = world.granted.length
  const held = world.loans.filter(({ state, lease }) => state === 'held' && (lease?.connectionId ?? 0) > 0)
  const owned = held.map(({ connection }) => connection)
  assert.equal(new Set(owned).size, owned.length, 'two holders of one connection')
  const { connections, maxConnections } = world.stats
  assert.equal(maxConnections, model.maxConnections)
  const used = connections.shared + connections.late + connections.idle + connections.leased + connections.draining
  assert.ok(used <= world.server.connections.length)
}

function take(world: World, model: Model, controller?: AbortController): void {
  const loan = world.lease(controller === undefined ? {} : { signal: controller.signal })
  model.line.push(loan)
  if (controller !== undefined) model.controllers.set(loan, controller)
}

const nat = fc.nat(9)
/** One of these numbers; the least and the greatest come more often than others. */
const CLOSES = 6

const commands = [
  fc.constant(step('acquire', (world, model) => take(world, model), isOpen)),
  fc.constant(step('acquire with a signal', (world, model) => take(world, model, new AbortController()), isOpen)),
  nat.map((index) =>
    step(`abort ${index}`, (_, { controllers }) =>
      [...controllers.values()][index % Math.max(1, controllers.size)]?.abort(),
    ),
  ),
  nat.map((index) =>
    step(`release ${index}`, ({ loans }) => {
      const held = loans.filter(({ state }) => state === 'held')
      held[index % Math.max(1, held.length)]?.release()
    }),
  ),
  nat.map((index) =>
    step(`double release ${index}`, ({ loans }) => {
      const released = loans.filter(({ state }) => state === 'released')
      released[index % Math.max(1, released.length)]?.lease?.release()
    }),
  ),
  nat.map((index) =>
    step(`use a lease ${index}`, (world) => {
      const held = world.loans.filter(({ state }) => state === 'held')
      const loan = held[index % Math.max(1, held.length)]
      if (loan !== undefined)
        world.sendOn(loan, ...(index < 5 ? ['INCR', 'k'] : index < 8 ? ['WATCH', 'k'] : ['RESET']))
    }),
  ),
  nat.map((index) => step(`execute ${index}`, (world) => world.send('INCR', `k${index}`), isOpen)),
  nat.map((index) =>
    step(
      `execute with a signal ${index}`,
      (world, model) => {
        const controller = new AbortController()
        const call = world.sendWith({ signal: controller.signal, timeout: 30 }, 'APPEND', `s${index}`, 'x')
        model.controllers.set(call, controller)
      },
      isOpen,
    ),
  ),
  fc.constant(step('blocking pop', (world) => world.send('BLPOP', 'q', '0.05'), isOpen)),
  fc.constantFrom(1, 3, 10, 40, 200, 700).map((ms) => step(`advance ${ms}`, (world) => world.run(ms))),
  nat.map((index) =>
    step(`hold ${index}`, ({ server }) => server.open[index % Math.max(1, server.open.length)]?.hold()),
  ),
  nat.map((index) =>
    step(`resume ${index}`, ({ server }) => server.open[index % Math.max(1, server.open.length)]?.resume()),
  ),
  fc
    .tuple(nat, fc.constantFrom('rst', 'fin'), fc.constantFrom('applied', 'dropped'))
    .map(([index, how, received]) =>
      step(`cut ${index} ${how} ${received}`, ({ server }) =>
        server.open[index % Math.max(1, server.open.length)]?.cut(how, received),
      ),
    ),
  fc.constantFrom('accept', 'accept', 'refuse', 'silent', 'blackhole').map((welcome) =>
    step(`dials meet ${welcome}`, ({ server }) => {
      server.welcome = welcome
    }),
  ),
  fc.integer({ min: 1, max: 6 }).map((maxConnections) =>
    step(`resize to ${maxConnections}`, (world, model) => {
      model.maxConnections = maxConnections
      world.pool.resize({ maxConnections, minConnections: 0 })
    }),
  ),
  fc.constant(step('retire', ({ pool }) => pool.retire())),
  // Rarely, for there is little that can be done to a pool after that.
  nat.map((index) =>
    index === CLOSES
      ? step('close', ({ pool }, model) => {
          model.closing = true
          void pool.close(300)
        })
      : step('advance 0', (world) => world.run(0)),
  ),
]

const worlds = fc.record({
  seed: fc.nat(),
  maxConnections: fc.integer({ min: 1, max: 5 }),
  pipelining: fc.constantFrom(1, 2, 1_000),
  maxWaiting: fc.constantFrom(4, 100_000),
})

/** Holds when the pool keeps its promises after each step and leaves nothing behind; `seen` is given every world at its end. */
export const poolProperty = (seen: (world: World) => void = () => {}) =>
  fc.asyncProperty(worlds, fc.commands(commands, { maxCommands: 100, size: 'max' }), async (options, steps) => {
    const world = new World({
      ...options,
      lanes: Math.min(2, options.maxConnections),
      acquireTimeout: 500,
      connectTimeout: 250,
      socketTimeout: 400,
      idleTimeout: 300,
      leakThreshold: 1_000,
    })
    const { maxConnections } = options
    const model = { maxConnections, closing: false, line: [], controllers: new Map(), seen: 0 }
    await fc.asyncModelRun(() => ({ model, real: world }), steps)
    // With all faults gone everything settles by itself.
    world.server.welcome = 'accept'
    for (const connection of world.server.open) connection.resume()
    await world.run(2_000)
    for (const call of world.calls) assert.equal(call.settlements, 1, `${call.args.join(' ')} is unsettled`)
    for (const loan of world.loans) assert.notEqual(loan.state, 'waiting')
    judge(world, model)
    void world.pool.close(100)
    await world.run(200)
    await world.assertNothingLeft()
    seen(world)
  })
