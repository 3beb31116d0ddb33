// Owns how `respool top` is run from the command line.

import { OptionError } from '../index.js'
import { readAuthority } from './authority.js'
import { type CommandContext, EXIT } from './command-spec.js'
import { readEndpoints } from './pool-endpoint.js'
import { isReached, linesOf, type TopOptions, watch, watchOnScreen } from './top.js'
import { SORTS } from './top-view.js'

const ON_SCREEN = 250
const IN_LINES = 1_000
const SHORTEST = 100
const LONGEST = 3_600_000

export async function run(context: CommandContext): Promise<number> {
  const { terminal, switches, signal } = context
  const { stdout, stdin, env } = process
  const once = switches.has('once')
  const json = switches.has('json')
  const full = stdout.isTTY === true && env.TERM !== 'dumb' && !once && !json
  const options = readOptions(context, env, full ? ON_SCREEN : IN_LINES)
  if (full) {
    await watchOnScreen(options, { out: stdout, input: stdin, process, colour: terminal.out.colour })
    // What was said meanwhile went to the screen that is gone.
    terminal.clear()
    return EXIT.done
  }
  const last = await watch(options, (document) => terminal.result(linesOf(document, options.sort, json)))
  return once && !signal.aborted && (last === undefined || !isReached(last)) ? EXIT.unavailable : EXIT.done
}

function readOptions(context: CommandContext, env: NodeJS.ProcessEnv, preset: number): TopOptions {
  const { values, switches, signal } = context
  const endpoints = readEndpoints(context, env)
  const url = values.get('url') ?? (env.REDIS_URL || undefined)
  if (url === undefined && endpoints.length === 0) {
    throw new OptionError('nothing to watch: give --url or REDIS_URL for a server, --pool for pools')
  }
  const sort = SORTS.find((name) => name === values.get('sort')) ?? 'count'
  const interval = readInterval(values.get('interval')) ?? preset
  return { url, ca: readAuthority(values, url), endpoints, interval, sort, once: switches.has('once'), signal }
}

function readInterval(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const [, amount, unit] = /^(\d{1,7})(ms|s)?$/.exec(text) ?? []
  const interval = Number(amount ?? Number.NaN) * (unit === 's' ? 1_000 : 1)
  if (interval >= SHORTEST && interval <= LONGEST) return interval
  throw new OptionError('--interval: expected milliseconds from 100 to 3600000, or a time such as 500ms or 2s')
}
