// Puts a mistake into the code for as long as a piece of work runs: a check that does not notice it checks nothing.

import assert from 'node:assert/strict'

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
