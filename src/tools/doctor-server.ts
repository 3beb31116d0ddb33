// Owns what the server says of itself that matters to its clients: age, role, memory, persistence. Pure: facts in,
// findings out.

import type { ServerFacts } from './doctor-facts.js'
import { type Finding, found, notAsked } from './doctor-finding.js'
import { bytes, counted, percent, span } from './figures.js'
import { engineOf, figure, type Info } from './server-info.js'

export function serverFindings(facts: ServerFacts): Finding[] {
  const { info } = facts
  if (info.refused !== undefined) {
    const lost = 'version, role, memory, persistence and refused connections are unknown'
    return [notAsked('info', info.refused, lost), ...protocolFindings(facts)]
  }
  return [
    ...versionFindings(info.value),
    ...modeFindings(info.value),
    ...protocolFindings(facts),
    ...roleFindings(info.value),
    ...memoryFindings(facts, info.value),
    ...persistenceFindings(info.value),
  ]
}

function versionFindings(info: Info): Finding[] {
  const up = figure(info, 'uptime_in_seconds')
  const seen = `${engineOf(info)}${up === undefined ? '' : `, up for ${span(up * 1_000)}`}`
  const [, major = '', minor = ''] = /^redis (\d+)\.(\d+)/.exec(engineOf(info)) ?? []
  if (major !== '' && Number(major) < 6) {
    return [
      found('version', 'warning', seen, {
        means: 'it knows neither RESP3 nor ACLs nor client-side caching, and gets no security fixes any more',
        remedy: 'move to a version that is maintained',
      }),
    ]
  }
  if (major === '6' && Number(minor) < 2) {
    const means = 'it lacks what pools use where it is there: RESET, and CLIENT INFO'
    return [found('version', 'note', seen, { means, remedy: 'move to a version that is maintained' })]
  }
  return [found('version', 'ok', seen)]
}

function modeFindings(info: Info): Finding[] {
  const mode = info.get('redis_mode')
  if (mode !== 'cluster' && mode !== 'sentinel') return []
  const means =
    mode === 'cluster' ? 'the other nodes were not looked at' : 'it holds no data: it knows where the primary is'
  const remedy = mode === 'cluster' ? 'run the doctor for each node' : 'run the doctor for the primary and its replicas'
  return [
    found('mode', 'note', `it runs as ${mode === 'cluster' ? 'a node of a cluster' : 'a sentinel'}`, { means, remedy }),
  ]
}

function protocolFindings({ protocol }: ServerFacts): Finding[] {
  if (protocol.refused !== undefined) return [notAsked('protocol', protocol.refused, 'the version of RESP is unknown')]
  if (protocol.value === undefined) return []
  if (protocol.value >= 3) return [found('protocol', 'ok', `RESP${protocol.value}`)]
  return [
    found('protocol', 'note', `RESP${protocol.value}`, {
      means: 'client-side caching is off, and pub/sub needs connections of its own',
      remedy: 'a server from 6.0 on speaks RESP3; look for protocol=2 in the URL and for proxies in between',
    }),
  ]
}

function roleFindings(info: Info): Finding[] {
  const findings: Finding[] = []
  if (info.get('loading') === '1') {
    const left = figure(info, 'loading_eta_seconds')
    findings.push(
      found(
        'loading',
        'critical',
        `it is loading its data${left === undefined ? '' : `, for about ${span(left * 1_000)} more`}`,
        {
          means: 'until then nearly all commands are refused with LOADING; respool sends them again within their time',
          remedy: 'wait; if it happens often, look why the server was restarted',
        },
      ),
    )
  }
  const role = info.get('role')
  if (role === 'master')
    findings.push(found('role', 'ok', `primary of ${counted(figure(info, 'connected_slaves') ?? 0, 'replica')}`))
  if (role !== 'slave') return findings
  const writes = info.get('slave_read_only') !== '0'
  findings.push(
    found('role', writes ? 'warning' : 'note', `a replica${writes ? ' that refuses writes' : ''}`, {
      means: writes ? 'writes fail with READONLY' : 'what is written here is lost at the next full synchronisation',
      remedy: 'connect to the primary, unless only reads are wanted',
    }),
  )
  if (info.get('master_link_status') === 'down') {
    const since = figure(info, 'master_link_down_since_seconds')
    const long = since === undefined || since < 0 ? '' : ` for ${span(since * 1_000)}`
    findings.push(
      found('replication', 'critical', `it has lost its primary${long}`, {
        means: 'it answers with old data, or with MASTERDOWN',
        remedy: 'check the primary, the network between the two, and masterauth',
      }),
    )
  }
  return findings
}

