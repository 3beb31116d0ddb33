// Owns the command line of the two programs: what may be asked, what is assumed, and what is refused.
import { parseArgs } from 'node:util'
import { contenders } from './contenders.js'

/**
 * @typedef {object} Options
 * @property {number[]} callers
 * @property {number} rounds
 * @property {number} seconds
 * @property {number} warmup
 * @property {boolean} quick
 * @property {'text' | 'json' | 'markdown'} format
 * @property {import('./contenders.js').Contender[]} contenders
 * @property {string[]} scenarios
 */

const FULL = { rounds: 5, seconds: 0.5, warmup: 0.15 }
const QUICK = { rounds: 2, seconds: 0.15, warmup: 0.06 }

const common = /** @type {const} */ ({
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  only: { type: 'string' },
  quick: { type: 'boolean' },
  json: { type: 'boolean' },
  markdown: { type: 'boolean' },
  help: { type: 'boolean' },
})

const help = {
  callers: `1,10,100,1000   concurrent callers`,
  scenario: `name            one of, or several with commas (default: all)`,
  rounds: `N               rounds per figure (default ${FULL.rounds}; the median is reported)`,
  seconds: `S               measured time per figure and round (default ${FULL.seconds})`,
  only: `a,b             ${contenders.map((each) => each.id).join(', ')}`,
  quick: `                less exact, in under a minute`,
  json: `                results as JSON`,
  markdown: `                results as Markdown tables`,
  help: `                this text`,
}

/** @param {'run.js' | 'scenarios.js'} program @param {string[]} [scenarioNames] @returns {Options} */
export function readOptions(program, scenarioNames = []) {
  const own = program === 'run.js' ? 'callers' : 'scenario'
  const known = { [own]: { type: /** @type {const} */ ('string') }, ...common }
  const given = parse(known)
  if (given.help) {
    const lines = Object.entries(help).filter(([name]) => name in known)
    console.log(`node ${program}\n${lines.map(([name, text]) => `  --${name.padEnd(9)} ${text}`).join('\n')}`)
    if (own === 'scenario') console.log(`scenarios: ${scenarioNames.join(', ')}`)
    process.exit(0)
  }
  if (given.json && given.markdown) refuse('--json and --markdown exclude each other')
  const assumed = given.quick ? QUICK : FULL
  return {
    callers: (given.callers ?? '1,10,100,1000')
      .split(',')
      .map((/** @type {string} */ text) => positive('callers', text, true)),
    rounds: given.rounds === undefined ? assumed.rounds : positive('rounds', given.rounds, true),
    seconds: given.seconds === undefined ? assumed.seconds : positive('seconds', given.seconds, false),
    warmup: assumed.warmup,
    quick: given.quick === true,
    format: given.json ? 'json' : given.markdown ? 'markdown' : 'text',
    contenders: chosen(
      'only',
      given.only,
      contenders.map((each) => each.id),
    ).flatMap((id) => contenders.filter((each) => each.id === id)),
    scenarios: chosen('scenario', given.scenario, scenarioNames),
  }
}

/**
 * @param {Record<string, { type: 'string' | 'boolean' }>} known
 * @returns {{ [name: string]: any }}
 */
function parse(known) {
  try {
    return parseArgs({ options: known }).values
  } catch (error) {
    const names = Object.keys(known).map((name) => `--${name}`)
    return refuse(`${error instanceof Error ? error.message : error}\nThe options are ${names.join(', ')}`)
  }
}

/** @param {string} option @param {string | undefined} text @param {string[]} names */
function chosen(option, text, names) {
  if (text === undefined) return names
  const given = text.split(',')
  const unknown = given.filter((name) => !names.includes(name))
  if (unknown.length > 0) refuse(`--${option}: no '${unknown.join("', '")}'; there are ${names.join(', ')}`)
  return names.filter((name) => given.includes(name))
}

/** @param {string} option @param {string} text @param {boolean} whole */
function positive(option, text, whole) {
  const number = Number(text)
  if (text.trim() !== '' && number > 0 && Number.isFinite(number) && (!whole || Number.isInteger(number))) return number
  return refuse(`--${option}: expected a positive ${whole ? 'whole ' : ''}number, got '${text}'`)
}

/** @param {string} message @returns {never} */
function refuse(message) {
  console.error(message)
  process.exit(2)
}
