// Owns the client's side of a dashboard's endpoint: which ones are asked, with which token, and whether what comes back
// is what it should be. Trusts nothing of it, follows no redirect, and never shows a token.

import { readFileSync } from 'node:fs'
import { type IncomingMessage, request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import { OptionError } from '../index.js'
import type { OptionValues } from './command-spec.js'
import { type PublishedPool, readPublished } from './published-pools.js'

export interface Endpoint {
  readonly url: URL
  /** As it may be shown. */
  readonly shown: string
  readonly token: string | undefined
}

export type EndpointAnswer =
  | { readonly pools: readonly PublishedPool[]; readonly because?: undefined; readonly silent?: undefined }
  | {
      readonly because: string
      readonly remedy: string
      /** It took the connection and said nothing: its event loop does not run. */
      readonly silent?: boolean
      readonly pools?: undefined
    }

const WITHIN = 3_000
const LARGEST = 16 * 1024 * 1024

/** The endpoints asked for on the command line. */
export function readEndpoints({ lists }: Pick<OptionValues, 'lists'>, env: NodeJS.ProcessEnv): Endpoint[] {
  const files = lists.get('token-file') ?? []
  return (lists.get('pool') ?? []).map((text, index) => {
    const url = baseOf(text)
    const file = files[index] ?? files.at(-1)
    const token = file === undefined ? env.RESPOOL_TOKEN?.trim() : tokenIn(file)
    if (token !== undefined && !/^[!-~]*$/.test(token)) throw new OptionError('the token: expected one printable word')
    return { url, shown: url.href, token: token || undefined }
  })
}

function baseOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new OptionError('--pool: expected the address of a dashboard, such as http://127.0.0.1:8080/respool/')
  }
  // Whoever lists the processes of this machine sees the words of a command line.
  if (url.username || url.password || url.hash || url.search) {
    throw new OptionError('--pool: takes an address without login, query and #token; use --token-file or RESPOOL_TOKEN')
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

function tokenIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new OptionError(`--token-file: the file cannot be read (${code})`)
  }
}

/** What the pools of an endpoint say of themselves now. Does not reject. */
export async function fetchPools(endpoint: Endpoint, signal: AbortSignal): Promise<EndpointAnswer> {
  const state: RequestState = { connected: false }
  // Not AbortSignal.timeout() within AbortSignal.any(): Node 20 may collect it before its time has come.
  // https://github.com/nodejs/node/issues/57736
  const ending = new AbortController()
  const timer = setTimeout(() => ending.abort(), WITHIN)
  const stop = (): void => ending.abort()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const { status, body } = await get(endpoint, ending.signal, state)
    return status === 200 ? readPublished(body) : refusal(status, endpoint)
  } catch (error) {
    const remedy = 'check that the process runs, and that its dashboard listens there'
    if (signal.aborted || !ending.signal.aborted) return { because: whyNot(error), remedy }
    const because = `it did not answer within ${WITHIN / 1_000} s`
    return state.connected ? { because, remedy: 'look for synchronous work', silent: true } : { because, remedy }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}

interface RequestState {
  connected: boolean
}

function get(
  { url, token }: Endpoint,
  signal: AbortSignal,
  state: RequestState,
): Promise<{ status: number; body: string }> {
  const target = new URL('api/pools', url)
  const request = target.protocol === 'https:' ? requestTls : requestPlain
  const headers = { accept: 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
  return new Promise((resolve, reject) => {
    const sent = request(target, { headers, signal, agent: false }, (response) => {
      bodyOf(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject)
    })
    sent.once('socket', (socket) => {
      socket.once('connect', () => {
        state.connected = true
      })
    })
    sent.once('error', reject)
    sent.end()
  })
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response) {
    const piece = Buffer.from(chunk)
    length += piece.length
    if (length > LARGEST) throw new Error('the answer is too long')
    chunks.push(piece)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function refusal(status: number, { token }: Endpoint): EndpointAnswer {
  if (status === 401 || status === 403) {
    const because = token === undefined ? `it wants a token (HTTP ${status})` : `it refused the token (HTTP ${status})`
    return { because, remedy: 'give the token of that dashboard with --token-file or RESPOOL_TOKEN' }
  }
  const because =
    status === 404 ? 'there is no dashboard at this address (HTTP 404)' : `it answered with HTTP ${status}`
  return { because, remedy: 'give the address at which the dashboard was mounted, http://127.0.0.1:8080/respool/' }
}

// node:http hides the reason of the signal behind an AbortError.

function whyNot(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ECONNREFUSED') return 'nobody listens there (ECONNREFUSED)'
  return code === '' ? 'it did not answer in order' : `it cannot be reached (${code})`
}
