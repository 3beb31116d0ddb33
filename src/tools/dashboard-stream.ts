// Owns one stream of server-sent events: how much of it goes out, and when. Knows no pool.

import type { ServerResponse } from 'node:http'
import type { StreamMessages } from './dashboard-messages.js'

/** Bytes a second that one reader gets. */
export const RATE = 64 * 1024

/** What waits to go out, in bytes; whoever is so far behind begins anew. */
const BACKLOG = 8 * RATE

/** How often what waits is looked at, in ms. */
const PACE = 100

/** For the last message, in ms. */
const PARTING = 500

/** A reader that takes nothing for so long is gone, in ms. */
const PATIENCE = 30_000

interface Waiting {
  readonly name: keyof StreamMessages
  readonly text: string
}

export class EventStream {
  readonly #response: ServerResponse
  #waiting: Waiting[] = []
  #budget = RATE
  #refilledAt = performance.now()
  #stuckSince: number | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(response: ServerResponse) {
    this.#response = response
    response.on('close', () => clearTimeout(this.#timer))
  }

  /** What is news takes the place of older news that has not gone out. */
  send<Name extends keyof StreamMessages>(name: Name, message: StreamMessages[Name]): void {
    if (this.#response.destroyed || this.#response.writableEnded) return
    if (name === 'news') this.#waiting = this.#waiting.filter((waiting) => waiting.name !== 'news')
    this.#waiting.push({ name, text: `event: ${name}\ndata: ${compactJson(message)}\n\n` })
    if (this.#waiting.reduce((sum, { text }) => sum + text.length, 0) > BACKLOG) this.#response.destroy()
    else this.#pump()
  }

  /** A reader that does not read is not waited for. */
  end(): void {
    if (this.#response.destroyed || this.#response.writableEnded) return
    clearTimeout(this.#timer)
    this.#waiting = []
    this.#response.end('event: end\ndata: {}\n\n')
    this.#timer = setTimeout(() => this.#response.destroy(), PARTING).unref()
  }

  #pump(): void {
    if (this.#response.destroyed || this.#response.writableEnded) return
    clearTimeout(this.#timer)
    const now = performance.now()
    this.#budget = Math.min(RATE, this.#budget + ((now - this.#refilledAt) * RATE) / 1_000)
    this.#refilledAt = now
    if (this.#isStuck(now)) {
      this.#response.destroy()
      return
    }
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const size = Buffer.byteLength(next.text)
      // One that is larger than what there can ever be goes when all there can be is there, and is owed for.
      if (this.#budget < Math.min(size, RATE) || this.#response.writableNeedDrain) break
      this.#budget -= size
      this.#waiting.shift()
      this.#response.write(next.text)
    }
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#pump(), PACE)
  }

  #isStuck(now: number): boolean {
    if (!this.#response.writableNeedDrain) this.#stuckSince = undefined
    else this.#stuckSince ??= now
    return this.#stuckSince !== undefined && now - this.#stuckSince > PATIENCE
  }
}

/** Fractions to a thousandth: nobody reads more. */
export function compactJson(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'number' && !Number.isInteger(each) ? Math.round(each * 1_000) / 1_000 : each,
  )
}
