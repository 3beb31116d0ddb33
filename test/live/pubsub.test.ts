// Pub/sub through losses: a publisher that counts, a subscriber behind a proxy that cuts, and every message accounted
// for: delivered once and in order, or published within a gap that was announced.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Subscriber } from '../../src/client/subscriber.js'
import { GapWatch } from '../../src/client/subscription-gap.js'
import { Redis, type SubscriptionGap } from '../../src/index.js'
import { FaultProxy } from '../support/fault-proxy.js'
import { withMistake } from '../support/mistake.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { until } from './support-live.js'

const CHANNELS = 200

interface Plan {
  readonly messages: number
  readonly losses: number
  readonly protocol: 2 | 3
}

interface Sent {
  readonly channel: string
  readonly number: number
  /** Milliseconds since 1970, before it was sent and after it was acknowledged. */
  readonly from: number
  readonly to: number
  readonly receivers: number
}

interface Findings {
  /** Messages out of order or delivered again. */
  disordered: number
  /** Messages that did not arrive, and were not published within a gap that was announced. */
  unannounced: number
  missed: number
  delivered: number
  gaps: SubscriptionGap[]
}

/** What of one channel was received: numbers only grow. */
class Received {
  readonly numbers = new Map<string, number[]>()
  total = 0
  disordered = 0

  readonly listen = (message: string, channel: string): void => {
    const numbers = this.numbers.get(channel) ?? []
    this.numbers.set(channel, numbers)
    const number = Number(message)
    if (number <= (numbers.at(-1) ?? -1)) this.disordered++
    numbers.push(number)
    this.total++
  }
}

async function publish(redis: Redis, channel: string, number: number): Promise<Sent> {
  const from = Date.now()
  const receivers = await redis.publish(channel, String(number))
  return { channel, number, from, to: Date.now(), receivers }
}

/**
 * Publishes in as many rounds as there are losses, cuts in the middle of each, in every second one when much is on its
 * way, and waits for the gap to be told.
 */
async function run({ messages, losses, protocol }: Plan): Promise<Findings> {
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed: 5 })
  await using publisher = new Redis(server.url)
  await using redis = new Redis(proxy.url, { protocol, maxConnections: 2, backoffMax: 20, pingInterval: 20 })
  const gaps: SubscriptionGap[] = []
  redis.on('gap', (gap) => gaps.push(gap))
  const channels = Array.from({ length: CHANNELS }, (_, index) => `channel:${index}`)
  const received = new Received()
  await redis.subscribe(channels, received.listen)
  const sent: Sent[] = []
  const next = new Map<string, number>()
  const send = async (count: number): Promise<void> => {
    const batch = Array.from({ length: count }, (_, index) => {
      const channel = channels[(sent.length + index) % CHANNELS] ?? ''
      const number = next.get(channel) ?? 0
      next.set(channel, number + 1)
      return publish(publisher, channel, number)
    })
    sent.push(...(await Promise.all(batch)))
  }
  const part = Math.floor(messages / losses / 4)
  for (let round = 1; round <= losses; round++) {
    await send(part)
    const surelyLost = async (): Promise<void> => {
      proxy.hold('down')
      await send(part)
    }
    const before = received.total
    const onTheWay = send(part)
    await until('messages arrive', () => received.total > before)
    if (round % 2 === 0) await surelyLost()
    proxy.killAll(round % 4 === 0 ? 'fin' : 'rst')
    proxy.release('down')
    await onTheWay
    await until(`gap ${round} is told`, () => gaps.length >= round)
    await send(round % 2 === 0 ? part : 2 * part)
  }
  const settled = new Map(next)
  await send(CHANNELS)
  const last = (channel: string): number => received.numbers.get(channel)?.at(-1) ?? -1
  await until('the last messages arrive', () => channels.every((channel) => last(channel) === settled.get(channel)))
  return judge(sent, received, gaps)
}

function judge(sent: readonly Sent[], received: Received, gaps: SubscriptionGap[]): Findings {
  const findings: Findings = {
    disordered: received.disordered,
    unannounced: 0,
    missed: 0,
    delivered: received.total,
    gaps,
  }
  const arrived = new Map([...received.numbers].map(([channel, numbers]) => [channel, new Set(numbers)]))
  for (const { channel, number, from, to } of sent) {
    if (arrived.get(channel)?.has(number)) continue
    findings.missed++
    if (!gaps.some((gap) => gap.channels.includes(channel) && gap.from <= to && from <= gap.to)) findings.unannounced++
  }
  return findings
}

describe('a subscriber whose connection is lost', { skip: liveSkip }, () => {
  for (const protocol of [3, 2] as const) {
    it(`misses nothing but what an announced gap covers, under RESP${protocol}`, async (test) => {
      const losses = 20
      const findings = await run({ messages: 10_000, losses, protocol })
      test.diagnostic(`${findings.delivered} delivered, ${findings.missed} missed in ${findings.gaps.length} gaps`)
      assert.equal(findings.disordered, 0, 'delivered twice or out of order')
      assert.equal(findings.unannounced, 0, 'missed outside of every gap')
      assert.equal(findings.gaps.length, losses)
      assert.equal(findings.delivered + findings.missed, 10_000 + CHANNELS)
      assert.ok(findings.gaps.every(({ channels }) => channels.length === CHANNELS))
      assert.ok(findings.delivered > 5_000 && findings.missed > 0, 'the run proves nothing')
    })
  }

  const small: Plan = { messages: 1_000, losses: 4, protocol: 3 }

  it('would be found out if it announced a gap that begins too late', async () => {
    const { unannounced } = await withMistake(
      GapWatch.prototype,
      'begin',
      (begin) =>
        function (this: GapWatch, from, cause) {
          begin.call(this, from + 3_600_000, cause)
        },
      () => run(small),
    )
    assert.ok(unannounced > 0)
  })

  it('would be found out if it told a message twice', async () => {
    const { disordered } = await withMistake(
      Subscriber.prototype,
      'received',
      (tell) =>
        function (this: Subscriber, message) {
          tell.call(this, message)
          tell.call(this, message)
        },
      () => run(small),
    )
    assert.ok(disordered > 0)
  })
})
