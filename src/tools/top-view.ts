// Owns how a moment of `respool top` looks on a screen of any size. Pure: a document in, lines out, none too wide and
// not too many. Texts of servers are made printable where they are cut to size.

import { bytes, percent, shortBytes, shortNumber, shortSpan, span } from './figures.js'
import type { ClientGroup } from './server-info.js'
import { type Column, cut, flow, sparkline, table } from './table.js'
import { bar, paint, type Screen, wrap } from './terminal.js'
import type { EndpointView, PoolView, ServerHead, TopDocument } from './top-document.js'
import type { Sort } from './top-spec.js'

export interface ViewState {
  readonly sort: Sort
  readonly reverse: boolean
  readonly paused: boolean
  /** Operations per second of the last refreshes. */
  readonly history: readonly number[]
  /** How old the document is, in ms. */
  readonly age: number
}

export interface Size {
  readonly screen: Screen
  readonly rows: number
}

/** An answer that is older is not of now, in ms. */
const STALE = 1_500

export function viewLines(document: TopDocument, state: ViewState, { screen, rows }: Size): string[] {
  const top = [
    ...titleLines(document, state, screen),
    ...serverLines(document, state, screen),
    ...poolLines(document, screen),
  ]
  const foot = footLines(state, screen)
  const room = Math.max(0, rows - top.length - foot.length)
  const all = [...top, ...groupLines(document, state, screen, room)]
  // On a screen of a few lines the keys go first.
  return [...all, ...(all.length + foot.length <= rows ? foot : [])].slice(0, rows)
}

function titleLines({ server, at }: TopDocument, { paused, age }: ViewState, screen: Screen): string[] {
  const parts = [
    'respool top',
    ...(server === null ? [] : [server.address]),
    ...(server?.state === 'there' && server.head !== null ? [server.head.engine, roleOf(server.head)] : []),
    at.slice(11, 19),
    ...(paused ? ['paused'] : []),
    ...(!paused && age > STALE ? [`no answer for ${span(age)}`] : []),
  ]
  return flow(
    parts.filter((part) => part !== ''),
    screen.columns,
  ).map((line) => paint(screen, 'bold', line))
}

const roleOf = ({ role }: ServerHead): string => (role === 'slave' ? 'replica' : '')

function serverLines({ server }: TopDocument, { history }: ViewState, screen: Screen): string[] {
  if (server === null) return []
  if (server.state === 'gone') {
    return wrapped(`The server cannot be used: ${server.because}. Trying again.`, screen).map((line) =>
      paint(screen, 'red', line),
    )
  }
  const lines = server.head === null ? [] : headLines(server.head, history, screen)
  const refused = server.refused.flatMap((text) => wrapped(text, screen)).map((line) => paint(screen, 'yellow', line))
  return [...lines, ...refused]
}

const wrapped = (text: string, screen: Screen): string[] => wrap(cut(text, 400), screen.columns, '  ')

const SPARK = 12

function headLines(head: ServerHead, history: readonly number[], screen: Screen): string[] {
  const clients = head.maxClients === null ? shortNumber(head.clients) : `${head.clients}/${head.maxClients}`
  const memory = head.maxMemory > 0 ? `${bytes(head.usedMemory)}/${bytes(head.maxMemory)}` : bytes(head.usedMemory)
  const spark = screen.columns >= 60 ? ` ${sparkline(history, SPARK).padStart(SPARK)}` : ''
  return flow(
    [
      `ops/s ${shortNumber(head.opsPerSecond)}${spark}`,
      `clients ${clients}`,
      `blocked ${head.blocked}`,
      `memory ${memory}`,
      `hits ${head.hitRate === null ? '–' : percent(head.hitRate)}`,
      `evicted/s ${head.evictedPerSecond === null ? '–' : shortNumber(head.evictedPerSecond)}`,
    ],
    screen.columns,
  )
}

const BAR = 10

const POOL_COLUMNS: readonly Column<PoolView>[] = [
  { title: 'POOL', align: 'left', width: 12, rank: 0, text: ({ name, address }) => name || address },
  { title: 'USED', align: 'right', width: 7, rank: 1, text: (pool) => `${used(pool)}/${pool.maxConnections}` },
  {
    title: '',
    align: 'left',
    width: BAR,
    rank: 6,
    text: (pool) => bar(Math.min(used(pool), pool.maxConnections), pool.maxConnections, BAR),
  },
  {
    title: 'WAIT',
    align: 'right',
    width: 5,
    rank: 2,
    text: ({ waiting }) => shortNumber(waiting),
    style: ({ waiting }) => (waiting > 0 ? 'yellow' : undefined),
  },
  {
    title: 'CALLS/S',
    align: 'right',
    width: 7,
    rank: 5,
    text: (pool) => (pool.callsPerSecond === null ? '–' : shortNumber(pool.callsPerSecond)),
  },
  { title: 'WAITp99', align: 'right', width: 8, rank: 7, text: ({ waitP99 }) => milliseconds(waitP99) },
  { title: 'REPLYp99', align: 'right', width: 8, rank: 4, text: ({ replyP99 }) => milliseconds(replyP99) },
  { title: 'LATE', align: 'right', width: 4, rank: 8, text: ({ connections }) => String(connections.late) },
  {
    title: 'STATE',
    align: 'left',
    width: 13,
    rank: 3,
    text: ({ state, cause }) => (state === 'open' ? cause : state),
    style: ({ cause }) => (cause === 'healthy' ? 'green' : 'red'),
  },
]

