// Owns the closed loop comparison: GET and SET of 64 bytes by a number of concurrent callers, all clients in one run.
import { assertBuilt } from './contenders.js'
import { closedLoop, fill } from './engine.js'
import { readOptions } from './options.js'
import { closedLoopTables, environment, failures, print, progress, ratios, summary } from './report.js'
import { startServer } from './server.js'

try {
  const options = readOptions('run.js')
  assertBuilt(options.contenders)
  const server = await startServer()
  await fill(server)
  const cells = await closedLoop(server, options.contenders, options, progress)
  progress('')
  print(options.format, {
    environment: environment(server, options),
    tables: closedLoopTables(cells),
    ratios: options.contenders.some((each) => each.role === 'respool') ? ratios(cells) : [],
    data: { closedLoop: cells.map((cell) => ({ ...cell, median: summary(cell.samples) })) },
  })
  process.exit(failures(cells).length > 0 ? 1 : 0)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
