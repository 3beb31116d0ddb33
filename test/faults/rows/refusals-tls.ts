// Rows C10 and C11: certificates that cannot be accepted, TLS met by plain text, and certificates that change under load.

import { readFileSync } from 'node:fs'
import { type NoMapping, type RedisOptions as Options, Redis, RespoolError } from '../../../src/index.js'
import { pause, until } from '../../live/support-live.js'
import { makeCertificates } from '../../support/certificates.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { freePort } from '../../support/free-port.js'
import { between, seeded } from '../../support/random.js'
import { type RedisOptions, RedisProcess } from '../../support/redis-process.js'
import { check } from '../checker.js'
import { History } from '../history.js'
import { within } from '../recovery.js'
import type { Check, Context, Outcome } from '../row.js'
import { respool } from '../subject.js'
import { inTrouble, planOf } from '../trouble.js'
import { atLeast, atMost, exactly, failedCalls, succeedsAgain } from './figures.js'
import { SETTINGS } from './settings.js'

type Client = Options<3, NoMapping>

const WAIT = 1_000
const SETTLES_WITHIN = 1_050
const MOST_ATTEMPTS = 8
const CALLERS = 4
/** No handshake is shorter, in bytes of the server. */
const HANDSHAKE = 700
/** With the default pauses between attempts: what is wrong here does not heal by itself. */
const OPTIONS = { maxConnections: 4, connectTimeout: WAIT, acquireTimeout: WAIT } as const

/** A client and a server that do not fit each other, and the client that would. */
interface Mishap {
  readonly name: string
  readonly server: RedisOptions
  readonly wrong: Client
  readonly right: Client
  /** What the errors of its attempts say. */
  readonly says: RegExp
  /** The proxy ends each connection inside its handshake. */
  readonly isCut?: boolean
}

const UNVERIFIED: Client = { tls: { rejectUnauthorized: false } }
const MISHAPS: readonly Mishap[] = [
  { name: 'self-signed', server: { tls: 'self-signed' }, wrong: {}, right: UNVERIFIED, says: /self.signed/i },
  { name: 'expired', server: { tls: 'expired' }, wrong: {}, right: UNVERIFIED, says: /expired/ },
  { name: 'wrong name', server: { tls: 'wrong name' }, wrong: {}, right: UNVERIFIED, says: /altnames/ },
  { name: 'other authority', server: { tls: 'other authority' }, wrong: {}, right: UNVERIFIED, says: /unable to/ },
  {
    name: 'no client certificate',
    server: { tls: true, clientCertificate: true },
    wrong: {},
    right: {},
    says: /certificate required|ECONNRESET/,
  },
  { name: 'TLS to a plain port', server: {}, wrong: { tls: true }, right: { tls: false }, says: /was ready within/ },
  { name: 'plain to a TLS port', server: { tls: true }, wrong: { tls: false }, right: {}, says: /closed|ECONNRESET/ },
  { name: 'cut', server: { tls: true }, wrong: {}, right: {}, says: /closed|disconnected|ECONNRESET/, isCut: true },
]

export async function unacceptable(context: Context): Promise<Outcome> {
  const seconds = context.scale(2, 20)
  const stages: Stage[] = []
  try {
    for (const mishap of MISHAPS) stages.push(await Stage.open(mishap, context))
    await Promise.all(stages.map((stage) => stage.play(seconds)))
    const entries = stages.flatMap(({ history }) => history.entries)
    const none = { values: new Map(), lists: new Map(), counters: new Map(), units: new Map() }
    const longest = entries.reduce((most, { calledAt, settledAt }) => Math.max(most, settledAt - calledAt), 0)
    const sum = (of: (stage: Stage) => number): number => stages.reduce((total, stage) => total + of(stage), 0)
    return {
      operations: entries.length,
      faults: sum(({ attempts }) => attempts),
      ...check(entries, none, WAIT),
      checks: [
        atLeast('attempts, fewest', Math.min(...stages.map(({ attempts }) => attempts)), seconds / 2),
        ...stages.map(({ mishap, attempts }) => atMost(`a second: ${mishap.name}`, attempts / seconds, MOST_ATTEMPTS)),
        exactly(
          'attempts whose error is another one',
          sum(({ strange }) => strange),
          0,
        ),
        within(context, 'a call, longest', longest, SETTLES_WITHIN),
        exactly(
          'calls that did not fail as not sent',
          entries.length - sum(({ history }) => history.failed['not-sent']),
          0,
        ),
        exactly(
          'clients that fit and are served',
          sum(({ fits }) => fits),
          MISHAPS.length,
        ),
      ],
    }
  } finally {
    for (const stage of stages) await stage.close()
  }
}

