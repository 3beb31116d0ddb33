// Owns what a pool knows of its server's limits: how many clients it takes and has. A server that keeps it to itself is
// no error. Opens no connection to ask and keeps no process alive.

import type { Clock } from '../base/clock.js'
import { ReplyError } from '../base/errors.js'
import { NO_KEY } from '../command/key-hash.js'
import { Request } from '../connection/request.js'
import type { Phase } from './contract.js'
import { ask, settingIn } from './keeper.js'
import type { Roster } from './roster.js'

export interface ClientCounts {
  /** Clients that the server takes. */
  readonly maxClients: number
  /** Clients that it had when it was asked, and how many of them were connections of this pool. */
  readonly connected: number
  readonly ours: number
}

export interface ServerLimitsHost {
  readonly clock: Clock
  readonly phase: Phase
  readonly roster: Roster
  /** Looks after replies that are owed. */
  readonly keeper: { watch(): void }
}

/** How long an answer is good for, in ms: others come and go. */
const GOOD_FOR = 10_000

/** How long a refusal is good for: it lasts until somebody changes the ACL, and each is an entry in the ACL's log. */
const REFUSED_FOR = 300_000

export class ServerLimits {
  counts: ClientCounts | undefined
  /** `refused`: it has answered and did not tell. */
  state: 'unasked' | 'known' | 'refused' = 'unasked'
  readonly #host: ServerLimitsHost
  #nextAt = Number.NEGATIVE_INFINITY

  constructor(host: ServerLimitsHost) {
    this.#host = host
  }

  /** Asks over a connection that is there, unless it did so a moment ago. */
  refresh(): void {
    const now = this.#host.clock.now()
    if (now < this.#nextAt) return
    const told = { connected: 0, maxClients: 0, ours: this.#host.roster.ready }
    const asked = this.#ask(['INFO', 'clients'], (reply) => {
      told.connected = fieldIn(reply, 'connected_clients')
      told.maxClients = fieldIn(reply, 'maxclients')
      if (told.connected > 0 && told.maxClients > 0) this.#learn(told)
      else this.#askConfig(told)
    })
    if (asked) this.#nextAt = now + GOOD_FOR
  }

  /** Older servers have it only here. */
  #askConfig(told: ClientCounts): void {
    this.#ask(['CONFIG', 'GET', 'maxclients'], (reply) => {
      this.#learn({ ...told, maxClients: Number(settingIn(reply, 'maxclients') ?? 0) })
    })
  }

  #learn({ connected, maxClients, ours }: ClientCounts): void {
    const isKnown = connected > 0 && maxClients > 0
    this.state = isKnown ? 'known' : 'refused'
    if (!isKnown) this.#nextAt = this.#host.clock.now() + REFUSED_FOR
    // What has ended here meanwhile, or was begun, the server may not have counted.
    this.counts = isKnown ? { maxClients, connected, ours: Math.min(ours, connected) } : undefined
  }

  /**
   * Whether there is somebody to ask; `undefined` stands for an answer that is none. A connection that is lost over it
   * tells nothing: what is known stays.
   */
  #ask(args: readonly string[], answered: (reply: unknown) => void): boolean {
    const { roster, keeper, phase } = this.#host
    if (phase !== 'open') return false
    const entry = roster.at('shared')[0] ?? roster.newestIdle()
    if (entry === undefined || entry.connection.isClosed) return false
    const failed = (error: unknown): void => {
      if (error instanceof ReplyError) answered(undefined)
    }
    ask(entry, new Request(args, NO_KEY, answered, failed))
    keeper.watch()
    return true
  }
}

function fieldIn(reply: unknown, name: string): number {
  const text = typeof reply === 'string' || reply instanceof Uint8Array ? reply.toString() : ''
  return Number(new RegExp(`^${name}:(\\d{1,10})\\r?$`, 'm').exec(text)?.[1] ?? 0)
}
