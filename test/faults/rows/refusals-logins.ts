// Rows C7 and C8: the server does not know the login, forbids a command, or the password changes while in use.

import { ConnectionError, Redis, ReplyError } from '../../../src/index.js'
import { pause, until, Witness } from '../../live/support-live.js'
import { RedisProcess } from '../../support/redis-process.js'
import { recovery, recoveryCheck, within } from '../recovery.js'
import type { Check, Context, Outcome } from '../row.js'
import { respool } from '../subject.js'
import { inTrouble, longestCall, planOf } from '../trouble.js'
import { atLeast, atMost, endedConnections, exactly, failedCalls, succeedsAgain } from './figures.js'
import { SETTINGS } from './settings.js'

const USER = 'app'
const RULES = ['~*', '&*', '+@all'] as const
/** The default: a refused login is not tried again sooner. */
const BACKOFF_MAX = 1_000
/** How much later than that a call may end, and how much later a pool may be back, in ms. */
const SLACK = 50
/** Attempts are counted so much before the time is over, in ms: the next one is due when it is. */
const EARLY = 200
/** Longer than the pause between two attempts, so that callers learn why. */
const PATIENCE = 2_000
const GIVEN_UP = 5_000
const PATIENT = { ...SETTINGS, backoffMax: BACKOFF_MAX, commandTimeout: PATIENCE, acquireTimeout: PATIENCE } as const
/** Calls that have to be told NOPERM. */
const FORBIDDEN = 1_000

export async function refusedLogins(context: Context): Promise<Outcome> {
  const seconds = context.scale(1, 10)
  await using server = await RedisProcess.start({ acl: [`user ${USER} on >right ${RULES.join(' ')}`] })
  const login = { username: USER, password: () => 'wrong' }
  const subject = respool(server.url, { ...PATIENT, username: USER, password: () => login.password() })
  const { pool } = subject.redis
  const reasons = new Reasons(subject.redis)
  return await inTrouble(subject, server.port, planOf(context, PATIENCE), async ({ history }) => {
    const wrongPassword = async (): Promise<{ refusals: number; told: number; recovered: number }> => {
      await pause(seconds * 1_000 - EARLY)
      const refusals = await refusalsWritten(server)
      const { 'not-sent': told } = history.failed
      login.password = () => 'right'
      return { refusals, told, recovered: await recovery(subject, GIVEN_UP) }
    }
    const [{ refusals, told, recovered }, nobody] = await Promise.all([wrongPassword(), withoutLogin(seconds)])
    await until('calls succeed', succeedsAgain(history))
    const ended = endedConnections(pool.stats())
    await server.cli('ACL', 'SETUSER', USER, '-incr')
    await until('calls are told NOPERM', () => history.failed.rejected >= FORBIDDEN)
    await server.cli('ACL', 'SETUSER', USER, '+incr')
    await until('calls succeed', succeedsAgain(history))
    return {
      faults: 3,
      recovery: [recovered],
      checks: (report) => [
        atLeast('logins that the server wrote down as refused', refusals, 1),
        atMost(`the same, in ${seconds} s`, refusals, seconds),
        atLeast('calls that failed meanwhile', told, 1),
        exactly('failed attempts with another reason than WRONGPASS', reasons.others('WRONGPASS'), 0),
        within(context, 'a call, longest', longestCall(report), BACKOFF_MAX + SLACK),
        within(context, 'until the right password is used', recovered, BACKOFF_MAX + SLACK),
        ...nobody,
        atLeast('calls that were told NOPERM', history.failed.rejected, FORBIDDEN),
        exactly('connections that ended for it', endedConnections(pool.stats()) - ended, 0),
        exactly('calls in doubt', history.failed.ambiguous, 0),
      ],
    }
  })
}

/** How many logins the server has refused, entries of the same kind counted one by one. */
async function refusalsWritten(server: RedisProcess): Promise<number> {
  const log = await server.cli('ACL', 'LOG', '128')
  if (!Array.isArray(log)) throw new Error('ACL LOG gave no list')
  return log.reduce<number>((sum, entry) => sum + refusalsIn(entry), 0)
}

/** An entry is a list of names and values. */
function refusalsIn(entry: unknown): number {
  if (!Array.isArray(entry)) return 0
  const field = (name: string): unknown => entry[entry.indexOf(name) + 1]
  return field('reason') === 'auth' ? Number(field('count')) : 0
}

