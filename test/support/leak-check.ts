// Tells whether a test left something behind: sockets, servers, timers (those that are unref'd too), listeners.

import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { type EventEmitter, getEventListeners } from 'node:events'

/** Closing a handle takes the event loop a few rounds. */
const PATIENCE = 1_000

/** Not ours to judge: what the test runner reports through, and what ends by itself. */
const IGNORED = new Set(['TTYWrap', 'FSReqCallback', 'FSReqPromise', 'Immediate', 'CloseReq', 'SignalWrap'])

/** Where a timer was set, without the frames of node itself. */
const STACK_LIMIT = 12

export interface LeakCheck extends AsyncDisposable {
  /** Waits a moment for handles to close, then fails with what is left and where it came from. */
  assertNone(): Promise<void>
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
  const before = resources()
  const listeners = countListeners(watch)
  hook.enable()
  let done = false
  const assertNone = async (): Promise<void> => {
    if (done) return
    done = true
    const end = performance.now() + patience
    const find = () => leftovers(before, [...timers.values()], listeners, countListeners(watch))
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
  return { assertNone, [Symbol.asyncDispose]: assertNone }
}

function leftovers(
  before: ReadonlyMap<string, number>,
  timers: readonly string[],
  listenersBefore: ReadonlyMap<string, number>,
  listenersNow: ReadonlyMap<string, number>,
): string[] {
  const left: string[] = []
  for (const [type, count] of resources()) {
    // Timers are told apart by the hook below, which sees unref'd ones and where they were set.
    if (type === 'Timeout') continue
    const more = count - (before.get(type) ?? 0)
    if (more > 0) left.push(`${more} × ${type}`)
  }
  for (const where of timers) left.push(`a timer set ${where}`)
  for (const [what, count] of listenersNow) {
    const more = count - (listenersBefore.get(what) ?? 0)
    if (more > 0) left.push(`${more} × listener ${what}`)
  }
  return left
}

function resources(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const type of process.getActiveResourcesInfo()) {
    if (!IGNORED.has(type)) counts.set(type, (counts.get(type) ?? 0) + 1)
  }
  return counts
}

function countListeners(watch: NonNullable<LeakCheckOptions['watch']>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [name, { target, events }] of Object.entries(watch)) {
    for (const event of events) counts.set(`'${event}' on ${name}`, getEventListeners(target, event).length)
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
