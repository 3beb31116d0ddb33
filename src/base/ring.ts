// Owns a growing ring buffer: a queue whose push and shift cost the same at any depth. Knows nothing of its items.

const FIRST_SIZE = 16

/**
 * A queue with absolute positions: `head` items were ever taken out and `tail` ever put in, so a position names
 * one item for good and both ends serve as monotonic counters.
 */
export class Ring<T> {
  head = 0
  tail = 0
  #items: Array<T | undefined> = new Array<T | undefined>(FIRST_SIZE).fill(undefined)
  #mask = FIRST_SIZE - 1

  get length(): number {
    return this.tail - this.head
  }

  push(item: T): void {
    if (this.tail - this.head > this.#mask) this.#grow()
    this.#items[this.tail & this.#mask] = item
    this.tail++
  }

  shift(): T | undefined {
    if (this.head === this.tail) return undefined
    const index = this.head & this.#mask
    const item = this.#items[index]
    this.#items[index] = undefined
    this.head++
    return item
  }

  peek(): T | undefined {
    return this.#items[this.head & this.#mask]
  }

  /** The item at an absolute position, or undefined when it was taken out or not yet put in. */
  at(position: number): T | undefined {
    return position >= this.head && position < this.tail ? this.#items[position & this.#mask] : undefined
  }

  #grow(): void {
    const size = (this.#mask + 1) * 2
    const items = new Array<T | undefined>(size).fill(undefined)
    for (let position = this.head; position < this.tail; position++) {
      items[position & (size - 1)] = this.#items[position & this.#mask]
    }
    this.#items = items
    this.#mask = size - 1
  }
}
