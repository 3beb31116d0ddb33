// The books of a run: every command with what its caller was told and what the wire saw of it. Each carries a name of its
// own that the server ignores, so that nothing has to be guessed. It judges at once what can be judged by one command.

import { ReplyError, RespoolError } from '../../src/base/errors.js'
import type { RetryMode } from '../../src/command/repeat.js'
import type { ModelConnection, Witness } from '../support/model-server.js'
import type { Loan } from '../support/pool-harness.js'
import { Simple, type Wire } from '../support/resp.js'
import type { Findings } from './laws.js'
import type { Trace } from './trace.js'

/** How often a command may be sent in all: three times again. */
const MOST_SENDS = 4

const READS: ReadonlySet<string> = new Set(['GET', 'ECHO'])

/** What only begins or ends a transaction, or changes a session, takes no effect that could be doubled. */
const NO_EFFECT: ReadonlySet<string> = new Set(
  'MULTI EXEC DISCARD WATCH UNWATCH SELECT CLIENT RESET ECHO PING'.split(' '),
)

interface DeedFacts {
  readonly args: readonly string[]
  readonly at: number
  /** When its own deadline passes; Infinity for never. */
  readonly dueBy: number
  /** The lease it is sent on. */
  readonly lease: Loan | undefined
  /** Whether it takes a connection of the pool to itself. */
  readonly isAlone: boolean
  /** Number of the first command of its chain; its own when it is in none. */
  readonly chain: number
  readonly signal: AbortSignal | undefined
  readonly retry: RetryMode
}

/** One command of a caller. */
export class Deed implements DeedFacts {
  readonly number: number
  readonly args: readonly string[]
  readonly at: number
  readonly dueBy: number
  readonly lease: Loan | undefined
  readonly isAlone: boolean
  readonly chain: number
  readonly signal: AbortSignal | undefined
  readonly retry: RetryMode
  readonly isRead: boolean
  state: 'pending' | 'answered' | 'failed' = 'pending'
  settlements = 0
  outcome: string | undefined
  /** The turn in which its caller was told that it failed. */
  failedIn = Number.POSITIVE_INFINITY
  /** What the pool has of it, with how often it was taken back to be sent again, whether it had been sent or not. */
  request: { readonly repeats: number } | undefined
  /** How often it was written and not answered, how often it changed anything, and what was answered last. */
  sends = 0
  unanswered = 0
  effects = 0
  reply: { readonly result: Wire } | undefined

  constructor(number: number, facts: DeedFacts) {
    this.number = number
    this.args = facts.args
    this.at = facts.at
    this.dueBy = facts.dueBy
    this.lease = facts.lease
    this.isAlone = facts.isAlone
    this.chain = facts.chain
    this.signal = facts.signal
    this.retry = facts.retry
    this.isRead = READS.has(facts.args[0] ?? '')
  }

  get name(): string {
    return this.args.join(' ')
  }

  /** Whether it has ever been given a connection. */
  get wasServed(): boolean {
    return this.sends > 0 || (this.request?.repeats ?? 0) > 0
  }

  /** Whether its caller agreed that it may take effect twice. */
  get mayDouble(): boolean {
    if (this.lease !== undefined || this.args[0] === 'BLPOP') return false
    if (this.isRead) return this.retry !== 'none'
    return this.retry === 'at-least-once' || (this.retry === 'idempotent' && this.args[0] === 'SET')
  }
}

/** What one connection of the server has to do with callers. */
interface Traffic {
  /** Chain of the command that has the connection to itself, and how many of its commands are unanswered. */
  chain: number
  unanswered: number
  /** The lease whose traces the session may bear. */
  changedBy: Loan | undefined
}

interface WorldFacts {
  readonly database: number
  /** Whether replies are seen only when the nonce behind them has come. */
  readonly holdsReplies: boolean
  /** The lease that is held on a connection. */
  heldOn(connection: number): Loan | undefined
}

export class Ledger implements Witness {
  readonly deeds: Deed[] = []
  /** Not settled yet. */
  readonly pending = new Set<Deed>()
  /** Whoever plays counts this up. */
  turn = 0
  /** Told of each command that is settled. */
  settled: (deed: Deed) => void = () => {}
  readonly #findings: Findings
  readonly #trace: Trace
  readonly #facts: WorldFacts
  readonly #traffic = new Map<ModelConnection, Traffic>()
  /** Called ambiguous before they were written. */
  readonly #doubted: Deed[] = []
  /** For each key the newest shared command that took effect. */
  readonly #newest = new Map<string, Deed>()

  constructor(findings: Findings, trace: Trace, facts: WorldFacts) {
    this.#findings = findings
    this.#trace = trace
    this.#facts = facts
  }

  enter(facts: DeedFacts): Deed {
    const deed = new Deed(this.deeds.length, facts)
    this.deeds.push(deed)
    this.pending.add(deed)
    return deed
  }

