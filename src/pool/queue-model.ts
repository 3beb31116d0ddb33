// Owns the arithmetic of a queue: callers who are served first come, first served by so many connections, and how long
// they wait (Kiefer and Wolfowitz 1955: the next caller gets the connection that is free first). Pure.

import { DurationHistogram } from '../base/histogram.js'

/** Callers in the order of asking. In ms; the two arrays are equally long. */
export interface Callers {
  readonly asked: Float64Array
  readonly held: Float64Array
}

/** What waits are like with so many connections. */
export interface Outcome {
  /** Which share of the callers waits longer than was asked about. */
  readonly share: number
  /** Callers that were looked at, and how long those waited who did, in ms. */
  readonly callers: number
  readonly waits: DurationHistogram
}

/** What that share of all callers does not wait longer than, in ms. */
export function waitOf({ callers, waits }: Outcome, share: number): number {
  const served = callers - waits.count
  return share * callers <= served ? 0 : waits.percentile((share * callers - served) / waits.count)
}

/** Callers that are looked at together; how much these groups differ tells how certain the result is. */
const GROUP = 4_096

/** A line that grows is not seen at its beginning: to find that there are enough connections takes longer. */
const FEWEST_GROUPS = { over: 4, under: 8 } as const

/** When it is so far from the line, in standard errors, nobody needs more callers to know on which side it is. */
const CLEAR = 4

/** The connections of a pool, as the times at which they are free: a binary heap, the first to be free on top. */
class Servers {
  readonly #free: Float64Array

  constructor(count: number) {
    this.#free = new Float64Array(count).fill(Number.NEGATIVE_INFINITY)
  }

  /** Serves the next caller; gives how long it waits. Reads nothing beyond the end, which would be slow. */
  serve(asked: number, held: number): number {
    const free = this.#free
    const last = free.length - 1
    const first = free[0] ?? 0
    const start = first > asked ? first : asked
    const end = start + held
    let index = 0
    for (let child = 1; child <= last; child = 2 * index + 1) {
      if (child < last && (free[child + 1] ?? 0) < (free[child] ?? 0)) child++
      const least = free[child] ?? 0
      if (least >= end) break
      free[index] = least
      index = child
    }
    free[index] = end
    return start - asked
  }
}

/** How the callers fare, one by one as they came. */
export function replay(callers: Callers, connections: number, longest: number): Outcome {
  return serveAll(callers, connections, longest, { line: Number.NaN, warmUp: 0 })
}

/**
 * A long run of callers drawn from a record: the pauses between them and the times they hold are drawn separately, at
 * random; pauses that depend on each other keep their order. One record in its own order says little about its slowest hundredth, which is a few busy moments; drawn again
 * and again, each pause and each hold meets many others. What is known is then limited by how well the record tells the
 * rate and the times, and no longer by which of them happened to coincide.
 */
export class Resampled {
  readonly #callers: { asked: Float64Array; held: Float64Array }
  readonly #pauses: Float64Array
  readonly #held: Float64Array
  /** Whether each pause is drawn, or all come in the order of the record, again and again. */
  readonly #drawsPauses: boolean
  readonly #outcomes = new Map<number, Outcome>()
  #drawn = 0
  /** Where in the record the last pause was. */
  #next = 0
  #last = 0
  /** xorshift; the same record gives the same advice. */
  #state = 0x9e3779b9

  /** @param pressure by how many standard errors the load is taken to be above what the record tells */
  constructor({ asked, held }: Callers, length: number, pressure: number) {
    const pauses = asked.slice(1).map((at, index) => at - (asked[index] ?? at))
    const error = Math.sqrt((variation(pauses) + variation(held)) / held.length)
    this.#pauses = pauses.map((pause) => pause / (1 + pressure * error))
    this.#held = held
    this.#drawsPauses = areIndependent(pauses)
    // Between one round and the next, so that no wave runs into another.
    if (!this.#drawsPauses)
      this.#pauses = Float64Array.of(
        ...this.#pauses,
        this.#pauses.reduce((a, b) => Math.max(a, b)),
      )
    this.#callers = { asked: new Float64Array(length), held: new Float64Array(length) }
  }

