// Row C9: servers that do not know HELLO, or answer a greeting, a login or a command with every refusal there is.

import { ConnectionError, Redis, ReplyError, RespoolError } from '../../../src/index.js'
import { pause, until, Witness } from '../../live/support-live.js'
import { type FakeConnection, FakeServer } from '../../support/fake-server.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { RedisProcess } from '../../support/redis-process.js'
import { OK } from '../../support/resp.js'
import { check } from '../checker.js'
import { History } from '../history.js'
import type { Check, Context, Outcome } from '../row.js'
import { respool } from '../subject.js'
import { inTrouble, planOf } from '../trouble.js'
import { sumOf } from '../verdict.js'
import { atLeast, exactly, failedCalls, succeedsAgain } from './figures.js'
import { SETTINGS } from './settings.js'

const LOGIN = { username: 'app', password: 'right' } as const
/** A scripted server that says nothing is given up after this long, in ms. */
const CONNECT_TIMEOUT = 50
const OPTIONS = { ...SETTINGS, ...LOGIN, lanes: 1, connectTimeout: CONNECT_TIMEOUT, commandTimeout: 2_000 } as const

const OLD = [
  "ERR unknown command 'HELLO', with args beginning with: '3'",
  'NOPROTO unsupported protocol version',
] as const
/** Refusals of HELLO that say nothing of its age: those that pass, and those that do not by waiting. */
const PASSING = [
  'LOADING Redis is loading the dataset in memory',
  'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  'ERR max number of clients reached',
  'ERR Syntax error in HELLO option',
] as const
const LASTING = [
  'WRONGPASS invalid username-password pair or user is disabled.',
  'NOAUTH HELLO must be called with the client already authenticated',
  "NOPERM this user has no permissions to run the 'hello' command",
] as const
/** Refusals of a command: those that another connection may not meet, and those that its caller has to know. */
const ELSEWHERE = [
  PASSING[0],
  PASSING[2],
  'NOAUTH Authentication required.',
  "READONLY You can't write against a read only replica.",
] as const
const TOLD = [
  PASSING[1],
  "OOM command not allowed when used memory > 'maxmemory'.",
  'NOREPLICAS Not enough good replicas to write.',
  'MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk.',
  'CLUSTERDOWN The cluster is down',
  'TRYAGAIN Multiple keys request during rehashing of slot',
  'WRONGPASS invalid username-password pair or user is disabled.',
  "NOPERM this user has no permissions to run the 'echo' command",
] as const
/** With silence, protected mode and logins without an answer. */
const CASES = OLD.length + PASSING.length + LASTING.length + ELSEWHERE.length + TOLD.length + 3
const DENIED = '-DENIED Redis is running in protected mode because protected mode is enabled.\r\n'

export async function greetings(context: Context): Promise<Outcome> {
  const renamed = await helloRenamed(context)
  const script = new Script()
  const rounds = context.scale(1, 20)
  for (let round = 0; round < rounds; round++) {
    for (const text of OLD) await script.meetsOldServer(text)
    for (const text of [...PASSING, 'silence']) await script.meetsPassing(text)
    for (const text of LASTING) await script.meetsLasting(text)
    for (const text of ELSEWHERE) await script.isServedElsewhere(text)
    for (const text of TOLD) await script.isTold(text)
    await script.meetsProtectedMode(context)
    await script.losesAnswerToLogin()
  }
  const { entries } = script.history
  const none = { values: new Map(), lists: new Map(), counters: new Map(), units: new Map() }
  const found = check(entries, none, OPTIONS.commandTimeout)
  return {
    operations: renamed.operations + entries.length,
    faults: renamed.faults + script.cases,
    verdict: sumOf([renamed.verdict, found.verdict]),
    examples: [...(renamed.examples ?? []), ...script.wrong, ...found.examples],
    recovery: renamed.recovery ?? [],
    checks: [
      ...renamed.checks,
      exactly('scripted refusals', script.cases, rounds * CASES),
      exactly('of these answered in another way than they should be', script.wrong.length, 0),
      exactly('commands sent together with a login', script.crowded, 0),
    ],
  }
}

/** A real server whose HELLO has another name is spoken to in RESP2, by connections made later, too. */
async function helloRenamed(context: Context): Promise<Outcome> {
  const config = { 'rename-command': 'HELLO ""' }
  await using server = await RedisProcess.start({ config, acl: ['user app on >right ~* &* +@all'] })
  await using witness = await Witness.connect(server.port)
  const subject = respool(server.url, { ...SETTINGS, ...LOGIN })
  const plan = { ...planOf(context, SETTINGS.commandTimeout), operations: context.scale(3_000, 30_000) }
  return await inTrouble(subject, server.port, plan, async ({ history }) => {
    const protocols: (string | undefined)[] = []
    for (let round = 0; round < 2; round++) {
      await until('calls succeed', succeedsAgain(history))
      protocols.push(...(await witness.clients()).filter(({ user }) => user === LOGIN.username).map(({ resp }) => resp))
      subject.redis.pool.retire()
    }
    const checks = (): readonly Check[] => [
      atLeast('connections to a server without HELLO', protocols.length, 2),
      exactly('of these in RESP2', protocols.filter((resp) => resp === '2').length, protocols.length),
      exactly('calls that failed there', failedCalls(history), 0),
    ]
    return { faults: 1, recovery: [], checks }
  })
}

