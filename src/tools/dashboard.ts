// Owns `respool/dashboard`: a request handler and a server that show pools, live, to who knows the token. Reads only.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
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
  /** Ends the streams and the recordings; pools go on. */
  close(): void
}

export interface DashboardServer {
  /** The address of the page, with the token. Keep it from others. */
  readonly url: string
  readonly token: string
  add(watched: Watched): void
  /** Resolves when nothing of it is left. */
  close(): Promise<void>
}

/**
 * A handler for `http.createServer`, for `app.use('/respool', …)` of Express, and with `base` for Fastify's raw
 * request and response.
 * @throws OptionError for an option that is unknown or does not fit
 */
export function dashboard(options: DashboardOptions): Dashboard {
  return dashboardFrom(readDashboardOptions(options))
}

/**
 * Serves the dashboard on a port of its own, on this machine only unless told otherwise.
 * @throws OptionError for an option that is unknown or does not fit; what the system says when it cannot listen
 */
export async function serveDashboard(options: ServeDashboardOptions): Promise<DashboardServer> {
  const settings = readServeOptions(options)
  const handler = dashboardFrom(settings)
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
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : settings.port
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host
  return {
    url: `http://${host}:${port}${settings.base}/#token=${handler.token}`,
    token: handler.token,
    add: (watched) => handler.add(watched),
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

function dashboardFrom(settings: DashboardSettings): Dashboard {
  const site = new Site(settings)
  const handle = (request: IncomingMessage, response: ServerResponse): void => site.answer(request, response)
  return Object.assign(handle, {
    token: settings.token,
    add: (watched: Watched) => site.add(poolIn(watched)),
    close: () => site.close(),
  })
}
