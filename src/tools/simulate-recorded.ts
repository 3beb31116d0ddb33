// Owns the reading of a recorded history as traffic: who came, and how long connections were held. Shows nothing of
// what a file holds.

import { readFileSync } from 'node:fs'
import { OptionError } from '../index.js'
import { type HoldTimes, type Phase, WIDEST } from './simulate-draws.js'
import type { TrafficKind } from './simulate-plan.js'

const SHAPES = 'expected JSON of pool.record().points(), or of pool.stats()'

/** What comes to one process, from JSON of its pool's points or of a snapshot. */
export function phasesFromFile(path: string, traffic: TrafficKind): readonly Phase[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
    throw new OptionError(`--from: cannot read the file${typeof code === 'string' ? ` (${code})` : ''}`)
  }
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    throw new OptionError(`--from: ${SHAPES}; the file is no JSON`)
  }
  return phasesOf(document, traffic)
}

export function phasesOf(document: unknown, traffic: TrafficKind): readonly Phase[] {
  const parts = partsOf(document)
  const seen = parts.map((part, index) => observe(part, traffic, parts.length === 1 ? '' : ` of point ${index + 1}`))
  const holds = seen.filter(({ count }) => count > 0)
  const callers = seen.reduce((sum, each) => sum + each.callers, 0)
  if (callers === 0 || holds.length === 0) {
    const what = traffic === 'leases' ? 'nobody borrowed a connection' : 'no command was called'
    const other = traffic === 'leases' ? 'shared' : 'leases'
    throw new OptionError(`--from: ${what} in this history; try --traffic ${other}`)
  }
  // An interval in which nothing ended tells nothing of how long things take: then all of them together do.
  const usual = usualHold(holds)
  return seen.map(({ duration, callers: came, count, mean, p99 }) => ({
    duration,
    arrivalsPerSecond: (came / duration) * 1_000,
    hold: count > 0 ? holdOf(mean, p99) : usual,
  }))
}

interface Seen {
  readonly duration: number
  readonly callers: number
  readonly count: number
  readonly mean: number
  readonly p99: number
}

function partsOf(document: unknown): readonly unknown[] {
  if (Array.isArray(document)) return nonEmpty(document)
  const points = fieldOf(document, 'points')
  if (Array.isArray(points)) return nonEmpty(points)
  const stats = fieldOf(document, 'stats')
  return [stats === undefined ? document : stats]
}

function nonEmpty(list: readonly unknown[]): readonly unknown[] {
  if (list.length > 0) return list
  throw new OptionError('--from: the history is empty')
}

/** A point has its durations at hand, a snapshot has them below `durations`. */
function observe(part: unknown, traffic: TrafficKind, where: string): Seen {
  const counters = fieldOf(part, 'counters')
  const durations = fieldOf(part, 'durations') ?? part
  const read = (from: unknown, name: string): number => numberIn(from, name, where)
  const span = fieldOf(part, 'span') === undefined ? 'age' : 'span'
  const duration = read(part, span)
  if (duration === 0) throw new OptionError(`--from: ${span}${where} is 0`)
  if (traffic === 'shared') {
    const reply = fieldOf(durations, 'reply')
    return { duration, callers: read(counters, 'calls'), ...summaryOf(reply, read) }
  }
  const callers = read(counters, 'acquired') + read(counters, 'timedOut') + read(counters, 'turnedAway')
  return { duration, callers, ...summaryOf(fieldOf(durations, 'use'), read) }
}

function summaryOf(summary: unknown, read: (from: unknown, name: string) => number) {
  return { count: read(summary, 'count'), mean: read(summary, 'mean'), p99: read(summary, 'p99') }
}

function usualHold(seen: readonly Seen[]): HoldTimes {
  const count = seen.reduce((sum, each) => sum + each.count, 0)
  const mean = seen.reduce((sum, each) => sum + each.mean * each.count, 0) / count
  return holdOf(
    mean,
    seen.reduce((most, { p99 }) => Math.max(most, p99), 0),
  )
}

/** The least surprising distribution with this mean and 99th percentile. */
export function holdOf(mean: number, p99: number): HoldTimes {
  if (p99 <= mean * 1.02) return { kind: 'constant', mean }
  if (p99 <= mean * WIDEST) return { kind: 'lognormal', mean, p99 }
  // Too far apart for a lognormal one. At least one in a hundred takes the p99, so that much of the mean is theirs.
  const share = Math.min(0.015, mean / p99)
  return { kind: 'two-point', usual: (mean - share * p99) / (1 - share), slow: p99, share }
}

function fieldOf(from: unknown, name: string): unknown {
  return typeof from === 'object' && from !== null && Object.hasOwn(from, name) ? Reflect.get(from, name) : undefined
}

function numberIn(from: unknown, name: string, where: string): number {
  const value = fieldOf(from, name)
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value
  throw new OptionError(`--from: ${SHAPES}; ${name}${where} is not a number`)
}
