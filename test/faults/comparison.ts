// Owns the side by side: the same calls under the same storm, for respool and for other clients as they come.

import { VERSION } from '../../src/index.js'
import { FaultProxy } from '../support/fault-proxy.js'
import { RedisProcess } from '../support/redis-process.js'
import { installedPeers, type Peer } from './peers.js'
import { p99 } from './recovery.js'
import { storm } from './storm.js'
import { Strays } from './strays.js'
import { respool } from './subject.js'
import type { Verdict } from './verdict.js'
import { startWorkload } from './workload.js'

export const KILLS = 150
export const EVERY = 15
const OPERATIONS = 30_000
/** Peers have no deadline of their own; what has not settled by then never will. */
const DEADLINE = 5_000

export interface Contender {
  readonly name: string
  readonly operations: number
  readonly resets: number
  readonly verdict: Verdict
  /** Calls that failed. */
  readonly errors: number
  /** Of those, errors that do not say whether the command was applied. */
  readonly untyped: number
  readonly recoveryP99: number
}

export async function compare(seed: number, note: (line: string) => void): Promise<readonly Contender[]> {
  const own: Peer = {
    name: `respool ${VERSION}`,
    connect: async (port) => respool(`redis://127.0.0.1:${port}`, { commandTimeout: DEADLINE }),
  }
  const found: Contender[] = []
  for (const peer of [own, ...installedPeers()]) {
    note(peer.name)
    found.push(await endure(peer, seed))
  }
  return found
}

async function endure(peer: Peer, seed: number): Promise<Contender> {
  await using server = await RedisProcess.start()
  await using proxy = await FaultProxy.start({ port: server.port, seed })
  const strays = new Strays()
  const subject = await peer.connect(proxy.port)
  try {
    let storming = true
    const plan = { operations: OPERATIONS, seed, deadline: DEADLINE, busy: () => storming }
    const workload = startWorkload(subject, server.port, plan)
    const { recoveries } = await storm(proxy, subject, workload, { kills: KILLS, every: EVERY, seed })
    storming = false
    const { verdict, operations, history } = await workload.report
    const { 'not-sent': unsent, rejected, ambiguous } = history.failed
    return {
      name: peer.name,
      operations,
      resets: recoveries.length,
      verdict: { ...verdict, uncaught: (await strays.stop()).length },
      errors: unsent + rejected + ambiguous,
      untyped: history.untyped,
      recoveryP99: p99(recoveries),
    }
  } finally {
    await subject.close()
    await strays.stop()
  }
}
