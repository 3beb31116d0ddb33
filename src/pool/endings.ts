// Owns what the end of a connection or of the pool means. Pure.

import { type CloseReason, ConnectionError, PoolClosedError } from '../base/errors.js'
import type { Connection } from '../connection/connection.js'
import type { ConnectionEnd } from './contract.js'
import type { Place } from './roster.js'

/** A connection younger than this that ends without having served anybody was never meant, in ms. */
const PROOF = 1_000

/** Whether the server accepted the connection only to end it. */
export function hungUp(connection: Connection, { reason }: ConnectionError, now: number): boolean {
  const isRemote = reason === 'server-closed' || reason === 'network-error' || reason === 'protocol-error'
  return isRemote && !connection.hasServed && now - connection.createdAt < PROOF
}

/** What an end counts as. A dial that was never ready either failed or was given up by its own pool. */
export function reasonOf(place: Place, { reason }: ConnectionError): CloseReason | undefined {
  if (place !== 'connecting' || reason === 'connect-failed') return reason
  return reason === 'closed' || reason === 'destroyed' ? undefined : 'handshake-failed'
}

/** The same for who is told of every end: that of a dial which was given up too. */
export function endedAs(place: Place, error: ConnectionError): Omit<ConnectionEnd, 'heldFor'> {
  return { reason: reasonOf(place, error) ?? error.reason, error, wasReady: place !== 'connecting' }
}

/** For whoever waited for a dial that failed for good. */
export function unsentFor({ message, reason, address, cause }: ConnectionError): ConnectionError {
  return new ConnectionError(message, reason, address, { outcome: 'not-sent', cause })
}

/** For whoever comes too late, or still waits at the end. */
export function closedError(): PoolClosedError {
  return new PoolClosedError('the pool was closed for good; duplicate() of a handle makes another', {
    outcome: 'not-sent',
  })
}
