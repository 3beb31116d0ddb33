// Owns how the connections of a pool are made from its options. Knows no pool.

import type { Anchor } from '../base/anchor.js'
import type { Clock } from '../base/clock.js'
import { VERSION } from '../base/version.js'
import { Connection } from '../connection/connection.js'
import type { ConnectionOwner } from '../connection/contract.js'
import { handshakeFor } from '../connection/handshake.js'
import type { ResolvedConnectionOptions } from '../connection/options.js'
import { describeAddress, dialerFor } from '../connection/transport.js'
import type { ResolvedPoolOptions } from '../pool/options.js'

/** What connections to come are called. */
export interface Naming {
  clientName: string | undefined
}

export function connectorFor(
  options: ResolvedConnectionOptions,
  naming: Naming,
  anchor: Anchor,
  clock: Clock,
  { clientSideCache }: ResolvedPoolOptions,
) {
  const { host, port, path, family, keepAlive, connectTimeout, socketTimeout, maxReplySize, integrity } = options
  const dial = dialerFor({ host, port, path, family, tls: options.tls?.reveal(), keepAlive, anchor })
  const handshake = handshakeFor({
    protocol: options.protocol,
    database: options.database,
    get clientName() {
      return naming.clientName
    },
    library: options.clientInfo ? { name: libraryName(options.clientInfoTag), version: VERSION } : undefined,
    tracking: clientSideCache !== undefined,
    login: () => options.credentials.read(),
  })
  const address = describeAddress(options)
  const settings = { address, connectTimeout, socketTimeout, maxReplySize, integrity }
  return (owner: ConnectionOwner): Connection => new Connection(dial, handshake, settings, clock, owner)
}

const libraryName = (tag: string | undefined): string => (tag === undefined ? 'respool' : `respool(${tag})`)
