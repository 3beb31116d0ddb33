// Random workloads of borrowings, and a queue of its own that tells how long each of them waits. Knows no pool.

import { pick, type Random, seededFor } from '../support/random.js'

const ARRIVALS = ['poisson', 'bursty', 'periodic'] as const
const HOLDS = ['constant', 'exponential', 'lognormal', 'two-point'] as const

/** Who borrows, and for how long. In ms. */
export interface Workload {
  readonly seed: number
  readonly arrivals: (typeof ARRIVALS)[number]
  readonly holds: (typeof HOLDS)[number]
  readonly meanPause: number
  readonly meanHold: number
  /** Callers of one burst, on average. */
  readonly burst: number
  /** The wait that is acceptable. */
  readonly targetWait: number
}

/** Between 0.3 and 40 connections are in use on average, for 2 to 200 ms each. */
export function workloadOf(seed: number): Workload {
  const random = seededFor(seed, 0)
  const meanHold = 2 * 100 ** random()
  const held = 0.3 * (40 / 0.3) ** random()
  const arrivals = pick(random, ARRIVALS)
  const holds = pick(random, HOLDS)
  const targetWait = Math.max(1, Math.round(meanHold * 0.05 * 40 ** random()))
  return { seed, arrivals, holds, meanPause: meanHold / held, meanHold, burst: 2 + 2 * random(), targetWait }
}

/** The same workload goes on for ever; each run is another course of it. */
export class Course {
  readonly #workload: Workload
  readonly #random: Random
  #now = 0

  constructor(workload: Workload, run: number) {
    this.#workload = workload
    this.#random = seededFor(workload.seed, 1, run)
  }

  /** When the next caller comes. */
  next(): number {
    this.#now += this.#pause()
    return this.#now
  }

  hold(): number {
    const { holds, meanHold } = this.#workload
    switch (holds) {
      case 'constant':
        return meanHold
      case 'exponential':
        return meanHold * exponential(this.#random)
      case 'lognormal':
        return meanHold * Math.exp(normal(this.#random) - 0.5)
      case 'two-point':
        return meanHold * (this.#random() < 0.9 ? 0.5 : 5.5)
      default:
        return holds satisfies never
    }
  }

  #pause(): number {
    const { arrivals, meanPause, burst } = this.#workload
    switch (arrivals) {
      case 'poisson':
        return meanPause * exponential(this.#random)
      case 'periodic':
        return meanPause * (0.9 + 0.2 * this.#random())
      case 'bursty': {
        const begins = this.#random() < 1 / burst
        return meanPause * exponential(this.#random) * (begins ? 0.95 * burst : (0.05 * burst) / (burst - 1))
      }
      default:
        return arrivals satisfies never
    }
  }
}

/** Connections in the order in which they come free: who comes first takes the first of them. */
export class Line {
  readonly #free: Float64Array

  constructor(connections: number) {
    this.#free = new Float64Array(connections).fill(Number.NEGATIVE_INFINITY)
  }

  /** How long who comes now waits for a connection. */
  wait(asked: number, hold: number): number {
    const free = this.#free
    const start = Math.max(asked, free[0] ?? 0)
    const end = start + hold
    let index = 1
    for (; index < free.length && (free[index] ?? 0) < end; index++) free[index - 1] = free[index] ?? 0
    free[index - 1] = end
    return start - asked
  }
}

function exponential(random: Random): number {
  return -Math.log(1 - random())
}

function normal(random: Random): number {
  return Math.sqrt(2 * exponential(random)) * Math.cos(2 * Math.PI * random())
}
