// Owns how `respool demo` is run from the command line.

import type { ConnectionPool } from '../index.js'
import { type CommandContext, EXIT } from './command-spec.js'
import { demo, succeeded } from './demo.js'
import { FULL, QUICK } from './demo-context.js'
import { type DemoDashboard, openDashboard } from './demo-dashboard.js'
import { obtainServer } from './server.js'

export async function run({ switches, values, terminal, signal }: CommandContext): Promise<number> {
  terminal.progress('looking for a server')
  const server = await obtainServer({ url: values.get('url'), serverBin: values.get('server-bin') })
  let dashboard: DemoDashboard | undefined
  try {
    if (switches.has('dashboard')) dashboard = await openDashboard(terminal)
    const plan = switches.has('quick') ? QUICK : FULL
    const watch = (pool: ConnectionPool) => dashboard?.watch(pool)
    const document = await demo({ server, plan, json: switches.has('json'), signal, terminal, watch })
    await dashboard?.stay(server.url, signal)
    return succeeded(document) ? EXIT.done : EXIT.failed
  } finally {
    await dashboard?.close()
    await server.stop()
  }
}
