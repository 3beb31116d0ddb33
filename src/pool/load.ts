// Owns how a record of borrowings is read: who comes and goes, who stays, how many at once. Pure.

import type { Borrowing } from './demand.js'
import type { Callers } from './queue-model.js'

export interface Load {
  /** From the first of these who asked to the last that is known of them, in ms. */
  readonly window: number
  readonly borrowings: number
  /** Those who give their connection back after a while. */
  readonly callers: Callers
  /** How many connections are held for good: by streams, parked consumers, and whoever does not give back. */
  readonly staying: number
  /** The most that held or wanted a connection at once. */
  readonly peak: number
  /** How many of them never got one, or not yet. */
  readonly unserved: number
  /** How many were for one command that neither blocks nor needs a connection to itself, as in a classic pool. */
  readonly commands: number
}

/** Whoever borrowed before the record begins and holds on still, or waits to stay. */
export interface Standing {
  readonly holding: number
  readonly waiting: number
}

export function readLoad(record: Iterable<Borrowing>, standing: Standing, now: number): Load {
  const all = [...record]
  const end = all.reduce((latest, borrowing) => Math.max(latest, endOf(borrowing, now)), Number.NEGATIVE_INFINITY)
  const window = all.length === 0 ? 0 : end - (all[0]?.asked ?? end)
  const consumers = all.filter(({ kind }) => kind === 'stream' || kind === 'blocking')
  const usual = usualOf(consumers, now)
  const allPark = areParked(consumers, usual, end, now)
  const parked = allPark ? consumers : consumers.filter(({ kind }) => kind === 'stream')
  const isParked = new Set(parked)
  const stays = (borrowing: Borrowing): boolean => isHeldFor(borrowing, window / 2, now)
  const others = all.filter((borrowing) => !isParked.has(borrowing))
  const callers = others.filter((borrowing) => !stays(borrowing))
  const waiting = parked.length > 0 ? standing.waiting : 0
  return {
    window,
    borrowings: all.length,
    callers: callersOf(callers, now),
    staying:
      standing.holding +
      waiting +
      Math.max(allPark ? usual : usualOf(parked, now), parked.filter(isHolding).length) +
      others.length -
      callers.length,
    peak: peakOf(all, now) + standing.holding,
    unserved: all.filter(({ waited }) => Number.isNaN(waited)).length,
    commands: all.filter(({ kind }) => kind === 'command').length,
  }
}

/** Whoever gave up, or waits still, is only known to have asked. */
function endOf({ asked, waited, held }: Borrowing, now: number): number {
  if (Number.isNaN(waited)) return asked
  return Number.isNaN(held) ? now : asked + waited + held
}

function isHolding({ waited, held }: Borrowing): boolean {
  return Number.isNaN(held) && !Number.isNaN(waited)
}

/** It has it still, and for so long. */
function isHeldFor(borrowing: Borrowing, ms: number, now: number): boolean {
  return ms > 0 && isHolding(borrowing) && now - borrowing.asked - borrowing.waited >= ms
}

/**
 * A consumer calls its blocking command again and again: most of the connections that are in use now and then are in use
 * at any time. Where blocking commands come and go like others, only few are.
 */
function areParked(consumers: readonly Borrowing[], usual: number, end: number, now: number): boolean {
  const [first] = consumers
  if (first === undefined) return false
  const used = consumers.reduce((sum, borrowing) => sum + endOf(borrowing, now) - borrowing.asked, 0)
  return used >= (usual * (end - first.asked)) / 2
}

/** How many were there at once, but for a twentieth of the time: when consumers start anew, old and new ones overlap. */
function usualOf(borrowings: readonly Borrowing[], now: number): number {
  const steps = borrowings.flatMap((borrowing) => [
    { at: borrowing.asked, change: 1 },
    { at: endOf(borrowing, now), change: -1 },
  ])
  steps.sort((a, b) => a.at - b.at || a.change - b.change)
  const times: number[] = []
  let level = 0
  for (const [index, { at, change }] of steps.entries()) {
    level += change
    times[level] = (times[level] ?? 0) + (steps[index + 1]?.at ?? at) - at
  }
  let left = times.reduce((sum, time) => sum + time, 0) * 0.05
  for (let usual = times.length - 1; usual > 0; usual--) {
    left -= times[usual] ?? 0
    if (left < 0) return usual
  }
  return borrowings.length > 0 ? 1 : 0
}

/** How many held or wanted a connection at once, at most. */
function peakOf(borrowings: readonly Borrowing[], now: number): number {
  const ends = Float64Array.from(borrowings, (borrowing) => endOf(borrowing, now)).sort()
  let over = 0
  let peak = 0
  for (const [index, { asked }] of borrowings.entries()) {
    // What ends at this very moment is free for whoever asks now.
    for (let end = ends[over]; end !== undefined && end <= asked && over < index; end = ends[over]) over++
    peak = Math.max(peak, index + 1 - over)
  }
  return peak
}

function callersOf(borrowings: readonly Borrowing[], now: number): Callers {
  const asked = new Float64Array(borrowings.length)
  const held = new Float64Array(borrowings.length)
  const known: number[] = []
  for (const [index, borrowing] of borrowings.entries()) {
    asked[index] = borrowing.asked
    held[index] = endOf(borrowing, now) - borrowing.asked - borrowing.waited
    if (!Number.isNaN(borrowing.waited)) known.push(held[index] ?? 0)
  }
  if (known.length === 0) return { asked: new Float64Array(), held: new Float64Array() }
  // Who never got a connection would have held it for as long as others do: one after the other stands for them.
  let unknown = 0
  for (const [index, hold] of held.entries()) {
    if (Number.isNaN(hold)) held[index] = known[(unknown++ * 7_919) % known.length] ?? 0
  }
  return { asked, held }
}
