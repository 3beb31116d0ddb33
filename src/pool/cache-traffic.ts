// Owns what is on its way for which key: reads whose replies may be kept, and writes until which none is. Knows neither
// replies nor connections.

import type { ReplyOrigin, RequestObserver } from '../connection/request.js'
import type { Reply } from '../resp/types.js'

export interface ReadEnded {
  /** The reply to a read that nothing has outdated. */
  keep(read: Read, reply: Reply, origin: ReplyOrigin): void
}

/** A read on its way. */
export class Read implements RequestObserver {
  /** What it is called that was asked. */
  readonly id: string
  /** The keys that the reply depends on. */
  readonly names: readonly string[]
  /** One of them was changed, or may have been, since it was called. */
  isOutdated = false
  readonly #traffic: CacheTraffic

  constructor(id: string, names: readonly string[], traffic: CacheTraffic) {
    this.id = id
    this.names = names
    this.#traffic = traffic
  }

  answered(reply: Reply, origin: ReplyOrigin): void {
    this.#traffic.ended(this)
    if (!this.isOutdated) this.#traffic.host.keep(this, reply, origin)
  }

  failed(): void {
    this.#traffic.ended(this)
  }
}

class Write implements RequestObserver {
  readonly answered: () => void
  readonly failed: () => void

  constructor(ended: () => void) {
    this.answered = ended
    this.failed = ended
  }
}

interface KeyTraffic {
  readonly reads: Set<Read>
  writes: number
}

export class CacheTraffic {
  readonly host: ReadEnded
  readonly #byName = new Map<string, KeyTraffic>()
  readonly #reads = new Set<Read>()
  /** Writes on their way of which nobody knows the keys. */
  #unknownWrites = 0

  constructor(host: ReadEnded) {
    this.host = host
  }

  /** A read begins; undefined when a write on its way may change its keys. */
  read(id: string, names: readonly string[]): RequestObserver | undefined {
    if (this.#unknownWrites > 0) return undefined
    for (const name of names) if ((this.#byName.get(name)?.writes ?? 0) > 0) return undefined
    const read = new Read(id, names, this)
    this.#reads.add(read)
    for (const name of names) this.#of(name).reads.add(read)
    return read
  }

  /** A write begins. It ends when its caller is told. */
  write(names: readonly string[] | 'any'): RequestObserver {
    if (names === 'any') {
      this.#unknownWrites++
      return new Write(() => {
        this.#unknownWrites--
      })
    }
    for (const name of names) this.#of(name).writes++
    return new Write(() => {
      for (const name of names) {
        this.#of(name).writes--
        this.#tidy(name)
      }
    })
  }

  /** The key was changed: whatever a read on its way brings may be from before. */
  outdate(name: string): void {
    const traffic = this.#byName.get(name)
    if (traffic !== undefined) for (const read of traffic.reads) read.isOutdated = true
  }

  outdateAll(): void {
    for (const read of this.#reads) read.isOutdated = true
  }

  ended(read: Read): void {
    this.#reads.delete(read)
    for (const name of read.names) {
      this.#byName.get(name)?.reads.delete(read)
      this.#tidy(name)
    }
  }

  #of(name: string): KeyTraffic {
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const traffic: KeyTraffic = { reads: new Set(), writes: 0 }
    this.#byName.set(name, traffic)
    return traffic
  }

  #tidy(name: string): void {
    const traffic = this.#byName.get(name)
    if (traffic !== undefined && traffic.writes === 0 && traffic.reads.size === 0) this.#byName.delete(name)
  }
}
