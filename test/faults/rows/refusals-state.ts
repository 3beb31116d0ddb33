// Rows C1 to C3: the server is full, loads its data set, or runs a script.

import { ConnectionPoolTimeoutError, type Lease, MaxClientsError } from '../../../src/index.js'
import { pause, until, Witness } from '../../live/support-live.js'
import { RedisProcess } from '../../support/redis-process.js'
import { recovery, recoveryCheck } from '../recovery.js'
import type { Context, Outcome } from '../row.js'
import { respool } from '../subject.js'
import { startWorkload } from '../workload.js'
import {
  atLeast,
  atMost,
  endedConnections,
  errorCount,
  exactly,
  failedCalls,
  failedDials,
  succeedsAgain,
} from './figures.js'
import { SETTINGS } from './settings.js'

/** Connections that a full server has for the pool, which would like more. */
const ROOM = 3
const WANTED = 8
/** Milliseconds for which the server stays full. */
const FULL_FOR = 1_000
/** Connections of the witnesses: that of the row, and that of the workload. */
const WITNESSES = 2

export async function fullServer(context: Context): Promise<Outcome> {
  const rounds = context.scale(1, 10)
  await using server = await RedisProcess.start({ config: { maxclients: ROOM + WITNESSES } })
  await using witness = await Witness.connect(server.port)
  const settings = { ...SETTINGS, maxConnections: WANTED, acquireTimeout: 5_000, clientName: 'subject' }
  const subject = respool(server.url, settings)
  const { pool } = subject.redis
  const recoveries: number[] = []
  let attempts = 0
  let seconds = 0
  let explained = 0
  let oldProtocol = 0
  let busy = true
  const workload = startWorkload(subject, server.port, {
    operations: context.scale(3_000, 30_000),
    seed: context.seed,
    deadline: SETTINGS.commandTimeout,
    busy: () => busy,
  })
  try {
    for (let round = 0; round < rounds; round++) {
      await until('the pool has what there is room for', () => pool.stats().connections.shared > 0)
      const before = failedDials(pool.stats())
      const from = performance.now()
      const leases = Array.from({ length: WANTED - 1 }, () => subject.redis.lease())
      if (await isExplained(subject.redis.lease({ timeout: FULL_FOR / 2 }))) explained++
      await pause(FULL_FOR - (performance.now() - from))
      attempts += failedDials(pool.stats()) - before
      seconds += (performance.now() - from) / 1_000
      await witness.ask('CONFIG', 'SET', 'maxclients', '1000')
      const raised = performance.now()
      const held: readonly Lease[] = await Promise.all(leases)
      recoveries.push(performance.now() - raised)
      oldProtocol += (await witness.clients()).filter(({ name, resp }) => name === 'subject' && resp === '2').length
      for (const lease of held) lease.release()
      pool.resize({ maxConnections: ROOM })
      await until('the pool is small again', () => pool.stats().connections.total <= ROOM)
      await witness.ask('CONFIG', 'SET', 'maxclients', String(ROOM + WITNESSES))
      pool.resize({ maxConnections: WANTED })
    }
    busy = false
    const { history, verdict, examples } = await workload.report
    return {
      operations: history.entries.length,
      faults: rounds,
      verdict,
      examples,
      recovery: recoveries,
      checks: [
        recoveryCheck(context, recoveries, 500),
        atLeast('connections refused', attempts, rounds),
        atMost('attempts a second for each that is missing', attempts / seconds / (WANTED - ROOM), 8),
        exactly('waits in vain that were told of the full server', explained, rounds),
        exactly('connections that fell back to RESP2', oldProtocol, 0),
        exactly('calls that failed on the connections there were', failedCalls(history), 0),
      ],
    }
  } finally {
    await subject.close()
  }
}

async function isExplained(lease: Promise<Lease>): Promise<boolean> {
  const error: unknown = await lease.then(
    (granted) => granted.release(),
    (reason: unknown) => reason,
  )
  return error instanceof ConnectionPoolTimeoutError && error.cause instanceof MaxClientsError
}

/** Keys that are loaded, one every millisecond; the server answers about every 10 ms meanwhile. */
const LOADING = {
  'key-load-delay': 1_000,
  'loading-process-events-interval-bytes': 1_024,
} as const
const PATIENT = 5_000

export async function loadingServer(context: Context): Promise<Outcome> {
  const rounds = context.scale(1, 5)
  await using server = await RedisProcess.start({ config: LOADING })
  await using witness = await Witness.connect(server.port)
  await witness.ask('DEBUG', 'POPULATE', String(context.scale(600, 2_000)), 'filler', '100')
  const settings = { ...SETTINGS, commandTimeout: PATIENT, acquireTimeout: PATIENT }
  const subject = respool(server.url, settings)
  const recoveries: number[] = []
  let busy = true
  const workload = startWorkload(subject, server.port, {
    operations: context.scale(3_000, 30_000),
    seed: context.seed,
    deadline: PATIENT,
    busy: () => busy,
  })
  try {
    for (let round = 0; round < rounds; round++) {
      await until('calls succeed', succeedsAgain(workload.history))
      await witness.ask('DEBUG', 'RELOAD')
      recoveries.push(await recovery(subject, PATIENT))
    }
    busy = false
    const { history, verdict, examples } = await workload.report
    const answered = await errorCount(server, 'LOADING')
    return {
      operations: history.entries.length,
      faults: rounds,
      verdict,
      examples,
      recovery: recoveries,
      checks: [
        recoveryCheck(context, recoveries, 250),
        atLeast('times the server answered LOADING', answered, rounds),
        exactly('calls that failed', failedCalls(history), 0),
      ],
    }
  } finally {
    await subject.close()
  }
}

const SCRIPT = 'while true do end'

export async function busyServer(context: Context): Promise<Outcome> {
  const rounds = context.scale(1, 5)
  const busyFor = context.scale(400, 2_000)
  await using server = await RedisProcess.start({ config: { 'lua-time-limit': 20 } })
  await using witness = await Witness.connect(server.port)
  await using culprit = await Witness.connect(server.port)
  const subject = respool(server.url, SETTINGS)
  const { pool } = subject.redis
  const recoveries: number[] = []
  let busy = true
  const workload = startWorkload(subject, server.port, {
    operations: context.scale(3_000, 30_000),
    seed: context.seed,
    deadline: SETTINGS.commandTimeout,
    busy: () => busy,
  })
  try {
    for (let round = 0; round < rounds; round++) {
      await until('calls succeed', succeedsAgain(workload.history))
      const killed = culprit.ask('EVAL', SCRIPT, '0').catch(() => {})
      await pause(busyFor)
      await witness.ask('SCRIPT', 'KILL')
      recoveries.push(await recovery(subject, PATIENT))
      await killed
    }
    busy = false
    const { history, verdict, examples } = await workload.report
    const { 'not-sent': unsent, ambiguous, rejected } = history.failed
    return {
      operations: history.entries.length,
      faults: rounds,
      verdict,
      examples,
      recovery: recoveries,
      checks: [
        recoveryCheck(context, recoveries, 50),
        atLeast('calls that were told BUSY', rejected, rounds),
        exactly('calls that failed in another way', unsent + ambiguous, 0),
        exactly('connections that ended', endedConnections(pool.stats()), 0),
      ],
    }
  } finally {
    await subject.close()
  }
}
