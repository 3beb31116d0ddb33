// Owns time: what the clock reads, timers, and the moment after the event loop has polled its sockets.
// Everything above takes a `Clock`, so the same code runs in virtual time.

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Monotonic time in milliseconds, with a fraction. */
  now(): number
  /** Calls back once, not before `ms` milliseconds. `background` timers do not keep a process alive. */
  setTimeout(callback: () => void, ms: number, background?: boolean): Timer
  /**
   * Calls back once the event loop has polled its sockets, so that bytes already in the kernel are seen first. Asked for
   * by a timer, `asked` is the latest moment of which that can be said: other callbacks may take long after the poll.
   */
  afterPoll(callback: (asked: number) => void): void
}

/** The largest delay that a Node timer takes; a longer one would fire at once. */
export const LONGEST_DELAY = 2 ** 31 - 1

/** As node's timers take it: whole, and within what they can. */
export function delayOf(ms: number): number {
  return Math.min(Math.max(Math.ceil(ms), 1), LONGEST_DELAY)
}

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout(callback, ms, background = false) {
    const timer = setTimeout(callback, delayOf(ms))
    if (background) timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  afterPoll: (callback) => {
    setImmediate(callback, performance.now())
  },
}

/**
 * A deadline that is judged after the loop has polled: the timer only marks that the time has come. After a pause
 * of this process, replies that arrived in the meantime are therefore read before anything is called late. What was due by `now` may be called so.
 */
export function setDeadline(clock: Clock, ms: number, callback: (now: number) => void, background = false): Timer {
  let cancelled = false
  const timer = clock.setTimeout(
    () => {
      clock.afterPoll((asked) => {
        if (!cancelled) callback(asked)
      })
    },
    ms,
    background,
  )
  return {
    cancel: () => {
      cancelled = true
      timer.cancel()
    },
  }
}
