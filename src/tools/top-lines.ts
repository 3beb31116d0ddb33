// Owns how a moment of `respool top` reads where there is no screen: lines of fields, each whole in itself, for grep and
// for logs.

import { percent, shortBytes, shortNumber, shortSpan } from './figures.js'
import { printable } from './terminal.js'
import type { EndpointView, PoolView, ServerView, TopDocument } from './top-document.js'
import type { Sort } from './top-spec.js'
import { sortGroups } from './top-view.js'

type Fields = Readonly<Record<string, string | number>>

export function plainLines({ at, server, pools }: TopDocument, sort: Sort): string[] {
  const time = at.slice(11, 19)
  const lines = [...(server === null ? [] : serverLines(server, sort)), ...pools.flatMap(endpointLines)]
  return lines.map((line) => `${time} ${line}`)
}

function serverLines(server: ServerView, sort: Sort): string[] {
  const { address } = server
  if (server.state === 'gone') return [line('server', { address, gone: server.because })]
  const { head, groups, refused } = server
  return [
    ...(head === null
      ? []
      : [
          line('server', {
            address,
            engine: head.engine,
            'ops/s': shortNumber(head.opsPerSecond),
            clients: head.maxClients === null ? head.clients : `${head.clients}/${head.maxClients}`,
            blocked: head.blocked,
            memory:
              head.maxMemory > 0
                ? `${shortBytes(head.usedMemory)}/${shortBytes(head.maxMemory)}`
                : shortBytes(head.usedMemory),
            hits: head.hitRate === null ? '-' : percent(head.hitRate).replace(' ', ''),
            'evicted/s': head.evictedPerSecond === null ? '-' : shortNumber(head.evictedPerSecond),
          }),
        ]),
    ...refused.map((text) => line('server', { address, refused: text })),
    ...sortGroups(groups ?? [], sort, false).map((group) =>
      line('clients', {
        name: group.name,
        count: group.count,
        age: shortSpan(group.age),
        idle: shortSpan(group.longestIdle),
        last: group.command,
        memory: shortBytes(group.memory),
        blocked: group.blocked,
        from: group.from,
        library: group.library,
      }),
    ),
  ]
}

function endpointLines(endpoint: EndpointView): string[] {
  const { url } = endpoint
  if ('because' in endpoint) return [line('pools', { url, because: endpoint.because })]
  return endpoint.pools.map((pool) => line('pool', poolFields(pool)))
}

function poolFields(pool: PoolView): Fields {
  const { connections, maxConnections, cause, because } = pool
  return {
    name: pool.name || pool.address,
    state: pool.state,
    connections: `${connections.total}/${maxConnections}`,
    leased: connections.leased,
    idle: connections.idle,
    late: connections.late,
    waiting: pool.waiting,
    'calls/s': pool.callsPerSecond === null ? '-' : shortNumber(pool.callsPerSecond),
    'wait-p99': `${pool.waitP99.toFixed(1)}ms`,
    'reply-p99': `${pool.replyP99.toFixed(1)}ms`,
    cause,
    ...(cause === 'healthy' ? {} : { because }),
  }
}

function line(what: string, fields: Fields): string {
  return `${what} ${Object.entries(fields)
    .map(([name, value]) => `${name}=${word(String(value))}`)
    .join(' ')}`
}

const word = (text: string): string => printable(/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text))
