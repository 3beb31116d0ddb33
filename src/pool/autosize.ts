// Owns how a pool sizes itself: quickly up, slowly down, within bounds. What size is needed it is told by the advisor.

import type { Clock, Timer } from '../base/clock.js'
import type { Advisor } from './advisor.js'
import type { AutosizeValues } from './autosize-options.js'
import type { DispatchLimits, Phase } from './contract.js'
import type { Dispatch } from './dispatch.js'
import { overdue, unanswered } from './exhaustion.js'
import type { Roster } from './roster.js'
import { holdersOf } from './stats.js'
import type { Supply } from './supply.js'

export interface AutosizeHost {
  readonly clock: Clock
  readonly phase: Phase
  readonly limits: DispatchLimits
  readonly dispatch: Dispatch
  readonly roster: Roster
  readonly supply: Pick<Supply, 'failures'>
}

/** How often it looks whether somebody waits for too long, in ms. */
const LOOK = 100

/** How many looks until the needed size is calculated again. */
const LOOKS = 50

/** So many calculations in a row must agree before a pool gets smaller: a minute. */
const AGREEING = 12

/** Whoever waits for so many times the acceptable wait, and for so many ms, waits for too long. */
const IMPATIENT = 10
const SHORTEST = 100

/** Where most commands of a classic pool have no reply for so long, in ms, no calculation makes it larger. */
const STUCK = 1_000

/** For so long, in ms, it leaves alone what was set by hand. */
const REST = 60_000

/**
 * Up at once: when a caller waits ten times as long as is acceptable because all is lent, to as many as are held and
 * wanted, but not where these wait for the server; and when a calculation from the last borrowings says so. Down only
 * when all calculations of a minute were lower, to the highest of them, and only where that saves two connections and a
 * tenth: a load that goes up and down a little changes nothing.
 */
export class Autosize {
  readonly #host: AutosizeHost
  readonly #advisor: Advisor
  readonly #settings: AutosizeValues
  readonly #resize: (to: number, because: string) => void
  #timer: Timer | undefined
  #looks = 0
  /** What the last calculations said. */
  #needed: number[] = []
  #restsUntil = Number.NEGATIVE_INFINITY

  constructor(
    host: AutosizeHost,
    advisor: Advisor,
    settings: AutosizeValues,
    resize: (to: number, because: string) => void,
  ) {
    this.#host = host
    this.#advisor = advisor
    this.#settings = settings
    this.#resize = resize
  }

  /** Looks until there is no connection. */
  start(): void {
    if (this.#timer !== undefined || this.#host.phase !== 'open') return
    const look = (): void => {
      this.#timer = undefined
      this.#look()
      if (this.#host.roster.total > 0) this.start()
    }
    this.#timer = this.#host.clock.setTimeout(look, LOOK, true)
  }

  /** The size was set by hand: that stands for a minute, and what was calculated before is no reason to change it. */
  rest(): void {
    this.#needed = []
    this.#restsUntil = this.#host.clock.now() + REST
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #look(): void {
    const { phase, clock } = this.#host
    if (phase !== 'open' || clock.now() < this.#restsUntil) return
    this.#letIn()
    if (++this.#looks % LOOKS === 0) this.#calculate()
  }

  /** Whoever waits because all is lent: to borrow a connection, or to send a command where none is left to share. */
  #letIn(): void {
    const { dispatch, roster, clock, limits } = this.#host
    // Else somebody waits for a dial, or for a lane that is late, and more connections would meet the same server.
    if (roster.leased < dispatch.maxLeases || roster.count('connecting') > 0) return
    const { leases, unrouted } = dispatch
    const command = roster.leased >= limits.maxConnections ? unrouted.first : undefined
    const since = Math.min(leases.first?.since ?? Number.POSITIVE_INFINITY, command?.since ?? Number.POSITIVE_INFINITY)
    const waited = clock.now() - since
    const length = leases.length + (command === undefined ? 0 : unrouted.length)
    if (waited < Math.max(SHORTEST, this.#settings.targetWait * IMPATIENT)) return
    if (!this.#isAnswered(overdue(waited))) return
    const wanted = roster.leased + leases.length + this.#kept
    const who = length === 1 ? 'a caller waits' : `${length} callers wait`
    this.#needed = []
    this.#grow(wanted, `${who} for a connection, up to ${Math.round(waited)} ms by now`)
  }

  #calculate(): void {
    const needed = this.#advisor.sizeNeeded(this.#settings)
    if (needed === undefined) return
    const { targetWait, percentile } = this.#settings
    const goal = `for ${percentile * 100} % of the borrowers to wait at most ${targetWait} ms`
    this.#needed = [...this.#needed.slice(1 - AGREEING), needed]
    if (this.#isAnswered(STUCK)) this.#grow(needed, `${needed} ${needed === 1 ? 'is' : 'are'} needed ${goal}`)
    const current = this.#host.limits.maxConnections
    const most = Math.max(this.#bounded(Math.max(...this.#needed)), this.#least)
    const isWorth = most <= current - 2 && most <= current * 0.9
    if (this.#needed.length < AGREEING || !isWorth) return
    this.#needed = []
    this.#resize(most, `for a minute no more than ${most} were needed ${goal}`)
  }

  /** Whether the server lets in who dials, and does not owe most of those who have a connection a reply for longer. */
  #isAnswered(ms: number): boolean {
    const { supply, roster, clock } = this.#host
    return supply.failures === 0 && unanswered(holdersOf(roster.at('leased'), clock.now()), ms).length === 0
  }

  /**
   * What it may shrink to: whoever holds a connection goes on holding it, and commands of those who do must find another
   * one, also where none was sent up to now.
   */
  get #least(): number {
    return Math.max(this.#host.roster.leased, Math.min(1, this.#settings.max - 1)) + this.#kept
  }

  /** What stays for commands that share, however many are lent. */
  get #kept(): number {
    return this.#host.dispatch.classic ? 0 : 1
  }

  #grow(wanted: number, because: string): void {
    const to = this.#bounded(wanted)
    const current = this.#host.limits.maxConnections
    // What was set by hand may be less than it would ever set.
    if (to > current) this.#resize(to, wanted > current ? because : `${to} is the least that autosize sets`)
  }

  /** Within what was asked for, and never more than the server has room for. */
  #bounded(size: number): number {
    const { min, max } = this.#settings
    return Math.max(min, this.#host.limits.minConnections, Math.min(size, max, this.#advisor.room))
  }
}
