// Judges a history against what the server holds in the end. Pure: it asks nobody and waits for nothing.

import { type Entry, uniqueValue, writerOf } from './history.js'
import { CLEAN, type Verdict } from './verdict.js'

/** Milliseconds that a call may take beyond its deadline. */
export const GRACE = 250

/** Enough to see what is wrong, too few to flood a terminal. */
const EXAMPLES = 12

export interface Counter {
  readonly base: number
  readonly value: number
}

/** What a unit of transactions left behind: each of them appended, counted and marked the same value. */
export interface Unit {
  readonly list: readonly string[]
  readonly counter: Counter
  /** Values that have their mark. */
  readonly marks: ReadonlySet<string>
}

/** What the server holds after the last call, by key. */
export interface FinalState {
  readonly values: ReadonlyMap<string, string | null>
  readonly lists: ReadonlyMap<string, readonly string[]>
  readonly counters: ReadonlyMap<string, Counter>
  readonly units: ReadonlyMap<string, Unit>
}

export interface Findings {
  readonly verdict: Verdict
  /** The first of what was found, in words. */
  readonly examples: readonly string[]
}

/** @param deadline milliseconds by which each call had to settle, before the grace */
export function check(entries: readonly Entry[], state: FinalState, deadline: number): Findings {
  const found = new Tally()
  const byKey = groupByKey(entries)
  checkSettled(entries, deadline, found)
  checkEchoes(entries, found)
  for (const [key, value] of state.values) checkValue(key, byKey.get(key) ?? [], value, found)
  for (const [key, list] of state.lists) checkList(byKey.get(key) ?? [], list, lengthOf, found)
  for (const [key, counter] of state.counters) checkCounter(byKey.get(key) ?? [], counter, found)
  for (const [key, unit] of state.units) checkUnit(byKey.get(key) ?? [], unit, found)
  return { verdict: found.counts, examples: found.examples }
}

class Tally {
  readonly counts = { ...CLEAN }
  readonly examples: string[] = []

  add(what: keyof Verdict, example: string, count = 1): void {
    this.counts[what] += count
    if (this.examples.length < EXAMPLES) this.examples.push(`${what}: ${example}`)
  }
}

function groupByKey(entries: readonly Entry[]): ReadonlyMap<string, Entry[]> {
  const groups = new Map<string, Entry[]>()
  for (const entry of entries) {
    const group = groups.get(entry.key)
    if (group) group.push(entry)
    else groups.set(entry.key, [entry])
  }
  return groups
}

function checkSettled(entries: readonly Entry[], deadline: number, found: Tally): void {
  for (const entry of entries) {
    const { state, calledAt, settledAt } = entry
    if (state === 'open') found.add('unsettled', `${nameOf(entry)} never settled`)
    else if (settledAt - calledAt > deadline + GRACE) {
      found.add('unsettled', `${nameOf(entry)} settled ${Math.round(settledAt - calledAt)} ms after its call`)
    }
  }
}

function checkEchoes(entries: readonly Entry[], found: Tally): void {
  for (const entry of entries) {
    if (entry.kind === 'echo' && entry.state === 'ok' && entry.reply !== uniqueValue(entry)) crossed(entry, found)
  }
}

/** A key that is written with SET and read with GET. Someone wrote it before the first call, with id 0. */
function checkValue(key: string, entries: readonly Entry[], last: string | null, found: Tally): void {
  const writes = entries.filter(({ kind }) => kind === 'set')
  const byId = new Map(writes.map((entry) => [entry.id, entry]))
  for (const entry of writes) if (entry.state === 'ok' && entry.reply !== 'OK') crossed(entry, found)
  const known = newestKnown(writes)
  for (const entry of entries) {
    if (entry.kind === 'get' && entry.state === 'ok') checkRead(entry, byId, known(entry.begun), found)
  }
  checkLast(key, last, byId, known(Number.POSITIVE_INFINITY), found)
}

function checkRead(entry: Entry, writes: ReadonlyMap<number, Entry>, known: number, found: Tally): void {
  const { key, id } = typeof entry.reply === 'string' ? writerOf(entry.reply) : { key: '', id: -1 }
  const writer = writes.get(id)
  if (key !== entry.key || (id !== 0 && writer === undefined)) crossed(entry, found)
  else if (writer !== undefined && wasRefused(writer)) refused(writer, found)
  // What is ambiguous may take effect at any later time, and then hides what was acknowledged since.
  else if (id < known && (writer === undefined || writer.state === 'ok')) {
    found.add('disordered', `${nameOf(entry)} read the value of call ${id}, although call ${known} was acknowledged`)
  }
}

function checkLast(
  key: string,
  last: string | null,
  writes: ReadonlyMap<number, Entry>,
  known: number,
  found: Tally,
): void {
  if (last === null) {
    if (known > 0) found.add('lost', `SET ${key} of call ${known} is not there`)
    return
  }
  const { key: named, id } = writerOf(last)
  const writer = writes.get(id)
  if (named !== key || (id !== 0 && writer === undefined)) {
    found.add('crossed', `${key} holds '${last}', which nobody wrote there`)
  } else if (writer !== undefined && wasRefused(writer)) refused(writer, found)
  else if (id === 0 && known > 0) found.add('lost', `SET ${key} of call ${known} is not there`)
  else if (id < known && writer?.state === 'ok') {
    found.add('disordered', `${key} holds the value of call ${id}, although call ${known} was acknowledged`)
  }
}

