// Faults that no network makes: replies eaten, repeated, swapped or altered, and bytes that the server never sent. Only a
// faulty proxy or server does such things; what they prove is that a client notices.

import type { Direction, Flow } from './fault-flow.js'
import { between } from './random.js'

/** `next boundary`: at once between two replies, and behind the one that is under way. */
export type Moment = 'next boundary' | 'now'

/** Replies are counted from the next one that begins; pushes never count. */
export class Tamper {
  readonly #flows: (direction: Direction) => readonly Flow[]

  constructor(flows: (direction: Direction) => readonly Flow[]) {
    this.#flows = flows
  }

  /** Adds bytes, by default where a reply would begin; they pass a hold and count as nothing. */
  inject(bytes: Buffer | string, moment: Moment = 'next boundary', direction: Direction = 'down'): void {
    for (const flow of this.#flows(direction)) {
      flow.note(`inject ${JSON.stringify(String(bytes))}, ${moment}`)
      if (moment === 'now' || flow.gate.between) flow.write(Buffer.from(bytes))
      else flow.gate.insert(Buffer.from(bytes))
    }
  }

  /** Adds the bytes behind every reply; `undefined` adds no more. */
  injectAfterEach(bytes: Buffer | string | undefined): void {
    for (const flow of this.#flows('down')) {
      flow.note(`inject behind every reply: ${JSON.stringify(bytes === undefined ? 'nothing' : String(bytes))}`)
      flow.gate.escort = bytes === undefined ? undefined : Buffer.from(bytes)
    }
  }

  eatReply(reply = 1): void {
    for (const flow of this.#flows('down')) flow.plan(reply, 'eaten', () => ({ out: [] }))
  }

  dupReply(reply = 1): void {
    for (const flow of this.#flows('down')) flow.plan(reply, 'repeated', (frame) => ({ out: [frame, frame] }))
  }

  /** Exchanges the reply with the one behind it, and keeps it back until that one is whole. */
  swapReplies(reply = 1): void {
    for (const flow of this.#flows('down')) {
      let first: Buffer = Buffer.alloc(0)
      const keep = (frame: Buffer) => {
        first = frame
        return { out: [] }
      }
      flow.plan(reply, 'swapped with the next', keep)
      flow.plan(reply + 1, 'swapped with the one before', (frame) => ({ out: [frame, first] }))
    }
  }

  /** Flips one bit of the reply, in this byte of it or in one that the seed chooses. */
  flipByte(reply = 1, byte?: number): void {
    for (const flow of this.#flows('down')) {
      flow.plan(reply, 'one bit flipped', (frame) => {
        const at = Math.min(byte ?? between(flow.random, 0, frame.length - 1), frame.length - 1)
        const bit = between(flow.random, 0, 7)
        flow.note(`bit ${bit} of byte ${at} of ${frame.length}`)
        const flipped = Buffer.from(frame)
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit)
        return { out: [flipped] }
      })
    }
  }
}
