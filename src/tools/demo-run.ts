// Owns how `respool demo` is run from the command line.

import { type CommandContext, EXIT } from './command-spec.js'
import { demo, succeeded } from './demo.js'
import { FULL, QUICK } from './demo-context.js'
import { obtainServer } from './server.js'

export async function run({ switches, values, terminal, signal }: CommandContext): Promise<number> {
  terminal.progress('looking for a server')
  const server = await obtainServer({ url: values.get('url'), serverBin: values.get('server-bin') })
  try {
    const plan = switches.has('quick') ? QUICK : FULL
    const document = await demo({ server, plan, json: switches.has('json'), signal, terminal })
    return succeeded(document) ? EXIT.done : EXIT.failed
  } finally {
    await server.stop()
  }
}
