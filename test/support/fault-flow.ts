// One direction of a proxied connection: the queue of what is on its way, and when each piece of it is due. It may keep
// bytes back or end the connection, but it never loses a byte of one that goes on: no network does that.

import type { Socket } from 'node:net'
import { type Ending, type FramePlan, Gate, type Halt } from './fault-gate.js'
import { between, type Random, seededFor } from './random.js'
import { resetAfterBytes } from './reset.js'

/** `up`: from client to server. `down`: from server to client. */
export type Direction = 'up' | 'down'

/** What holds for a direction until it is changed. Times in ms; 0 switches a fault off. */
export interface FlowSettings {
  latency: number
  jitter: number
  /** Bytes a second. */
  rate: number
  /** Longest piece, in bytes. */
  slice: number
  coalesce: number
  held: boolean
}

/** What a flow asks of the link it belongs to. */
export interface FlowOwner {
  readonly id: number
  readonly seed: number
  /** A source that is ahead of its target by this many bytes is read no further, as when socket buffers are full. */
  readonly buffer: number
  readonly logPieces: boolean
  note(what: string): void
  kill(ending: Ending): void
}

/** A paced line is written to at least this often. */
const PORTIONS_PER_SECOND = 100
/** How much time that was not used a paced line may make up for, in ms. */
const CREDIT = 20

/** What arrived at one time. */
interface Arrival {
  readonly parts: Buffer[]
  /** When the bytes may go, but for jitter. */
  readonly due: number
  readonly jitter: number
  /** Until when more bytes join these. */
  readonly joinUntil: number
}

interface Piece {
  bytes: Buffer
  readonly due: number
}

export class Flow {
  /** Bytes passed on. */
  passed = 0
  readonly direction: Direction
  readonly gate = new Gate()
  readonly settings: FlowSettings
  /** For what a fault leaves to chance. */
  readonly random: Random
  readonly #owner: FlowOwner
  readonly #source: Socket
  readonly #target: Socket
  readonly #slices: Random
  readonly #jitters: Random
  readonly #queue: (Arrival | Ending)[] = []
  #queued = 0
  /** The one that goes next: pieces never overtake one another. */
  #piece: Piece | undefined
  #sliceLeft = 0
  /** When the paced line has sent what it was given. */
  #lineFree = 0
  #timer: NodeJS.Timeout | undefined
  #turn: NodeJS.Immediate | undefined
  #ended = false
  #stopped = false

