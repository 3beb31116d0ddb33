// Owns what the dashboard is made with: checked once, and never corrected.

import { randomBytes } from 'node:crypto'
import { ConnectionPool, OptionError, Redis } from '../index.js'

/** What has a pool, or is one. */
export type Watched = ConnectionPool | { readonly pool: ConnectionPool }

export interface DashboardOptions {
  /** What it shows: pools, or handles for theirs. More can be added. */
  readonly pools: Watched | readonly Watched[]
  /** What the page and other readers must know: 16 characters or more. Default: 128 random bits, new at each start. */
  readonly token?: string | undefined
  /**
   * The path it is mounted at, where requests come with all of their path, as in Fastify: `/respool`. Default: none,
   * as with `http.createServer` and `app.use` of Express, which takes the path off.
   */
  readonly base?: string | undefined
  /**
   * Values of the Host header that it answers for, with the port unless that is the scheme's own:
   * `['admin.example.com']`. Besides them always localhost and the address that a request came to.
   */
  readonly hosts?: readonly string[] | undefined
}

export interface ServeDashboardOptions extends DashboardOptions {
  /** Default 0: a free one. */
  readonly port?: number | undefined
  /** Default `127.0.0.1`. Any that is not of this machine alone needs a `token` of your own and `allowRemote`. */
  readonly host?: string | undefined
  /** Whether other machines may connect. Nothing is encrypted: put a proxy with TLS in front. Default false. */
  readonly allowRemote?: boolean | undefined
}

export interface DashboardSettings {
  readonly pools: readonly ConnectionPool[]
  readonly token: string
  readonly base: string
  readonly hosts: readonly string[]
}

const OWN = ['pools', 'token', 'base', 'hosts']
const SERVING = [...OWN, 'port', 'host', 'allowRemote']
const LOOPBACK: readonly string[] = ['127.0.0.1', '::1', 'localhost']

export function readDashboardOptions(options: DashboardOptions, known: readonly string[] = OWN): DashboardSettings {
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      throw new OptionError(`dashboard: unknown option '${name.slice(0, 40)}'; there are ${known.join(', ')}`)
  }
  const { pools, token = randomBytes(16).toString('base64url'), base = '', hosts = [] } = options
  if (typeof token !== 'string' || !/^[\w.~+/=-]{16,512}$/.test(token)) {
    throw new OptionError('token: expected 16 or more letters, digits or any of . _ ~ + / = -')
  }
  if (typeof base !== 'string' || !/^(?:(?:\/[\w.~-]+)*\/?)$/.test(base)) {
    throw new OptionError("base: expected a path such as '/respool'")
  }
  if (!Array.isArray(hosts) || hosts.some((host) => !/^[\w.:[\]-]+$/.test(host))) {
    throw new OptionError("hosts: expected values of the Host header such as 'admin.example.com' or '10.0.0.5:8080'")
  }
  return {
    pools: (isList(pools) ? pools : [pools]).map(poolIn),
    token,
    base: base.replace(/\/$/, ''),
    hosts: hosts.map((host) => host.toLowerCase()),
  }
}

export function readServeOptions(options: ServeDashboardOptions): DashboardSettings & { port: number; host: string } {
  const { port = 0, host = '127.0.0.1', allowRemote = false, token } = options
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new OptionError('port: expected a whole number from 0 to 65535')
  }
  if (typeof host !== 'string' || host === '') throw new OptionError('host: expected an address such as 127.0.0.1')
  if (!LOOPBACK.includes(host) && !(allowRemote === true && token !== undefined)) {
    throw new OptionError(
      `host: '${host.slice(0, 60)}' lets other machines connect; that needs a token of your own and allowRemote: true`,
    )
  }
  return { ...readDashboardOptions(options, SERVING), port, host }
}

/** The pool, or that of a handle. */
export function poolIn(watched: unknown): ConnectionPool {
  if (watched instanceof ConnectionPool) return watched
  if (watched instanceof Redis) return watched.pool
  throw new OptionError('pools: expected a ConnectionPool or a Redis, or an array of them')
}

const isList = (pools: Watched | readonly Watched[]): pools is readonly Watched[] => Array.isArray(pools)
