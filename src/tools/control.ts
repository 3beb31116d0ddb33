// Owns the connection over which a tool speaks to the server that it works with, beside what it measures.

import { Redis } from '../index.js'
import { NoServerError, type RunningServer } from './server.js'

const CONNECT_TIMEOUT = 3_000

/** @throws NoServerError when the server cannot be used */
export async function connectTo(server: RunningServer): Promise<Redis> {
  const control = new Redis(server.url, { maxConnections: 1, connectTimeout: CONNECT_TIMEOUT })
  try {
    return await control.connect()
  } catch (error) {
    control.destroy()
    const why = error instanceof Error ? error.message : String(error)
    throw new NoServerError(`cannot use ${server.engine}: ${why}`, { cause: error })
  }
}