/** One mishap, and callers who meet it. */
class Stage {
  readonly mishap: Mishap
  readonly history = new History((error) => (error instanceof RespoolError ? error.outcome : undefined))
  attempts = 0
  /** Attempts that failed for another reason than they should. */
  strange = 0
  fits = 0
  readonly #server: RedisProcess
  readonly #proxy: FaultProxy

  private constructor(mishap: Mishap, server: RedisProcess, proxy: FaultProxy) {
    this.mishap = mishap
    this.#server = server
    this.#proxy = proxy
  }

  static async open(mishap: Mishap, { seed, trace }: Context): Promise<Stage> {
    const server = await RedisProcess.start(mishap.server)
    const proxy = await FaultProxy.start({ port: server.port, seed })
    trace(proxy.log)
    const random = seeded(seed)
    if (mishap.isCut) proxy.meet((link) => link.cutAfter(between(random, 1, HANDSHAKE), 'rst'))
    return new Stage(mishap, server, proxy)
  }

  async play(seconds: number): Promise<void> {
    const redis = this.#client(this.mishap.wrong)
    redis.on('connectError', (error) => {
      if (!this.mishap.says.test(error.message)) this.strange++
    })
    const end = performance.now() + seconds * 1_000
    const call = async (caller: number): Promise<void> => {
      while (performance.now() < end) {
        await this.history.record(caller, 'echo', this.mishap.name, (nonce) => redis.echo(nonce))
        await pause(1)
      }
    }
    const counted = pause(seconds * 1_000).then(() => {
      this.attempts = this.#proxy.total
    })
    await Promise.all([counted, ...Array.from({ length: CALLERS }, (_, caller) => call(caller))])
    redis.destroy()
    this.#proxy.meet(undefined)
    const fitting = this.#client({ ...this.mishap.right, ...this.#clientCertificate() })
    if ((await fitting.ping()) === 'PONG') this.fits++
    fitting.destroy()
  }

  async close(): Promise<void> {
    await this.#proxy.stop()
    await this.#server.stop()
  }

  #client(options: Client): Redis {
    const { tls } = this.#server
    const trusting: Client = tls === undefined ? {} : { tls: { ca: readFileSync(tls.ca) } }
    return new Redis({ host: '127.0.0.1', port: this.#proxy.port, ...OPTIONS, ...trusting, ...options })
  }

  #clientCertificate(): Client {
    const { tls } = this.#server
    if (tls === undefined || !this.mishap.server.clientCertificate) return {}
    const [ca, cert, key] = [tls.ca, tls.client.cert, tls.client.key].map((path) => readFileSync(path))
    return { tls: { ca, cert, key } }
  }
}

const OPERATIONS = 5_000
const CHANGES = 10

export async function changedCertificates(context: Context): Promise<Outcome> {
  const port = await freePort()
  await using server = await RedisProcess.start({ tls: true, config: { port } })
  const { tls: first } = server
  if (first === undefined) throw new Error('the server has no certificate')
  const sets = [makeCertificates(server.dir), first]
  const both = sets.map(({ ca }) => readFileSync(ca))
  const subject = respool(server.url, { ...SETTINGS, tls: { ca: both } })
  const { pool } = subject.redis
  const plan = { ...planOf(context, SETTINGS.commandTimeout), operations: OPERATIONS }
  return await inTrouble(subject, port, plan, async ({ history }) => {
    let replaced = 0
    let alone = 0
    for (let change = 0; change < CHANGES; change++) {
      await until('calls succeed', succeedsAgain(history))
      const [next, old] = change % 2 === 0 ? sets : sets.toReversed()
      if (next === undefined || old === undefined) throw new Error('there are two sets')
      await server.cli('CONFIG', 'SET', 'tls-cert-file', next.cert, 'tls-key-file', next.key)
      const before = pool.stats().counters.opened
      pool.retire()
      await until('connections are made with it', () => pool.stats().counters.opened > before)
      replaced += pool.stats().counters.opened - before
      if (await isServed(server, next.ca)) alone++
      if (await isServed(server, old.ca)) alone--
    }
    const checks = (): readonly Check[] => [
      atLeast('connections made with another certificate', replaced, CHANGES),
      exactly('changes that who trusts one authority alone has noticed', alone, CHANGES),
      exactly('calls that failed', failedCalls(history), 0),
    ]
    return { faults: CHANGES, recovery: [], checks }
  })
}

async function isServed(server: RedisProcess, ca: string): Promise<boolean> {
  const redis = new Redis(server.url, { tls: { ca: readFileSync(ca) } })
  try {
    return (await redis.ping()) === 'PONG'
  } catch {
    return false
  } finally {
    redis.destroy()
  }
}
