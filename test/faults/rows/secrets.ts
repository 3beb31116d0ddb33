// Rows H: secrets, and what is published.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from '../../../src/index.js'
import { CANARY, Scanner } from '../../support/canary.js'
import { field, modulesOf, packedFiles, pageFiles, ROOT, SCRIPTS_ON_INSTALL } from '../../support/package-files.js'
import { RedisProcess } from '../../support/redis-process.js'
import * as places from '../../support/secrets.js'
import type { Context, Outcome, Row } from '../row.js'
import { CLEAN } from '../verdict.js'

async function canary(context: Context): Promise<Outcome> {
  const scanner = new Scanner()
  let tried = 0
  for (let round = context.scale(1, 10); round > 0; round--) tried += await lookEverywhere(scanner, context)
  const planted = new Scanner()
  await using server = await RedisProcess.start({ password: 'another one' })
  planted.look(await places.crash(`redis://127.0.0.1:${server.port}`, 'planted'), 'planted')
  return {
    operations: scanner.looked,
    faults: tried,
    verdict: CLEAN,
    examples: scanner.hits,
    checks: [
      { what: 'values looked at', value: scanner.looked, is: 'at least', limit: 500 },
      { what: 'in which the secret shows', value: scanner.hits.length, is: 'exactly', limit: 0 },
      { what: 'planted on purpose, and found', value: planted.hits.length, is: 'exactly', limit: 1 },
    ],
  }
}

/** Gives how many ways were tried. */
async function lookEverywhere(scanner: Scanner, context: Context): Promise<number> {
  await using server = await RedisProcess.start({ password: CANARY })
  await using open = await RedisProcess.start()
  const logins = places.logins(server.port)
  const commands = places.secretCommands(open.port)
  context.note('logins that work, and logins that fail')
  for (const args of logins) await places.lookAtLife(args, scanner)
  let tried = logins.length + (await places.lookAtFailedLogins(scanner))
  context.note('arguments, options, TLS, exhaustion')
  await using redis = new Redis(open.url)
  await places.lookAtArguments(redis, open.port, scanner)
  tried += commands.length + (await places.lookAtWrongOptions(scanner))
  await places.lookAtTls(open.port, 'no key', scanner)
  await places.lookAtExhaustion(server, scanner)
  context.note('processes that end by an uncaught error')
  for (const way of places.WAYS_TO_CRASH) {
    scanner.look(await places.crash(`redis://127.0.0.1:${server.port}`, way), `a process that ended: ${way}`)
    tried++
  }
  return tried
}

async function published(_: Context): Promise<Outcome> {
  const files = packedFiles()
  const page = pageFiles().map((path) => `dist/${path}`)
  const expected = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json', ...page]
  const modules = modulesOf('src').flatMap((path) => [`dist/${path}`, `dist/${path.replace(/\.js$/, '.d.ts')}`])
  const strange = files.filter((path) => !expected.includes(path) && !modules.includes(path))
  const missing = expected
    .concat(modules.filter((path) => path.endsWith('.js')))
    .filter((path) => !files.includes(path))
  const dependencies = Object.entries(Object(field('dependencies')))
  const scripts = SCRIPTS_ON_INSTALL.filter((name) => Reflect.get(Object(field('scripts')), name) !== undefined)
  const lock: unknown = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  return {
    operations: files.length,
    faults: 1,
    verdict: CLEAN,
    examples: [...strange, ...missing],
    checks: [
      { what: 'files that do not belong there', value: strange.length, is: 'exactly', limit: 0 },
      { what: 'files that are missing', value: missing.length, is: 'exactly', limit: 0 },
      { what: 'dependencies', value: dependencies.length, is: 'exactly', limit: 1 },
      {
        what: 'dependencies of any version but one',
        value: dependencies.filter(isLoose).length,
        is: 'exactly',
        limit: 0,
      },
      { what: 'scripts that run on install', value: scripts.length, is: 'exactly', limit: 0 },
      { what: 'locked packages without a checksum', value: unchecked(lock).length, is: 'exactly', limit: 0 },
    ],
  }
}

const isLoose = ([, version]: [string, unknown]): boolean => !/^\d+\.\d+\.\d+$/.test(String(version))

/** Locked packages that somebody could exchange unseen. */
function unchecked(lock: unknown): string[] {
  const packages: unknown = Reflect.get(Object(lock), 'packages')
  return Object.entries(Object(packages))
    .filter(([path, locked]) => path !== '' && !/^sha512-/.test(String(Reflect.get(Object(locked), 'integrity'))))
    .map(([path]) => path)
}

export const secrets: readonly Row[] = [
  {
    id: 'H1',
    fault: 'A secret looks for a way out',
    injection:
      'a password in URLs, options, functions, TLS and arguments, through logins and calls that fail in every way',
    expected: 'it shows in no error, event, statistic, handle or crash',
    tiers: ['commit', 'nightly'],
    run: canary,
  },
  {
    id: 'H3',
    fault: 'The package carries more than it should',
    injection: 'npm pack, package.json and the lockfile, as they are',
    expected: 'one pinned dependency, no scripts on install, and exactly the files of src',
    tiers: ['commit', 'nightly'],
    run: published,
  },
]
