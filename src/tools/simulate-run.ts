// Owns how `respool simulate` is run from the command line, and the document it prints.

import { VERSION } from '../index.js'
import { type CommandContext, EXIT } from './command-spec.js'
import { writePicture } from './picture.js'
import { simulationSvg } from './simulate-chart.js'
import { readPlan, type SimulationPlan } from './simulate-plan.js'
import { phasesFromFile } from './simulate-recorded.js'
import { type Answer, answerOf, reportLines } from './simulate-report.js'
import { type SizeResult, sweep } from './simulate-sweep.js'

/** What `--json` prints; raised when a field changes its meaning or goes. */
const SCHEMA_VERSION = 1

export interface SimulationDocument {
  readonly schemaVersion: typeof SCHEMA_VERSION
  readonly command: 'simulate'
  readonly respool: string
  /** True when the run was ended early; sizes that did not come to an end are then missing. */
  readonly interrupted: boolean
  readonly plan: Omit<SimulationPlan, 'sizes'>
  /** Durations in milliseconds. */
  readonly sizes: readonly SizeResult[]
  readonly answer: Answer
}

export async function run(context: CommandContext): Promise<number> {
  const { switches, values, terminal, signal } = context
  const plan = readPlan({ values }, phasesFromFile)
  const results = await sweep(plan, signal, (text, detail) => terminal.progress(text, detail))
  const answer = answerOf(plan, results)
  if (switches.has('json')) {
    const { sizes, ...told } = plan
    const document: SimulationDocument = {
      schemaVersion: SCHEMA_VERSION,
      command: 'simulate',
      respool: VERSION,
      interrupted: signal.aborted,
      plan: told,
      sizes: results,
      answer,
    }
    terminal.result(JSON.stringify(document, null, 2))
  } else {
    terminal.result(reportLines(plan, results, terminal.out).join('\n'))
    if (signal.aborted) terminal.result('\nInterrupted: these sizes were simulated to their end.')
  }
  const picture = values.get('svg')
  if (picture !== undefined && results.length > 0) writePicture(picture, simulationSvg(plan, results))
  return answer.maxConnections === null ? EXIT.failed : EXIT.done
}
