// What callers do: everything a program may do to a pool, sensible or not. Each action knows the stage, and no law.

import { hashOf, NO_KEY } from '../../src/command/key-hash.js'
import { orderingKeyOf } from '../../src/command/ordering.js'
import type { RetryMode } from '../../src/command/repeat.js'
import { blockingTimeoutOf } from '../../src/command/routing.js'
import { Request } from '../../src/connection/request.js'
import type { Loan } from '../support/pool-harness.js'
import type { Deed } from './ledger.js'
import type { Stage } from './stage.js'

export interface Action {
  /** How often it happens, against the others. */
  readonly weight: number
  act(stage: Stage): void
}

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'] as const
const QUEUES = ['q1', 'q2'] as const

interface CallOptions {
  readonly timeout?: number
  readonly signal?: AbortSignal | undefined
  readonly lease?: Loan
  readonly retry?: RetryMode
  /** Makes the commands one chain, whose keyed ends have this key. */
  readonly chainKey?: string
}

/** Enters commands into the books, each with a name of its own, and sends them: one, or a chain. */
export function call(stage: Stage, commands: readonly (readonly string[])[], options: CallOptions = {}): void {
  const { timeout = 0, signal, lease } = options
  const { ledger, world } = stage
  const first = ledger.deeds.length
  const retry = options.retry ?? stage.retry
  const requests = commands.map((command, index) => {
    const args = named(command, ledger.deeds.length)
    const blocksFor = blockingTimeoutOf(args)
    const isAlone = lease === undefined && (stage.isClassic || blocksFor !== undefined)
    const at = world.clock.now()
    const dueBy = timeout > 0 ? at + timeout + (blocksFor ?? 0) : Number.POSITIVE_INFINITY
    const deed = ledger.enter({ args, at, dueBy, lease, isAlone, chain: first, signal, retry })
    const isMember = options.chainKey !== undefined && index < commands.length - 1
    const request = requestOf(stage, deed, hashFor(args, options.chainKey), isMember)
    request.timeout = timeout
    request.retry = retry
    deed.request = request
    if (isAlone && deed.number === first) stage.line.push({ number: first, deed, loan: undefined })
    request.signal = signal
    request.blocksFor = blocksFor ?? 0
    return request
  })
  for (const [index, request] of requests.entries()) request.next = requests[index + 1]
  const [head] = requests
  if (head === undefined) return
  if (options.chainKey !== undefined) {
    const unit = { first: head, refusal: undefined }
    for (const request of requests) request.unit = unit
  }
  if (lease === undefined) world.pool.execute(head)
  else lease.lease?.send(head)
}

/** Of a transaction only EXEC tells what became of it. */
function requestOf({ ledger }: Stage, deed: Deed, hash: number, isMember: boolean): Request {
  if (isMember) return new Request(deed.args, hash, ignore, ignore)
  return new Request(
    deed.args,
    hash,
    (value) => ledger.answered(deed, value),
    (error) => ledger.failed(deed, error),
  )
}

function ignore(): void {}

/** The server ignores the name, or stores it as the value; in BLPOP it is one more key, on which nothing ever is. */
function named(command: readonly string[], number: number): string[] {
  const name = `#${number}`
  return command[0] === 'BLPOP' ? [...command.slice(0, -1), name, ...command.slice(-1)] : [...command, name]
}

/** As a transaction has it: its key belongs to MULTI and EXEC, what is between goes along. */
function hashFor(args: readonly string[], chainKey: string | undefined): number {
  const key = chainKey === undefined ? orderingKeyOf(args) : /^(MULTI|EXEC)$/.test(args[0] ?? '') ? chainKey : undefined
  return key === undefined ? NO_KEY : hashOf(key)
}

/** Now and then a call has a deadline, a signal, or ideas of its own about being sent again. */
function bounds(stage: Stage): CallOptions {
  const { dice } = stage
  const timeout = dice.once(5) ? dice.pick(1, 5, 20, 60) : 0
  return {
    timeout,
    ...(dice.once(6) ? { signal: stage.signal() } : {}),
    ...(dice.once(10) ? { retry: dice.pick<RetryMode>('none', 'safe', 'idempotent', 'at-least-once') } : {}),
  }
}

function someWrite({ dice }: Stage, key: string): string[] {
  const name = dice.pick('TAG', 'SET', 'APPEND', 'INCR', 'RPUSH')
  // Each kind of value has keys of its own.
  return [name, `${name}:${key}`]
}

function heldLoan({ loans, dice }: Stage): Loan | undefined {
  return dice.from(loans.filter(({ state }) => state === 'held'))
}

