// Makes one call through respool and through node-redis's client, and gives both outcomes. Which calls is in samples/.

import assert from 'node:assert/strict'
import { createClient } from '@redis/client'
import { Redis } from '../../src/index.js'
import { type RedisOptions, RedisProcess } from '../support/redis-process.js'
import type { Sample } from './samples/sample.js'

export type Resp = 2 | 3

function nodeRedis(server: RedisProcess, RESP: Resp) {
  const client = createClient({ url: server.url, RESP, disableClientInfo: true })
  client.on('error', () => {})
  return client
}

/** A respool handle and a node-redis client, each on a server of its own. */
export class Couple implements AsyncDisposable {
  readonly ours: Redis<Resp>
  readonly theirs: ReturnType<typeof nodeRedis>
  readonly #resp: Resp
  readonly #servers: Servers

  private constructor(servers: Servers, resp: Resp) {
    this.#servers = servers
    this.#resp = resp
    this.ours = new Redis<Resp>(servers.ours.url, { protocol: resp })
    this.theirs = nodeRedis(servers.theirs, resp)
  }

  static async connect(servers: Servers, resp: Resp): Promise<Couple> {
    const couple = new Couple(servers, resp)
    await couple.theirs.connect()
    return couple
  }

  /** Brings both servers into the state that the sample starts from. */
  async prepare({ setUp = [] }: Sample): Promise<void> {
    for (const command of ['FLUSHALL', ...setUp].map((line) => line.split(' '))) {
      const replies = await Promise.all([
        outcome(() => this.ours.sendCommand(command)),
        outcome(() => this.theirs.sendCommand(command)),
      ])
      for (const reply of replies) assert.ok(!('error' in reply), `${command.join(' ')}: ${JSON.stringify(reply)}`)
    }
  }

  /** Calls it on both, shared or on a connection of its own. */
  run(sample: Sample): Promise<[Outcome, Outcome]> {
    if (sample.onLease) return this.#onLease(sample)
    return both(
      () => invoke(this.ours, sample),
      () => invoke(this.theirs, sample),
    )
  }

  /** Calls it on both in a transaction. */
  runInMulti(sample: Sample): Promise<[Outcome, Outcome]> {
    return both(
      () => execute(this.ours.multi(), sample, 'sendCommand'),
      () => execute(this.theirs.multi(), sample, 'addCommand'),
    )
  }

  async #onLease(sample: Sample): Promise<[Outcome, Outcome]> {
    const client = nodeRedis(this.#servers.theirs, this.#resp)
    await client.connect()
    try {
      return await both(
        () => this.ours.lease(async (lease): Promise<unknown> => invoke(lease, sample)),
        () => invoke(client, sample),
      )
    } finally {
      client.destroy()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ours.destroy()
    this.theirs.destroy()
  }
}

export type Outcome = { readonly value: unknown } | { readonly error: unknown }

export interface Servers {
  readonly ours: RedisProcess
  readonly theirs: RedisProcess
}

export async function startServers(options: RedisOptions): Promise<Servers> {
  const [ours, theirs] = await Promise.all([RedisProcess.start(options), RedisProcess.start(options)])
  return { ours, theirs }
}

/** Removes from an outcome what differs between any two servers. */
export function comparable(result: Outcome, { normalise }: Sample): Outcome {
  return 'value' in result && normalise ? { value: normalise(result.value) } : result
}

/**
 * The reply of node-redis, with one difference taken out that is meant: respool decodes the maps of RESP 3 into objects
 * without a prototype, as both clients do for RESP 2, so that a field called `__proto__` is a field.
 */
export function withoutPrototypes(theirs: unknown, ours: unknown): unknown {
  if (Array.isArray(theirs) && Array.isArray(ours)) {
    return theirs.map((item, index) => withoutPrototypes(item, ours[index]))
  }
  if (!isRecord(theirs) || !isRecord(ours)) return theirs
  const fields = Object.entries(theirs).map(([name, value]) => [name, withoutPrototypes(value, ours[name])])
  const isPlain = Object.getPrototypeOf(ours) !== null && Object.getPrototypeOf(theirs) !== null
  return Object.assign(isPlain ? {} : Object.create(null), Object.fromEntries(fields))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

async function both(ours: () => unknown, theirs: () => unknown): Promise<[Outcome, Outcome]> {
  return Promise.all([outcome(ours), outcome(theirs)])
}

async function outcome(run: () => unknown): Promise<Outcome> {
  try {
    return { value: await run() }
  } catch (error) {
    return { error: errorOf(error) }
  }
}

/** What a program tells errors apart by: the server's words, and those of each command of a transaction. */
function errorOf(error: unknown): unknown {
  assert.ok(error instanceof Error)
  // The refusal that made EXEC refuse is thrown by node-redis; respool throws what EXEC said, with that as its cause.
  if (error.message.startsWith('EXECABORT') && error.cause instanceof Error) return error.cause.message
  const replies: unknown = Reflect.get(error, 'replies')
  if (!Array.isArray(replies)) return error.message
  return replies.map((reply) => (reply instanceof Error ? { error: reply.message } : reply))
}

function invoke(target: object, sample: Sample): unknown {
  const { method = 'sendCommand' } = sample
  const args = sample.method === undefined ? [sample.args] : sample.args
  const run: unknown = Reflect.get(target, method)
  assert.ok(typeof run === 'function', `there is no method ${method}`)
  return Reflect.apply(run, target, args)
}

/** The one reply of the transaction. */
async function execute(transaction: object, sample: Sample, rawMethod: string): Promise<unknown> {
  const { method = rawMethod, args } = sample
  invoke(transaction, { method, args: sample.method === undefined ? [args] : args })
  const replies = await invoke(transaction, { method: 'exec', args: [] })
  assert.ok(Array.isArray(replies) && replies.length === 1)
  return replies[0]
}