/** A server that asks for a password, and callers who have none. */
async function withoutLogin(seconds: number): Promise<readonly Check[]> {
  await using server = await RedisProcess.start({ password: 'right' })
  const redis = new Redis({ host: '127.0.0.1', port: server.port, ...PATIENT })
  const reasons = new Reasons(redis)
  const end = performance.now() + seconds * 1_000 - EARLY
  let failed = 0
  try {
    while (performance.now() < end) {
      const served = await redis.get('key').then(
        () => true,
        () => false,
      )
      if (!served) failed++
    }
    const attempts = reasons.count
    await server.cli('CONFIG', 'SET', 'requirepass', '')
    const back = await redis.ping()
    return [
      atLeast('calls without a login that failed', failed, 1),
      // One more may come to its end with the last call.
      atMost(`attempts without a login, in ${seconds} s`, attempts, seconds + 1),
      exactly('of these with another reason than NOAUTH', reasons.others('NOAUTH'), 0),
      exactly('calls that succeeded without a login where none is asked for', back === 'PONG' ? 1 : 0, 1),
    ]
  } finally {
    redis.destroy()
  }
}

/** Why connections could not be made. */
class Reasons {
  count = 0
  readonly #kinds = new Map<string, number>()

  constructor(redis: Redis) {
    redis.on('connectError', (error) => {
      const cause: unknown = error instanceof ConnectionError ? error.cause : undefined
      const kind = cause instanceof ReplyError ? cause.kind : String(error)
      this.count++
      this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1)
    })
  }

  others(kind: string): number {
    return this.count - (this.#kinds.get(kind) ?? 0)
  }
}

const RECOVERS_WITHIN = 100
const ROTATIONS = 10

export async function rotatedPasswords(context: Context): Promise<Outcome> {
  await using server = await RedisProcess.start({ acl: [`user ${USER} on >0 ${RULES.join(' ')}`] })
  await using witness = await Witness.connect(server.port)
  let password = 0
  const subject = respool(server.url, { ...SETTINGS, username: USER, password: () => String(password) })
  const plan = { ...planOf(context, SETTINGS.commandTimeout), operations: 20_000 }
  return await inTrouble(subject, server.port, plan, async ({ history }) => {
    let replaced = 0
    for (let rotation = 0; rotation < ROTATIONS; rotation++) {
      await until('calls succeed', succeedsAgain(history))
      const old = await idsOf(witness)
      await witness.ask('ACL', 'SETUSER', USER, `>${password + 1}`)
      password++
      subject.redis.pool.retire()
      await until('all are replaced', async () => (await idsOf(witness)).every((id) => !old.includes(id)))
      await witness.ask('ACL', 'SETUSER', USER, `<${password - 1}`)
      replaced += old.length
    }
    const failed = failedCalls(history)
    const recoveries: number[] = []
    for (let rotation = 0; rotation < ROTATIONS; rotation++) {
      await until('calls succeed', succeedsAgain(history))
      password++
      const user = [USER, 'on', `>${password}`, ...RULES]
      await witness.ask('MULTI')
      await witness.ask('ACL', 'DELUSER', USER)
      await witness.ask('ACL', 'SETUSER', ...user)
      await witness.ask('EXEC')
      recoveries.push(await recovery(subject, GIVEN_UP))
    }
    const { 'server-closed': closed = 0, 'network-error': broken = 0 } = subject.redis.pool.stats().counters.closed
    return {
      faults: 2 * ROTATIONS,
      recovery: recoveries,
      checks: () => [
        atLeast('connections replaced by retire()', replaced, ROTATIONS),
        exactly('calls that failed while passwords changed', failed, 0),
        atLeast('connections that DELUSER ended', closed + broken, ROTATIONS),
        exactly('calls that failed then and are not in doubt', failedCalls(history) - history.failed.ambiguous, 0),
        recoveryCheck(context, recoveries, RECOVERS_WITHIN),
      ],
    }
  })
}

async function idsOf(witness: Witness): Promise<readonly string[]> {
  const clients = await witness.clients()
  return clients.filter(({ user }) => user === USER).map(({ id = '' }) => id)
}
