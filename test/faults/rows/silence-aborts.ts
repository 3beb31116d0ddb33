// Row B6: callers give up at any moment, while others wait before and behind them on the same connections.

import { getEventListeners } from 'node:events'
import type { Redis } from '../../../src/index.js'
import { until } from '../../live/support-live.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { MOMENTS } from '../../support/moments.js'
import { pick, type Random, seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import type { Context, Outcome } from '../row.js'
import { startBystanders } from '../soak/bystanders.js'
import { respool, respoolOn, type Subject } from '../subject.js'
import { appliedInDoubt, inTrouble, planOf, together } from '../trouble.js'
import { atLeast, endedConnections, exactly } from './figures.js'
import { SETTINGS } from './settings.js'

/** Replies come in pieces of at most so many bytes, so that some are given up in the middle. */
const SLICE = 16
const GIVEN_UP = new Error('given up')
/** Calls that are made with a signal; the others wait beside them. */
const IMPATIENT = 0.7
/** Of these, the calls whose signal is aborted once they have ended: only they can leave a listener behind, for sure. */
const TOO_LATE = 0.1
/** Commands that may be under way on a lane: all that there are, or so few that most callers give up in a queue. */
const WIDE = 1_000
const NARROW = 4
/** Longest wait for all aborts of one size, in ms. */
const PATIENCE = 120_000

export async function abortStorm(context: Context): Promise<Outcome> {
  const parts: Outcome[] = []
  for (const pipelining of [WIDE, NARROW]) parts.push(await underAborts(context, pipelining))
  return together(parts)
}

async function underAborts(context: Context, pipelining: number): Promise<Outcome> {
  const { seed, scale } = context
  const isNarrow = pipelining === NARROW
  const wanted = Math.ceil(scale(5_000, 100_000) / 2)
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed })
  context.trace(proxy.log)
  proxy.slice(SLICE, 'down')
  const patient = respool(proxy.url, { ...SETTINGS, pipelining })
  const { redis } = patient
  const impatient = new Impatience(redis, seeded(seed))
  const plan = { ...planOf(context, SETTINGS.commandTimeout), operations: wanted }
  return await inTrouble(impatient.subject(patient), server.port, plan, async () => {
    const bystanders = startBystanders(redis, seed, 'bystander')
    await until('enough calls were given up', () => impatient.givenUp >= wanted, PATIENCE)
    await bystanders.end()
    const { crossed } = bystanders
    const stats = redis.pool.stats()
    const { counters } = stats
    const dirty = counters.closed.dirty ?? 0
    return {
      faults: impatient.givenUp,
      recovery: [],
      checks: (report) => [
        isNarrow
          ? atLeast('calls that had to wait behind a full lane', counters.waited, wanted)
          : atLeast('writes that were given up, and applied', appliedInDoubt(report), 1),
        exactly('replies to leases and blocking commands that were crossed', crossed.length, 0),
        atLeast('calls that had ended before their signal was aborted', impatient.tooLate, Math.ceil(wanted / 20)),
        exactly('listeners left on signals', impatient.listeners, 0),
        exactly('connections that ended, but for those that a lease left changed', endedConnections(stats) - dirty, 0),
      ],
    }
  })
}

/** Makes calls with signals of their own, and aborts them at a moment of chance. */
class Impatience {
  givenUp = 0
  /** Calls whose signal was aborted for nothing, on purpose. */
  tooLate = 0
  /** Of signals whose call had ended, before anybody aborted those that nobody had aborted. */
  listeners = 0
  readonly #redis: Redis
  readonly #random: Random

  constructor(redis: Redis, random: Random) {
    this.#redis = redis
    this.#random = random
  }

  /** Whoever gives up knows nothing of the command any more. */
  subject(patient: Subject): Subject {
    return {
      ...patient,
      echo: (nonce) => this.#call(patient, (subject) => subject.echo(nonce)),
      get: (key) => this.#call(patient, (subject) => subject.get(key)),
      set: (key, value) => this.#call(patient, (subject) => subject.set(key, value)),
      rpush: (key, value) => this.#call(patient, (subject) => subject.rpush(key, value)),
      incr: (key) => this.#call(patient, (subject) => subject.incr(key)),
      transaction: (keys, value) => this.#call(patient, (subject) => subject.transaction(keys, value)),
      outcomeOf: (error) => (error === GIVEN_UP ? 'ambiguous' : patient.outcomeOf(error)),
    }
  }

  async #call(patient: Subject, call: (subject: Subject) => Promise<unknown>): Promise<unknown> {
    const random = this.#random
    if (random() > IMPATIENT) return call(patient)
    const controller = new AbortController()
    const called = call(respoolOn(this.#redis.withAbortSignal(controller.signal)))
    const end = (error: unknown): void => {
      if (error === GIVEN_UP) this.givenUp++
      this.listeners += getEventListeners(controller.signal, 'abort').length
    }
    const ended = called.then(end, end)
    if (random() < TOO_LATE) {
      await ended
      this.tooLate++
      controller.abort(GIVEN_UP)
      return called
    }
    const moment = pick(random, Object.values(MOMENTS))(random)
    if (moment !== undefined) await Promise.race([moment, ended])
    controller.abort(GIVEN_UP)
    return called
  }
}
