// Owns how often a server and pools are asked by `respool top`, so that looking costs them little. Draws nothing.

import { ConnectionPoolTimeoutError, type PoolStats, Redis, RespoolError } from '../index.js'
import { type Endpoint, fetchPools } from './pool-endpoint.js'
import { type ClientGroup, groupClients, readClients, readInfo } from './server-info.js'
import { type Answer, ask, mapped } from './server-questions.js'
import {
  type EndpointView,
  endpointView,
  headOf,
  type Mark,
  refusalsOf,
  SCHEMA_VERSION,
  type ServerView,
  type TopDocument,
} from './top-document.js'

export const CLIENT_NAME = 'respool-top'

/** Rates are taken over so long, in ms: shorter ones jump. */
const RATE_OVER = 2_000
/** Of the server's time, CLIENT LIST may take one part in so many. */
const CLIENT_LIST_SHARE = 20
/** Pools are asked so often at most, and judged by two snapshots that are so far apart, in ms. */
const POOLS_EVERY = 500
const JUDGED_OVER = 1_000

export class Sampler implements AsyncDisposable {
  readonly #redis: Redis | undefined
  readonly #watched: readonly WatchedEndpoint[]
  readonly #marks: Mark[] = []
  #clients: Answer<readonly ClientGroup[]> | undefined
  #clientsDue = 0
  #asked = 0

  constructor(url: string | undefined, ca: string | undefined, endpoints: readonly Endpoint[], signal: AbortSignal) {
    this.#redis = url === undefined ? undefined : connectionTo(url, ca)
    this.#watched = endpoints.map((endpoint) => new WatchedEndpoint(endpoint, signal))
    // What is being asked then ends at once.
    signal.addEventListener('abort', () => this.#redis?.destroy(), { once: true })
  }

  /**
   * How things are now; pools as they were seen last, unless their answer is waited for. Does not reject: a server that
   * is gone is a state like any other.
   */
  async sample(pools: 'seen last' | 'waited for' = 'seen last'): Promise<TopDocument> {
    const looks = this.#watched.map((endpoint) => endpoint.look(pools))
    const server = this.#redis === undefined ? null : await this.#server(this.#redis)
    return {
      schemaVersion: SCHEMA_VERSION,
      command: 'top',
      at: new Date().toISOString(),
      server,
      pools: await Promise.all(looks),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#redis?.destroy()
  }

  async #server(redis: Redis): Promise<ServerView> {
    const { address } = redis.pool.stats()
    try {
      this.#asked++
      const info = mapped(await ask('INFO', () => redis.info().then(String)), readInfo)
      const clients = await this.#groups(redis)
      const head =
        info.refused === undefined ? this.#head({ at: performance.now(), info: info.value, asked: this.#asked }) : null
      return { state: 'there', address, head, groups: clients.value ?? null, refused: refusalsOf([info, clients]) }
    } catch (error) {
      if (!(error instanceof RespoolError)) throw error
      this.#marks.length = 0
      this.#clientsDue = 0
      return { state: 'gone', address, because: whyGone(error) }
    }
  }

  async #groups(redis: Redis): Promise<Answer<readonly ClientGroup[]>> {
    const begun = performance.now()
    if (this.#clients !== undefined && begun < this.#clientsDue) return this.#clients
    this.#asked++
    const list = await ask('CLIENT LIST', () => redis.sendCommand(['CLIENT', 'LIST']).then(String))
    const took = performance.now() - begun
    this.#clientsDue = begun + took * CLIENT_LIST_SHARE
    this.#clients = mapped(list, (text) => groupClients(readClients(text).filter(({ name }) => name !== CLIENT_NAME)))
    return this.#clients
  }

  #head(mark: Mark) {
    // The oldest one that stays is the one to compare with.
    while (this.#marks.length > 1 && mark.at - (this.#marks[1]?.at ?? mark.at) >= RATE_OVER) this.#marks.shift()
    const head = headOf(mark, this.#marks[0])
    this.#marks.push(mark)
    return head
  }
}

function connectionTo(url: string, ca: string | undefined): Redis {
  return new Redis(url, {
    maxConnections: 1,
    minConnections: 0,
    lanes: 1,
    connectTimeout: 1_000,
    acquireTimeout: 1_000,
    commandTimeout: 2_000,
    retry: 'none',
    clientName: CLIENT_NAME,
    ...(ca === undefined ? {} : { tls: { ca } }),
  })
}

/** In one line: an exhausted pool of one says no more than why it could not connect. */
function whyGone(error: RespoolError): string {
  const { cause } = error
  const telling = error instanceof ConnectionPoolTimeoutError && cause instanceof Error ? cause : error
  return telling.message.split('\n', 1).join()
}

/** An endpoint is asked beside everything else: one that hangs holds nothing up but itself. */
class WatchedEndpoint {
  readonly #endpoint: Endpoint
  readonly #signal: AbortSignal
  #view: EndpointView | undefined
  #history: { readonly at: number; readonly stats: readonly PoolStats[] }[] = []
  #running: Promise<EndpointView> | undefined
  #due = 0

  constructor(endpoint: Endpoint, signal: AbortSignal) {
    this.#endpoint = endpoint
    this.#signal = signal
  }

  /** Where what was seen last will do, waits only where nothing was seen yet. */
  async look(which: 'seen last' | 'waited for'): Promise<EndpointView> {
    if (this.#running === undefined && performance.now() >= this.#due) {
      this.#running = this.#ask().finally(() => {
        this.#running = undefined
      })
    }
    if (which === 'waited for' && this.#running !== undefined) return this.#running
    return this.#view ?? this.#running ?? { url: this.#endpoint.shown, because: 'it was not asked yet' }
  }

  async #ask(): Promise<EndpointView> {
    const at = performance.now()
    this.#due = at + POOLS_EVERY
    const answer = await fetchPools(this.#endpoint, this.#signal)
    while (this.#history.length > 1 && at - (this.#history[1]?.at ?? at) >= JUDGED_OVER) this.#history.shift()
    this.#view = endpointView(this.#endpoint.shown, answer, this.#history[0]?.stats ?? [])
    if (answer.pools === undefined) this.#history = []
    else this.#history.push({ at, stats: answer.pools.map(({ stats }) => stats) })
    return this.#view
  }
}
