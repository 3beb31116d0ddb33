// Owns how `respool bench` is run from the command line, and the document it prints.

import { availableParallelism, cpus } from 'node:os'
import { type Redis, VERSION } from '../index.js'
import { benchSvg } from './bench-chart.js'
import { type Cell, type Course, runCourse } from './bench-course.js'
import { BenchKeys } from './bench-keys.js'
import { type Field, type Missing, makeField } from './bench-peers.js'
import { type BenchPlan, readBenchPlan } from './bench-plan.js'
import { type BenchMachine, benchHead, groupsOf, remarks, scenarioLines } from './bench-report.js'
import { type CommandContext, EXIT } from './command-spec.js'
import { connectTo } from './control.js'
import { writePicture } from './picture.js'
import { obtainServer, type RunningServer } from './server.js'
import { engineOf, readInfo } from './server-info.js'
import { printableLines, type Screen } from './terminal.js'

/** What `--json` prints; raised when a field changes its meaning or goes. */
const SCHEMA_VERSION = 1

export interface BenchDocument {
  readonly schemaVersion: typeof SCHEMA_VERSION
  readonly command: 'bench'
  readonly startedAt: string
  readonly machine: BenchMachine
  readonly plan: BenchPlan
  /** True when the run was ended early; rounds that did not come to an end are then missing. */
  readonly interrupted: boolean
  readonly cells: readonly Cell[]
  readonly missing: readonly Missing[]
  readonly firstError: string | null
}

export async function run(context: CommandContext): Promise<number> {
  const { values, terminal } = context
  const plan = readBenchPlan({ values })
  terminal.progress('looking for a server')
  const server = await obtainServer({ url: values.get('url'), serverBin: values.get('server-bin') })
  try {
    return await measure(context, plan, server)
  } finally {
    await server.stop()
  }
}

async function measure(context: CommandContext, plan: BenchPlan, server: RunningServer): Promise<number> {
  const { terminal, signal } = context
  const startedAt = new Date().toISOString()
  const control = await connectTo(server)
  const keys = new BenchKeys(control, plan.keys, plan.valueBytes)
  let field: Field = { subjects: [], missing: [] }
  try {
    const machine = await describe(server, control)
    await keys.fill(signal)
    if (!signal.aborted) field = await makeField(server.url, plan, process.cwd())
    const course = await runCourse(plan, field.subjects, keys, signal, (text, detail) =>
      terminal.progress(text, detail),
    )
    const { missing } = field
    const interrupted = signal.aborted
    const document = {
      schemaVersion: SCHEMA_VERSION,
      command: 'bench',
      startedAt,
      machine,
      plan,
      interrupted,
      missing,
      ...course,
    } as const
    report(context, document, field)
    return failed(course) ? EXIT.failed : EXIT.done
  } finally {
    terminal.clear()
    await Promise.allSettled(field.subjects.map((subject) => subject.close()))
    await keys.remove()
    await control.close({ timeout: 1_000 })
  }
}

const failed = ({ cells }: Course): boolean => cells.some(({ errors }) => errors > 0)

function report({ switches, values, terminal }: CommandContext, document: BenchDocument, { subjects }: Field): void {
  const { machine, cells } = document
  if (switches.has('json')) terminal.result(printableLines(JSON.stringify(document, null, 2)))
  else terminal.result(textOf(document, subjects[0]?.settings ?? '', terminal.out).join('\n'))
  // Last, so that a file that cannot be written costs no figure.
  const picture = values.get('svg')
  if (picture !== undefined && cells.length > 0) writePicture(picture, benchSvg(machine, cells))
}

function textOf(document: BenchDocument, settings: string, screen: Screen): string[] {
  const { machine, cells, interrupted } = document
  const lines = benchHead(machine, settings, screen)
  for (const [scenario, group] of groupsOf(cells)) lines.push('', ...scenarioLines(scenario, group, screen))
  lines.push('', ...remarks(document, screen))
  if (interrupted) lines.push('', 'Interrupted: this is what was measured so far.')
  return lines
}

async function describe({ kind, engine }: RunningServer, control: Redis): Promise<BenchMachine> {
  const info = await control.info('server').then(String, () => '')
  const version = engineOf(readInfo(info))
  return {
    respool: VERSION,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cpus: availableParallelism(),
    engine: kind === 'given' ? `${version} at ${engine}` : engine,
  }
}
