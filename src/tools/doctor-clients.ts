// Owns what the server's clients mean to each other: how many there may be, who they are, who holds what. Pure: facts
// in, findings out.

import { CLIENT_NAME, type ServerFacts } from './doctor-facts.js'
import { type Finding, found, notAsked } from './doctor-finding.js'
import { bytes, counted, percent, shortSpan, span } from './figures.js'
import { type ClientGroup, figure, groupClients, type ServerClient } from './server-info.js'

export interface Fleet {
  readonly processes: number
  readonly maxConnections: number
}

export function clientFindings(facts: ServerFacts, fleet: Fleet | undefined): Finding[] {
  return [...limitFindings(facts, fleet), ...listFindings(facts), ...refusedFindings(facts)]
}

const CROWDED = 0.7
const FULL = 0.9

/** Where CONFIG is refused, INFO may still tell, since 6.2. */
function maxClientsOf({ info, settings }: ServerFacts): number | undefined {
  const told = info.value === undefined ? undefined : figure(info.value, 'maxclients')
  const set = Number(settings.maxclients.value ?? Number.NaN)
  return told ?? (Number.isFinite(set) ? set : undefined)
}

function limitFindings(facts: ServerFacts, fleet: Fleet | undefined): Finding[] {
  const most = maxClientsOf(facts)
  const { refused } = facts.settings.maxclients
  if (most === undefined) {
    return refused === undefined ? [] : [notAsked('clients', refused, 'how many clients the server takes is unknown')]
  }
  const connected =
    facts.clients.value?.length ?? (facts.info.value && figure(facts.info.value, 'connected_clients')) ?? undefined
  const findings: Finding[] = []
  if (connected !== undefined) {
    const share = connected / most
    const seen = `${counted(connected, 'client')} of at most ${most} (${percent(share)})`
    if (share < CROWDED) findings.push(found('clients', 'ok', seen))
    else {
      findings.push(
        found('clients', share < FULL ? 'warning' : 'critical', seen, {
          means: 'when the last place is taken, new connections are refused, those of pools that replace one too',
          remedy: 'lower maxConnections of the largest group below, or raise maxclients and the limit of open files',
        }),
      )
    }
  }
  return fleet === undefined ? findings : [...findings, fleetFinding(fleet, most)]
}

function fleetFinding({ processes, maxConnections }: Fleet, most: number): Finding {
  const wanted = processes * maxConnections
  const seen = `${counted(processes, 'process', 'processes')} of ${counted(maxConnections, 'connection')} each want up to ${wanted}; the server takes ${most}`
  const fits = Math.max(1, Math.floor((most * CROWDED) / processes))
  if (wanted <= most * CROWDED) return found('fleet', 'ok', seen)
  const remedy = `maxConnections: ${fits} leaves room for others, for a deployment in which old and new processes overlap, and for you`
  if (wanted > most) {
    return found('fleet', 'critical', seen, { means: 'under load some processes get no connection at all', remedy })
  }
  return found('fleet', 'warning', seen, { means: 'a deployment, or other clients, may take the rest', remedy })
}

const SHOWN = 5
const LONG_IDLE = 3_600
const LARGE_BUFFER = 1024 * 1024

function listFindings(facts: ServerFacts): Finding[] {
  const { clients } = facts
  if (clients.refused !== undefined) return [notAsked('who', clients.refused, 'who is connected is unknown')]
  const others = clients.value.filter(({ name, server }) => name !== CLIENT_NAME && !server)
  if (others.length === 0) return [found('who', 'ok', 'nobody else is connected')]
  const groups = groupClients(others)
  const more = groups.length - SHOWN
  const list = groups.slice(0, SHOWN).map(describe).join('; ')
  return [
    found('who', 'ok', `${list}${more > 0 ? `; and ${counted(more, 'more group')}` : ''}`),
    ...idleFindings(others, facts),
    ...namelessFindings(others),
    ...bufferFindings(others),
  ]
}

function describe({ name, count, from, library, longestIdle, blocked, named }: ClientGroup): string {
  const what = named && library !== '' ? `, ${library}` : ''
  return `${name}: ${count} from ${from}${what}, idle for up to ${shortSpan(longestIdle)}${blocked > 0 ? `, ${blocked} blocked` : ''}`
}

/** Who listens or waits is not idle, however long it says nothing. */
function idleFindings(others: readonly ServerClient[], { settings }: ServerFacts): Finding[] {
  const idle = others.filter((client) => client.idle > LONG_IDLE && !client.blocked && !client.subscribed)
  if (idle.length === 0) return []
  const oldest = idle.reduce((a, b) => Math.max(a, b.idle), 0)
  const seen = `${counted(idle.length, 'client')} said nothing for more than an hour, one for ${span(oldest * 1_000)}`
  const [largest] = groupClients(idle)
  return [
    found('idle-clients', idle.length * 2 > others.length ? 'warning' : 'note', seen, {
      means: 'pools without an idle timeout, leases that were never released, or clients that are gone without a word',
      remedy: `look at ${largest?.name ?? 'them'} first${settings.timeout.value === '0' ? '; the server itself never closes idle clients (timeout 0)' : ''}`,
    }),
  ]
}

