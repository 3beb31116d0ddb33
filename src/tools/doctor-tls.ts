// Owns what is seen of a server's TLS: a connection of its own that says nothing, and looks at how it was agreed upon.

import { isIP } from 'node:net'
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import { type Finding, found } from './doctor-finding.js'

export interface TlsFacts {
  readonly protocol: string
  readonly cipher: string
  readonly subject: string
  readonly issuer: string
  /** Milliseconds since 1970. */
  readonly validTo: number
  readonly names: string
}

const WITHIN = 3_000
const DAY = 24 * 60 * 60 * 1_000
const SOON = 30 * DAY
const VERY_SOON = 7 * DAY

/** What TLS the URL leads to; undefined without TLS. Rejects where no TLS connection comes about. */
export async function lookAtTls(url: string, ca: string | undefined): Promise<TlsFacts | undefined> {
  const place = placeOf(url)
  return place === undefined ? undefined : look(place.host, place.port, ca)
}

function placeOf(url: string): { host: string; port: number } | undefined {
  // Without the login: it is not needed here, and may hold what a URL parser does not take.
  const [, host = '', port = '6379'] =
    /^(?:rediss|valkeys):\/\/(?:[^@/?#]*@)?(\[[^\]]+\]|[^:/?#]*)(?::(\d+))?(?:[/?#]|$)/i.exec(url) ?? []
  return host === '' ? undefined : { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

function look(host: string, port: number, ca: string | undefined): Promise<TlsFacts> {
  return new Promise((resolve, reject) => {
    const name = isIP(host) === 0 ? { servername: host } : {}
    const socket = connect({ host, port, ...name, ...(ca === undefined ? {} : { ca }) })
    socket.setTimeout(WITHIN, () => socket.destroy(new Error('no TLS connection came about in time')))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed before TLS was agreed upon')))
    socket.once('secureConnect', () => {
      const facts = factsOf(socket)
      socket.destroy()
      resolve(facts)
    })
  })
}

function factsOf(socket: TLSSocket): TlsFacts {
  const certificate: Partial<PeerCertificate> = socket.getPeerCertificate()
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().name,
    subject: nameIn(certificate.subject?.CN),
    issuer: nameIn(certificate.issuer?.CN),
    validTo: Date.parse(certificate.valid_to ?? ''),
    names: certificate.subjectaltname ?? '',
  }
}

const nameIn = (name: string | string[] | undefined): string => [name ?? 'no name'].flat().join(', ')

export function tlsFindings(facts: TlsFacts, now: number): Finding[] {
  const { protocol, cipher, subject, issuer, validTo, names } = facts
  const old = protocol !== 'TLSv1.3' && protocol !== 'TLSv1.2'
  const agreed = `${protocol} with ${cipher}`
  const findings = [
    old
      ? found('tls', 'warning', agreed, {
          means: 'this version of TLS is broken by today’s standards',
          remedy: 'set tls-protocols "TLSv1.2 TLSv1.3" on the server',
        })
      : found('tls', 'ok', agreed),
  ]
  const left = validTo - now
  const whose = `the certificate of ${subject} (${names || 'no further names'}) by ${issuer}`
  if (!Number.isFinite(left)) return findings
  const until = `${whose} is valid for ${Math.max(0, Math.floor(left / DAY))} more days`
  if (left > SOON) return [...findings, found('tls-certificate', 'ok', until)]
  const told = {
    means: 'when it ends, no verifying client gets in any more; connections that are open stay until they are replaced',
    remedy: 'renew it, and load it: CONFIG SET tls-cert-file, or a restart',
  }
  return [...findings, found('tls-certificate', left < VERY_SOON ? 'critical' : 'warning', until, told)]
}
