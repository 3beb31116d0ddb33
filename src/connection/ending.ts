// Owns the words for the end of a connection: for the connection itself, and for each command it owed a reply.

import { type CloseReason, ConnectionError, type Outcome } from '../base/errors.js'

/** The transport has ended by itself; `cause` is undefined when the server closed it in good order. */
export function endOf(address: string, isReady: boolean, cause: Error | undefined): ConnectionError {
  const reason = whyEnded(isReady, cause)
  if (cause === undefined) {
    const when = isReady ? 'while it was in use' : 'before the connection was ready'
    return new ConnectionError(`${address} closed the connection ${when}`, reason, address)
  }
  const what = isReady ? `the connection to ${address} broke` : `cannot connect to ${address}`
  return new ConnectionError(`${what}: ${cause.message}`, reason, address, { cause })
}

function whyEnded(isReady: boolean, cause: Error | undefined): CloseReason {
  if (!isReady) return 'connect-failed'
  return cause === undefined ? 'server-closed' : 'network-error'
}

/** What a command is told whose connection ended. */
export function lossOf(command: string, outcome: Outcome, cause: ConnectionError): ConnectionError {
  const message = `${command} got no reply: ${cause.message}`
  return new ConnectionError(message, cause.reason, cause.address, { outcome, command, cause })
}
