// One run: a seed chooses a pool, its callers and its troubles; after every step all laws must hold, and at the end,
// with all troubles gone, everything must settle and the pool be whole again.

import type { PoolStats } from '../../src/pool/stats.js'
import type { Loan } from '../support/pool-harness.js'
import { CALLS, call } from './callers.js'
import { checkAll } from './checks.js'
import { Dice } from './dice.js'
import { LAWS, type Violation } from './laws.js'
import { type Plan, planFrom } from './plan.js'
import { Stage } from './stage.js'
import { Trace } from './trace.js'
import { TROUBLES } from './trouble.js'

export const STEPS = 500

interface RunOptions {
  readonly steps?: number
  /** Whether to make a digest of all that happened. */
  readonly digest?: boolean
}

export interface RunResult {
  readonly seed: number
  readonly steps: number
  readonly violation: (Violation & { readonly step: number }) | undefined
  readonly trace: Trace
  readonly plan: Plan
  /** What the server applied, where a digest was asked for. */
  readonly applied: readonly string[]
  readonly counters: PoolStats['counters']
  readonly commands: number
  readonly answered: number
}

export async function simulate(seed: number, { steps = STEPS, digest = false }: RunOptions = {}): Promise<RunResult> {
  const dice = new Dice(seed)
  const plan = planFrom(dice, STEPS)
  const trace = new Trace(digest)
  const run = new Run(plan, new Stage(plan, dice, trace))
  await run.play(steps)
  const { violation, stage, step } = run
  const log = digest ? stage.world.server.applied : []
  const applied = log.map(
    // What the pool asks for itself may contain a nonce.
    ({ connection, args, at }) => `${at} ${connection} ${args.some(isName) ? args.join(' ') : args[0]}`,
  )
  const { counters } = stage.world.stats
  const { deeds } = stage.ledger
  const answered = deeds.filter(({ state }) => state === 'answered').length
  return { seed, steps: step, violation, trace, plan, applied, counters, commands: deeds.length, answered }
}

/** A failed run in words: what broke, the last of what happened, and how to see it again. */
export function describeFailure({ seed, violation, trace, plan }: RunResult): string {
  if (violation === undefined) return `seed ${seed} broke no law`
  const { law, details, step } = violation
  return [
    `seed ${seed}, step ${step}: ${law}: ${LAWS[law]}`,
    `  ${details}`,
    `  pool: ${JSON.stringify(plan.options)}`,
    '  the last of what happened:',
    ...trace.tail(60).map((line) => `    ${line}`),
    `  to see it again: npm run simulate:soak -- --seed ${seed}`,
  ].join('\n')
}

function isName(argument: string): boolean {
  return argument.startsWith('#')
}

class Run {
  readonly stage: Stage
  step = 0
  violation: RunResult['violation']
  readonly #plan: Plan

  constructor(plan: Plan, stage: Stage) {
    this.#plan = plan
    this.stage = stage
    if (plan.restless) this.#beRestless()
  }

  async play(steps: number): Promise<void> {
    try {
      while (this.step < steps && this.violation === undefined && this.#isOn) await this.#next()
      if (this.violation === undefined && steps >= STEPS) await this.#finish()
    } catch (error) {
      this.#break({ law: 'sound', details: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  }

  /** A while after its end the pool has nothing more to show. */
  get #isOn(): boolean {
    return this.step < Math.min(STEPS, this.#plan.endsAt + 30)
  }

  async #next(): Promise<void> {
    const { stage, step } = this
    const { dice, trace } = stage
    this.step++
    stage.ledger.turn++
    if (step === this.#plan.endsAt) this.#end()
    // Now and then several things happen before anybody looks.
    let name = ''
    for (let left = dice.once(8) ? dice.between(2, 4) : 1; left > 0; left--) {
      name = dice.from(this.#plan.deck) ?? 'wait'
      trace.note('--', this.step, name)
      if (name === 'wait') await this.#wait()
      else (CALLS[name] ?? TROUBLES[name])?.act(stage)
    }
    if (name !== 'wait') await stage.world.settle()
    this.#look()
  }

  /** Time goes by; now and then the process stands still meanwhile. */
  async #wait(): Promise<void> {
    const { world, dice } = this.stage
    world.server.closeIdle()
    const ms = dice.pick(1, 1, 1, 1, 2, 2, 3, 5, 5, 10, 30, dice.pick(10, 10, 10, 120, 120, 400))
    if (dice.once(12)) {
      this.stage.stalled += ms
      this.stage.trace.note('stalls', ms)
      await world.server.pauseClient(ms, (time, arrive) => world.clock.stall(time, arrive))
    } else {
      await world.run(ms)
    }
  }

  #end(): void {
    const { world, dice, trace } = this.stage
    const how = dice.pick('close', 'close', 'close within', 'destroy')
    trace.note(how)
    if (how === 'destroy') world.pool.destroy('destroyed')
    else void world.pool.close(how === 'close' ? 0 : dice.pick(1, 30, 200))
  }

  #look(): void {
    const { stage } = this
    stage.tidy()
    const stats = stage.world.stats
    stage.ledger.judgeDoubts()
    checkAll({ stage, stats })
    stage.remember()
    if (stage.findings.first !== undefined) this.#break(stage.findings.first)
  }

  #break(violation: Violation): void {
    this.violation ??= { ...violation, step: this.step }
  }

