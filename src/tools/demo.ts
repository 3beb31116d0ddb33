// Owns the course of `respool demo`: find a server, run the three parts, report each when it is done, leave nothing.

import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { type ConnectionPool, type Redis, VERSION } from '../index.js'
import { connectTo } from './control.js'
import { type Comparison, compare } from './demo-comparison.js'
import type { DemoContext, Plan } from './demo-context.js'
import { type Exhaustion, exhaust } from './demo-exhaustion.js'
import { keptPromises, killUnderLoad, type Recovery } from './demo-recovery.js'
import { comparisonLines, exhaustionLines, headLines, type Machine, recoveryLines } from './demo-report.js'
import type { RunningServer } from './server.js'
import { printableLines, type Screen, type Terminal } from './terminal.js'

/** What `--json` prints; raised when a field changes its meaning or goes. */
export const SCHEMA_VERSION = 1

export interface DemoDocument {
  readonly schemaVersion: typeof SCHEMA_VERSION
  readonly command: 'demo'
  readonly startedAt: string
  readonly machine: Machine
  /** True when the run was ended early; parts that did not come to an end are then null. */
  readonly interrupted: boolean
  readonly comparison: Comparison | null
  readonly exhaustion: Exhaustion | null
  readonly recovery: Recovery | null
}

export interface DemoOptions {
  readonly server: RunningServer
  readonly plan: Plan
  readonly json: boolean
  readonly signal: AbortSignal
  readonly terminal: Terminal
  /** Told of each pool whose course is worth watching. */
  readonly watch?: (pool: ConnectionPool) => void
}

/** Runs the demo; the document says what was found, whether it was printed as text or as JSON. */
export async function demo(options: DemoOptions): Promise<DemoDocument> {
  const { server, plan, json, signal, terminal, watch = () => {} } = options
  const startedAt = new Date().toISOString()
  const control = await connectTo(server)
  const say = <T>(lines: (part: T, screen: Screen) => string[], part: T | undefined): T | null => {
    if (part === undefined) return null
    if (!json) terminal.result(lines(part, terminal.out).join('\n'))
    return part
  }
  try {
    const machine = await describe(server, control)
    say(headLines, machine)
    const prefix = `respool-demo:${randomBytes(4).toString('hex')}:`
    const progress = (text: string, detail?: string) => terminal.progress(text, detail)
    const context: DemoContext = { url: server.url, plan, signal, prefix, control, progress, watch }
    const comparison = say(comparisonLines, await compare(context))
    const exhaustion = say(exhaustionLines, await exhaust(context))
    const recovery = say(recoveryLines, await killUnderLoad(context))
    const interrupted = signal.aborted
    const document: DemoDocument = {
      schemaVersion: SCHEMA_VERSION,
      command: 'demo',
      startedAt,
      machine,
      interrupted,
      comparison,
      exhaustion,
      recovery,
    }
    if (json) terminal.result(printableLines(JSON.stringify(document, null, 2)))
    else if (interrupted) terminal.result('\n  Interrupted: this is what was measured so far.')
    return document
  } finally {
    terminal.clear()
    await control.close({ timeout: 1_000 })
  }
}

/** Whether everything that was tried worked as promised. */
export function succeeded({ recovery }: DemoDocument): boolean {
  return recovery === null || keptPromises(recovery)
}

async function describe({ kind, engine }: RunningServer, control: Redis): Promise<Machine> {
  return {
    respool: VERSION,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpus: availableParallelism(),
    engine: kind === 'given' ? `${await versionOf(control)} at ${engine}` : engine,
  }
}

async function versionOf(control: Redis): Promise<string> {
  const info = await control.info('server').then(String, () => '')
  const [, valkey] = /^valkey_version:(\S{1,80})/m.exec(info) ?? []
  const [, redis = 'of unknown version'] = /^redis_version:(\S{1,80})/m.exec(info) ?? []
  return valkey === undefined ? `redis-server ${redis}` : `valkey-server ${valkey}`
}