  /** Looks at as many callers as are needed to tell whether the share of those who wait longer is below `line`. */
  outcome(connections: number, longest: number, line: number): Outcome {
    let outcome = this.#outcomes.get(connections)
    if (outcome === undefined) {
      const draw = (upTo: number): void => this.#draw(upTo)
      outcome = serveAll(this.#callers, connections, longest, { line, warmUp: GROUP, draw })
      this.#outcomes.set(connections, outcome)
    }
    return outcome
  }

  #draw(upTo: number): void {
    const { asked, held } = this.#callers
    const [pauses, holds] = [this.#pauses, this.#held]
    let at = this.#last
    for (; this.#drawn < upTo; this.#drawn++) {
      this.#next = this.#drawsPauses ? this.#random(pauses.length) : (this.#next + 1) % pauses.length
      at += pauses[this.#next] ?? 0
      asked[this.#drawn] = at
      held[this.#drawn] = holds[this.#random(holds.length)] ?? 0
    }
    this.#last = at
  }

  #random(below: number): number {
    let state = this.#state
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.#state = state
    return Math.floor(((state >>> 0) / 2 ** 32) * below)
  }
}

/** As many pauses are added up to see whether they depend on each other, and so many sums are needed to tell. */
const ADDED_UP = [8, 64] as const
const SUMS = 16

/**
 * Sums of independent pauses vary as much as their number says. Those of pauses within waves that are alike vary less,
 * and where some times are busier than others they vary more.
 */
function areIndependent(pauses: Float64Array): boolean {
  const one = variation(pauses)
  return ADDED_UP.every((length) => {
    const count = Math.floor(pauses.length / length)
    if (count < SUMS || one === 0) return true
    const sums = Float64Array.from({ length: count }, (_, index) =>
      pauses.subarray(index * length, (index + 1) * length).reduce((sum, each) => sum + each, 0),
    )
    const ratio = (variation(sums) * length) / one
    const noise = 4 * Math.sqrt(2 / count)
    return ratio < 1.5 + noise && ratio > 1 / (1.5 + noise)
  })
}

/** The variance in units of the squared mean. */
function variation(values: Float64Array): number {
  const mean = values.reduce((sum, each) => sum + each, 0) / values.length
  const squares = values.reduce((sum, each) => sum + (each - mean) ** 2, 0)
  return mean > 0 ? squares / values.length / mean ** 2 : 0
}

interface Course {
  /** Ends early when the share is clearly above or below it; NaN for never. */
  readonly line: number
  /** The first callers find everything free and do not count. */
  readonly warmUp: number
  /** Makes the callers up to this one. */
  draw?(upTo: number): void
}

function serveAll({ asked, held }: Callers, connections: number, longest: number, course: Course): Outcome {
  const { line, warmUp, draw } = course
  const servers = new Servers(connections)
  const waits = new DurationHistogram()
  const longer: number[] = []
  let callers = 0
  for (let from = 0; from < asked.length; from += GROUP) {
    const to = Math.min(asked.length, from + GROUP)
    draw?.(to)
    let count = 0
    for (let index = from; index < to; index++) {
      const wait = servers.serve(asked[index] ?? 0, held[index] ?? 0)
      if (index < warmUp) continue
      if (wait > 0) waits.record(wait)
      if (wait > longest) count++
    }
    if (to <= warmUp) continue
    callers += to - from
    longer.push(count)
    if (isClear(longer, line)) break
  }
  const share = longer.reduce((sum, each) => sum + each, 0) / Math.max(1, callers)
  return { share, callers, waits }
}

/** The standard error of the share, from how much the groups differ. */
function errorOf(longer: readonly number[]): number {
  const count = longer.length
  const mean = longer.reduce((sum, each) => sum + each, 0) / count
  const squares = longer.reduce((sum, each) => sum + (each - mean) ** 2, 0)
  return Math.sqrt(squares / Math.max(1, count - 1) / count) / GROUP
}

function isClear(longer: readonly number[], line: number): boolean {
  const groups = longer.length
  const share = longer.reduce((sum, each) => sum + each, 0) / groups / GROUP
  if (groups < (share > line ? FEWEST_GROUPS.over : FEWEST_GROUPS.under)) return false
  return Math.abs(share - line) > Math.max(CLEAR * errorOf(longer), line / (2 * Math.sqrt(groups)))
}
