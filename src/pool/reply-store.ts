// Owns the replies that are kept: found by what was asked, dropped by key or by the connection they came over, bounded in
// number, bytes and age. When they have to be dropped is not known here.

import type { Reply } from '../resp/types.js'
import type { ClientSideCacheValues } from './cache-options.js'
import { copyOf, sizeOf } from './cached-value.js'

/** Bytes that keeping a reply costs besides the reply, and those of each of its keys; rounded up. */
const ENTRY = 256
const KEY = 224

/** Why a reply is not kept any more: the server said so, or this pool has a reason of its own. */
export type DropCause = 'invalidated' | 'dropped'

/** Where replies came from; they go together. */
export class ReplySource {
  /** How many of them are kept. */
  count = 0
  /** Whether one of them was served since somebody looked. */
  wasUsed = false
}

/** One reply, as it was before it became anybody's value. */
class KeptReply {
  readonly id: string
  /** The keys it depends on. */
  readonly names: readonly string[]
  readonly reply: Reply
  readonly bytes: number
  readonly source: ReplySource
  readonly expiresAt: number
  older: KeptReply | undefined
  newer: KeptReply | undefined

  constructor(
    id: string,
    names: readonly string[],
    reply: Reply,
    bytes: number,
    source: ReplySource,
    expiresAt: number,
  ) {
    this.id = id
    this.names = names
    this.reply = reply
    this.bytes = bytes
    this.source = source
    this.expiresAt = expiresAt
  }
}

export class ReplyStore {
  /** Only grow: entries = stored - evicted - expired - invalidated - dropped. */
  readonly counts = { stored: 0, evicted: 0, expired: 0, invalidated: 0, dropped: 0 }
  /** What the replies are counted with. */
  bytes = 0
  readonly #limits: ClientSideCacheValues
  readonly #byId = new Map<string, KeptReply>()
  /** Most keys have one reply, for which a set would be the larger part of its cost. */
  readonly #byName = new Map<string, KeptReply | Set<KeptReply>>()
  // A list of its own: the order of a Map costs ever more to find its first entry, the more were deleted before it.
  #oldest: KeptReply | undefined
  #newest: KeptReply | undefined

  constructor(limits: ClientSideCacheValues) {
    this.#limits = limits
  }

  get size(): number {
    return this.#byId.size
  }

  find(id: string, now: number): KeptReply | undefined {
    const kept = this.#byId.get(id)
    if (kept === undefined) return undefined
    if (now >= kept.expiresAt) {
      this.#remove(kept, 'expired')
      return undefined
    }
    if (this.#limits.evictPolicy === 'LRU' && kept !== this.#newest) {
      this.#unlink(kept)
      this.#append(kept)
    }
    return kept
  }

  /** Keeps a copy of the reply, in place of an older one; not what is too large to be kept at all. */
  put(id: string, names: readonly string[], reply: Reply, source: ReplySource, now: number): void {
    const { ttl, maxEntries, maxBytes } = this.#limits
    const before = this.#byId.get(id)
    if (before !== undefined) this.#remove(before, 'dropped')
    const size = sizeOf(reply)
    if (size === undefined) return
    const bytes = ENTRY + id.length + names.reduce((sum, name) => sum + KEY + name.length, 0) + size
    if (maxBytes > 0 && bytes > maxBytes) return
    while (maxBytes > 0 && this.bytes + bytes > maxBytes) this.#evict()
    while (maxEntries > 0 && this.size >= maxEntries) this.#evict()
    const expiresAt = ttl > 0 ? now + ttl : Number.POSITIVE_INFINITY
    const kept = new KeptReply(id, names.map(ownText), copyOf(reply), bytes, source, expiresAt)
    this.#byId.set(id, kept)
    for (const name of kept.names) this.#index(name, kept)
    source.count++
    this.#append(kept)
    this.bytes += bytes
    this.counts.stored++
  }

  /** Drops every reply that depends on the key. */
  dropName(name: string, cause: DropCause): void {
    const kept = this.#byName.get(name)
    if (kept instanceof Set) for (const each of kept) this.#remove(each, cause)
    else if (kept !== undefined) this.#remove(kept, cause)
  }

  /** Drops every reply that came from there. */
  dropSource(source: ReplySource): void {
    if (source.count === this.size) this.dropAll('dropped')
    for (let kept = this.#oldest; kept !== undefined && source.count > 0; kept = kept.newer) {
      if (kept.source === source) this.#remove(kept, 'dropped')
    }
  }

  dropAll(cause: DropCause): void {
    this.counts[cause] += this.size
    for (let kept = this.#oldest; kept !== undefined; kept = kept.newer) kept.source.count--
    this.#byId.clear()
    this.#byName.clear()
    this.#oldest = undefined
    this.#newest = undefined
    this.bytes = 0
  }

  #index(name: string, kept: KeptReply): void {
    const others = this.#byName.get(name)
    if (others === undefined || others === kept) this.#byName.set(name, kept)
    else if (others instanceof Set) others.add(kept)
    else this.#byName.set(name, new Set([others, kept]))
  }

  #evict(): void {
    if (this.#oldest !== undefined) this.#remove(this.#oldest, 'evicted')
  }

  #remove(kept: KeptReply, why: DropCause | 'evicted' | 'expired'): void {
    this.#byId.delete(kept.id)
    for (const name of kept.names) {
      const others = this.#byName.get(name)
      if (others instanceof Set) others.delete(kept)
      if (others === kept || (others instanceof Set && others.size === 0)) this.#byName.delete(name)
    }
    kept.source.count--
    this.#unlink(kept)
    this.bytes -= kept.bytes
    this.counts[why]++
  }

  #append(kept: KeptReply): void {
    kept.older = this.#newest
    kept.newer = undefined
    if (this.#newest === undefined) this.#oldest = kept
    else this.#newest.newer = kept
    this.#newest = kept
  }

  #unlink(kept: KeptReply): void {
    const { older, newer } = kept
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
  }
}

/** A caller's text may be a part of a longer one, which would stay in memory as long as this. */
function ownText(name: string): string {
  return Buffer.from(name, 'latin1').toString('latin1')
}