export const CALLS: Readonly<Record<string, Action>> = {
  write: {
    weight: 10,
    act: (stage) => {
      const command = someWrite(stage, stage.dice.pick(...KEYS))
      for (let left = stage.dice.pick(1, 1, 1, 1, 2, 4, 10); left > 0; left--) call(stage, [command], bounds(stage))
    },
  },
  read: {
    weight: 4,
    act: (stage) =>
      call(stage, [['GET', `${stage.dice.pick('TAG', 'SET')}:${stage.dice.pick(...KEYS)}`]], bounds(stage)),
  },
  echo: { weight: 2, act: (stage) => call(stage, [['ECHO']], bounds(stage)) },
  'read after write': {
    weight: 2,
    act: (stage) => {
      const key = `TAG:${stage.dice.pick(...KEYS)}`
      call(stage, [['TAG', key]])
      call(stage, [['GET', key]])
    },
  },
  transaction: {
    weight: 2,
    act: (stage) => {
      const command = someWrite(stage, stage.dice.pick(...KEYS))
      const body = Array.from({ length: stage.dice.between(1, 3) }, () => command)
      call(stage, [['MULTI'], ...body, ['EXEC']], { ...bounds(stage), chainKey: command[1] ?? '' })
    },
  },
  pipeline: {
    weight: 1,
    act: (stage) => {
      const command = someWrite(stage, stage.dice.pick(...KEYS))
      const commands = [command, ['GET', `TAG:${command[1]}`], command].slice(0, stage.dice.between(2, 3))
      // As the client has it: what stands behind a write that is sent again would come before it.
      call(stage, commands, { ...bounds(stage), retry: 'none' })
    },
  },
  pop: {
    weight: 2,
    act: (stage) => {
      const { dice } = stage
      const seconds = dice.pick('0', '0.02', '0.1', '0.3')
      // One that would wait for ever can be told to stop.
      const options = seconds === '0' ? { signal: stage.signal() } : bounds(stage)
      call(stage, [['BLPOP', dice.pick(...QUEUES), seconds]], options)
    },
  },
  produce: { weight: 2, act: (stage) => call(stage, [['RPUSH', stage.dice.pick(...QUEUES)]], bounds(stage)) },
  lease: {
    weight: 4,
    act: ({ borrow, dice, signal }) =>
      borrow({
        ...(dice.once(3) ? { timeout: dice.pick(0, 1, 20, 100) } : {}),
        ...(dice.once(5) ? { signal: signal() } : {}),
      }),
  },
  'use a lease': {
    weight: 6,
    act: (stage) => {
      const lease = heldLoan(stage)
      if (lease === undefined) return
      const { dice } = stage
      const key = `TAG:${dice.pick(...KEYS)}`
      const commands = [['TAG', key], ['GET', key], ['ECHO'], ['RPUSH', dice.pick(...QUEUES)]]
      call(stage, [dice.from(commands) ?? ['ECHO']], { ...bounds(stage), lease })
    },
  },
  'change a session': {
    weight: 4,
    act: (stage) => {
      const lease = heldLoan(stage)
      if (lease === undefined) return
      const { dice } = stage
      const changes = [['WATCH', `TAG:${dice.pick(...KEYS)}`], ['UNWATCH'], ['SELECT', dice.pick('0', '1', '2')]]
      const hard = [['MULTI'], ['EXEC'], ['DISCARD'], ['CLIENT', 'NO-EVICT', 'on'], ['RESET']]
      call(stage, [dice.from(dice.once(3) ? hard : changes) ?? ['UNWATCH']], { lease })
    },
  },
  'pop on a lease': {
    weight: 1,
    act: (stage) => {
      const lease = heldLoan(stage)
      if (lease === undefined) return
      call(stage, [['BLPOP', stage.dice.pick(...QUEUES), stage.dice.pick('0.02', '0.1')]], { ...bounds(stage), lease })
    },
  },
  release: { weight: 6, act: (stage) => heldLoan(stage)?.release() },
  'release again': {
    weight: 1,
    act: ({ world, dice }) => dice.from(world.loans.filter(({ state }) => state === 'released'))?.lease?.release(),
  },
  'use after release': {
    weight: 1,
    act: (stage) => {
      const lease = stage.dice.from(stage.world.loans.filter(({ state }) => state === 'released'))
      if (lease !== undefined) call(stage, [['TAG', 'TAG:a']], { lease })
    },
  },
  abort: { weight: 4, act: (stage) => stage.abortSome() },
  resize: {
    weight: 1,
    act: (stage) => {
      const { world, dice } = stage
      const maxConnections = dice.between(1, 8)
      stage.remember()
      world.pool.resize({ maxConnections, minConnections: dice.once(4) ? dice.between(0, maxConnections) : 0 })
    },
  },
  retire: { weight: 1, act: ({ world }) => world.pool.retire() },
  connect: { weight: 1, act: ({ world }) => void world.pool.connect().catch(() => {}) },
}
