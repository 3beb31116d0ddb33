// What is published: the manifest, and the files that npm would pack. Judges nothing.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const PACKS_WITHIN = 60_000

export const ROOT = findRoot(import.meta.dirname)

const manifest: unknown = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

/** A field of package.json. */
export const field = (name: string): unknown => Reflect.get(Object(manifest), name)

/** What npm would run on the machine of whoever installs the package. */
export const SCRIPTS_ON_INSTALL = ['preinstall', 'install', 'postinstall', 'prepare'] as const

/** What `npm pack` would put into the package. Without scripts, so that it does not build while others test. */
export function packedFiles(): string[] {
  const stdout = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: PACKS_WITHIN,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [report]: unknown[] = JSON.parse(stdout)
  const files: unknown = Reflect.get(Object(report), 'files')
  if (!Array.isArray(files)) throw new Error('npm pack listed no files')
  return files.map((file) => String(Reflect.get(Object(file), 'path')))
}

/** The .js for each .ts of a folder, from there on. */
export function modulesOf(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .map((path) => path.replace(/\.ts$/, '.js'))
    .sort()
}

/** The files of the dashboard's page below dist: ours as they are, and what the build makes of uPlot. */
export function pageFiles(): string[] {
  const own = readdirSync(join(ROOT, 'src/tools/dashboard-page')).filter((name) => !name.endsWith('.d.ts'))
  return [...own, 'uplot.css', 'uplot.js'].map((name) => `tools/dashboard-page/${name}`).sort()
}

/** Up from the compiled file to the folder that holds the sources. */
function findRoot(from: string): string {
  return existsSync(join(from, 'tsconfig.json')) ? from : findRoot(join(from, '..'))
}
