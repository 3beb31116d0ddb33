// Owns the course of `respool doctor`: reach the server, ask it, look at the pools, say what was found, leave nothing.

import { CommandTimeoutError, OptionError, type Redis } from '../index.js'
import { isTls } from './authority.js'
import { clientFindings, type Fleet } from './doctor-clients.js'
import { connectionTo, examine, type Patient, type ServerFacts } from './doctor-facts.js'
import { exitCodeOf, type Finding, found, type Severity, worstOf } from './doctor-finding.js'
import { examinePools } from './doctor-pools.js'
import { unreachable } from './doctor-reach.js'
import { roundTripFindings } from './doctor-round-trips.js'
import { serverFindings } from './doctor-server.js'
import { slowFindings } from './doctor-slow.js'
import { tlsFindings } from './doctor-tls.js'
import type { Endpoint } from './pool-endpoint.js'

/** What `--json` prints; raised when a field changes its meaning or goes. */
export const SCHEMA_VERSION = 1

export interface DoctorDocument {
  readonly schemaVersion: typeof SCHEMA_VERSION
  readonly command: 'doctor'
  readonly startedAt: string
  /** Whether it was ended early, so that findings are missing. */
  readonly interrupted: boolean
  /** `host:port` of the server; null where only pools were looked at. */
  readonly server: string | null
  /** Null where findings are missing, and where there are none: what was not seen may be worse. */
  readonly worst: Severity | null
  /** Null where it was ended early: the signal that did so gives the code then. */
  readonly exitCode: number | null
  readonly findings: readonly Finding[]
}

export interface DoctorOptions {
  readonly patient: Patient | undefined
  /** `maxConnections` defaults to that of a pool made from the URL. */
  readonly fleet: { readonly processes: number; readonly maxConnections: number | undefined } | undefined
  readonly endpoints: readonly Endpoint[]
  readonly signal: AbortSignal
}

interface Examination {
  readonly findings: readonly Finding[]
  readonly reached: boolean
  readonly address: string | null
}

export async function doctor(options: DoctorOptions): Promise<DoctorDocument> {
  const startedAt = new Date().toISOString()
  const { patient, endpoints, signal } = options
  const nobody: Examination = { findings: [], reached: false, address: null }
  const [server, pools] = await Promise.all([
    patient === undefined ? nobody : examineServer(patient, options),
    examinePools(endpoints, signal),
  ])
  const findings = [...server.findings, ...pools.findings]
  const interrupted = signal.aborted
  return {
    schemaVersion: SCHEMA_VERSION,
    command: 'doctor',
    startedAt,
    interrupted,
    server: server.address,
    worst: interrupted ? null : worstOf(findings),
    exitCode: interrupted ? null : exitCodeOf(findings, server.reached || pools.reached),
    findings,
  }
}

async function examineServer(patient: Patient, { fleet, signal }: DoctorOptions): Promise<Examination> {
  const redis = connectionTo(patient)
  const { address } = redis.pool.stats()
  const leave = () => redis.destroy()
  signal.addEventListener('abort', leave)
  try {
    await redis.connect()
    return { findings: [reachable(address), ...(await ask(patient, redis, fleet, signal))], reached: true, address }
  } catch (error) {
    if (error instanceof OptionError) throw error
    return { findings: signal.aborted ? [] : [unreachable(error, isTls(patient.url))], reached: false, address }
  } finally {
    signal.removeEventListener('abort', leave)
    leave()
  }
}

const reachable = (address: string): Finding =>
  found('reachability', 'ok', `${address} accepts connections and answers`)

async function ask(
  patient: Patient,
  redis: Redis,
  fleet: DoctorOptions['fleet'],
  signal: AbortSignal,
): Promise<Finding[]> {
  try {
    const facts = await examine(patient, redis, signal)
    return judge(facts, fleet)
  } catch (error) {
    return signal.aborted ? [] : [lost(error)]
  }
}

function judge(facts: ServerFacts, fleet: DoctorOptions['fleet']): Finding[] {
  const sized: Fleet | undefined = fleet && {
    processes: fleet.processes,
    maxConnections: fleet.maxConnections ?? facts.pool.maxConnections,
  }
  return [
    ...roundTripFindings(facts.roundTrips),
    ...(facts.tls === undefined ? [] : tlsFindings(facts.tls, facts.at)),
    ...serverFindings(facts),
    ...clientFindings(facts, sized),
    ...slowFindings(facts),
  ]
}

/** It was there, and then it was not. */
function lost(error: unknown): Finding {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof CommandTimeoutError) {
    return found('answers', 'critical', `it stopped answering: ${message}`, {
      means: 'slow-server: a slow command or script keeps it from all others, or it was stopped',
      remedy: 'look at its process and its CPU; once it answers, SLOWLOG GET shows what it did',
    })
  }
  return found('answers', 'critical', `it could not be asked to the end: ${message}`, {
    means: 'the server or the network went away meanwhile',
    remedy: 'run the doctor again; look into the log of the server',
  })
}
