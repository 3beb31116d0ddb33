// Makes dist/ from src/, and nothing else: compile, put the dashboard's page in, make the CLI executable. Speaks on stderr only, so that
// `npm run demo -- --json` keeps its stdout to itself.

import { spawn } from 'node:child_process'
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
const compiled = await Promise.all(['tsconfig.build.json', 'tsconfig.page.json'].map(compile))
const failed = compiled.find((code) => code !== 0)
if (failed !== undefined) {
  console.error(existsSync(TSC) ? 'build: src/ does not compile; see the lines above' : 'build: run `npm ci` first')
  process.exit(failed)
}
buildPage('dist/tools')
if (existsSync('dist/tools/cli.js')) chmodSync('dist/tools/cli.js', 0o755)
console.error(`built dist/ in ${((performance.now() - started) / 1000).toFixed(1)} s`)

/** @returns {Promise<number>} the exit code of the compiler */
function compile(project) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [TSC, '-p', project], { stdio: ['ignore', 2, 2] })
    child.on('error', () => resolve(1))
    child.on('exit', (code) => resolve(code ?? 1))
  })
}
