// Row B7: everything goes byte by byte, both ways.

import { Redis } from '../../../src/index.js'
import { FakeServer } from '../../support/fake-server.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import type { Context, Outcome } from '../row.js'
import { CLEAN } from '../verdict.js'
import { atLeast, endedConnections, exactly } from './figures.js'
import { endOf, isSame, replyKinds } from './reply-kinds.js'
import { SETTINGS } from './settings.js'

/** Calls under way at once on each pool. */
const CALLERS = 8
/** A byte in each turn of the event loop takes its time. */
const DEADLINE = 10_000

export async function drip(context: Context): Promise<Outcome> {
  const { seed, scale } = context
  const operations = scale(1_000, 10_000)
  await using server = await FakeServer.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed })
  context.trace(proxy.log)
  proxy.slice(1)
  const kinds = replyKinds()
  server
    .expect('GET')
    .always()
    .do((connection, [, key]) => connection.send(kinds[Number(key)]?.bytes ?? ''))
  const crossed: string[] = []
  let calls = 0
  let ended = 0
  let bytes = 0
  for (const protocol of [2, 3] as const) {
    const options = { ...SETTINGS, commandTimeout: DEADLINE }
    const redis = protocol === 2 ? new Redis(proxy.url, { ...options, protocol }) : new Redis(proxy.url, options)
    const own = [...kinds.entries()].filter(([, kind]) => kind.protocol === protocol)
    const share = Math.ceil((operations * own.length) / kinds.length)
    const queue = repeated(own, share)
    const work = async (): Promise<void> => {
      for (const [index, kind] of queue) {
        calls++
        const end = await endOf(redis.sendCommand(['GET', String(index)]))
        if (!isSame(kind.whole, end))
          crossed.push(`crossed: ${kind.kind} in RESP${protocol} came as ${JSON.stringify(end)}`)
      }
    }
    try {
      await Promise.all(Array.from({ length: CALLERS }, work))
      ended += endedConnections(redis.pool.stats())
      for (const link of proxy.links) bytes += link.bytes('up') + link.bytes('down')
    } finally {
      redis.destroy()
    }
  }
  return {
    operations: calls,
    faults: bytes,
    verdict: { ...CLEAN, crossed: crossed.length },
    examples: crossed,
    checks: [
      atLeast('calls made', calls, operations),
      atLeast('bytes that came one by one, for each call', bytes / calls, 25),
      exactly('kinds of replies', new Set(kinds.map(({ kind }) => kind)).size, 20),
      exactly('connections that ended', ended, 0),
    ],
  }
}

/** The same ones over and over; all callers share it. */
function* repeated<T>(items: readonly T[], count: number): Generator<T> {
  for (let given = 0; given < count; ) for (const item of items) if (given++ < count) yield item
}
