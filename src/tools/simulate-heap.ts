// Owns the order of events of a simulation: by time, and at one moment by when they were added. Knows no event.

const BEGIN = 64

/** A binary heap over typed arrays: no object per event, since a run has tens of millions of them. */
export class EventHeap {
  length = 0
  #times = new Float64Array(BEGIN)
  #orders = new Float64Array(BEGIN)
  #events = new Int32Array(BEGIN)
  #added = 0

  /** When the first event is due; Infinity when there is none. */
  get time(): number {
    return this.length === 0 ? Number.POSITIVE_INFINITY : (this.#times[0] ?? 0)
  }

  add(time: number, event: number): void {
    if (this.length === this.#times.length) this.#grow()
    const order = this.#added++
    let at = this.length++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(time, order, parent)) break
      this.#copy(parent, at)
      at = parent
    }
    this.#put(at, time, order, event)
  }

  /** Takes the first event out, which there must be. */
  take(): number {
    const first = this.#events[0] ?? 0
    const last = --this.length
    if (last === 0) return first
    const time = this.#times[last] ?? 0
    const order = this.#orders[last] ?? 0
    const event = this.#events[last] ?? 0
    let at = 0
    for (;;) {
      const child = this.#earlierChild(at)
      if (child === undefined || this.#isBefore(time, order, child)) break
      this.#copy(child, at)
      at = child
    }
    this.#put(at, time, order, event)
    return first
  }

  #earlierChild(at: number): number | undefined {
    const left = 2 * at + 1
    if (left >= this.length) return undefined
    const right = left + 1
    const leftTime = this.#times[left] ?? 0
    return right < this.length && !this.#isBefore(leftTime, this.#orders[left] ?? 0, right) ? right : left
  }

  #isBefore(time: number, order: number, other: number): boolean {
    const otherTime = this.#times[other] ?? 0
    return time < otherTime || (time === otherTime && order < (this.#orders[other] ?? 0))
  }

  #copy(from: number, to: number): void {
    this.#put(to, this.#times[from] ?? 0, this.#orders[from] ?? 0, this.#events[from] ?? 0)
  }

  #put(at: number, time: number, order: number, event: number): void {
    this.#times[at] = time
    this.#orders[at] = order
    this.#events[at] = event
  }

  #grow(): void {
    const size = this.#times.length * 2
    const times = new Float64Array(size)
    const orders = new Float64Array(size)
    const events = new Int32Array(size)
    times.set(this.#times)
    orders.set(this.#orders)
    events.set(this.#events)
    this.#times = times
    this.#orders = orders
    this.#events = events
  }
}
