// Owns the taking of a snapshot: it reads the parts of a pool and changes none.

import type { DurationHistogram } from '../base/histogram.js'
import type { Tally } from '../connection/tally.js'
import type { PoolDependencies } from './contract.js'
import type { PoolCore } from './core.js'
import { type CommandStats, type DurationStats, holdersOf, type PoolStats, type StatsOptions } from './stats.js'

export function snapshot(core: PoolCore, deps: PoolDependencies, madeAt: number, options: StatsOptions): PoolStats {
  const { bounds } = options
  const now = core.now()
  const { settings, address } = deps
  const { cache, dispatch, roster, counters, limits, phase, supply } = core
  const { wait, use, reply, connect, peaks } = counters
  const commands = commandsOf(core.intake.tallies.all(), bounds)
  return {
    name: settings.name ?? address,
    address,
    database: core.database,
    state: phase,
    takenAt: Date.now(),
    age: now - madeAt,
    maxConnections: limits.maxConnections,
    minConnections: limits.minConnections,
    lendable: dispatch.maxLeases,
    connections: { ...roster.counts(), total: roster.total },
    connectionTime: roster.times(now),
    waiting: {
      total: dispatch.waiting,
      leases: dispatch.leases.length,
      commands: dispatch.waitingCommands,
      longest: dispatch.longestWait(now),
    },
    peaks: { ...peaks },
    inFlight: roster.all().reduce((sum, { connection }) => sum + connection.inFlight, 0),
    counters: countersOf(core, commands),
    durations: {
      wait: durationsOf(wait, bounds),
      use: durationsOf(use, bounds),
      reply: durationsOf(reply, bounds),
      connect: durationsOf(connect, bounds),
    },
    commands,
    ...(cache === undefined ? {} : { cache: cache.stats() }),
    holders: holdersOf(roster.at('leased'), now),
    loopDelay: core.keeper.loopDelay,
    lastConnectError: supply.lastError?.message,
  }
}

function countersOf(core: PoolCore, commands: PoolStats['commands']): PoolStats['counters'] {
  const { counters, dispatch, roster } = core
  const { acquired, released, waited, served, timedOut, expired, turnedAway } = counters
  const { turnedLate, leaksReported, retried, opened, closed } = counters
  const all = Object.values(commands)
  const sum = (count: (command: CommandStats) => number): number =>
    all.reduce((total, command) => total + count(command), 0)
  return {
    calls: sum(({ calls }) => calls),
    succeeded: sum(({ replies }) => replies.count),
    failed: sum(({ failures }) => Object.values(failures).reduce((total, { count }) => total + count, 0)),
    ...counters.traffic(roster.all()),
    dialed: roster.begun,
    opened,
    closed: Object.fromEntries(closed),
    acquired,
    released,
    waited,
    served,
    timedOut,
    expired,
    turnedAway,
    // Whoever leaves the queues in any other way.
    abandoned: waited - served - timedOut - expired - turnedAway - dispatch.waiting,
    turnedLate,
    leaksReported,
    retried,
  }
}

function commandsOf(tallies: Iterable<Tally>, bounds: StatsOptions['bounds']): Record<string, CommandStats> {
  const commands: Record<string, CommandStats> = {}
  for (const { name, calls, replies, failures } of tallies) {
    const byKind = [...failures].map(([kind, durations]) => [kind, durationsOf(durations, bounds)])
    commands[name] = { calls, replies: durationsOf(replies, bounds), failures: Object.fromEntries(byKind) }
  }
  return commands
}

function durationsOf(durations: DurationHistogram, bounds: StatsOptions['bounds']): DurationStats {
  const summary = durations.summary()
  return bounds === undefined ? summary : { ...summary, buckets: durations.buckets(bounds) }
}