  async #finish(): Promise<void> {
    const { world, ledger } = this.stage
    this.#heal()
    const { connectTimeout, socketTimeout, backoffMax } = this.#plan.options
    const cap = 4 * (this.stage.longestWait + connectTimeout + backoffMax) + socketTimeout + 1_500
    await this.#until(() => ledger.pending.size === 0 && this.stage.loans.length === 0, cap, 'all settles')
    if (world.pool.phase === 'open') await this.#beWhole()
    if (world.pool.phase === 'open') void world.pool.close(0)
    await this.#until(() => world.pool.phase === 'closed', 1_000, 'the pool closes')
    await world.settle()
    this.#look()
  }

  #heal(): void {
    const { stage } = this
    const { world, trace } = stage
    trace.note('-- all troubles are gone')
    world.on.opened = world.on.closed = world.on.connectFailed = world.on.released = () => {}
    stage.ledger.settled = () => {}
    const { server } = world
    server.welcome = 'accept'
    server.mood = 'ready'
    server.dialDelay = server.latency = 1
    server.timeout = 0
    for (const connection of server.open) {
      connection.latency = 1
      connection.replyLatency = 0
      connection.pieces = undefined
      connection.drain()
      connection.resume()
    }
    stage.abortAll()
  }

  /** Looks after each few milliseconds until it is so; it must be within `ms`. */
  async #until(isSo: () => boolean, ms: number, what: string): Promise<void> {
    const { world, ledger, findings } = this.stage
    const end = world.clock.now() + ms
    while (!isSo() && this.violation === undefined) {
      for (const loan of this.stage.loans) if (loan.state === 'held') loan.release()
      await world.run(10)
      this.#look()
      if (world.clock.now() < end) continue
      const [deed] = ledger.pending
      const { loans } = this.stage
      findings.report(
        'I12',
        `${what}: not within ${ms} ms; ${deed?.name ?? 'no command'}, ${loans.length} leases pending`,
      )
      this.#look()
    }
  }

  /** As many leases as the pool may lend at once, and a command beside them where one connection is kept for that. */
  async #beWhole(): Promise<void> {
    const { stage } = this
    const { world } = stage
    const { maxConnections } = world.pool.limits
    const count = stage.isClassic || maxConnections === 1 ? maxConnections : maxConnections - 1
    const { backoffMax, connectTimeout } = this.#plan.options
    const end = world.clock.now() + backoffMax + connectTimeout + 1_000
    const held: Loan[] = []
    // One after the other, for not all may be allowed to wait.
    while (held.length < count && world.clock.now() < end) {
      const loan = stage.borrow({ timeout: 5_000 })
      while (loan.state === 'waiting' && world.clock.now() < end) await world.run(5)
      if (loan.state === 'held') held.push(loan)
    }
    this.#look()
    if (held.length < count) stage.findings.report('I12', `only ${held.length} of ${count} leases were to be had again`)
    if (count < maxConnections) call(stage, [['ECHO']])
    for (const lease of held) call(stage, [['ECHO']], { lease })
    // The one beside them may have to wait for a connection, as they had.
    const last = world.clock.now() + backoffMax + connectTimeout + 50
    while (stage.ledger.pending.size > 0 && world.clock.now() < last) await world.run(5)
    const [deed] = stage.ledger.pending
    if (deed !== undefined) stage.findings.report('I12', `${deed.name} has no answer, though nothing is wrong any more`)
    for (const loan of held) loan.release()
    await world.run(50)
    this.#look()
  }

  #beRestless(): void {
    const { stage } = this
    const { world, dice, ledger } = stage
    const again = (): void => {
      if (dice.once(3)) call(stage, [dice.pick(['ECHO'], ['TAG', 'TAG:a'], ['INCR', 'INCR:b'])])
      else if (dice.once(8)) stage.borrow()
    }
    world.on.closed = world.on.opened = world.on.released = again
    world.on.connectFailed = () => {
      if (dice.once(8)) again()
    }
    ledger.settled = () => {
      if (dice.once(4)) queueMicrotask(again)
    }
  }
}
