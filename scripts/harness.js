// What `npm test` and `npm run faults` share: compile, look after a redis-server, run a child to its end.

import { spawn } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildPage } from './page.js'
import { findRedisServer, HOW_TO_GET_IT, installRedisServer } from './redis.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** Goes to the root of the repository; what follows may name files from there. */
export function enter(command) {
  process.chdir(ROOT)
  if (existsSync(TSC)) return
  console.error(`${command}: the tools are not installed; run \`npm ci\` first`)
  process.exit(1)
}

/** Compiles everything into build/; with `dist` also the package as it is published. */
export async function compile(command, { dist }) {
  const started = performance.now()
  rmSync('build', { recursive: true, force: true })
  for (const args of [[TSC, '-p', 'tsconfig.json'], ...(dist ? [['scripts/build.js']] : [])]) {
    if ((await run(process.execPath, args)) === 0) continue
    console.error(`${command}: nothing ran, because the sources do not compile`)
    process.exit(1)
  }
  buildPage('build/src/tools')
  console.error(`compiled in ${seconds(started)}`)
}

/** @returns {{ binary: string, version: string } | { obstacle: string }} a redis-server, installed if need be, or why there is none */
export function lookAfterRedis() {
  let found = findRedisServer()
  const obstacle = found ? undefined : installRedisServer()
  if (!found && !obstacle) found = findRedisServer()
  if (found) return found
  const why = obstacle ?? 'installed, but it does not run'
  return { obstacle: `redis-server is ${why}. To get it: ${HOW_TO_GET_IT}` }
}

/**
 * Runs one child to its end, passing on the signals that should end it; gives its exit code.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, limit?: { ms: number, complaint: string } }} [options] a limit ends it
 */
export function run(command, args, { env = process.env, limit } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env })
    const pass = (signal) => child.kill(signal)
    for (const signal of SIGNALS) process.on(signal, pass)
    const timer =
      limit &&
      setTimeout(() => {
        console.error(limit.complaint)
        child.kill('SIGTERM')
      }, limit.ms)
    child.on('error', reject)
    child.on('exit', (code) => {
      clearTimeout(timer)
      for (const signal of SIGNALS) process.off(signal, pass)
      resolve(code ?? 1)
    })
  })
}

export function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}
