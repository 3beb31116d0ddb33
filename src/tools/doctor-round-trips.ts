// Owns how long a PING takes, and how late this process itself was meanwhile: a slow client must not be blamed on the
// server.

import type { Redis } from '../index.js'
import { type Finding, found } from './doctor-finding.js'
import { span } from './figures.js'
import { type Answer, ask } from './server-questions.js'

export interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** In milliseconds. */
export interface RoundTrips {
  readonly pings: Answer<Percentiles & { readonly count: number }>
  /** How late timers of this process were, beside the PINGs. */
  readonly loop: Percentiles
}

const PINGS = 300
/** So long at most, in ms, and with so many PINGs at least. */
const AT_MOST = 1_500
const AT_LEAST = 5
const TICK = 5

export async function measureRoundTrips(redis: Redis, signal: AbortSignal): Promise<RoundTrips> {
  const late: number[] = []
  let before = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    // A timer counts whole milliseconds.
    late.push(Math.max(0, now - before - TICK - 1))
    before = now
  }, TICK)
  const times: number[] = []
  const begun = performance.now()
  try {
    const pings = await ask('PING', async () => {
      for (let n = 0; n < PINGS && !signal.aborted; n++) {
        const start = performance.now()
        if (n >= AT_LEAST && start - begun > AT_MOST) break
        await redis.ping()
        times.push(performance.now() - start)
      }
      return { count: times.length, ...percentiles(times) }
    })
    return { pings, loop: percentiles(late) }
  } finally {
    clearInterval(timer)
  }
}

function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

/** Slower than this is far away, and slower than that is trouble, in ms. */
const FAR = 5
const SLOW = 50

export function roundTripFindings({ pings, loop }: RoundTrips): Finding[] {
  if (pings.refused !== undefined) {
    const { because, remedy } = pings.refused
    return [found('round-trips', 'note', `PING could not be asked, because ${because}`, { remedy })]
  }
  const { count, p50, p99, max } = pings.value
  const times = `${count} PINGs: half within ${span(p50)}, 99 % within ${span(p99)}, all within ${span(max)}`
  const own = `; this process itself was late by up to ${span(loop.max)}`
  if (max > SLOW && loop.max >= max / 2) {
    return [
      found('round-trips', 'note', times + own, {
        means: 'this process did not run its event loop for so long that these times say little about the server',
        remedy: 'run the doctor where the machine is less busy',
      }),
    ]
  }
  if (p99 > SLOW) {
    return [
      found('round-trips', 'warning', times + own, {
        means: 'the network is slow, or the server is busy with something else (slow-server)',
        remedy: 'compare with a run on the machine of the server; look at slow commands below',
      }),
    ]
  }
  if (p50 > FAR) {
    return [
      found('round-trips', 'note', times, {
        means: 'the server is far away: each command that is awaited alone costs so much',
        remedy: 'put client and server into one zone; issue commands together and await them together',
      }),
    ]
  }
  return [found('round-trips', 'ok', times)]
}
