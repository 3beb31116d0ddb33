// Makes throw-away certificates with openssl, for servers on loopback.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface TlsFiles {
  ca: string
  cert: string
  key: string
}

/** An authority, and a certificate from it for localhost and 127.0.0.1. */
export function makeCertificates(dir: string): TlsFiles {
  const at = (name: string) => join(dir, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const [ca, cert, key] = [at('ca.crt'), at('redis.crt'), at('redis.key')]
  openssl('req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=respool tests', '-keyout', at('ca.key'), '-out', ca)
  openssl('req', '-new', ...newKey, '-subj', '/CN=localhost', '-keyout', key, '-out', at('redis.csr'))
  writeFileSync(at('names.cnf'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
  const signed = ['-req', '-in', at('redis.csr'), '-CA', ca, '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2']
  openssl('x509', ...signed, '-extfile', at('names.cnf'), '-out', cert)
  return { ca, cert, key }
}
