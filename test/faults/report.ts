// Owns the document that programs read of a run, and what the run was made on. Measures nothing.

import { availableParallelism } from 'node:os'
import { VERSION } from '../../src/index.js'
import type { Contender } from './comparison.js'
import { p99 } from './recovery.js'
import type { Tier } from './row.js'
import { isGreen, type Result } from './runner.js'

export interface Machine {
  readonly respool: string
  readonly redis: string
  readonly node: string
  readonly platform: string
  readonly cores: number
}

export interface Run {
  readonly tier: Tier
  readonly seed: number
  readonly results: readonly Result[]
  readonly contenders: readonly Contender[]
}

export function machine(): Machine {
  return {
    respool: VERSION,
    redis: process.env.REDIS_SERVER_VERSION ?? 'of unknown version',
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cores: availableParallelism(),
  }
}

/** Everything that was found, for programs. */
export function documentOf({ tier, seed, results, contenders }: Run): object {
  return {
    schemaVersion: 1,
    date: new Date().toISOString(),
    machine: machine(),
    tier,
    seed,
    rows: results.map(rowDocument),
    sideBySide: contenders,
  }
}

function rowDocument(result: Result): object {
  const { row, size, took, outcome, problems, log } = result
  return {
    id: row.id,
    fault: row.fault,
    injection: row.injection,
    expected: row.expected,
    tier: size,
    green: isGreen(result),
    took,
    operations: outcome?.operations ?? null,
    faults: outcome?.faults ?? null,
    verdict: outcome?.verdict ?? null,
    recoveryP99: outcome?.recovery === undefined ? null : p99(outcome.recovery),
    checks: outcome?.checks ?? [],
    examples: outcome?.examples ?? [],
    problems,
    log,
  }
}
