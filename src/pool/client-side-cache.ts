// Owns the law of client-side caching: a kept reply is never older than what the server or this pool has said of its
// keys. Knows no lanes and no callers; how replies are stored is reply-store.ts's.
// https://redis.io/docs/latest/develop/reference/client-side-caching/

import type { Clock } from '../base/clock.js'
import { sessionEffectOf } from '../command/routing.js'
import { type WrittenKeys, writtenKeysOf } from '../command/written-keys.js'
import type { Connection } from '../connection/connection.js'
import type { ReplyOrigin, Request } from '../connection/request.js'
import type { Reply } from '../resp/types.js'
import type { ClientSideCacheValues } from './cache-options.js'
import { CacheTraffic, type Read, type ReadEnded } from './cache-traffic.js'
import { copyOf, idOf, nameOf } from './cached-value.js'
import { type DropCause, ReplySource, ReplyStore } from './reply-store.js'

/** What client-side caching has done; counters since the pool was made. */
export interface CacheStats {
  /** Replies that are kept: `stored` less `evicted`, `expired`, `invalidated` and `dropped`. */
  readonly entries: number
  /** Memory they are counted with; never more than `maxBytes`. */
  readonly bytes: number
  /** Reads that could be answered from here, and those of them that were. */
  readonly hits: number
  readonly misses: number
  readonly stored: number
  /** Made room for others. */
  readonly evicted: number
  /** Older than `ttl` when they were asked for. */
  readonly expired: number
  /** The server said that a key had changed. */
  readonly invalidated: number
  /** This pool wrote to a key, the connection it came over ended, a newer reply took its place, or `clearCache()`. */
  readonly dropped: number
  /**
   * Open connections whose replies are kept, and those whose server does not tell of changes: nothing of theirs is. One
   * that somebody listens on is neither.
   */
  readonly tracked: number
  readonly untracked: number
  /** Why the last connection that is untracked is so; present where there is one. */
  readonly untrackedBecause?: string
}

/** A reply of RESP3: nothing else is kept. */
const HERE: ReplyOrigin = { protocol: 3, readAt: 0, writtenAt: 0 }

/** A connection whose server tells of changes, with what came over it. */
class Tracked extends ReplySource {
  readonly connection: Connection

  constructor(connection: Connection) {
    super()
    this.connection = connection
  }
}

export class ClientSideCache implements ReadEnded {
  readonly #clock: Clock
  readonly #ttl: number
  readonly #store: ReplyStore
  readonly #tracked = new Map<ReplyOrigin, Tracked>()
  readonly #untracked = new Map<ReplyOrigin, string>()
  readonly #traffic = new CacheTraffic(this)
  #hits = 0
  #misses = 0

  constructor(settings: ClientSideCacheValues, clock: Clock) {
    this.#clock = clock
    this.#ttl = settings.ttl
    this.#store = new ReplyStore(settings)
  }

  /** Answers a read whose reply is kept: true. Else it watches what the request does from now on. */
  answers(first: Request): boolean {
    const keys = first.keyed?.keys
    if (keys === undefined || keys.length === 0) {
      this.#watchWrites(first)
      return false
    }
    // Whoever has given up already is told so by the pool.
    if (first.signal?.aborted) return false
    const id = idOf(first.args, first.mapping)
    const kept = this.#store.find(id, this.#now())
    if (kept !== undefined) {
      this.#hits++
      kept.source.wasUsed = true
      first.succeed(copyOf(kept.reply), HERE)
      return true
    }
    this.#misses++
    first.observer = this.#traffic.read(id, keys.map(nameOf))
    return false
  }

  keep(read: Read, reply: Reply, origin: ReplyOrigin): void {
    const source = this.#tracked.get(origin)
    if (source !== undefined) this.#store.put(read.id, read.names, reply, source, this.#now())
  }

