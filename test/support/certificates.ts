// Makes throw-away certificates with openssl, good ones and bad ones, for servers on loopback and their clients.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** How a server's certificate is, seen by a client that trusts the authority beside it. */
export type CertificateKind = 'good' | 'self-signed' | 'expired' | 'wrong name' | 'other authority'

export interface KeyPair {
  readonly cert: string
  readonly key: string
}

export interface TlsFiles extends KeyPair {
  /** The authority that clients are to trust, and that signs for `client`. */
  readonly ca: string
  /** What a client shows of itself, where the server asks for it. */
  readonly client: KeyPair
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
const HERE = 'DNS:localhost,IP:127.0.0.1'

/** An authority, a certificate for localhost and 127.0.0.1 that is good or bad in one way, and one for a client. */
export function makeCertificates(dir: string, kind: CertificateKind = 'good'): TlsFiles {
  const own = newFolder(dir)
  const authority = selfSigned(own, 'authority', 'DNS:authority')
  return { ca: authority.cert, ...ofKind(own, authority, kind), client: signed(own, authority, 'client', 'DNS:client') }
}

function ofKind(dir: string, authority: KeyPair, kind: CertificateKind): KeyPair {
  switch (kind) {
    case 'good':
      return signed(dir, authority, 'server', HERE)
    case 'self-signed':
      return selfSigned(dir, 'server', HERE)
    case 'expired':
      // Its last moment is the one in which it is made.
      return signed(dir, authority, 'server', HERE, 0)
    case 'wrong name':
      return signed(dir, authority, 'server', 'DNS:elsewhere.example')
    case 'other authority':
      return signed(dir, selfSigned(dir, 'other', 'DNS:other'), 'server', HERE)
  }
}

function selfSigned(dir: string, name: string, names: string): KeyPair {
  const [cert, key] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)]
  const what = ['-subj', `/CN=${name} of the tests`, '-addext', `subjectAltName=${names}`]
  openssl(dir, 'req', '-x509', ...NEW_KEY, '-days', '2', ...what, '-keyout', key, '-out', cert)
  return { cert, key }
}

function signed(dir: string, authority: KeyPair, name: string, names: string, days = 2): KeyPair {
  const [cert, key, request] = [join(dir, `${name}.crt`), join(dir, `${name}.key`), join(dir, `${name}.csr`)]
  openssl(dir, 'req', '-new', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', key, '-out', request)
  const extensions = join(dir, `${name}.cnf`)
  writeFileSync(extensions, `subjectAltName=${names}\n`)
  const by = ['-CA', authority.cert, '-CAkey', authority.key, '-CAcreateserial']
  openssl(dir, 'x509', '-req', '-in', request, ...by, '-days', String(days), '-extfile', extensions, '-out', cert)
  return { cert, key }
}

/** Certificates may be made again for one server, beside those it has. */
function newFolder(dir: string): string {
  const all = join(dir, 'tls')
  mkdirSync(all, { recursive: true })
  return mkdtempSync(join(all, 'set-'))
}

function openssl(dir: string, ...args: string[]): void {
  execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' })
}
