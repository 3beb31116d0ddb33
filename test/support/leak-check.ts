// Tells whether a test left something behind: sockets, servers, timers (those that are unref'd too), file descriptors,
// listeners, and promises that it was told of.

import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { type EventEmitter, getEventListeners } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'

/** Closing a handle takes the event loop a few rounds. */
const PATIENCE = 1_000

/** Not ours to judge: what the test runner reports through, and what ends by itself. */
const IGNORED = new Set(['TTYWrap', 'FSReqCallback', 'FSReqPromise', 'Immediate', 'CloseReq', 'SignalWrap'])

/** The descriptors of this process, where the system tells. */
const DESCRIPTORS = '/proc/self/fd'

/** Where a timer was set, without the frames of node itself. */
const STACK_LIMIT = 12

export interface LeakCheck extends AsyncDisposable {
  /** Waits a moment for handles to close, then fails with what is left and where it came from. */
  assertNone(): Promise<void>
  /**
   * Gives the promise back and expects it to settle before the end. A rejection is as good as a value; whoever hands
   * the promise over answers for looking at it, because node does not report it as unhandled any more.
   */
  settles<T>(what: string, promise: Promise<T>): Promise<T>
}

export interface LeakCheckOptions {
  /** Emitters and signals whose listeners have to be what they were. */
  watch?: Record<string, { target: EventEmitter | EventTarget; events: readonly string[] }>
  /** How long handles may take to close, in ms. */
  patience?: number
}

/** Begins now: what exists already is not counted. End it with `assertNone()` or `await using`. */
export function leakCheck({ watch = {}, patience = PATIENCE }: LeakCheckOptions = {}): LeakCheck {
  const timers = new Map<number, string>()
  const hook = createHook({
    init: (id, type) => {
      if (type === 'Timeout') timers.set(id, whereFrom())
    },
    destroy: (id) => {
      timers.delete(id)
    },
  })
  const unsettled = new Set<{ readonly what: string }>()
  const settles = <T>(what: string, promise: Promise<T>): Promise<T> => {
    const entry = { what }
    unsettled.add(entry)
    const settled = () => unsettled.delete(entry)
    promise.then(settled, settled)
    return promise
  }
  const before = census(watch)
  hook.enable()
  let done = false
  const assertNone = async (): Promise<void> => {
    if (done) return
    done = true
    const end = performance.now() + patience
    const find = () => [
      ...more(before, census(watch)),
      ...[...timers.values()].map((where) => `a timer set ${where}`),
      ...[...unsettled].map(({ what }) => `a promise that did not settle: ${what}`),
    ]
    try {
      let left = find()
      while (left.length > 0 && performance.now() < end) {
        await new Promise((resolve) => setImmediate(resolve))
        left = find()
      }
      assert.deepEqual(left, [], 'something was left behind')
    } finally {
      hook.disable()
    }
  }
  return { assertNone, settles, [Symbol.asyncDispose]: assertNone }
}

export type Census = ReadonlyMap<string, number>

/** How many there are now of each kind of what may leak. */
export function census(watch: NonNullable<LeakCheckOptions['watch']> = {}): Census {
  return new Map([...resources(), ...descriptors(), ...countListeners(watch)])
}

/** Waits a moment for handles to close, then fails with what there is more of than before. */
export async function assertNoMore(before: Census, patience = PATIENCE): Promise<void> {
  const end = performance.now() + patience
  let left = more(before, census())
  while (left.length > 0 && performance.now() < end) {
    await new Promise((resolve) => setImmediate(resolve))
    left = more(before, census())
  }
  assert.deepEqual(left, [], 'something was left behind')
}

function more(before: Census, now: Census): string[] {
  return [...now]
    .map(([what, count]) => ({ what, extra: count - (before.get(what) ?? 0) }))
    .filter(({ extra }) => extra > 0)
    .map(({ what, extra }) => `${extra} × ${what}`)
}

function resources(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const type of process.getActiveResourcesInfo()) {
    // Timers are told apart by the hook, which sees unref'd ones and where they were set.
    if (type !== 'Timeout' && !IGNORED.has(type)) counts.set(type, (counts.get(type) ?? 0) + 1)
  }
  return counts
}

function descriptors(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const descriptor of listed(DESCRIPTORS)) {
    const target = targetOf(`${DESCRIPTORS}/${descriptor}`)
    // What has no name is the event loop's own.
    if (target === undefined || target.startsWith('anon_inode:')) continue
    // A socket that took another's place is none more.
    const what = `descriptor of ${target.replace(/:\[\d+\]$/, '')}`
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
  return counts
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** The descriptor with which the list was read is gone by now. */
function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

function countListeners(watch: NonNullable<LeakCheckOptions['watch']>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [name, { target, events }] of Object.entries(watch)) {
    for (const event of events) counts.set(`listener '${event}' on ${name}`, getEventListeners(target, event).length)
  }
  return counts
}

function whereFrom(): string {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = STACK_LIMIT
  const stack = new Error('here').stack ?? ''
  Error.stackTraceLimit = limit
  const frames = stack.split('\n').slice(1)
  const own = frames.find((line) => !line.includes('node:') && !/leak-check\.[jt]s/.test(line))
  return own?.trim() ?? 'by node itself'
}
