// Rows B1 and B3: nothing passes the proxy any more, or nothing in one direction, and neither end is told.

import { pause, until } from '../../live/support-live.js'
import type { Direction } from '../../support/fault-flow.js'
import type { ProxyLink } from '../../support/fault-link.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { pick, seeded } from '../../support/random.js'
import { RedisProcess } from '../../support/redis-process.js'
import { recovery, recoveryCheck, within } from '../recovery.js'
import type { Check, Context, Outcome } from '../row.js'
import { respool, type Subject } from '../subject.js'
import { inTrouble, planOf, type Trouble } from '../trouble.js'
import type { Report } from '../workload.js'
import { SETTINGS } from './settings.js'
import { CALM, detectionCheck, GIVEN_UP, LANES, RECOVERS_WITHIN, SLACK, StallWatch } from './silence-support.js'

/** Long enough for every busy connection to be given up, in ms. */
const FOUND_OUT = SETTINGS.socketTimeout + 3 * SLACK
/** From here on a silent connection counts as late, and the others serve its keys too, in ms. */
const GONE_ROUND_AFTER = 100
/** Milliseconds that a call may take beside a connection that is gone round. */
const UNAFFECTED = 50
/** Milliseconds between two calls that look whether others are unaffected. */
const EVERY = 5
/** Replies of a handshake and of the first burst: to be silent before anybody was served is another fault. */
const PROVEN = 64

/** All connections at once, and each time one alone before. */
export function blackHoles(context: Context): Promise<Outcome> {
  return inSilence(context, async (hole, bystanders) => {
    const random = seeded(context.seed)
    for (let round = 0; round < context.scale(1, 10); round++) {
      await hole.one(random, bystanders)
      await hole.all(undefined, round % 2 === 0 ? 'cut' : 'released')
    }
    return [
      { what: 'calls beside a silent connection', value: bystanders.calls, is: 'at least', limit: 50 },
      { what: 'of these failed', value: bystanders.failed, is: 'exactly', limit: 0 },
      within(context, 'of these the longest', bystanders.longest, UNAFFECTED),
    ]
  })
}

export function oneWayHoles(context: Context): Promise<Outcome> {
  return inSilence(context, async (hole) => {
    for (let round = 0; round < context.scale(1, 10); round++) {
      // What is released too late reaches a server, or a client, that has to do without it.
      const endings = round % 2 === 0 ? (['released', 'cut'] as const) : (['cut', 'released'] as const)
      await hole.all('up', endings[0])
      await hole.all('down', endings[1])
    }
    return []
  })
}

async function inSilence(
  context: Context,
  play: (hole: Hole, bystanders: Bystanders) => Promise<readonly Check[]>,
): Promise<Outcome> {
  const { seed } = context
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed })
  context.trace(proxy.log)
  const subject = respool(proxy.url, SETTINGS)
  const hole = new Hole(context, proxy, subject, new StallWatch(subject.redis))
  const outcome = await inTrouble(subject, server.port, planOf(context, SETTINGS.commandTimeout), async () => {
    const further = await play(hole, new Bystanders(subject))
    return { ...hole.trouble, checks: (report) => [...hole.trouble.checks(report), ...further] }
  })
  return outcome
}

/** What the proxy lets fall silent, and what came of it. */
class Hole {
  readonly #context: Context
  readonly #proxy: FaultProxy
  readonly #subject: Subject
  readonly #stalls: StallWatch
  readonly #detections: number[] = []
  readonly #recoveries: number[] = []

  constructor(context: Context, proxy: FaultProxy, subject: Subject, stalls: StallWatch) {
    this.#context = context
    this.#proxy = proxy
    this.#subject = subject
    this.#stalls = stalls
  }

  get trouble(): Trouble {
    return {
      faults: this.#detections.length,
      recovery: this.#recoveries,
      checks: (report: Report) => [
        detectionCheck(this.#context, this.#detections),
        recoveryCheck(this.#context, this.#recoveries, RECOVERS_WITHIN),
        { what: 'calls whose reply was lost', value: report.history.failed.ambiguous, is: 'at least', limit: LANES },
      ],
    }
  }

  /** One connection that owes replies, until it is given up. */
  async one(random: () => number, bystanders: Bystanders): Promise<void> {
    const link = pick(random, await this.#busy(1))
    link.hold()
    const since = performance.now()
    await pause(GONE_ROUND_AFTER)
    await bystanders.call(() => this.#stalls.since(since).length === 0 && performance.now() - since < GIVEN_UP)
    this.#detections.push(this.#stalls.detection(since, 1))
    link.kill('rst')
  }

  /** All connections, those to come as well. */
  async all(direction: Direction | undefined, ending: 'cut' | 'released'): Promise<void> {
    const busy = await this.#busy(LANES)
    this.#proxy.hold(direction)
    const since = performance.now()
    await pause(this.#context.scale(FOUND_OUT, 3_000))
    this.#detections.push(this.#stalls.detection(since, busy.length))
    if (ending === 'cut') this.#proxy.killAll('rst')
    this.#proxy.release(direction)
    this.#recoveries.push(await recovery(this.#subject, GIVEN_UP))
  }

  /** At least so many connections whose commands the server has and whose replies the client has not. */
  async #busy(count: number): Promise<readonly ProxyLink[]> {
    let busy: readonly ProxyLink[] = []
    await pause(CALM)
    await until(`${count} connections owe replies`, () => {
      busy = this.#proxy.links.filter(({ commands, replies }) => replies > PROVEN && commands > replies)
      return busy.length >= count
    })
    return busy
  }
}

/** Calls one by one, each for a key of its own, which nothing unanswered ties to any connection. */
class Bystanders {
  calls = 0
  failed = 0
  longest = 0
  readonly #subject: Subject

  constructor(subject: Subject) {
    this.#subject = subject
  }

  async call(goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      const started = performance.now()
      await this.#subject.set(`bystander:${this.calls++}`, 'x').catch(() => this.failed++)
      this.longest = Math.max(this.longest, performance.now() - started)
      await pause(EVERY)
    }
  }
}
