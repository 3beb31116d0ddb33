// Owns what may be typed after `npm run faults --`. Runs nothing and prints nothing.

import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { type Row, TIERS, type Tier } from './row.js'
import { SOAK_MINUTES } from './runner.js'

export interface Chosen {
  readonly row: Row
  /** The size at which it runs. */
  readonly size: Tier
}

export interface WantedRun {
  readonly kind: 'run'
  readonly tier: Tier
  readonly chosen: readonly Chosen[]
  /** No row was named: all of the tier are chosen. */
  readonly whole: boolean
  readonly seed: number
  /** How long a soak lasts. */
  readonly minutes: number
  readonly write: boolean
  readonly json: boolean
}

export type Wanted = { readonly kind: 'help' } | { readonly kind: 'wrong'; readonly complaint: string } | WantedRun

export const HELP = `npm run faults -- [options]

Hurts a real redis-server's connections in every way the matrix knows, and shows what became of each call.

  --tier commit|nightly|soak   how much of it: with every change (default), at full size, for hours
  --row A1,B5                  only these rows
  --seed N                     repeats what was left to chance; a random one by default
  --minutes N                  how long a soak lasts; ${SOAK_MINUTES} by default, growth is judged from 10 on
  --write                      write docs/reliability.md; with all rows, best at full size: --tier nightly
  --json                       print one JSON document
  --help                       show this

Exit codes: 0 all rows are green, 1 a row is red, 2 wrong usage, 130 interrupted.`

const OPTIONS = {
  tier: { type: 'string' },
  row: { type: 'string', multiple: true },
  seed: { type: 'string' },
  minutes: { type: 'string' },
  write: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const VALUED: readonly string[] = Object.entries(OPTIONS).flatMap(([name, { type }]) =>
  type === 'string' ? [name] : [],
)
const HIGHEST_SEED = 2 ** 31
/** What the time limit of a soak leaves room for. */
const MOST_MINUTES = 500

export function readArguments(words: readonly string[], rows: readonly Row[]): Wanted {
  const { values, positionals, tokens } = parseArgs({
    args: [...words],
    options: OPTIONS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const unknown = tokens.find((token) => token.kind === 'option' && !Object.hasOwn(OPTIONS, token.name))
  if (unknown?.kind === 'option')
    return wrong(`unknown option '${unknown.rawName}'; there are --${Object.keys(OPTIONS).join(', --')}`)
  if (positionals[0] !== undefined) return wrong(`unexpected '${positionals[0]}'; rows are chosen with --row`)
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const valued = VALUED.includes(token.name)
    if (valued && !token.value) return wrong(`${token.rawName} needs a value`)
    if (!valued && token.value !== undefined) return wrong(`${token.rawName} takes no value`)
  }
  if (values.help === true) return { kind: 'help' }
  const { tier: named = 'commit', seed, minutes = String(SOAK_MINUTES) } = values
  const tier = TIERS.find((each) => each === named)
  if (tier === undefined) return wrong(`no tier '${named}'; there are ${TIERS.join(', ')}`)
  const given = [values.row ?? []].flat().flatMap((ids) => String(ids).split(','))
  const chosen = choose(rows, given, tier)
  if (typeof chosen === 'string') return wrong(chosen)
  if (seed !== undefined && !(/^\d+$/.test(String(seed)) && Number(seed) < HIGHEST_SEED))
    return wrong(`--seed takes a whole number below ${HIGHEST_SEED}, not '${seed}'`)
  if (!/^\d+$/.test(String(minutes)) || Number(minutes) < 1 || Number(minutes) > MOST_MINUTES)
    return wrong(`--minutes takes a whole number from 1 to ${MOST_MINUTES}, not '${minutes}'`)
  if (values.minutes !== undefined && tier !== 'soak') return wrong('--minutes is for --tier soak')
  const write = values.write === true
  if (write && (tier === 'soak' || given.length > 0))
    return wrong('--write needs all rows of a tier, commit or nightly: the page is written as a whole')
  return {
    kind: 'run',
    tier,
    chosen,
    whole: given.length === 0,
    seed: seed === undefined ? randomInt(HIGHEST_SEED) : Number(seed),
    minutes: Number(minutes),
    write,
    json: values.json === true,
  }
}

/** A complaint as text when an id is wrong. */
function choose(rows: readonly Row[], ids: readonly string[], tier: Tier): readonly Chosen[] | string {
  const sized = (row: Row): Chosen[] => {
    const size = sizeOf(row, tier)
    return size === undefined ? [] : [{ row, size }]
  }
  if (ids.length === 0) return rows.flatMap(sized)
  const wanted = new Set<Row>()
  for (const id of ids) {
    const row = rows.find((each) => each.id === id.trim().toUpperCase())
    if (row === undefined) return `no row '${id}'; there are ${rows.map((each) => each.id).join(', ')}`
    if (sizeOf(row, tier) === undefined) return `row ${row.id} is for --tier ${row.tiers.join(' or ')}`
    wanted.add(row)
  }
  return rows.filter((row) => wanted.has(row)).flatMap(sized)
}

/** The night runs everything, at full size where a row has one. */
export function sizeOf({ tiers }: Row, tier: Tier): Tier | undefined {
  if (tiers.includes(tier)) return tier
  return tier === 'nightly' && tiers.includes('commit') ? 'commit' : undefined
}

function wrong(complaint: string): Wanted {
  return { kind: 'wrong', complaint: `npm run faults: ${complaint}` }
}