const used = ({ connections }: PoolView): number => connections.total - connections.idle - connections.closing

const milliseconds = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`

function poolLines({ pools }: TopDocument, screen: Screen): string[] {
  if (pools.length === 0) return []
  const views = pools.flatMap((endpoint) => ('pools' in endpoint ? endpoint.pools : []))
  const ill = views.filter(({ cause }) => cause !== 'healthy')
  return [
    '',
    ...(views.length === 0 ? [] : table(POOL_COLUMNS, views, screen)),
    ...ill.flatMap(({ name, address, cause, because }) => wrapped(`${name || address}: ${cause}: ${because}`, screen)),
    ...pools.flatMap((endpoint) => endpointLines(endpoint, screen)),
  ]
}

function endpointLines(endpoint: EndpointView, screen: Screen): string[] {
  if ('because' in endpoint) {
    const text = `The pools at ${endpoint.url} do not tell: ${endpoint.because}`
    return wrapped(text, screen).map((line) => paint(screen, 'yellow', line))
  }
  return endpoint.pools.length === 0 ? wrapped(`No pool is published at ${endpoint.url}`, screen) : []
}

const GROUP_COLUMNS: readonly Column<ClientGroup>[] = [
  { title: 'CLIENTS', align: 'left', width: 14, rank: 0, text: ({ name }) => name },
  { title: 'COUNT', align: 'right', width: 5, rank: 1, text: ({ count }) => String(count) },
  { title: 'AGE', align: 'right', width: 4, rank: 4, text: ({ age }) => shortSpan(age) },
  { title: 'IDLE', align: 'right', width: 4, rank: 2, text: ({ longestIdle }) => shortSpan(longestIdle) },
  { title: 'LAST', align: 'left', width: 11, rank: 3, text: ({ command }) => command },
  { title: 'MEM', align: 'right', width: 5, rank: 5, text: ({ memory }) => shortBytes(memory) },
  { title: 'BLOCKED', align: 'right', width: 7, rank: 7, text: ({ blocked }) => String(blocked) },
  { title: 'FROM', align: 'left', width: 15, rank: 6, text: ({ from }) => from },
  { title: 'LIBRARY', align: 'left', width: 20, rank: 8, text: ({ library }) => library },
]

function groupLines({ server }: TopDocument, { sort, reverse }: ViewState, screen: Screen, room: number): string[] {
  if (server?.state !== 'there' || server.groups === null || room < 3) return []
  if (server.groups.length === 0) return ['', 'No other client is connected.']
  const sorted = sortGroups(server.groups, sort, reverse)
  // A blank line and the titles; and a line for what has no room.
  const fits = sorted.length <= room - 2 ? sorted.length : room - 3
  const more = sorted.length - fits
  return [
    '',
    ...table(GROUP_COLUMNS, sorted.slice(0, fits), screen),
    ...(more > 0 ? [cut(`… and ${more} more groups`, screen.columns)] : []),
  ]
}

/** Largest first, and names in order; `reverse` the other way round. */
export function sortGroups(groups: readonly ClientGroup[], sort: Sort, reverse: boolean): ClientGroup[] {
  const byName = (a: ClientGroup, b: ClientGroup): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  const sorted = [...groups].sort((a, b) => {
    switch (sort) {
      case 'count':
        return b.count - a.count || byName(a, b)
      case 'age':
        return b.age - a.age || byName(a, b)
      case 'idle':
        return b.longestIdle - a.longestIdle || byName(a, b)
      case 'memory':
        return b.memory - a.memory || byName(a, b)
      case 'name':
        return byName(a, b)
      default:
        return sort satisfies never
    }
  })
  return reverse ? sorted.reverse() : sorted
}

function footLines({ sort, reverse }: ViewState, screen: Screen): string[] {
  const keys = ['q quit', `sort: c a i m n (${sort}${reverse ? ', reversed' : ''})`, 'r reverse', 'space pause']
  return ['', ...flow(keys, screen.columns).map((line) => paint(screen, 'dim', line))]
}
