// Makes dist/ from src/, and nothing else: compile, put the dashboard's page in, make the CLI executable. Speaks on stderr only, so that
// `npm run demo -- --json` keeps its stdout to itself.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildPage } from './page.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')

process.chdir(ROOT)
const started = performance.now()
rmSync('dist', { recursive: true, force: true })
// The page's own files are JavaScript: they are only checked.
for (const project of ['tsconfig.build.json', 'tsconfig.page.json']) {
  const { status } = spawnSync(process.execPath, [TSC, '-p', project], { stdio: ['ignore', 2, 2] })
  if (status === 0) continue
  console.error(existsSync(TSC) ? 'build: src/ does not compile; see the lines above' : 'build: run `npm ci` first')
  process.exit(status ?? 1)
}
buildPage('dist/tools')
if (existsSync('dist/tools/cli.js')) chmodSync('dist/tools/cli.js', 0o755)
console.error(`built dist/ in ${((performance.now() - started) / 1000).toFixed(1)} s`)
