// Owns why a server cannot be reached: the error of a connection → a finding. Pure.

import { ConnectTimeoutError, MaxClientsError } from '../index.js'
import { type Finding, found } from './doctor-finding.js'

interface Diagnosed {
  readonly means: string
  readonly remedy: string
}

/** By the `code` of node's errors. */
const BY_CODE: Readonly<Record<string, Diagnosed>> = {
  ENOTFOUND: {
    means: 'DNS knows no such name',
    remedy: 'check the host name, and that this machine asks the right name server',
  },
  EAI_AGAIN: { means: 'DNS did not answer', remedy: 'check the name server of this machine; try again' },
  ECONNREFUSED: {
    means: 'the machine is there and nobody listens on this port',
    remedy: 'check that the server runs, its port, and its bind setting',
  },
  EHOSTUNREACH: { means: 'there is no route to this address', remedy: 'check the network and its firewalls' },
  ENETUNREACH: { means: 'this machine has no route to that network', remedy: 'check the network; try family=4' },
  ETIMEDOUT: { means: 'nothing came back at all', remedy: 'check the address, and firewalls that drop silently' },
  ENOENT: { means: 'there is no unix socket at this path', remedy: 'check the path, and that the server runs' },
  EACCES: { means: 'this user may not open the unix socket', remedy: 'check unixsocketperm, or the user' },
  CERT_HAS_EXPIRED: {
    means: "TLS: the server's certificate has expired",
    remedy: 'renew it; until then every verifying client is locked out',
  },
  CERT_NOT_YET_VALID: {
    means: "TLS: the server's certificate is not valid yet",
    remedy: 'check the clocks of both machines',
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    means: "TLS: the server's certificate is for another name than the one in the URL",
    remedy: 'connect by a name that the certificate has, or have it issued for this one',
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: {
    means: "TLS: the server's certificate is signed by nobody but itself",
    remedy: 'trust it with --ca FILE, or have it signed',
  },
  SELF_SIGNED_CERT_IN_CHAIN: {
    means: "TLS: the server's certificate comes from an authority that this machine does not know",
    remedy: 'give that authority with --ca FILE or NODE_EXTRA_CA_CERTS',
  },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    means: "TLS: the authority of the server's certificate is unknown here, or the chain is incomplete",
    remedy: 'give the authority with --ca FILE or NODE_EXTRA_CA_CERTS, or let the server send the whole chain',
  },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: {
    means: "TLS: the authority of the server's certificate is unknown here",
    remedy: 'give it with --ca FILE or NODE_EXTRA_CA_CERTS',
  },
  ERR_SSL_WRONG_VERSION_NUMBER: {
    means: 'TLS: what answers does not speak TLS',
    remedy: 'use redis:// for this port, or the TLS port of the server',
  },
  ERR_SSL_PACKET_LENGTH_TOO_LONG: {
    means: 'TLS: what answers does not speak TLS',
    remedy: 'use redis:// for this port, or the TLS port of the server',
  },
}

/** By the first word of the server's answer to the handshake. */
const BY_ANSWER: Readonly<Record<string, Diagnosed>> = {
  WRONGPASS: { means: 'the server refuses this user or password', remedy: 'check both; a rotated password looks so' },
  NOAUTH: { means: 'the server wants a password and was given none', remedy: 'put it into the URL in REDIS_URL' },
  NOPERM: {
    means: 'the user may log in and has no right to what a connection needs',
    remedy: 'grant +@connection: ACL SETUSER <user> +@connection',
  },
  LOADING: {
    means: 'the server is up and loads its data into memory; it serves when that is done',
    remedy: 'wait; respool pools do that by themselves',
  },
  MASTERDOWN: { means: 'a replica that has lost its primary', remedy: 'check the replication' },
  BUSY: {
    means: 'a script has kept the server from everything else for longer than busy-reply-threshold',
    remedy: 'SCRIPT KILL or FUNCTION KILL; then look for the script in SLOWLOG',
  },
  DENIED: {
    means: 'protected mode: the server takes no connections from other machines without a password',
    remedy: 'set a password, or bind it to the addresses it should serve',
  },
}

const TIMEOUT: Diagnosed = {
  means:
    'the connection was made or begun and the server says nothing: it is stopped, or a slow command or script keeps \
it from all others (slow-server); or a firewall drops silently',
  remedy: 'look at its process and its CPU; once it answers, SLOWLOG GET shows what it did',
}

const TLS_TIMEOUT: Diagnosed = {
  means: `what answers may not speak TLS; else ${TIMEOUT.means}`,
  remedy: `try redis:// for this port; else ${TIMEOUT.remedy}`,
}

const CUT: Diagnosed = {
  means:
    'it closed the connection at once: a TLS port that is spoken to without TLS, a proxy without a server behind \
it, or a server that is being stopped',
  remedy: 'try rediss:// for this port; look into the log of the server',
}

const CUT_OVER_TLS: Diagnosed = {
  means:
    'the other side cut the connection while it was made: a proxy or firewall in between, a server that is being \
stopped, or one that wants a client certificate',
  remedy: 'look into the log of the server; tls-auth-clients no lets clients in without a certificate',
}

const NO_RESP: Diagnosed = {
  means: 'what answers does not speak the protocol of Redis',
  remedy: 'check the port; behind TLS ports use rediss://',
}

export function unreachable(error: unknown, overTls: boolean): Finding {
  const { means, remedy } = whyUnreachable(error, overTls)
  return found('reachability', 'critical', textOf(error), { means, remedy })
}

function whyUnreachable(error: unknown, overTls: boolean): Diagnosed {
  if (error instanceof MaxClientsError) {
    return {
      means: 'all of maxclients are connected: nobody else gets in',
      remedy: 'raise maxclients, or find who holds them (CLIENT LIST on a connection that is open), or close some',
    }
  }
  if (error instanceof ConnectTimeoutError) return overTls ? TLS_TIMEOUT : TIMEOUT
  const chain = chainOf(error)
  for (const { code } of chain) {
    const known = Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined
    if (known !== undefined) return known
  }
  for (const { kind, message } of chain) {
    const known = Object.hasOwn(BY_ANSWER, kind) ? BY_ANSWER[kind] : undefined
    if (known !== undefined) return known
    if (/invalid DB index|DB index is out of range/i.test(message)) {
      return { means: 'the server has no database of this number', remedy: 'check the number at the end of the URL' }
    }
  }
  if (chain.some(({ code }) => code === 'ERR_PROTOCOL')) return NO_RESP
  if (chain.some(({ code, message }) => code === 'ECONNRESET' || /closed the connection/.test(message))) {
    return overTls ? CUT_OVER_TLS : CUT
  }
  if (chain.some(({ code }) => /^ERR_(SSL|TLS)_|^EPROTO$/.test(code))) {
    const means = 'TLS: the two sides did not come to terms'
    return { means, remedy: 'compare protocols and ciphers of both sides; look into the log of the server' }
  }
  return { means: 'the connection could not be made', remedy: 'see the message above' }
}

interface Link {
  readonly code: string
  readonly kind: string
  readonly message: string
}

/** The error and what caused it, several for an address tried both ways. */
function chainOf(error: unknown, depth = 0): Link[] {
  if (!(error instanceof Error) || depth > 5) return []
  const read = (name: 'code' | 'kind'): string => (name in error ? String(Reflect.get(error, name)) : '')
  const several = error instanceof AggregateError ? error.errors : []
  const link = { code: read('code'), kind: read('kind'), message: error.message }
  return [link, ...[error.cause, ...several].flatMap((cause) => chainOf(cause, depth + 1))]
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
