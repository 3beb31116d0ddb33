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
import { PoolTracing } from './tracing.js'

/** What connections to come are called. */
export interface Naming {
  clientName: string | undefined
}

interface Making {
  readonly naming: Naming
  readonly anchor: Anchor
  readonly clock: Clock
  readonly settings: ResolvedPoolOptions
  readonly tracing: PoolTracing
}

export function connectorFor(
  options: ResolvedConnectionOptions,
  { naming, anchor, clock, settings: { clientSideCache }, tracing }: Making,
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
  return (owner: ConnectionOwner): Connection => {
    const connection = new Connection(dial, handshake, settings, clock, owner)
    tracing.dialed(connection)
    return connection
  }
}

/** What tells of such connections. */
export function tracingOf({ host, port, path, database }: ResolvedConnectionOptions, poolName: string): PoolTracing {
  const at =
    path === undefined ? { serverAddress: host, serverPort: port } : { serverAddress: path, serverPort: undefined }
  return new PoolTracing({ poolName, ...at }, database)
}

const libraryName = (tag: string | undefined): string => (tag === undefined ? 'respool' : `respool(${tag})`)
