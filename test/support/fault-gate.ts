// The last place a direction of a proxied connection passes: counts its frames, lets bytes through up to a point where
// the connection is to stop, and hands single frames to whoever asked for them. No socket, no clock, no chance.

import { RespFramer } from './resp-framer.js'

export type Ending = 'fin' | 'rst'

/** What becomes of the connection at the point: ended, or kept open with the rest held back. */
export type Halt = Ending | 'hold'

/** A point that is so many more bytes, or whole replies (upwards: commands), away. */
export type Distance = { readonly bytes: number } | { readonly frames: number }

/** What goes on in place of one frame. `kept` follows when a hold is over. */
export interface Replacement {
  readonly out: readonly Buffer[]
  readonly halt?: Halt
  readonly kept?: Buffer
}

export type FramePlan = (frame: Buffer) => Replacement

export interface Passage {
  readonly out: readonly Buffer[]
  /** How many of the bytes were taken; fewer than all when it halts. */
  readonly taken: number
  readonly halt: Halt | undefined
}

interface Stop {
  bytes: number
  /** Number of the frame behind which it is. */
  readonly frame: number
  readonly halt: Halt
}

export class Gate {
  /** Whole replies, or commands, that came by. */
  frames = 0
  pushes = 0
  /** Goes on behind every reply. */
  escort: Buffer | undefined
  readonly #framer = new RespFramer()
  readonly #plans = new Map<number, FramePlan>()
  /** Parts of the frame under way, when a plan waits for the whole of it. */
  readonly #gathered: Buffer[] = []
  /** Waits for the end of the frame under way. */
  readonly #waiting: Buffer[] = []
  #kept: Buffer[] = []
  #stop: Stop | undefined

  /** What went on so far ends between two frames. */
  get between(): boolean {
    return this.#framer.between && this.#kept.length === 0
  }

  /** The number that the next reply, or command, to begin will have. */
  get upcoming(): number {
    const underWay = !this.#framer.between && this.#framer.kind === 'reply'
    return this.frames + (underWay ? 2 : 1)
  }

  /** A later point replaces an earlier one. A distance of 0 is for the caller to act upon. */
  stopAfter(distance: Distance, halt: Halt): void {
    if ('bytes' in distance) this.#stop = { bytes: distance.bytes, frame: Number.POSITIVE_INFINITY, halt }
    else this.#stop = { bytes: Number.POSITIVE_INFINITY, frame: this.upcoming - 1 + distance.frames, halt }
  }

  /** Hands over the frame of this number, whole, instead of letting it pass. */
  plan(frame: number, plan: FramePlan): void {
    if (this.#plans.has(frame)) throw new Error(`frame ${frame} has its fault already`)
    this.#plans.set(frame, plan)
  }

  /** Goes on behind the frame under way. */
  insert(bytes: Buffer): void {
    if (this.#kept.length > 0) this.#kept.push(bytes)
    else this.#waiting.push(bytes)
  }

  /** What a hold inside a frame kept back. */
  takeKept(): readonly Buffer[] {
    const kept = this.#kept
    this.#kept = []
    return kept
  }

  pass(bytes: Buffer): Passage {
    if (!this.#armed) {
      for (let at = 0; at < bytes.length; ) at = this.#advance(bytes, at)
      return { out: [bytes], taken: bytes.length, halt: undefined }
    }
    const out: Buffer[] = []
    for (let at = 0; at < bytes.length; ) {
      const end = this.#advance(bytes.subarray(0, at + (this.#stop?.bytes ?? bytes.length)), at)
      const halt = this.#take(bytes.subarray(at, end), out)
      if (halt) return { out, taken: end, halt }
      at = end
    }
    return { out, taken: bytes.length, halt: undefined }
  }

  get #armed(): boolean {
    return this.#stop !== undefined || this.#plans.size > 0 || this.#waiting.length > 0 || this.escort !== undefined
  }

  #advance(bytes: Buffer, from: number): number {
    const end = this.#framer.advance(bytes, from)
    if (!this.#framer.between) return end
    if (this.#framer.kind === 'push') this.pushes++
    else this.frames++
    return end
  }

  /** Bytes of one frame, up to its end or the end of what there is. */
  #take(part: Buffer, out: Buffer[]): Halt | undefined {
    const { between, kind } = this.#framer
    const number = kind === 'push' ? 0 : this.frames + (between ? 0 : 1)
    const plan = this.#plans.get(number)
    if (plan) this.#gathered.push(part)
    else out.push(part)
    if (between) {
      const halt = plan && this.#replace(number, plan, out)
      if (halt) return halt
      out.push(...this.#waiting.splice(0))
      if (kind === 'reply' && this.escort) out.push(this.escort)
    }
    return this.#stopped(part.length, out)
  }

  #replace(number: number, plan: FramePlan, out: Buffer[]): Halt | undefined {
    this.#plans.delete(number)
    const { out: instead, halt, kept } = plan(Buffer.concat(this.#gathered.splice(0)))
    out.push(...instead)
    if (kept) this.#kept.push(kept)
    return halt
  }

  #stopped(length: number, out: Buffer[]): Halt | undefined {
    const stop = this.#stop
    if (!stop) return undefined
    stop.bytes -= length
    if (stop.bytes > 0 && (this.frames < stop.frame || !this.#framer.between)) return undefined
    this.#stop = undefined
    // An end in the middle of a frame that was gathered: its beginning still counts as gone through.
    if (stop.halt !== 'hold') out.push(...this.#gathered.splice(0))
    return stop.halt
  }
}
