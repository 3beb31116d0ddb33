// Owns who listens to which AbortSignal: one listener a signal, however many wait on it. Knows not what is aborted.
// An EventTarget walks all its listeners for each new one, and warns from the eleventh.

type Aborted = () => void

const waiting = new WeakMap<AbortSignal, Set<Aborted>>()

/** Calls back once when the signal is aborted; the result takes the call back. */
export function onAbort(signal: AbortSignal, aborted: Aborted): () => void {
  let callbacks = waiting.get(signal)
  if (callbacks === undefined) {
    callbacks = new Set()
    waiting.set(signal, callbacks)
  }
  const all = callbacks
  if (all.size === 0) signal.addEventListener('abort', tellAll)
  all.add(aborted)
  return () => {
    if (all.delete(aborted) && all.size === 0) signal.removeEventListener('abort', tellAll)
  }
}

function tellAll(this: AbortSignal): void {
  const callbacks = waiting.get(this)
  if (callbacks === undefined) return
  this.removeEventListener('abort', tellAll)
  // A call may be taken back by one that is made before it.
  for (const aborted of [...callbacks]) if (callbacks.delete(aborted)) aborted()
}