  /** The holder of a lease sends; it reads from the server itself, and may stop what the server tells of changes. */
  leaseSends(first: Request, connection: Connection): void {
    for (let request: Request | undefined = first; request !== undefined; request = request.next) {
      if (sessionEffectOf(request.args) === 'unknown') this.#untrack(connection, `${request.label} on a lease`)
    }
    this.#watchWrites(first)
  }

  /** A connection is ready; `refusal` says why its server does not track what is read over it. */
  opened(connection: Connection, refusal: string | undefined): void {
    if (refusal === undefined) this.#tracked.set(connection, new Tracked(connection))
    else this.#untracked.set(connection, refusal)
  }

  /** What its server would say of changes is lost: it has ended, leads to the wrong server, or is only listened to. */
  forget(connection: Connection): void {
    this.#untracked.delete(connection)
    this.#dropSource(connection)
  }

  /** Takes a push that is about this; false for any other. */
  pushed(message: Reply): boolean {
    if (!Array.isArray(message) || String(message[0]) !== 'invalidate') return false
    const keys = message[1]
    if (Array.isArray(keys)) for (const key of keys) this.#invalidated(key)
    else this.#allChanged('invalidated')
    return true
  }

  /** Keeps nothing that was read, or begun to be, before now. */
  clear(): void {
    this.#allChanged('dropped')
  }

  /** Serving what came over a connection is a use of it: were it closed as unused, its replies would go with it. */
  noteUse(now: number): void {
    for (const source of this.#tracked.values()) {
      if (source.wasUsed) source.connection.usedAt = now
      source.wasUsed = false
    }
  }

  stats(): CacheStats {
    const untrackedBecause = [...this.#untracked.values()].at(-1)
    return {
      entries: this.#store.size,
      bytes: this.#store.bytes,
      hits: this.#hits,
      misses: this.#misses,
      ...this.#store.counts,
      tracked: this.#tracked.size,
      untracked: this.#untracked.size,
      ...(untrackedBecause === undefined ? {} : { untrackedBecause }),
    }
  }

  #now(): number {
    return this.#ttl > 0 ? this.#clock.now() : 0
  }

  // What makes replies outdated

  #watchWrites(first: Request): void {
    const written: WrittenKeys[] = []
    let last = first
    for (let request: Request | undefined = first; request !== undefined; request = request.next) {
      last = request
      if (first.unit === undefined) this.#watchWrite(request, writtenKeysOf(request.args))
      // A transaction takes effect at its EXEC, whose keys are those of its commands.
      else if (request.next !== undefined) written.push(writtenKeysOf(request.args))
    }
    if (first.unit !== undefined) this.#watchWrite(last, union(written))
  }

  #watchWrite(request: Request, keys: WrittenKeys): void {
    if (keys === 'none' || keys.length === 0) return
    if (keys === 'any') {
      this.#allChanged('dropped')
      request.observer = this.#traffic.write('any')
      return
    }
    const names = keys.map(nameOf)
    for (const name of names) this.#changed(name, 'dropped')
    request.observer = this.#traffic.write(names)
  }

  #invalidated(key: Reply): void {
    if (typeof key === 'string' || Buffer.isBuffer(key)) this.#changed(nameOf(key), 'invalidated')
    else this.#allChanged('invalidated')
  }

  /** Whichever connection it was told over: a read over another one may have been answered before the change. */
  #changed(name: string, cause: DropCause): void {
    this.#store.dropName(name, cause)
    this.#traffic.outdate(name)
  }

  #allChanged(cause: DropCause): void {
    this.#store.dropAll(cause)
    this.#traffic.outdateAll()
  }

  #untrack(connection: Connection, why: string): void {
    if (this.#dropSource(connection)) this.#untracked.set(connection, why)
  }

  #dropSource(connection: Connection): boolean {
    const source = this.#tracked.get(connection)
    if (source === undefined) return false
    this.#tracked.delete(connection)
    this.#store.dropSource(source)
    return true
  }
}

/** What several commands may change together. */
function union(all: readonly WrittenKeys[]): WrittenKeys {
  if (all.includes('any')) return 'any'
  return all.flatMap((keys) => (typeof keys === 'string' ? [] : keys))
}