  /** Call it at the end of a turn. */
  judgeDoubts(): void {
    for (const { sends, name } of this.#doubted.splice(0))
      if (sends === 0) this.#findings.report('I9', `${name} was never sent, and is called ambiguous`)
  }

  // What callers are told

  answered(deed: Deed, value: unknown): void {
    this.#trace.note('answered', deed.args)
    this.#settle(deed, 'answered')
    const { reply } = deed
    if (reply === undefined) this.#findings.report('I2', `${deed.name} got a reply, but its own has not come`)
    else if (!isSame(value, reply.result))
      this.#findings.report('I2', `${deed.name} got ${show(value)}, but its own reply is ${show(reply.result)}`)
  }

  failed(deed: Deed, error: unknown): void {
    this.#trace.note('failed', deed.args, String(error).split('\n', 1))
    this.#settle(deed, 'failed')
    for (const each of this.#unitOf(deed)) each.failedIn = this.turn
    if (error instanceof ReplyError) this.#judgeErrorReply(deed, error)
    const hasElement = deed.args[0] === 'BLPOP' && Array.isArray(deed.reply?.result)
    const outcome = error instanceof RespoolError ? error.outcome : undefined
    if (hasElement && !this.#facts.holdsReplies && !isGivenUp(deed, outcome)) this.#dropped(deed)
    if (deed.signal?.aborted && error === deed.signal.reason) return
    if (!(error instanceof RespoolError)) {
      this.#findings.report('sound', `${deed.name} failed with ${show(error)}`)
      return
    }
    for (const each of this.#unitOf(deed)) {
      each.outcome = error.outcome
      this.#judgeOutcome(each, error)
    }
  }

  #settle(deed: Deed, state: 'answered' | 'failed'): void {
    deed.settlements++
    for (const each of this.#unitOf(deed)) {
      each.state = state
      this.pending.delete(each)
    }
    if (deed.settlements > 1) this.#findings.report('I1', `${deed.name} was settled ${deed.settlements} times`)
    this.settled(deed)
  }

  /** A transaction is settled as a whole, by its EXEC. */
  #unitOf(deed: Deed): Deed[] {
    return deed.args[0] === 'EXEC' ? this.deeds.slice(deed.chain, deed.number + 1) : [deed]
  }

  #judgeErrorReply(deed: Deed, error: ReplyError): void {
    const own = deed.reply?.result
    if (own instanceof Error && own.message === error.message) return
    this.#findings.report('I2', `${deed.name} failed with '${error.message}', but its own reply is ${show(own)}`)
  }

