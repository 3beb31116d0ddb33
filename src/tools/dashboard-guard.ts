// Owns who may ask the dashboard: method, Host, Origin, Sec-Fetch-Site and token, each by its own rule. Answers nothing.
// Loopback is no border: any page in a browser can send requests there, under a name of its own choice.

import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** What is answered instead of what was asked for. */
export interface Refusal {
  readonly status: number
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface GuardSettings {
  /** Besides those of the socket: values of the Host header, in lower case. */
  readonly hosts: readonly string[]
}

/** Sent with every answer. uPlot sets style through the CSSOM, which `style-src 'self'` allows. */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store, no-transform',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
}

/** Why a request is refused whatever it asks for. */
export function refuse(request: IncomingMessage, { hosts }: GuardSettings): Refusal | undefined {
  const host = hostOf(request)
  if (host === undefined || !(hosts.includes(host) || ownHosts(request).includes(host))) {
    return { status: 421, text: 'This host is not one that the dashboard answers for (option: hosts).' }
  }
  const { origin } = request.headers
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    return { status: 403, text: 'The dashboard answers its own page only.' }
  }
  const site = request.headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return { status: 403, text: 'The dashboard cannot be opened from another site; type its address.' }
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, text: 'The dashboard can only be read.', headers: { Allow: 'GET, HEAD' } }
  }
  return undefined
}

/** Why a request for data is refused. */
export function refuseStranger(request: IncomingMessage, token: string): Refusal | undefined {
  const [, given] = /^Bearer ([\w.~+/=-]+)$/i.exec(request.headers.authorization ?? '') ?? []
  if (given !== undefined && isSame(given, token)) return undefined
  const headers = { 'WWW-Authenticate': 'Bearer realm="respool dashboard"' }
  return { status: 401, text: 'The token of the dashboard is needed: Authorization: Bearer …', headers }
}

/** Takes as long whatever is given: digests have one length. */
function isSame(given: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(token))
}

function hostOf(request: IncomingMessage): string | undefined {
  const given = request.headersDistinct.host ?? []
  return given.length === 1 ? given[0]?.toLowerCase() : undefined
}

/** Names of this machine and the address the request came to: no other site can have these in its own address. */
function ownHosts({ socket }: IncomingMessage): string[] {
  const { localAddress = '127.0.0.1', localPort } = socket
  const address = localAddress.replace(/^::ffff:(?=\d+\.)/i, '').toLowerCase()
  const names = ['localhost', '127.0.0.1', '[::1]', address.includes(':') ? `[${address}]` : address]
  const isDefaultPort = localPort === 80 || localPort === 443
  return names.flatMap((name) => (isDefaultPort ? [name, `${name}:${localPort}`] : [`${name}:${localPort}`]))
}
