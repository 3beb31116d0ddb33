// Owns how `respool doctor` is run from the command line.

import { OptionError } from '../index.js'
import { readAuthority } from './authority.js'
import { type CommandContext, EXIT, type OptionValues } from './command-spec.js'
import { type DoctorOptions, doctor } from './doctor.js'
import { findingLines, headLines, summaryLine } from './doctor-report.js'
import { readEndpoints } from './pool-endpoint.js'
import { printableLines } from './terminal.js'

export async function run({ terminal, signal, ...typed }: CommandContext): Promise<number> {
  const options = readOptions(typed, signal, process.env)
  terminal.progress('examining')
  const document = await doctor(options)
  terminal.clear()
  if (typed.switches.has('json')) terminal.result(printableLines(JSON.stringify(document, null, 2)))
  else {
    const places = [
      ...(document.server === null ? [] : [document.server]),
      ...options.endpoints.map(({ shown }) => shown),
    ]
    const { findings, interrupted } = document
    terminal.result(headLines(places, terminal.out).join('\n'))
    terminal.result(findingLines(findings, terminal.out).join('\n'))
    terminal.result(
      `\n${summaryLine(findings, terminal.out)}${interrupted ? '\nInterrupted: findings are missing.' : ''}`,
    )
  }
  return document.exitCode ?? EXIT.interrupted
}

function readOptions(typed: OptionValues, signal: AbortSignal, env: NodeJS.ProcessEnv): DoctorOptions {
  const endpoints = readEndpoints(typed, env)
  const url = typed.values.get('url') ?? (env.REDIS_URL || undefined)
  if (url === undefined && endpoints.length === 0) {
    throw new OptionError('nothing to examine: give --url or REDIS_URL for a server, --pool for pools')
  }
  const ca = readAuthority(typed.values, url)
  const fleet = readFleet(typed.values)
  return { patient: url === undefined ? undefined : { url, ca }, fleet, endpoints, signal }
}

function readFleet(values: ReadonlyMap<string, string>): DoctorOptions['fleet'] {
  const processes = wholeNumber(values, 'processes')
  const maxConnections = wholeNumber(values, 'max-connections')
  if (processes !== undefined) return { processes, maxConnections }
  if (maxConnections !== undefined) throw new OptionError('--max-connections: needs --processes beside it')
  return undefined
}

function wholeNumber(values: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = values.get(name)
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new OptionError(`--${name}: expected a whole number from 1 to 9999999`)
  return Number(text)
}
