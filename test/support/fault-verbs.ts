// What can be done to one proxied connection, or to all of them at once. These are faults of networks and hosts; the
// ones that only a faulty program between client and server commits are in fault-tamper.ts.

import type { Direction, Flow, FlowSettings } from './fault-flow.js'
import type { Distance, Ending, Halt } from './fault-gate.js'
import { Tamper } from './fault-tamper.js'
import { between } from './random.js'

/**
 * A point in a stream, counted from now: a number of bytes; behind so many whole replies or commands; or inside the one
 * of that number, behind its byte `byte`, by default one that the seed chooses. Only frames that begin from now on
 * count, and pushes never do.
 */
export type Point =
  | number
  | { readonly replies: number }
  | { readonly commands: number }
  | { readonly insideReply: number; readonly byte?: number }
  | { readonly insideCommand: number; readonly byte?: number }

export abstract class FaultVerbs {
  /** What no network does to a stream, and a faulty proxy may. */
  readonly tamper = new Tamper((direction) => this.flows(direction))

  /** Whom the faults hit: those of one connection, or of all that are open. */
  abstract flows(direction?: Direction): Flow[]

  protected abstract set(change: Partial<FlowSettings>, direction: Direction | undefined): void

  /** From now on each piece takes `ms`, and up to `jitter` more, in order. */
  latency(ms: number, jitter = 0, direction?: Direction): void {
    this.set({ latency: ms, jitter }, direction)
  }

  /** From now on so many bytes pass a second; 0 lets them pass as they come. */
  rate(bytesPerSecond: number, direction?: Direction): void {
    this.set({ rate: bytesPerSecond }, direction)
  }

  /** From now on bytes travel in pieces of 1 to `size` bytes, one in each turn of the event loop; 0 leaves them whole. */
  slice(size: number, direction?: Direction): void {
    this.set({ slice: size }, direction)
  }

  /** From now on what arrives within `ms` of the first byte travels as one piece; 0 lets each go by itself. */
  coalesce(ms: number, direction?: Direction): void {
    this.set({ coalesce: ms }, direction)
  }

  /**
   * Keeps all bytes back until `release`; the connections stay open, like those to a host that vanished. Ends and
   * resets are kept back as well.
   */
  hold(direction?: Direction): void {
    this.set({ held: true }, direction)
  }

  release(direction?: Direction): void {
    this.set({ held: false }, direction)
  }

  /** Holds a direction from this point on. The direction matters for bytes alone. */
  holdAfter(point: Point, direction: Direction = 'down'): void {
    this.#haltAfter(point, 'hold', direction)
  }

  /** Ends the connection at this point, in the middle of a reply if need be. The direction matters for bytes alone. */
  cutAfter(point: Point, ending: Ending, direction: Direction = 'down'): void {
    this.#haltAfter(point, ending, direction)
  }

  /** The server carries out the command, its reply gets as far as here, and the connection is reset in its place. */
  dropReplyThenRst(reply = 1): void {
    for (const flow of this.flows('down')) flow.plan(reply, 'dropped, then rst', () => ({ out: [], halt: 'rst' }))
  }

  /** Ends one direction in good order behind what is on its way; the other goes on. */
  halfClose(direction: Direction = 'down'): void {
    for (const flow of this.flows(direction)) {
      flow.note('half-close')
      flow.end('fin')
    }
  }

  #haltAfter(point: Point, halt: Halt, direction: Direction): void {
    if (typeof point === 'number') this.#stopAfter(direction, { bytes: point }, halt)
    else if ('replies' in point) this.#stopAfter('down', { frames: point.replies }, halt)
    else if ('commands' in point) this.#stopAfter('up', { frames: point.commands }, halt)
    else if ('insideReply' in point) this.#stopInside('down', point.insideReply, point.byte, halt)
    else this.#stopInside('up', point.insideCommand, point.byte, halt)
  }

  #stopAfter(direction: Direction, distance: Distance, halt: Halt): void {
    for (const flow of this.flows(direction)) {
      flow.note(`${halt} after ${'bytes' in distance ? `${distance.bytes} bytes` : `${distance.frames} frames`}`)
      if (Object.values(distance)[0] === 0) flow.halt(halt)
      else flow.gate.stopAfter(distance, halt)
    }
  }

  #stopInside(direction: Direction, frame: number, byte: number | undefined, halt: Halt): void {
    for (const flow of this.flows(direction)) {
      flow.plan(frame, `${halt} inside`, (whole) => {
        const last = whole.length - 1
        const at = Math.min(byte ?? between(flow.random, 1, last), last)
        flow.note(`at byte ${at} of ${whole.length}`)
        return { out: [whole.subarray(0, at)], halt, kept: whole.subarray(at) }
      })
    }
  }
}