  #judgeOutcome(deed: Deed, error: RespoolError): void {
    const { outcome, name, sends, effects } = deed
    const lie = (why: string): void => this.#findings.report('I9', `${name} ${why}; its error: ${error.message}`)
    if (outcome === undefined) lie('failed without an outcome')
    // A read that was lost, and a refused command, may be not-sent the next time.
    if (outcome === 'not-sent' && (effects > 0 || deed.unanswered > 0) && !deed.isRead)
      lie('was sent, and is called not-sent')
    // It may be written at the end of this tick.
    if (outcome === 'ambiguous' && sends === 0) this.#doubted.push(deed)
    if (outcome === 'rejected' && effects > 0) lie('took effect, and is called rejected')
  }

  #dropped(deed: Deed): void {
    this.#findings.report('I9', `${deed.name} popped ${show(deed.reply?.result)}, and its caller did not get it`)
  }

  // What the wire sees

  wrote(connection: ModelConnection, args: readonly string[]): void {
    const deed = this.#deedOf(args)
    this.#trace.note('wrote', connection.id, deed === undefined ? args[0] : args)
    if (deed === undefined) return
    this.#judgeOwner(deed, connection)
    deed.sends++
    deed.unanswered++
    if (deed.sends > 1) this.#judgeResend(deed)
    // Two may be written for nobody: who was given up in the tick that writes it, and who follows in a chain.
    if (deed.sends === 1 && deed.failedIn < this.turn && deed.chain === deed.number)
      this.#findings.report('I9', `${deed.name} was sent after its caller had been told that it failed`)
  }

  wroteAfterEnd(connection: ModelConnection): void {
    this.#trace.note('wrote after the end', connection.id)
    this.#findings.report('I11', `connection ${connection.id} was written to after its end`)
  }

  reached(connection: ModelConnection, args: readonly string[]): void {
    const deed = this.#deedOf(args)
    if (deed === undefined) return
    const traffic = this.#trafficOf(connection)
    const { changedBy } = traffic
    if (changedBy !== undefined && changedBy !== deed.lease) {
      const { watched, multi } = connection.session
      const isDatabase = connection.database === this.#facts.database
      if (!isDatabase || watched > 0 || multi || connection.isMarked) {
        const found = `database ${connection.database}, ${watched} keys watched, MULTI ${multi}`
        this.#findings.report('session', `${deed.name} reached connection ${connection.id} as it was left: ${found}`)
      }
      traffic.changedBy = undefined
    }
    if (deed.lease !== undefined) traffic.changedBy = deed.lease
  }

  applied(connection: ModelConnection, args: readonly string[], result: Wire): void {
    const deed = this.#deedOf(args)
    this.#trace.note('applied', connection.id, deed === undefined ? args[0] : args)
    if (deed === undefined || result instanceof Error || NO_EFFECT.has(args[0] ?? '')) return
    if (!deed.isRead) deed.effects++
    if (deed.effects > 1 && !deed.mayDouble) this.#findings.report('once', `${deed.name} took effect twice`)
    if (deed.effects > 0 && (deed.outcome === 'not-sent' || deed.outcome === 'rejected'))
      this.#findings.report('I9', `${deed.name} took effect after it had been called ${deed.outcome}`)
    if (deed.lease === undefined && !deed.isAlone) this.#judgeOrder(deed, connection)
  }

  delivered(connection: ModelConnection, args: readonly string[], result: Wire): void {
    const deed = this.#deedOf(args)
    this.#trace.note('delivered', connection.id, deed === undefined ? args[0] : args)
    if (deed === undefined) return
    deed.reply = { result }
    deed.unanswered--
    const traffic = this.#trafficOf(connection)
    if (traffic.chain === deed.chain) traffic.unanswered--
    const hasElement = args[0] === 'BLPOP' && Array.isArray(result)
    const isLost = deed.state === 'failed' && hasElement && !isGivenUp(deed, deed.outcome)
    if (isLost && !this.#facts.holdsReplies) this.#dropped(deed)
  }

  // Judgements of one command

  #judgeOwner(deed: Deed, connection: ModelConnection): void {
    const held = this.#facts.heldOn(connection.id)
    const where = `connection ${connection.id}`
    if (held !== undefined && held !== deed.lease)
      this.#findings.report('I4', `${deed.name} was sent on ${where}, which is lent to somebody else`)
    if (deed.lease !== undefined && deed.lease.connection !== connection.id)
      this.#findings.report('I4', `${deed.name} was sent on ${where}, its lease is on ${deed.lease.connection}`)
    const traffic = this.#trafficOf(connection)
    if (traffic.unanswered > 0 && traffic.chain !== deed.chain)
      this.#findings.report('I4', `${deed.name} was sent on ${where}, which one command has to itself`)
    if (!deed.isAlone) return
    if (traffic.chain !== deed.chain) traffic.unanswered = 0
    traffic.chain = deed.chain
    traffic.unanswered++
  }

  #judgeResend(deed: Deed): void {
    const { name, sends, reply, effects } = deed
    const wasRefused = reply !== undefined && effects === 0
    // Told to let go of the command before it, a blocking one is sent again whatever its mode.
    const wasMistaken = reply?.result instanceof Error && reply.result.message.startsWith('UNBLOCKED')
    if (sends > MOST_SENDS && !wasMistaken) this.#findings.report('once', `${name} was sent ${sends} times`)
    if (!deed.mayDouble && !wasRefused)
      this.#findings.report('once', `${name} was sent again, though it may have been applied`)
    if (!wasMistaken && (deed.retry === 'none' || deed.lease !== undefined))
      this.#findings.report('once', `${name} was sent again, though its caller wanted that never`)
    deed.reply = undefined
  }

  /** What still runs on a connection that has ended may come late: nobody could hold it back. */
  #judgeOrder(deed: Deed, connection: ModelConnection): void {
    const key = deed.args[1] ?? ''
    const newest = this.#newest.get(key)
    if (newest === undefined || deed.number > newest.number) this.#newest.set(key, deed)
    else if (connection.state === 'open' && deed.sends === 1)
      this.#findings.report('order', `${deed.name} took effect after ${newest.name}, which was called later`)
  }

  #trafficOf(connection: ModelConnection): Traffic {
    let traffic = this.#traffic.get(connection)
    if (traffic === undefined) {
      traffic = { chain: -1, unanswered: 0, changedBy: undefined }
      this.#traffic.set(connection, traffic)
    }
    return traffic
  }

  #deedOf(args: readonly string[]): Deed | undefined {
    const last = args.at(-1) ?? ''
    const name = last.startsWith('#') ? last : args[0] === 'BLPOP' ? (args.at(-2) ?? '') : ''
    return name === '' ? undefined : this.deeds[Number(name.slice(1))]
  }
}

/** With a connection whose replies are in doubt goes what its holder had sent behind them, and the holder is told so. */
function isGivenUp({ lease }: Deed, outcome: string | undefined): boolean {
  return lease !== undefined && outcome === 'ambiguous'
}

function isSame(value: unknown, wire: Wire): boolean {
  if (wire instanceof Simple) return value === wire.text
  if (Array.isArray(wire))
    return Array.isArray(value) && value.length === wire.length && wire.every((item, at) => isSame(value[at], item))
  if (wire instanceof Error) return value instanceof Error && value.message === wire.message
  return value === wire
}

function show(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value instanceof Simple) return value.text
  return value instanceof Error ? `'${value.message}'` : JSON.stringify(value)
}
