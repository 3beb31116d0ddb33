// Puts a mistake into the code for as long as a piece of work runs: a check that does not notice it checks nothing.

import assert from 'node:assert/strict'
import type { Slots } from '../../src/connection/slots.js'
import type { Recall } from '../../src/pool/recall.js'

/** Replaces a method by what `mistake` makes of the sound one, and puts that back however the work ends. */
export async function withMistake<T extends object, K extends keyof T, R>(
  target: T,
  name: K,
  mistake: (sound: T[K]) => T[K],
  work: () => Promise<R>,
): Promise<R> {
  const descriptor = Object.getOwnPropertyDescriptor(target, name)
  assert.ok(descriptor !== undefined, `there is no ${String(name)} any more`)
  target[name] = mistake(target[name])
  try {
    return await work()
  } finally {
    Object.defineProperty(target, name, descriptor)
  }
}

/** For `Slots.take`: the slot of a command whose caller gave up is not kept. */
export function forgetTombstones(take: Slots['take']): Slots['take'] {
  return function (this: Slots) {
    let taken = take.call(this)
    while (taken?.state === 'settled') taken = take.call(this)
    return taken
  }
}

/** For `Recall.lost`: what may have been applied counts as not sent. */
export function repeatLost(lost: Recall['lost']): Recall['lost'] {
  return function (this: Recall, entry, request, error) {
    error.outcome = 'not-sent'
    return lost.call(this, entry, request, error)
  }
}
