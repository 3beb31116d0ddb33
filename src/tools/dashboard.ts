// Owns `respool/dashboard`: a request handler and a server that show pools, live, to who knows the token. Reads only.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import {
  type DashboardOptions,
  type DashboardSettings,
  poolIn,
  readDashboardOptions,
  readServeOptions,
  type ServeDashboardOptions,
  type Watched,
} from './dashboard-options.js'
import { Site } from './dashboard-site.js'

export type { PoolsDocument } from './dashboard-messages.js'
export type { DashboardOptions, ServeDashboardOptions, Watched } from './dashboard-options.js'

/** Answers requests below its base: the page at `/`, data below `/api/`. */
export interface Dashboard {
  (request: IncomingMessage, response: ServerResponse): void
  /** Goes behind the page's address: `/#token=…`. */
  readonly token: string
  /** Shows one more; one that is shown already is not added again. */
  add(watched: Watched): void
  /** Forgets one, which may be open or ended. Of pools that have ended, only the last 32 are shown anyway. */
  remove(watched: Watched): void
  /** Ends the streams and the recordings; pools go on. */
  close(): void
}

export interface DashboardServer {
  /** The address of the page, with the token. Keep it from others. */
  readonly url: string
  readonly token: string
  add(watched: Watched): void
  remove(watched: Watched): void
  /** Resolves when nothing of it is left. */
  close(): Promise<void>
}

/**
 * A handler for `http.createServer`, for `app.use('/respool', …)` of Express, and with `base` for Fastify's raw
 * request and response.
 * @throws OptionError for an option that is unknown or does not fit
 */
export function dashboard(options: DashboardOptions): Dashboard {
  const settings = readDashboardOptions(options)
  return handlerOf(new Site(settings), settings)
}

/**
 * Serves the dashboard on a port of its own, on this machine only unless told otherwise.
 * @throws OptionError for an option that is unknown or does not fit; what the system says when it cannot listen
 */
export async function serveDashboard(options: ServeDashboardOptions): Promise<DashboardServer> {
  const settings = readServeOptions(options)
  const site = new Site(settings)
  const handler = handlerOf(site, settings)
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000 }, handler)
  server.maxConnections = 64
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(settings.port, settings.host, () => resolve())
    })
  } catch (error) {
    handler.close()
    throw error
  }
  const { address, port } = boundTo(server)
  const { host } = new URL(`http://${hostIn(settings.host, address)}:${port}`)
  site.answerFor(host)
  return {
    url: `http://${host}${settings.base}/#token=${handler.token}`,
    token: handler.token,
    add: (watched) => handler.add(watched),
    remove: (watched) => handler.remove(watched),
    close: async () => {
      handler.close()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      // A reader that does not read its last message is not waited for.
      const late = setTimeout(() => server.closeAllConnections(), 500)
      await closed
      clearTimeout(late)
    },
  }
}

function boundTo(server: Server): { readonly address: string; readonly port: number } {
  const bound = server.address()
  if (typeof bound !== 'object' || bound === null) throw new Error('the server of the dashboard has no port')
  return bound
}

/** A name stays a name; where all addresses are listened to, that of this machine can be opened. */
function hostIn(host: string, address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1'
  if (address === '::') return '[::1]'
  if (isIP(host) === 0) return host
  return address.includes(':') ? `[${address.replace(/%.*/, '')}]` : address
}

function handlerOf(site: Site, settings: DashboardSettings): Dashboard {
  const handle = (request: IncomingMessage, response: ServerResponse): void => site.answer(request, response)
  return Object.assign(handle, {
    token: settings.token,
    add: (watched: Watched) => site.add(poolIn(watched)),
    remove: (watched: Watched) => site.remove(poolIn(watched)),
    close: () => site.close(),
  })
}
