// Owns the questions that the doctor asks a server. What is refused stays a fact of its own; judges nothing.

import { ConnectionPool, Redis } from '../index.js'
import { measureRoundTrips, type RoundTrips } from './doctor-round-trips.js'
import { lookAtTls, type TlsFacts } from './doctor-tls.js'
import { type CommandTimes, commandTimes, type Info, readClients, readInfo, type ServerClient } from './server-info.js'
import { type Answer, ask, mapped } from './server-questions.js'

const SETTINGS = [
  'timeout',
  'tcp-keepalive',
  'maxclients',
  'maxmemory',
  'maxmemory-policy',
  'slowlog-log-slower-than',
] as const

export type Setting = (typeof SETTINGS)[number]

export interface SlowEntry {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly microseconds: number
  /** Its name alone: arguments hold keys and values. */
  readonly command: string
}

export interface ServerFacts {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly address: string
  readonly roundTrips: RoundTrips
  readonly tls: TlsFacts | undefined
  /** The version of RESP that was agreed upon; undefined where the answer did not tell. */
  readonly protocol: Answer<number | undefined>
  readonly info: Answer<Info>
  readonly commands: Answer<readonly CommandTimes[]>
  readonly settings: Readonly<Record<Setting, Answer<string | undefined>>>
  readonly clients: Answer<readonly ServerClient[]>
  readonly slowlog: Answer<readonly SlowEntry[]>
  /** What a pool made from this URL would do. */
  readonly pool: { readonly maxConnections: number; readonly idleTimeout: number; readonly pingInterval: number }
}

export interface Patient {
  readonly url: string
  /** Of an authority to trust, in PEM. */
  readonly ca: string | undefined
}

export const CLIENT_NAME = 'respool-doctor'
const CONNECT_WITHIN = 3_000
const ANSWER_WITHIN = 5_000
const SLOW_ENTRIES = 128

/** The options are the doctor's own: those that the URL brings for a pool are looked at, not used. */
export function connectionTo({ url, ca }: Patient): Redis {
  return new Redis(url, {
    // A server that is nearly full has a place for one.
    maxConnections: 1,
    minConnections: 0,
    lanes: 1,
    connectTimeout: CONNECT_WITHIN,
    acquireTimeout: CONNECT_WITHIN,
    commandTimeout: ANSWER_WITHIN,
    retry: 'none',
    clientName: CLIENT_NAME,
    ...(ca === undefined ? {} : { tls: { ca } }),
  })
}

/** Asks everything. Rejects when the connection is lost, not when an answer is refused. */
export async function examine(patient: Patient, redis: Redis, signal: AbortSignal): Promise<ServerFacts> {
  const roundTrips = await measureRoundTrips(redis, signal)
  const [info, stats, clients, slowlog, tls] = await Promise.all([
    ask('INFO', () => redis.info().then(String)),
    ask('INFO', () => redis.info('commandstats').then(String)),
    ask('CLIENT LIST', () => redis.sendCommand(['CLIENT', 'LIST']).then(String)),
    ask('SLOWLOG GET', () => redis.sendCommand(['SLOWLOG', 'GET', String(SLOW_ENTRIES)])),
    lookAtTls(patient.url, patient.ca).catch(() => undefined),
  ])
  const settings = await Promise.all(SETTINGS.map(async (name) => [name, await setting(redis, name)] as const))
  // Last, because a connection that has sent it is not used again.
  const protocol = await ask('HELLO', () => redis.lease((connection) => connection.sendCommand(['HELLO'])))
  return {
    at: Date.now(),
    address: redis.pool.stats().address,
    roundTrips,
    tls,
    protocol: mapped(protocol, protocolIn),
    info: mapped(info, readInfo),
    commands: mapped(stats, (text) => commandTimes(readInfo(text))),
    settings: fromEntries(settings),
    clients: mapped(clients, readClients),
    slowlog: mapped(slowlog, slowEntries),
    pool: poolOptions(patient),
  }
}

type Entry = readonly [Setting, Answer<string | undefined>]

function fromEntries(entries: readonly Entry[]): Record<Setting, Answer<string | undefined>> {
  const none: Answer<undefined> = { value: undefined }
  const table: Record<Setting, Answer<string | undefined>> = {
    timeout: none,
    'tcp-keepalive': none,
    maxclients: none,
    maxmemory: none,
    'maxmemory-policy': none,
    'slowlog-log-slower-than': none,
  }
  for (const [name, answer] of entries) table[name] = answer
  return table
}

function setting(redis: Redis, name: Setting): Promise<Answer<string | undefined>> {
  return ask('CONFIG GET', async () => {
    const reply = await redis.configGet(name)
    const value: unknown = Reflect.get(Object(reply), name)
    return value === undefined ? undefined : String(value)
  })
}

function poolOptions({ url }: Patient): ServerFacts['pool'] {
  const pool = new ConnectionPool(url)
  const { maxConnections, idleTimeout, pingInterval } = pool.options
  pool.destroy()
  return { maxConnections, idleTimeout, pingInterval }
}

/** `proto` of the reply to HELLO: a flat list, or a map. */
function protocolIn(reply: unknown): number | undefined {
  const flat: readonly unknown[] = Array.isArray(reply) ? reply : Object.entries(Object(reply)).flat()
  const value = flat[flat.findIndex((each) => String(each) === 'proto') + 1]
  return value === undefined ? undefined : Number(value)
}

function slowEntries(reply: unknown): SlowEntry[] {
  if (!Array.isArray(reply)) return []
  return reply.flatMap((entry: unknown) => {
    if (!Array.isArray(entry) || !Array.isArray(entry[3])) return []
    const name = String(entry[3][0])
    const command = /^[\w.|-]{1,32}$/.test(name) ? name.toUpperCase() : 'another command'
    return [{ at: Number(entry[1]) * 1_000, microseconds: Number(entry[2]), command }]
  })
}
