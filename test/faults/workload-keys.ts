// Owns the keys of a workload: what they are called, what is there before the first call, and how a witness reads
// them after the last one.

import type { Witness } from '../live/support-live.js'
import { toText, type Wire } from '../support/resp.js'
import type { FinalState, Unit } from './checker.js'
import { type History, uniqueValue } from './history.js'

/** Counters begin far apart, so that a number names the counter it was taken from. */
const APART = 1_000_000_000
const CHUNK = 5_000

interface UnitKeys {
  readonly key: string
  readonly list: string
  readonly counter: string
  readonly base: number
  markOf(value: string): string
}

export class Keys {
  readonly echo: string
  readonly values: readonly string[]
  readonly lists: readonly string[]
  readonly counters: readonly { readonly key: string; readonly base: number }[]
  readonly units: readonly UnitKeys[]

  constructor(prefix: string) {
    const names = (kind: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}:${kind}:${i}`)
    this.echo = `${prefix}:echo`
    this.values = names('value', 16)
    this.lists = names('list', 8)
    this.counters = names('counter', 4).map((key, index) => ({ key, base: (index + 1) * APART }))
    this.units = names('unit', 4).map((key, index) => ({
      key,
      list: `${key}:list`,
      counter: `${key}:counter`,
      base: (index + 101) * APART,
      markOf: (value) => `${key}:mark:${value}`,
    }))
  }
}

export async function prepare(witness: Witness, keys: Keys): Promise<void> {
  const values = keys.values.map((key) => [key, uniqueValue({ key, id: 0 })])
  const counters = keys.counters.map(({ key, base }) => [key, String(base)])
  const units = keys.units.map(({ counter, base }) => [counter, String(base)])
  await witness.ask('DEL', ...keys.lists, ...keys.units.map(({ list }) => list))
  await witness.ask('MSET', ...[...values, ...counters, ...units].flat())
}

export async function readState(witness: Witness, keys: Keys, history: History): Promise<FinalState> {
  const values = new Map<string, string | null>()
  for (const key of keys.values) values.set(key, (await texts(witness, [key]))[0] ?? null)
  const lists = new Map<string, string[]>()
  for (const key of keys.lists) lists.set(key, await elements(witness, key))
  const counters = new Map<string, { base: number; value: number }>()
  for (const { key, base } of keys.counters) counters.set(key, { base, value: await count(witness, key) })
  const units = new Map<string, Unit>()
  for (const unit of keys.units) units.set(unit.key, await readUnit(witness, unit, history))
  return { values, lists, counters, units }
}

async function readUnit(witness: Witness, unit: UnitKeys, history: History): Promise<Unit> {
  const called = history.entries.filter(({ key }) => key === unit.key).map(uniqueValue)
  const marks = new Set<string>()
  for (let at = 0; at < called.length; at += CHUNK) {
    const some = called.slice(at, at + CHUNK)
    const found = await texts(witness, some.map(unit.markOf))
    for (const [index, value] of some.entries()) if (found[index] === value) marks.add(value)
  }
  const list = await elements(witness, unit.list)
  return { list, counter: { base: unit.base, value: await count(witness, unit.counter) }, marks }
}

async function count(witness: Witness, key: string): Promise<number> {
  return Number((await texts(witness, [key]))[0] ?? 0)
}

async function elements(witness: Witness, key: string): Promise<string[]> {
  const all: string[] = []
  for (;;) {
    const some = list(await witness.ask('LRANGE', key, String(all.length), String(all.length + CHUNK - 1)))
    for (const element of some) all.push(toText(element))
    if (some.length < CHUNK) return all
  }
}

async function texts(witness: Witness, keys: readonly string[]): Promise<(string | null)[]> {
  return list(await witness.ask('MGET', ...keys)).map((value) => (value === null ? null : toText(value)))
}

function list(reply: Wire): readonly Wire[] {
  if (!Array.isArray(reply)) throw new Error(`expected a list, got ${toText(reply)}`)
  return reply
}