function namelessFindings(others: readonly ServerClient[]): Finding[] {
  const nameless = others.filter(({ name }) => name === '').length
  if (nameless * 2 <= others.length) return []
  const means = 'nobody can tell whose they are, neither here nor in SLOWLOG'
  const remedy = 'give each service a clientName'
  return [found('names', 'note', `${nameless} of ${counted(others.length, 'client')} have no name`, { means, remedy })]
}

function bufferFindings(others: readonly ServerClient[]): Finding[] {
  const heavy = others.filter(({ outputBuffer }) => outputBuffer > LARGE_BUFFER)
  if (heavy.length === 0) return []
  const sum = heavy.reduce((total, { outputBuffer }) => total + outputBuffer, 0)
  const [largest] = groupClients(heavy)
  return [
    found('output-buffers', 'warning', `${bytes(sum)} wait to be read by ${counted(heavy.length, 'client')}`, {
      means: 'they read too slowly: a blocked event loop, a slow network, or replies that are too large',
      remedy: `look at ${largest?.name ?? 'them'} first; ask for less at once (HSCAN, LRANGE with bounds)`,
    }),
  ]
}

function refusedFindings({ info, settings, pool }: ServerFacts): Finding[] {
  const findings: Finding[] = []
  const rejected = (info.value && figure(info.value, 'rejected_connections')) ?? 0
  if (rejected > 0) {
    findings.push(
      found('rejected', 'warning', `${counted(rejected, 'connection')} refused since the server started`, {
        means: 'maxclients was reached at least once',
        remedy: 'see who is connected above; add up maxConnections of all processes (--processes, --max-connections)',
      }),
    )
  }
  const cut = (info.value && figure(info.value, 'client_output_buffer_limit_disconnections')) ?? 0
  if (cut > 0) {
    findings.push(
      found('output-buffers', 'warning', `${counted(cut, 'client')} cut off by client-output-buffer-limit`, {
        means: 'they did not read fast enough what they were sent; mostly subscribers',
        remedy: 'make them read faster, or raise the limit of their class',
      }),
    )
  }
  return [...findings, ...timeoutFindings(settings, pool), ...keepAliveFindings(settings)]
}

/** Below this, connections are made anew all the time, in seconds. */
const SHORT_TIMEOUT = 10

function timeoutFindings({ timeout }: ServerFacts['settings'], pool: ServerFacts['pool']): Finding[] {
  if (timeout.refused !== undefined) {
    const lost = `a pool cannot learn when the server closes idle connections, and pings them every ${span(pool.pingInterval)} instead`
    return [notAsked('timeout', timeout.refused, lost)]
  }
  const seconds = Number(timeout.value ?? Number.NaN)
  if (!Number.isFinite(seconds)) return []
  if (seconds === 0) return [found('timeout', 'ok', 'the server never closes idle connections (timeout 0)')]
  const seen = `the server closes connections that are idle for ${span(seconds * 1_000)} (timeout ${seconds})`
  if (seconds < SHORT_TIMEOUT) {
    return [
      found('timeout', 'warning', seen, {
        means: 'connections are made anew all the time; clients that do not know of it meet closed ones',
        remedy: 'raise timeout to minutes, or set it to 0 and let tcp-keepalive find dead clients',
      }),
    ]
  }
  if (pool.idleTimeout === 0 || pool.idleTimeout > seconds * 1_000) {
    const own = pool.idleTimeout === 0 ? 'none' : span(pool.idleTimeout)
    return [
      found('timeout', 'note', `${seen}; idleTimeout of a pool is ${own}`, {
        means: 'respool learns it and closes first; other clients meet connections that are closed under them',
        remedy: `set idleTimeout below ${seconds * 1_000} ms, so that both say the same`,
      }),
    ]
  }
  return [found('timeout', 'ok', `${seen}; a pool closes them after ${span(pool.idleTimeout)} already`)]
}

function keepAliveFindings(settings: ServerFacts['settings']): Finding[] {
  const seconds = settings['tcp-keepalive'].value
  if (seconds === undefined) return []
  if (seconds !== '0') return [found('tcp-keepalive', 'ok', `dead clients are looked for every ${seconds} s`)]
  return [
    found('tcp-keepalive', 'warning', 'the server does not look for dead clients (tcp-keepalive 0)', {
      means: 'a client whose machine vanished keeps its place among maxclients for ever',
      remedy: 'CONFIG SET tcp-keepalive 300, the default',
    }),
  ]
}
