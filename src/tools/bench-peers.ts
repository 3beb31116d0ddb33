// Owns how the clients under test are made: respool, and peers that the project here has installed. Nothing of a peer is
// known but the names of the functions called, so all of it is looked at before it is called. Measures nothing.

import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Redis, VERSION } from '../index.js'
import type { BenchPlan, PeerName } from './bench-plan.js'

/** A connected client. */
export interface Subject {
  readonly name: string
  readonly version: string
  /** In words, what is not as installed. */
  readonly settings: string
  /** Both give what can be awaited. */
  get(key: string): unknown
  set(key: string, value: string): unknown
  close(): Promise<void>
}

/** Why a peer is not measured. */
export interface Missing {
  readonly name: string
  readonly reason: string
}

export interface Field {
  readonly subjects: readonly Subject[]
  readonly missing: readonly Missing[]
}

const CONNECTS_WITHIN = 5_000

/** respool first, then the peers; closes again what was connected when respool itself cannot be. */
export async function makeField(url: string, { pool, peers }: BenchPlan, folder: string): Promise<Field> {
  const subjects: Subject[] = [await connectRespool(url, pool)]
  const missing: Missing[] = []
  for (const name of peers) {
    try {
      subjects.push(...(await within(connectPeer(name, url, folder))))
    } catch (error) {
      missing.push({ name, reason: reasonOf(error, url) })
    }
  }
  return { subjects, missing }
}

/** The first line of its message, for what a peer says has no limit; and without what the URL keeps secret. */
function reasonOf(error: unknown, url: string): string {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
  return secretsOf(url)
    .reduce((text, secret) => text.replaceAll(secret, '[redacted]'), line)
    .slice(0, 200)
}

/** The URL itself, its login and its query, as they are written and as they are meant; longest first. */
function secretsOf(url: string): string[] {
  const [, login = '', query = ''] = /^[^/]*\/\/(?:(.*)@)?[^?]*(?:\?(.*))?$/s.exec(url) ?? []
  const password = login.slice(login.indexOf(':') + 1)
  const written = [url, query, login, password].filter((text) => text !== '')
  return [...written, ...written.map(decoded)].sort((a, b) => b.length - a.length)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

async function connectRespool(url: string, pool: BenchPlan['pool']): Promise<Subject> {
  const redis = await new Redis(url, pool).connect()
  const { maxConnections, pipelining, lanes } = pool
  const classic = pipelining === 1
  return {
    name: 'respool',
    version: VERSION,
    settings: `maxConnections ${maxConnections}, ${classic ? 'pipelining 1' : `lanes ${lanes}, pipelining ${pipelining}`}`,
    get: (key) => redis.get(key),
    set: (key, value) => redis.set(key, value),
    close: () => redis.close({ timeout: 1_000 }),
  }
}

async function connectPeer(name: PeerName, url: string, folder: string): Promise<Subject[]> {
  const { module, version } = await load(name, folder)
  switch (name) {
    case 'redis': {
      const client = functionIn(module, 'createClient')({ url })
      functionIn(client, 'on')('error', () => {})
      await functionIn(client, 'connect')()
      return [subjectFrom(client, name, version, '', 'destroy')]
    }
    case 'ioredis': {
      const Client = functionIn(module, 'Redis')
      const clients = [{}, { enableAutoPipelining: true }].map((options) => {
        const client: unknown = Reflect.construct(Client, [url, { ...options, lazyConnect: true }])
        functionIn(client, 'on')('error', () => {})
        return client
      })
      await Promise.all(clients.map((client) => functionIn(client, 'connect')()))
      return clients.map((client, index) =>
        subjectFrom(client, name, version, index === 0 ? '' : 'enableAutoPipelining', 'disconnect'),
      )
    }
    case '@valkey/valkey-glide': {
      const { GlideClient: maker, Logger: log } = Object(module)
      // It logs to stdout, where our results go.
      functionIn(log, 'setLoggerConfig')('off')
      const client = await functionIn(maker, 'createClient')(glideOptions(url))
      return [subjectFrom(client, name, version, '', 'close')]
    }
    default:
      return name satisfies never
  }
}

/** This client takes no URL. */
function glideOptions(url: string): object {
  const { protocol, hostname, port, username, password, pathname } = new URL(url)
  if (!/^(redis|valkey)s?:$/.test(protocol)) throw new Error('it cannot be given this kind of address')
  const address = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6379) }
  const login = password === '' ? {} : { credentials: loginOf(username, password) }
  const database = Number(pathname.slice(1) || 0)
  // Its defaults refuse what is more than 1 000 at once, and what takes longer than 250 ms.
  const patience = { advancedConfiguration: { connectionTimeout: CONNECTS_WITHIN } }
  const limits = { inflightRequestsLimit: 100_000, requestTimeout: 30_000, ...patience }
  return {
    addresses: [address],
    useTLS: protocol === 'rediss:' || protocol === 'valkeys:',
    databaseId: database,
    ...login,
    ...limits,
  }
}

function loginOf(username: string, password: string): object {
  const decoded = { password: decodeURIComponent(password) }
  return username === '' ? decoded : { ...decoded, username: decodeURIComponent(username) }
}

type Call = (...args: unknown[]) => unknown

const isCall = (value: unknown): value is Call => typeof value === 'function'

/** Bound, so that it can be called by itself. */
function functionIn(owner: unknown, name: string): Call {
  const found: unknown = Reflect.get(Object(owner), name)
  if (!isCall(found)) throw new Error(`it has no ${name}(); another version of it may have`)
  return /^[A-Z]/.test(name) ? found : found.bind(owner)
}

function subjectFrom(client: unknown, name: string, version: string, settings: string, ending: string): Subject {
  const [get, set, end] = [functionIn(client, 'get'), functionIn(client, 'set'), functionIn(client, ending)]
  return {
    name,
    version,
    settings,
    get: (key) => get(key),
    set: (key, value) => set(key, value),
    close: async () => {
      await end()
    },
  }
}

/** As a program in that folder would import it; a package that is not there is not looked for anywhere else. */
async function load(name: PeerName, folder: string): Promise<{ module: unknown; version: string }> {
  const require = createRequire(join(folder, 'here.js'))
  let entry: string
  try {
    entry = require.resolve(name)
  } catch {
    throw new Error(`not installed here (npm install ${name})`)
  }
  return { module: await import(pathToFileURL(entry).href), version: versionAbove(dirname(entry), name) }
}

function versionAbove(folder: string, name: string): string {
  const file = join(folder, 'package.json')
  if (existsSync(file)) {
    const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'))
    const { name: own, version } = Object(manifest)
    if (own === name && typeof version === 'string') return version
  }
  const above = dirname(folder)
  return above === folder ? 'of unknown version' : versionAbove(above, name)
}

async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it did not connect in time')), CONNECTS_WITHIN)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