const NEARLY_FULL = 0.9

function memoryFindings({ settings }: ServerFacts, info: Info): Finding[] {
  const used = figure(info, 'used_memory')
  const most = figure(info, 'maxmemory') ?? Number(settings.maxmemory.value ?? Number.NaN)
  const policy = info.get('maxmemory_policy') ?? settings['maxmemory-policy'].value
  if (used === undefined || !Number.isFinite(most)) return []
  const findings: Finding[] = []
  if (most === 0) {
    findings.push(
      found('memory', 'note', `${bytes(used)} in use, and no maxmemory`, {
        means: 'it grows until the system ends it',
        remedy:
          'set maxmemory below what the machine has, and a maxmemory-policy that fits: noeviction for data, \
allkeys-lru for a cache',
      }),
    )
  } else {
    const share = used / most
    const seen = `${bytes(used)} of ${bytes(most)} in use (${percent(share)}), policy ${policy ?? 'unknown'}`
    const refuses = policy === 'noeviction'
    if (refuses && share >= NEARLY_FULL) {
      const remedy = 'raise maxmemory, delete or expire keys, or choose a policy that evicts'
      const means = `writes ${share >= 1 ? 'fail' : 'will soon fail'} with OOM`
      findings.push(found('memory', share >= 1 ? 'critical' : 'warning', seen, { means, remedy }))
    } else findings.push(found('memory', 'ok', seen))
  }
  const evicted = figure(info, 'evicted_keys') ?? 0
  if (evicted > 0) {
    findings.push(
      found('evictions', 'note', `${counted(evicted, 'key')} evicted since it started`, {
        means: 'data was dropped for want of memory: as meant for a cache, a loss for anything else',
        remedy: 'raise maxmemory if the hit rate suffers; set noeviction if nothing may be lost',
      }),
    )
  }
  return findings
}

/** A fork that takes longer holds up everybody, in ms. */
const LONG_FORK = 200

function persistenceFindings(info: Info): Finding[] {
  const findings: Finding[] = []
  if (info.get('rdb_last_bgsave_status') === 'err') {
    findings.push(
      found('snapshots', 'critical', 'the last background save failed', {
        means: 'with stop-writes-on-bgsave-error, the default, writes fail with MISCONF',
        remedy: 'look into the log of the server: mostly the disk is full or memory does not suffice for the fork',
      }),
    )
  }
  if (info.get('aof_last_write_status') === 'err') {
    findings.push(
      found('append-only-file', 'critical', 'the last write to the append-only file failed', {
        means: 'writes fail with MISCONF until it succeeds',
        remedy: 'free space on the disk of the server; look into its log',
      }),
    )
  }
  if (info.get('aof_enabled') === '1' && info.get('aof_last_bgrewrite_status') === 'err') {
    const means = 'the append-only file grows without end, and restarts take longer'
    findings.push(
      found('append-only-file', 'warning', 'the last rewrite of the append-only file failed', {
        means,
        remedy: 'look into the log of the server',
      }),
    )
  }
  const fork = (figure(info, 'latest_fork_usec') ?? 0) / 1_000
  if (fork > LONG_FORK) {
    findings.push(
      found('fork', 'warning', `the last fork for a save or rewrite took ${span(fork)}`, {
        means: 'for so long it answered nobody; pools turn their lanes late',
        remedy: 'save on a replica, switch transparent huge pages off, or use smaller instances',
      }),
    )
  }
  const delayed = figure(info, 'aof_delayed_fsync') ?? 0
  if (delayed > 0) {
    findings.push(
      found('disk', 'warning', `${counted(delayed, 'write')} had to wait for the disk (aof_delayed_fsync)`, {
        means: 'each of them held up all clients for up to two seconds',
        remedy: 'give the append-only file a faster disk of its own, or no-appendfsync-on-rewrite yes',
      }),
    )
  }
  return findings
}