/** Moment → the id of the newest write that was acknowledged before it; 0 when there was none. */
function newestKnown(writes: readonly Entry[]): (moment: number) => number {
  const endings = writes.filter(({ state }) => state === 'ok').sort((a, b) => a.ended - b.ended)
  const newest: number[] = []
  for (const [index, { id }] of endings.entries()) newest.push(Math.max(id, newest[index - 1] ?? 0))
  return (moment) => {
    let low = 0
    let high = endings.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((endings[middle]?.ended ?? 0) < moment) low = middle + 1
      else high = middle
    }
    return newest[low - 1] ?? 0
  }
}

/** Elements that were appended, by RPUSH or in transactions; `length` finds in a reply the length that it tells. */
function checkList(
  entries: readonly Entry[],
  list: readonly string[],
  length: (reply: unknown) => number | undefined,
  found: Tally,
): void {
  const byValue = new Map(entries.map((entry) => [uniqueValue(entry), entry]))
  const copies = new Map<string, number>()
  let newest = 0
  for (const element of list) {
    const entry = byValue.get(element)
    if (entry === undefined) {
      found.add('crossed', `'${element}' is in a list where nobody pushed it`)
      continue
    }
    const count = (copies.get(element) ?? 0) + 1
    copies.set(element, count)
    if (count > 1 || entry.state !== 'ok') continue
    if (entry.id < newest) found.add('disordered', `${nameOf(entry)} stands behind call ${newest}`)
    newest = Math.max(newest, entry.id)
  }
  for (const entry of entries) {
    const count = copies.get(uniqueValue(entry)) ?? 0
    if (count > 1) found.add('duplicated', `${nameOf(entry)} was applied ${count} times`)
    if (count > 0 && wasRefused(entry)) refused(entry, found)
    if (entry.state !== 'ok') continue
    if (count === 0) found.add('lost', `${nameOf(entry)} was acknowledged and is not there`)
    else if (list[(length(entry.reply) ?? 0) - 1] !== uniqueValue(entry)) crossed(entry, found)
  }
}

const lengthOf = (reply: unknown): number | undefined => (typeof reply === 'number' ? reply : undefined)

function checkCounter(entries: readonly Entry[], { base, value }: Counter, found: Tally): void {
  const acknowledged = entries.filter(({ state }) => state === 'ok')
  const unsure = entries.filter(({ state }) => state === 'ambiguous' || state === 'open').length
  const key = entries[0]?.key ?? 'a counter'
  const applied = value - base
  const missing = acknowledged.length - applied
  if (missing > 0) found.add('lost', `${key} counted ${applied} of ${acknowledged.length} acknowledged`, missing)
  const surplus = applied - acknowledged.length - unsure
  const denied = entries.length - acknowledged.length - unsure
  // What was refused and applied all the same explains as much of it as there was refused.
  const falsely = Math.min(Math.max(0, surplus), denied)
  if (falsely > 0) found.add('falselyRejected', `${key} counted ${falsely} that were refused`, falsely)
  if (surplus > falsely) found.add('duplicated', `${key} counted ${surplus - falsely} too many`, surplus - falsely)
  const replies = new Set<unknown>()
  // Not the last value: a server that lost some of what it had counted may have answered with more.
  const most = Math.max(value, base + entries.length)
  let highest = 0
  for (const entry of acknowledged) {
    const { reply } = entry
    if (typeof reply !== 'number' || reply <= base || reply > most || replies.has(reply)) crossed(entry, found)
    else if (reply < highest) found.add('disordered', `${nameOf(entry)} gave ${reply} after ${highest}`)
    replies.add(reply)
    if (typeof reply === 'number') highest = Math.max(highest, reply)
  }
}

function checkUnit(entries: readonly Entry[], { list, counter, marks }: Unit, found: Tally): void {
  checkList(entries, list, (reply) => (Array.isArray(reply) ? lengthOf(reply[0]) : undefined), found)
  const elements = new Set(list)
  for (const entry of entries) {
    const value = uniqueValue(entry)
    if (elements.has(value) !== marks.has(value)) {
      found.add('partial', `${nameOf(entry)}: ${marks.has(value) ? 'marked, not appended' : 'appended, not marked'}`)
    } else if (entry.state === 'ok') checkReplies(entry, counter.base, found)
  }
  const difference = Math.abs(counter.value - counter.base - list.length)
  if (difference > 0)
    found.add('partial', `${counter.value - counter.base} counted, ${list.length} appended`, difference)
}

/** Length and count grow together, or something came between. */
function checkReplies(entry: Entry, base: number, found: Tally): void {
  const [length, count, mark]: unknown[] = Array.isArray(entry.reply) ? entry.reply : []
  if (typeof length !== 'number' || typeof count !== 'number' || mark !== 'OK') crossed(entry, found)
  else if (count - base !== length)
    found.add('partial', `${nameOf(entry)} saw ${length} appended, ${count - base} counted`)
}

function wasRefused({ state }: Entry): boolean {
  return state === 'not-sent' || state === 'rejected'
}

function refused(entry: Entry, found: Tally): void {
  found.add('falselyRejected', `${nameOf(entry)} was called ${entry.state} and is there`)
}

function crossed(entry: Entry, found: Tally): void {
  found.add('crossed', `${nameOf(entry)} got ${JSON.stringify(entry.reply)}`)
}

function nameOf({ kind, key, id, caller }: Entry): string {
  return `call ${id} of caller ${caller} (${kind} ${key})`
}