  constructor(direction: Direction, source: Socket, target: Socket, owner: FlowOwner, settings: FlowSettings) {
    this.direction = direction
    this.settings = settings
    this.#owner = owner
    this.#source = source
    this.#target = target
    const chance = (part: number) => seededFor(owner.seed, owner.id, direction === 'up' ? 0 : 1, part)
    this.random = chance(0)
    this.#slices = chance(1)
    this.#jitters = chance(2)
    source.on('data', (bytes: Buffer) => this.#arrive(bytes))
    source.on('end', () => this.end('fin'))
    source.on('close', (hadError) => hadError && this.end('rst'))
    target.on('drain', () => this.#breathe())
  }

  note(what: string): void {
    this.#owner.note(`${this.direction}: ${what}`)
  }

  set(change: Partial<FlowSettings>): void {
    Object.assign(this.settings, change)
    if (change.slice !== undefined) this.#sliceLeft = 0
    // What waits was told how long by the old settings.
    this.#rest()
    this.wake()
  }

  /** Puts the end of the stream behind what is on its way; nothing follows it. */
  end(ending: Ending): void {
    // A reset may come after an orderly end.
    if (this.#stopped || (this.#ended && ending === 'fin')) return
    this.#ended = true
    this.#queue.push(ending)
    this.wake()
  }

  /** Acts as if the point had been reached that a halt waits for. */
  halt(halt: Halt): void {
    this.note(halt)
    if (halt === 'hold') {
      this.settings.held = true
      return
    }
    this.stop()
    if (halt === 'fin') this.#owner.kill('fin')
    else void resetAfterBytes(this.#target).then(() => this.#owner.kill('rst'))
  }

  /** Gives the frame, counted from the next one that begins, to the plan instead of letting it pass. */
  plan(frame: number, what: string, plan: FramePlan): void {
    const number = this.gate.upcoming - 1 + frame
    this.note(`frame ${number}: to be ${what}`)
    this.gate.plan(number, (bytes) => {
      this.note(`frame ${number}: ${what}`)
      return plan(bytes)
    })
  }

  /** Writes ahead of everything that is on its way, through a hold too. */
  write(...buffers: readonly Buffer[]): void {
    const bytes = buffers.length === 1 ? (buffers[0] ?? EMPTY) : Buffer.concat(buffers)
    if (bytes.length === 0 || !this.#target.writable) return
    this.passed += bytes.length
    this.#target.write(bytes)
  }

  stop(): void {
    this.#stopped = true
    this.#queue.length = 0
    this.#queued = 0
    this.#piece = undefined
    this.#rest()
    // So that the end of a source that was paused is noticed.
    this.#source.resume()
  }

  wake(): void {
    while (!this.#stopped && !this.settings.held && this.#timer === undefined && this.#turn === undefined) {
      this.write(...this.gate.takeKept())
      this.#piece ??= this.#nextPiece()
      if (this.#piece) this.#move(this.#piece)
      else if (!this.#atEnd()) break
    }
    this.#breathe()
  }

  #arrive(bytes: Buffer): void {
    if (this.#stopped || this.#ended) return
    const { latency, jitter, coalesce } = this.settings
    const now = performance.now()
    const last = this.#queue.at(-1)
    this.#queued += bytes.length
    if (typeof last === 'object' && now < last.joinUntil) last.parts.push(bytes)
    else this.#queue.push({ parts: [bytes], due: now + latency + coalesce, jitter, joinUntil: now + coalesce })
    this.wake()
  }

  /** The next bytes that travel together, once it is certain that none will join them. */
  #nextPiece(): Piece | undefined {
    const head = this.#queue[0]
    if (typeof head !== 'object') return undefined
    const wait = head.joinUntil - performance.now()
    if (wait > 0) {
      this.#wait(wait)
      return undefined
    }
    const bytes = head.parts.length === 1 ? (head.parts[0] ?? EMPTY) : Buffer.concat(head.parts)
    const length = Math.min(bytes.length, this.#sliceLength())
    if (length < bytes.length) head.parts.splice(0, head.parts.length, bytes.subarray(length))
    else this.#queue.shift()
    this.#sliceLeft -= length
    const jitter = head.jitter * this.#jitters()
    if (this.#owner.logPieces && jitter > 0) this.note(`${jitter} ms of jitter`)
    return { bytes: bytes.subarray(0, length), due: head.due + jitter }
  }

  /** Slices are places in the stream: however the bytes arrive, the same seed cuts them at the same ones. */
  #sliceLength(): number {
    const { slice } = this.settings
    if (slice === 0) return Number.POSITIVE_INFINITY
    if (this.#sliceLeft === 0) {
      this.#sliceLeft = between(this.#slices, 1, slice)
      if (this.#owner.logPieces) this.note(`a slice of ${this.#sliceLeft} bytes`)
    }
    return this.#sliceLeft
  }

  #move(piece: Piece): void {
    const { rate, slice } = this.settings
    const now = performance.now()
    const wait = Math.max(piece.due, rate > 0 ? this.#lineFree : 0) - now
    if (wait > 0) {
      this.#wait(wait)
      return
    }
    const portion = rate > 0 ? Math.ceil(rate / PORTIONS_PER_SECOND) : piece.bytes.length
    const { out, taken, halt } = this.gate.pass(piece.bytes.subarray(0, portion))
    this.#queued -= taken
    piece.bytes = piece.bytes.subarray(taken)
    if (piece.bytes.length === 0) this.#piece = undefined
    if (rate > 0) this.#lineFree = Math.max(this.#lineFree, now - CREDIT) + (taken / rate) * 1_000
    this.write(...out)
    if (halt) this.halt(halt)
    // Without a turn of the event loop between them the slices would arrive as one.
    else if (slice > 0) this.#yield()
  }

  /** True when there may be more to do. */
  #atEnd(): boolean {
    const head = this.#queue[0]
    if (typeof head !== 'string') return false
    this.#queue.shift()
    if (head === 'fin') this.#target.end()
    else this.#owner.kill('rst')
    return true
  }

  #breathe(): void {
    if (this.#stopped) return
    const ahead = this.#queued + this.#target.writableLength
    if (ahead >= this.#owner.buffer) this.#source.pause()
    else if (this.#source.isPaused()) this.#source.resume()
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.wake()
    }, ms)
  }

  #yield(): void {
    this.#turn = setImmediate(() => {
      this.#turn = undefined
      this.wake()
    })
  }

  #rest(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#turn)
    this.#timer = undefined
    this.#turn = undefined
  }
}

const EMPTY = Buffer.alloc(0)
