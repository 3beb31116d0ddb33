// Owns the reading of INFO and CLIENT LIST. Pure: text in, values out; whatever the text, it throws nothing.

/** INFO, all sections in one table. */
export type Info = ReadonlyMap<string, string>

export function readInfo(text: string): Info {
  return new Map([...text.matchAll(/^([\w.|-]{1,80}):(.*?)\r?$/gm)].map(([, name = '', value = '']) => [name, value]))
}

/** A figure of INFO, where the server has it and it is one. */
export function figure(info: Info, name: string): number | undefined {
  const text = info.get(name)
  if (text === undefined || text.trim() === '') return undefined
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

/** `redis 7.0.15`, `valkey 9.1.1`. Text of the server. */
export function engineOf(info: Info): string {
  for (const name of ['valkey', 'dragonfly', 'redict', 'keydb']) {
    const version = info.get(`${name}_version`)
    if (version !== undefined) return `${name} ${version}`
  }
  return `redis ${info.get('redis_version') ?? 'of unknown version'}`
}

/** Of `commandstats`. */
export interface CommandTimes {
  readonly name: string
  readonly calls: number
  readonly microsecondsPerCall: number
}

export function commandTimes(info: Info): CommandTimes[] {
  return [...info].flatMap(([key, text]) => {
    const [, name] = /^cmdstat_(.+)$/.exec(key) ?? []
    if (name === undefined) return []
    const fields = new Map(text.split(',').map((pair) => splitOnce(pair)))
    return [{ name, calls: numberIn(fields, 'calls'), microsecondsPerCall: numberIn(fields, 'usec_per_call') }]
  })
}

/** A line of CLIENT LIST. Durations in seconds, as servers count them. */
export interface ServerClient {
  readonly id: number
  readonly name: string
  readonly address: string
  readonly library: string
  readonly age: number
  readonly idle: number
  readonly command: string
  /** Bytes; 0 where the server does not tell. */
  readonly memory: number
  /** Of what it has not read yet, in bytes. */
  readonly outputBuffer: number
  readonly blocked: boolean
  readonly subscribed: boolean
  /** Another server: a replica, or the primary of this one. */
  readonly server: boolean
}

export function readClients(text: string): ServerClient[] {
  return text
    .split('\n')
    .filter((line) => line.includes('='))
    .map((line) => clientOf(new Map(line.trimEnd().split(' ').map(splitOnce))))
}

function clientOf(fields: ReadonlyMap<string, string>): ServerClient {
  const flags = fields.get('flags') ?? ''
  const subscriptions = numberIn(fields, 'sub') + numberIn(fields, 'psub') + numberIn(fields, 'ssub')
  return {
    id: numberIn(fields, 'id'),
    name: fields.get('name') ?? '',
    address: fields.get('addr') ?? '',
    library: fields.get('lib-name') ?? '',
    age: numberIn(fields, 'age'),
    idle: numberIn(fields, 'idle'),
    command: fields.get('cmd') ?? '',
    memory: numberIn(fields, 'tot-mem'),
    outputBuffer: numberIn(fields, 'omem'),
    blocked: flags.includes('b'),
    subscribed: subscriptions > 0,
    server: /[MS]/.test(flags),
  }
}

/** Clients of one name, or of one library and host where they have none. */
export interface ClientGroup {
  readonly name: string
  /** Whether that is a name they gave themselves. */
  readonly named: boolean
  readonly count: number
  readonly blocked: number
  /** Of the oldest, in seconds. */
  readonly age: number
  /** Of the one that is idle for longest, and of the one for least, in seconds. */
  readonly longestIdle: number
  readonly leastIdle: number
  /** The one most of them sent last. */
  readonly command: string
  /** Bytes, of all. */
  readonly memory: number
  readonly outputBuffer: number
  /** `10.0.0.7`, or `3 hosts`. */
  readonly from: string
  readonly library: string
}

/** Largest first. */
export function groupClients(clients: readonly ServerClient[]): ClientGroup[] {
  const groups = new Map<string, ServerClient[]>()
  for (const client of clients) {
    const key = client.name === '' ? `\n${client.library}\n${hostOf(client.address)}` : client.name
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [client])
    else group.push(client)
  }
  return [...groups.values()].map(groupOf).sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
}

function groupOf(clients: readonly ServerClient[]): ClientGroup {
  const hosts = new Set(clients.map(({ address }) => hostOf(address)))
  const from = hosts.size === 1 ? [...hosts].join() : `${hosts.size} hosts`
  const library = mostFrequent(clients.map((client) => client.library))
  const name = clients[0]?.name ?? ''
  const idle = clients.map((client) => client.idle)
  return {
    name: name === '' ? `(no name) ${library || from}` : name,
    named: name !== '',
    count: clients.length,
    blocked: clients.filter(({ blocked }) => blocked).length,
    age: largest(clients.map(({ age }) => age)),
    longestIdle: largest(idle),
    leastIdle: idle.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    command: mostFrequent(clients.map(({ command }) => command)),
    memory: clients.reduce((sum, { memory }) => sum + memory, 0),
    outputBuffer: clients.reduce((sum, { outputBuffer }) => sum + outputBuffer, 0),
    from,
    library,
  }
}

/** Without its port; a unix socket is `unix`. */
function hostOf(address: string): string {
  if (address === '' || address.startsWith('/')) return 'unix'
  return address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
}

function mostFrequent(words: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].reduce((best, each) => (each[1] > best[1] ? each : best), ['', 0] as [string, number])[0]
}

// There may be more clients than a call takes arguments.
const largest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0)

function splitOnce(pair: string): [string, string] {
  const at = pair.indexOf('=')
  return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
}

function numberIn(fields: ReadonlyMap<string, string>, name: string): number {
  const value = Number(fields.get(name))
  return Number.isFinite(value) ? value : 0
}
