// `npm test`: compile, look after a redis-server, run the test files under node's runner. Words without a dash
// choose files by a part of their path (`npm test -- pool`); words with one go to node (`--test-name-pattern=…`).

import { existsSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { lookAfterChromium } from './chromium.js'
import { compile, enter, lookAfterRedis, run, seconds } from './harness.js'

const FILE_TIMEOUT = 120_000
// The whole of it; node 24 waits for ever for a file that leaves a server open.
const RUN_TIMEOUT = 480_000

enter('npm test')
const started = performance.now()
const words = process.argv.slice(2)

// The tests of the package look at dist/ as it is published.
await compile('npm test', { dist: true })
const redis = lookAfterRedis()
const line = 'binary' in redis ? `live tests: redis-server ${redis.version}` : `live tests: skipped — ${redis.obstacle}`
console.log(line)
const files = chooseFiles(words.filter((word) => !word.startsWith('-')))
// Only one file needs a browser, which is large.
const chromium = files.some((file) => file.includes('dashboard-page')) ? lookAfterChromium() : undefined
const pageLine =
  chromium &&
  ('binary' in chromium ? `page tests: Chromium ${chromium.version}` : `page tests: skipped — ${chromium.obstacle}`)
if (pageLine) console.log(pageLine)
const status = await run(
  process.execPath,
  [
    '--import=./build/test/support/after-all.js',
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
  {
    // The file that starts the servers (test/support/redis-process.ts) takes this binary.
    env: {
      ...process.env,
      ...('binary' in redis ? { REDIS_SERVER_BIN: redis.binary } : {}),
      ...(chromium && 'binary' in chromium ? { CHROMIUM_BIN: chromium.binary } : {}),
    },
    limit: {
      ms: RUN_TIMEOUT,
      complaint: `npm test: stopped after ${RUN_TIMEOUT / 1000} s; the file after the last one above does not end`,
    },
  },
)
console.error(`${files.length} files in ${seconds(started)}; the whole run in TAP: build/test.tap`)
if (!('binary' in redis)) console.error(line)
if (chromium && !('binary' in chromium)) console.error(pageLine)
process.exit(status)

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