/** Servers that say what they are told to, one for each case, and what came of the calls. */
class Script {
  readonly history = new History((error) => (error instanceof RespoolError ? error.outcome : undefined))
  readonly wrong: string[] = []
  cases = 0
  /** Commands that came before a login had its answer. */
  crowded = 0

  meetsOldServer(text: string): Promise<void> {
    return this.#play(`HELLO: ${text}`, async (server, echo) => {
      server.expect('HELLO').always().reply(new Error(text))
      const error = await echo()
      return error === undefined && logins(server) === 1 && server.connections.length === 1
    })
  }

  /** Another attempt greets in RESP3 again. */
  meetsPassing(text: string): Promise<void> {
    return this.#play(`HELLO: ${text}`, async (server, echo) => {
      if (text === 'silence') server.expect('HELLO').stall()
      else server.expect('HELLO').reply(new Error(text))
      const error = await echo()
      return error === undefined && logins(server) === 0 && server.connections.at(-1)?.protocol === 3
    })
  }

  meetsLasting(text: string): Promise<void> {
    return this.#play(`HELLO: ${text}`, async (server, echo) => {
      server.expect('HELLO').reply(new Error(text))
      const error = await echo()
      const isTold = error instanceof ConnectionError && kindOf(error.cause) === firstWord(text)
      return isTold && error.outcome === 'not-sent' && logins(server) === 0 && server.connections.length === 1
    })
  }

  isServedElsewhere(text: string): Promise<void> {
    return this.#play(`ECHO: ${text}`, async (server, echo) => {
      server.expect('ECHO').reply(new Error(text))
      return (await echo()) === undefined && server.connections.length === 2
    })
  }

  isTold(text: string): Promise<void> {
    return this.#play(`ECHO: ${text}`, async (server, echo) => {
      server.expect('ECHO').reply(new Error(text))
      const error = await echo()
      const isTold = kindOf(error) === firstWord(text) && error instanceof ReplyError && error.outcome === 'rejected'
      return isTold && (await echo()) === undefined && server.connections.length === 1
    })
  }

  /** It hangs up on whoever comes from elsewhere, and says why before it was asked anything. */
  async meetsProtectedMode({ seed }: Context): Promise<void> {
    await using server = await FakeServer.start()
    await using proxy = await FaultProxy.start({ port: server.port, seed })
    proxy.meet((link) => {
      link.tamper.inject(DENIED, 'now')
      link.halfClose('down')
    })
    const error = await this.#call(proxy.url)
    const isTold = error instanceof ConnectionError && kindOf(error.cause) === 'DENIED' && error.outcome === 'not-sent'
    this.#judge('DENIED', isTold && proxy.total === 1)
  }

  /**
   * Some servers leave out the answer to a failing AUTH that stands behind another command. Behind nothing, it is
   * answered; and a connection whose login was never answered is not used.
   */
  losesAnswerToLogin(): Promise<void> {
    return this.#play('AUTH without an answer', async (server, echo) => {
      server
        .expect('HELLO')
        .always()
        .do(() => pause(2))
        .do((connection) => this.#crowd(connection, 1))
        .reply(new Error(OLD[0]))
      server.expect('AUTH').times(2).stall()
      server
        .expect('AUTH')
        .always()
        .do(() => pause(2))
        .do((connection) => this.#crowd(connection, 2))
        .reply(OK)
      const errors = await Promise.all(Array.from({ length: 8 }, echo))
      return errors.every((error) => error === undefined) && server.connections.length === 3
    })
  }

  #crowd({ received }: FakeConnection, alone: number): void {
    this.crowded += received.length - alone
  }

  async #play(
    what: string,
    run: (server: FakeServer, echo: () => Promise<unknown>) => Promise<boolean>,
  ): Promise<void> {
    await using server = await FakeServer.start()
    const redis = new Redis(server.url, OPTIONS)
    try {
      this.#judge(what, await run(server, () => this.#echo(redis)))
    } finally {
      redis.destroy()
    }
  }

  async #call(url: string): Promise<unknown> {
    const redis = new Redis(url, OPTIONS)
    try {
      return await this.#echo(redis)
    } finally {
      redis.destroy()
    }
  }

  /** Gives the error, when there is one. */
  async #echo(redis: Redis): Promise<unknown> {
    let failure: unknown
    await this.history.record(0, 'echo', 'nonce', (nonce) =>
      redis.echo(nonce).catch((error: unknown) => {
        failure = error
        throw error
      }),
    )
    return failure
  }

  #judge(what: string, isRight: boolean): void {
    this.cases++
    if (!isRight) this.wrong.push(what)
  }
}

/** Commands AUTH, which only a server without HELLO is sent. */
function logins({ received }: FakeServer): number {
  return received.filter(([name]) => name === 'AUTH').length
}

function kindOf(error: unknown): string | undefined {
  return error instanceof ReplyError ? error.kind : undefined
}

function firstWord(text: string): string {
  return text.split(' ')[0] ?? ''
}
