// Owns which shared connection a command takes, and that a key keeps its order when lanes come and go.
// Knows nothing of waiting, leases or dialing.

import { NO_KEY } from '../command/key-hash.js'
import type { Entry, Roster } from './roster.js'

/** A key follows its own unanswered commands. */
interface Pin {
  readonly entry: Entry
  /** It may move on when the connection has answered this many commands; Infinity while one still waits there. */
  until: number
}

/**
 * A key goes to the lane that its hash names. When the lanes change, that lane becomes another for some keys;
 * those with unanswered commands stay pinned to where these are until the answers have come. Only a change looks
 * at the commands in flight, so that the hot path pays nothing for the order.
 */
export class Lanes {
  readonly #open: readonly Entry[]
  readonly #roster: Roster
  readonly #pins = new Map<number, Pin>()

  constructor(roster: Roster) {
    this.#roster = roster
    this.#open = roster.at('shared')
  }

  /** Where a command with this key must go, or undefined when no lane is open for it. */
  route(hash: number): Entry | undefined {
    const open = this.#open
    if (hash === NO_KEY) return this.#leastBusy()
    if (this.#pins.size > 0) {
      const pinned = this.#pinned(hash)
      if (pinned !== undefined) return pinned
    }
    return open[hash % open.length]
  }

  /** Call it after a command was sent or put behind a lane: a pin must last until all of its key's are answered. */
  follow(hash: number, entry: Entry): void {
    if (this.#pins.size === 0) return
    const pin = this.#pins.get(hash)
    // While anything waits behind the lane, more of this key may.
    if (pin?.entry === entry)
      pin.until = entry.backlog.length > 0 ? Number.POSITIVE_INFINITY : entry.connection.slots.sent
  }

  /** Call it when nothing waits behind a lane any more. */
  caughtUp(entry: Entry): void {
    for (const pin of this.#pins.values()) {
      if (pin.entry === entry && pin.until === Number.POSITIVE_INFINITY) pin.until = entry.connection.slots.sent
    }
  }

  /** Call it after every change of the open lanes, when all backlogs are empty. */
  changed(): void {
    this.#pins.clear()
    for (const place of ['shared', 'late', 'draining'] as const) {
      for (const entry of this.#roster.at(place)) this.#pinUnanswered(entry)
    }
  }

  /** Forgets pins whose commands were answered, so that routing costs no look-up again. */
  sweep(): void {
    for (const hash of this.#pins.keys()) this.#pinned(hash)
  }

  #pinUnanswered(entry: Entry): void {
    const connection = entry.connection
    const open = this.#open
    let position = connection.slots.answered
    for (const request of connection.slots) {
      position++
      const hash = request.hash
      if (hash === NO_KEY || open[hash % open.length] === entry) continue
      this.#pins.set(hash, { entry, until: position })
    }
  }

  #pinned(hash: number): Entry | undefined {
    const pin = this.#pins.get(hash)
    if (pin === undefined) return undefined
    const connection = pin.entry.connection
    if (connection.isClosed || connection.slots.answered >= pin.until) {
      this.#pins.delete(hash)
      return undefined
    }
    return pin.entry
  }

  #leastBusy(): Entry | undefined {
    let best: Entry | undefined
    let least = Number.POSITIVE_INFINITY
    for (const entry of this.#open) {
      const load = entry.connection.inFlight + entry.backlog.length
      if (load < least) {
        least = load
        best = entry
      }
    }
    return best
  }
}
