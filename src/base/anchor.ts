// Owns whether what is open keeps the process alive: sockets and timers. Knows nothing of what they are for.

import { type Clock, delayOf, LONGEST_DELAY, systemClock } from './clock.js'

/** A socket or a timer. */
interface Anchored {
  ref(): unknown
  unref(): unknown
}

/** Held: everything open keeps the process alive. Not held: only that somebody waits does. May change at any time. */
export class Anchor {
  readonly #open = new Set<Anchored>()
  #isHeld: boolean
  #isAwaited = false
  /** Stands for all that is open while it is not held and somebody waits. */
  #stay: NodeJS.Timeout | undefined

  constructor(isHeld: boolean) {
    this.#isHeld = isHeld
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld
    for (const one of this.#open) apply(one, isHeld)
    this.#settle()
  }

  /** Somebody waits for what is open, or nobody does any more. */
  await(isAwaited: boolean): void {
    this.#isAwaited = isAwaited
    this.#settle()
  }

  add(one: Anchored): void {
    apply(one, this.#isHeld)
    this.#open.add(one)
  }

  remove(one: Anchored): void {
    this.#open.delete(one)
  }

  #settle(): void {
    const stays = this.#isAwaited && !this.#isHeld
    if (stays) this.#stay ??= setInterval(() => {}, LONGEST_DELAY)
    else {
      clearInterval(this.#stay)
      this.#stay = undefined
    }
  }
}

function apply(one: Anchored, isHeld: boolean): void {
  if (isHeld) one.ref()
  else one.unref()
}

/** The clock of the system; its timers keep the process alive as far as `anchor` does, those in the background never. */
export function anchoredClock(anchor: Anchor): Clock {
  const { now, afterPoll } = systemClock
  return {
    now,
    afterPoll,
    setTimeout(callback, ms, background) {
      if (background) return systemClock.setTimeout(callback, ms, true)
      const fire = (): void => {
        anchor.remove(timer)
        callback()
      }
      const timer = setTimeout(fire, delayOf(ms))
      anchor.add(timer)
      const cancel = (): void => {
        anchor.remove(timer)
        clearTimeout(timer)
      }
      return { cancel }
    },
  }
}
