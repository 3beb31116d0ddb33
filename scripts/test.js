// `npm test`: compile, look after a redis-server, run the test files under node's runner. Words without a dash
// choose files by a part of their path (`npm test -- pool`); words with one go to node (`--test-name-pattern=…`).

import { spawn } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findRedisServer, HOW_TO_GET_IT, installRedisServer } from './redis.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')
const FILE_TIMEOUT = 120_000
// The whole of it; node 24 waits for ever for a file that leaves a server open.
const RUN_TIMEOUT = 170_000

process.chdir(ROOT)
if (!existsSync(TSC)) {
  console.error('npm test: the tools are not installed; run `npm ci` first')
  process.exit(1)
}
const started = performance.now()
const words = process.argv.slice(2)

await compile()
const redis = lookAfterRedis()
console.log(redis.line)
const files = chooseFiles(words.filter((word) => !word.startsWith('-')))
const status = await run(
  process.execPath,
  [
    '--test',
    '--test-reporter=./scripts/reporter.js',
    '--test-reporter-destination=stdout',
    '--test-reporter=tap',
    '--test-reporter-destination=build/test.tap',
    `--test-concurrency=${Math.max(2, Math.min(4, availableParallelism()))}`,
    `--test-timeout=${FILE_TIMEOUT}`,
    ...words.filter((word) => word.startsWith('-')),
    ...files,
  ],
  // The file that starts the servers (test/support/redis-process.ts) takes this binary.
  { ...process.env, ...(redis.binary ? { REDIS_SERVER_BIN: redis.binary } : {}) },
)
console.error(`${files.length} files in ${seconds()}; the whole run in TAP: build/test.tap`)
if (!redis.binary) console.error(redis.line)
process.exit(status)

async function compile() {
  rmSync('build', { recursive: true, force: true })
  // The second is dist/, for the tests of the package as it is published.
  for (const args of [[TSC, '-p', 'tsconfig.json'], ['scripts/build.js']]) {
    if ((await run(process.execPath, args)) === 0) continue
    console.error('npm test: no test ran, because the sources do not compile')
    process.exit(1)
  }
  console.error(`compiled the tests in ${seconds()}`)
}

/** @returns {{ binary?: string, line: string }} the server, and the line that says what the live tests run on */
function lookAfterRedis() {
  let found = findRedisServer()
  const obstacle = found ? undefined : installRedisServer()
  if (!found && !obstacle) found = findRedisServer()
  if (found) return { binary: found.binary, line: `live tests: redis-server ${found.version}` }
  const why = obstacle ?? 'installed, but it does not run'
  return { line: `live tests: skipped — redis-server is ${why}. To get it: ${HOW_TO_GET_IT}` }
}

function chooseFiles(parts) {
  // Explicit paths, because node 20, 22 and 24 each take directories and globs differently.
  const all = existsSync('build/test')
    ? readdirSync('build/test', { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.test.js'))
        .sort()
    : []
  const chosen = parts.length === 0 ? all : all.filter((name) => parts.some((part) => name.includes(part)))
  if (chosen.length === 0) {
    console.error(`npm test: no test file has ${parts.map((part) => `'${part}'`).join(' or ')} in its path; there are:`)
    console.error(all.map((name) => `  ${name.replace(/\.js$/, '.ts')}`).join('\n'))
    process.exit(1)
  }
  return chosen.map((name) => join('build', 'test', name))
}

/** Runs one child to its end, passing on the signals that should end it, within a limit; gives its exit code. */
function run(command, args, env = process.env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env })
    const pass = (signal) => child.kill(signal)
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
    for (const signal of signals) process.on(signal, pass)
    const timer = setTimeout(() => {
      console.error(`npm test: stopped after ${RUN_TIMEOUT / 1000} s; the file after the last one above does not end`)
      child.kill('SIGTERM')
    }, RUN_TIMEOUT)
    child.on('error', reject)
    child.on('exit', (code) => {
      clearTimeout(timer)
      for (const signal of signals) process.off(signal, pass)
      resolve(code ?? 1)
    })
  })
}

function seconds() {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`
}
