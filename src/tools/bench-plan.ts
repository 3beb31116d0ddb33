// Owns what is to be measured, read from what was typed. Measures nothing.

import { OptionError } from '../index.js'
import type { OptionValues } from './command-spec.js'
import { readChoice, readNumber, readWhole, readWholes } from './quantity.js'

export type Op = 'get' | 'set' | 'mix'

/** One way of calling. */
export type Scenario =
  | { readonly loop: 'closed'; readonly op: Op; readonly callers: number }
  | { readonly loop: 'open'; readonly op: Op; readonly rate: number }

export interface BenchPlan {
  readonly scenarios: readonly Scenario[]
  /** Share of GETs in a mix, from 0 to 1. */
  readonly getShare: number
  readonly valueBytes: number
  readonly keys: number
  /** Milliseconds. */
  readonly turnTime: number
  readonly warmUpTime: number
  readonly rounds: number
  readonly pool: PoolSettings
  readonly peers: readonly PeerName[]
}

export interface PoolSettings {
  readonly maxConnections: number
  readonly pipelining: number
  readonly lanes: number
}

export const PEERS = ['redis', 'ioredis', '@valkey/valkey-glide'] as const
export type PeerName = (typeof PEERS)[number]

const OPS = ['get', 'set', 'mix'] as const
/** Of the time of a turn; the first calls of a process are many times slower. */
const WARM_UP = 0.3
const MOST_BYTES = 2 ** 30

export function readBenchPlan({ values }: Pick<OptionValues, 'values'>): BenchPlan {
  const whole = (name: string, usual: number, min: number, max: number): number => {
    const text = values.get(name)
    return text === undefined ? usual : readWhole(name, text, min, max)
  }
  const list = (name: string, max: number): number[] => {
    const text = values.get(name)
    return text === undefined ? [] : readWholes(name, text, 1, max, 20)
  }
  const ops = (values.get('ops') ?? 'get,set').split(',').map((op) => readChoice('ops', op, OPS))
  const rates = list('rate', 10_000_000)
  const typed = list('callers', 100_000)
  const callers = typed.length + rates.length === 0 ? [1, 10, 100] : typed
  const turnTime = readNumber('seconds', values.get('seconds') ?? '1', 0.05, 3_600) * 1_000
  const [keys, valueBytes] = [whole('keys', 1_000, 1, 10_000_000), whole('size', 64, 1, 64 * 1024 * 1024)]
  if (keys * valueBytes > MOST_BYTES) throw new OptionError('--size: expected all values together to be at most 1 GiB')
  const maxConnections = whole('max-connections', 10, 1, 65_535)
  return {
    scenarios: [...new Set(ops)].flatMap((op): Scenario[] => [
      ...callers.map((count) => ({ loop: 'closed', op, callers: count }) as const),
      ...rates.map((rate) => ({ loop: 'open', op, rate }) as const),
    ]),
    getShare: readRatio(values.get('ratio') ?? '9:1'),
    valueBytes,
    keys,
    turnTime,
    warmUpTime: turnTime * WARM_UP,
    rounds: whole('rounds', 5, 1, 1_000),
    pool: {
      maxConnections,
      pipelining: whole('pipelining', 1_000, 1, 1_000_000),
      lanes: Math.min(whole('lanes', 2, 1, 65_535), maxConnections),
    },
    peers: readPeers(values.get('peers')),
  }
}

function readRatio(text: string): number {
  const [, gets = '', sets = ''] = /^(\d{1,6}):(\d{1,6})$/.exec(text) ?? []
  const sum = Number(gets) + Number(sets)
  if (gets !== '' && sum > 0) return Number(gets) / sum
  throw new OptionError('--ratio: expected GETs to SETs, such as 9:1')
}

function readPeers(text: string | undefined): readonly PeerName[] {
  if (text === undefined) return []
  if (text === 'all') return PEERS
  return [...new Set(text.split(',').map((name) => readChoice('peers', name, PEERS)))]
}

export function scenarioName(scenario: Scenario): string {
  const { op } = scenario
  const what = op === 'mix' ? 'GET and SET' : op.toUpperCase()
  if (scenario.loop === 'open') return `${what}, open loop, ${scenario.rate.toLocaleString('en-US')} calls/s`
  return `${what}, ${scenario.callers.toLocaleString('en-US')} caller${scenario.callers === 1 ? '' : 's'}`
}
