// Owns what is to be simulated, read from what was typed. Runs nothing.

import { OptionError } from '../index.js'
import type { OptionValues } from './command-spec.js'
import { readChoice, readDuration, readNumber, readWhole, readWholes } from './quantity.js'
import { type ArrivalPattern, drawerOf, type HoldTimes, type Phase } from './simulate-draws.js'
import type { ModelledServer } from './simulate-model.js'

export interface SimulationPlan {
  readonly processes: number
  /** Undefined: the smallest that keeps to the target is searched for. */
  readonly sizes: readonly number[] | undefined
  /** What comes to each process, one after another. */
  readonly phases: readonly Phase[]
  readonly pattern: ArrivalPattern
  readonly traffic: TrafficKind
  readonly lanes: number
  readonly pipelining: number
  readonly server: ModelledServer | undefined
  readonly maxClients: number
  /** All in milliseconds. */
  readonly acquireTimeout: number
  readonly targetWait: number
  /** Who comes before that is not counted. */
  readonly warmUp: number
  /** From 0 to 1. */
  readonly percentile: number
  readonly seed: number
  /** Whether the phases were recorded. */
  readonly recorded: boolean
}

export type TrafficKind = 'leases' | 'shared'

/** Reads a recorded history. */
export type PhasesFrom = (path: string, traffic: TrafficKind) => readonly Phase[]

const MOST = 65_535
const WARM_UP = 0.1

export function readPlan({ values }: Pick<OptionValues, 'values'>, phasesFrom: PhasesFrom): SimulationPlan {
  const whole = (name: string, usual: number, min: number, max: number): number => {
    const text = values.get(name)
    return text === undefined ? usual : readWhole(name, text, min, max)
  }
  const duration = (name: string, usual: number): number => {
    const text = values.get(name)
    return text === undefined ? usual : readDuration(name, text)
  }
  const processes = whole('processes', 1, 1, 100_000)
  const sizes = values.get('connections')
  const traffic = readChoice('traffic', values.get('traffic') ?? 'leases', ['leases', 'shared'])
  const from = values.get('from')
  if (from !== undefined) rejectBesideFrom(values)
  const phases = from === undefined ? [typedPhase(values, processes)] : phasesFrom(from, traffic)
  const span = phases.reduce((sum, phase) => sum + phase.duration, 0)
  return {
    processes,
    sizes: sizes === undefined ? undefined : readWholes('connections', sizes, 1, MOST, 64),
    phases,
    pattern: readPattern(values.get('arrivals') ?? 'poisson'),
    traffic,
    lanes: whole('lanes', 2, 1, MOST),
    pipelining: whole('pipelining', 1_000, 1, 1_000_000),
    server: readServer(values),
    maxClients: whole('maxclients', 10_000, 0, 10_000_000),
    acquireTimeout: duration('acquire-timeout', 5_000),
    targetWait: duration('target-wait', 5),
    warmUp: from === undefined ? span * WARM_UP : 0,
    percentile: readNumber('percentile', values.get('percentile') ?? '99', 1, 100) / 100,
    seed: whole('seed', 1, 0, 2 ** 32 - 1),
    recorded: from !== undefined,
  }
}

function rejectBesideFrom(values: ReadonlyMap<string, string>): void {
  const surplus = ['rate', 'total-rate', 'hold', 'seconds'].find((name) => values.has(name))
  if (surplus !== undefined) throw new OptionError(`--${surplus}: is what --from tells; give one or the other`)
}

function typedPhase(values: ReadonlyMap<string, string>, processes: number): Phase {
  const seconds = readNumber('seconds', values.get('seconds') ?? '60', 0.001, 86_400)
  const hold = readHold(values.get('hold') ?? '5ms')
  return { duration: seconds * 1_000, arrivalsPerSecond: readRate(values, processes), hold }
}

function readRate(values: ReadonlyMap<string, string>, processes: number): number {
  const [each, total] = [values.get('rate'), values.get('total-rate')]
  if (total === undefined) return readNumber('rate', each ?? '100', 0.001, 10_000_000)
  if (each !== undefined) throw new OptionError('--total-rate: takes the place of --rate; give one or the other')
  return readNumber('total-rate', total, 0.001, 1_000_000_000) / processes
}

const HOLD_FORMS = 'expected 5ms, 5ms,constant, 5ms,p99=40ms or 1ms,slow=200ms:1%'

export function readHold(text: string): HoldTimes {
  const [first = '', how, ...rest] = text.split(',')
  const mean = readDuration('hold', first)
  const [, p99] = /^p99=(.+)$/.exec(how ?? '') ?? []
  const [, slow, percent] = /^slow=([^:]+):([\d.]+)%$/.exec(how ?? '') ?? []
  let hold: HoldTimes | undefined
  if (how === undefined) hold = { kind: 'exponential', mean }
  else if (how === 'constant') hold = { kind: 'constant', mean }
  else if (p99 !== undefined) hold = { kind: 'lognormal', mean, p99: readDuration('hold', p99) }
  else if (slow !== undefined && percent !== undefined) {
    const share = readNumber('hold', percent, 0, 100) / 100
    hold = { kind: 'two-point', usual: mean, slow: readDuration('hold', slow), share }
  }
  if (hold === undefined || rest.length > 0) throw new OptionError(`--hold: ${HOLD_FORMS}`)
  // Refuses what no distribution of that kind has.
  drawerOf(hold)
  return hold
}

function readPattern(text: string): ArrivalPattern {
  const [, size] = /^bursty:(\d+)$/.exec(text) ?? []
  if (size !== undefined) return { kind: 'bursty', size: readWhole('arrivals', size, 1, 1_000_000) }
  if (text === 'poisson' || text === 'periodic') return { kind: text }
  throw new OptionError('--arrivals: expected poisson, periodic or bursty:N, such as bursty:20')
}

function readServer(values: ReadonlyMap<string, string>): ModelledServer | undefined {
  const time = values.get('command-time')
  const commands = values.get('commands')
  if (time === undefined) {
    if (commands === undefined) return undefined
    throw new OptionError('--commands: expected --command-time with it; without a server to do them they take no time')
  }
  return {
    commandTime: readDuration('command-time', time),
    commands: readWhole('commands', commands ?? '1', 1, 10_000),
  }
}
