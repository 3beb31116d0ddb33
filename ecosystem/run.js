// Owns a run of the ecosystem: every scene on a server of its own, a line for each, exit code 1 when one is not ok.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { startServer } from '../bench/server.js'
import { CLIENTS, clientOf } from './clients.js'
import { SCENES } from './scenes/index.js'

const SCENE_WITHIN = 60_000

const { values } = parseArgs({
  options: { only: { type: 'string' }, client: { type: 'string', default: 'respool' } },
})
const chosen = SCENES.filter(({ name }) => values.only === undefined || name === values.only)
if (chosen.length === 0) fail(`--only takes ${SCENES.map(({ name }) => name).join(', ')}`)
const client = CLIENTS.find((name) => name === values.client) ?? fail(`--client takes ${CLIENTS.join(', ')}`)

/** @type {unknown[]} */
const strays = []
process.on('unhandledRejection', (reason) => strays.push(reason))
process.on('uncaughtException', (error) => strays.push(error))

// An end from outside is an end like any other: the server goes with us.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

let failed = 0
for (const scene of chosen) if (!(await play(scene))) failed++
console.log(`# ${client}: ok ${chosen.length - failed}, not ok ${failed}`)
process.exit(failed > 0 ? 1 : 0)

/** @param {import('./scenes/index.js').Scene} scene */
async function play(scene) {
  const names = scene.packages.map((name) => `${name}@${versionOf(name)}`).join(' + ')
  const began = performance.now()
  const server = await startServer()
  /** @type {(() => unknown)[]} */
  const endings = []
  const createClient = await clientOf(client)
  strays.length = 0
  let line
  let ok = false
  try {
    const defer = (/** @type {() => unknown} */ end) => endings.push(end)
    /** @param {Record<string, unknown>} [options] */
    const open = async (options) => {
      const handle = createClient({ url: server.url, ...options })
      handle.on('error', () => {})
      await handle.connect()
      defer(() => handle.destroy())
      return handle
    }
    line = await within(scene.run({ server, open, defer }), SCENE_WITHIN)
    ok = true
  } catch (error) {
    line = error instanceof Error ? error.message.replaceAll('\n', ' ') : String(error)
  }
  for (const end of endings.reverse()) await within(Promise.resolve().then(end), 5_000).catch(() => {})
  await new Promise((resolve) => setImmediate(resolve))
  if (ok && strays.length > 0) {
    ok = false
    line += `; nobody caught: ${strays.map(String).join('; ')}`
  }
  server.stop()
  console.log(`${ok ? 'ok' : 'not ok'} - ${names}: ${line} (${((performance.now() - began) / 1_000).toFixed(1)} s)`)
  return ok
}

/** @template T @param {Promise<T>} promise @param {number} ms @returns {Promise<T>} */
async function within(promise, ms) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not end within ${ms / 1_000} s`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** @param {string} name */
function versionOf(name) {
  return JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), 'utf8')).version
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(message)
  process.exit(1)
}
