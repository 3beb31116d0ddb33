// Owns how a URL is read into options. Knows the tables' rows, no option's meaning beyond address, login and database.
// Its errors never show the URL: a password with an unescaped '/', '?' or '#' ends up in any part of it.
import { OptionError } from '../base/errors.js'
import { type AnyOptionTable, type OptionRow, readText, unknownOption } from '../base/option-table.js'

const TCP_SCHEMES: ReadonlyMap<string, { readonly tls: boolean }> = new Map([
  ['redis', { tls: false }],
  ['valkey', { tls: false }],
  ['rediss', { tls: true }],
  ['valkeys', { tls: true }],
])

const UNIX_SCHEMES: ReadonlySet<string> = new Set(['unix', 'redis+unix', 'redis+socket', 'redis-socket'])

const EXPECTED = 'expected redis://, rediss://, valkey://, valkeys:// or unix:///path'

/** Options by name, still to be checked by their tables. */
type Read = Record<string, unknown>

interface Parts {
  readonly scheme: string
  readonly login: string | undefined
  readonly address: string
  readonly path: string
  readonly query: string
}

/** Reads a URL into options. `table` has the rows that the query may set. */
export function readUrl(url: string | URL, table: AnyOptionTable): Readonly<Record<string, unknown>> {
  const parts = split(typeof url === 'string' ? url : url.href)
  const options: Read = {}
  const tcp = TCP_SCHEMES.get(parts.scheme)
  if (tcp !== undefined) readTcp(parts, tcp.tls, table, options)
  else if (UNIX_SCHEMES.has(parts.scheme)) readUnix(parts, options)
  else throw new OptionError(`the URL: ${EXPECTED}`)
  if (parts.login !== undefined) readLogin(parts.login, options)
  readQuery(parts.query, table, options)
  return options
}

function split(text: string): Parts {
  if (/[\s\p{Cc}]/u.test(text)) throw new OptionError('the URL: holds a space, a line break or a control character')
  const match = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(#.*)?$/i.exec(text)
  if (match === null) throw new OptionError(`the URL: ${EXPECTED}`)
  const [, scheme = '', authority, path = '', query = '', fragment] = match
  // Past the host, '@' and '#' mean that the login was meant to reach further than it does.
  if (fragment !== undefined || `${path}${query}`.includes('@')) {
    throw new OptionError("the URL: write '@', '/', '?' and '#' as %40, %2F, %3F and %23 when they are part of a value")
  }
  const at = authority?.lastIndexOf('@') ?? -1
  return {
    scheme: scheme.toLowerCase(),
    login: at === -1 ? undefined : authority?.slice(0, at),
    address: authority?.slice(at + 1) ?? '',
    path,
    query,
  }
}

function readTcp(parts: Parts, tls: boolean, table: AnyOptionTable, options: Read): void {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(parts.address)
  if (match === null) throw new OptionError('the URL: an IPv6 address stands in brackets, as in redis://[::1]:6379')
  const [, written = '', port] = match
  const bracketed = written.startsWith('[')
  const host = bracketed ? decode(written.slice(1, -1), 'host') : decode(written, 'host')
  if (bracketed !== host.includes(':')) throw new OptionError('the URL: only an IPv6 address stands in brackets')
  if (written !== '') options.host = accept('host', table.host, host)
  if (port !== undefined) options.port = accept('port', table.port, port)
  if (tls) options.tls = true
  const database = /^\/?$/.test(parts.path) ? undefined : parts.path.slice(1)
  if (database !== undefined) options.database = accept('database', table.database, database)
}

/** Neither host nor port shows what came: without a host, the login is read in their place. */
function accept(name: string, row: OptionRow | undefined, raw: string): unknown {
  const value = row?.fromText(raw)
  if (row?.accepts(value) === true) return value
  throw new OptionError(`${name} in the URL: expected ${row?.expected ?? 'nothing'}`)
}

function readUnix(parts: Parts, options: Read): void {
  if (parts.address !== '') {
    throw new OptionError('the URL: a unix socket has no host; its path starts with a third slash, as in unix:///path')
  }
  options.path = decode(parts.path, 'path')
  if (options.path === '') throw new OptionError('the URL: expected the path of a unix socket, as in unix:///path')
}

function readLogin(login: string, options: Read): void {
  const colon = login.indexOf(':')
  const username = decode(colon === -1 ? login : login.slice(0, colon), 'user name')
  if (username !== '') options.username = username
  if (colon !== -1) options.password = decode(login.slice(colon + 1), 'password')
}

function readQuery(query: string, table: AnyOptionTable, options: Read): void {
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    // In a query '+' is a space, because that is how URLSearchParams writes one.
    const part = (from: number, to?: number): string => decode(pair.slice(from, to).replaceAll('+', ' '), 'query')
    // Not named: half of a login that was cut short may look like this.
    if (equals < 1) throw new OptionError('the URL: expected name=value in its query')
    const key = part(0, equals)
    const name = key === 'db' ? 'database' : key
    const row = Object.hasOwn(table, name) ? table[name] : undefined
    if (row === undefined) throw unknownOption(key, settable(table), 'the URL')
    if (!row.fromUrl) throw new OptionError(`${name} cannot be set in the query of a URL`)
    if (Object.hasOwn(options, name)) throw new OptionError(`${name} is given twice in the URL`)
    options[name] = readText(name, row, part(equals + 1), 'the URL')
  }
}

const settable = (table: AnyOptionTable): AnyOptionTable =>
  Object.fromEntries(Object.entries(table).filter(([, row]) => row.fromUrl))

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // Without a cause: its message is not ours to vouch for.
    throw new OptionError(`the URL: its ${part} is not percent-encoded UTF-8; a '%' is written %25`)
  }
}
