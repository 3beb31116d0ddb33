// Puts the dashboard's page beside the compiled dashboard: our files as they are, and uPlot, vendored, so that whoever
// installs respool gets no further dependency and the page asks no other host for anything.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const FROM = 'src/tools/dashboard-page'
const UPLOT = 'node_modules/uplot'

/** @param {string} tools the folder that holds the compiled dashboard.js */
export function buildPage(tools) {
  const to = join(tools, 'dashboard-page')
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(FROM).filter((file) => !file.endsWith('.d.ts')))
    cpSync(join(FROM, name), join(to, name))
  if (!existsSync(UPLOT)) throw new Error('uplot is not installed; run `npm ci` first')
  const licence = `/*!\n${readFileSync(join(UPLOT, 'LICENSE'), 'utf8').trim()}\n*/\n`
  const code = readFileSync(join(UPLOT, 'dist/uPlot.iife.min.js'), 'utf8').trim()
  if (!/\bvar uPlot=/.test(code)) throw new Error('uplot no longer defines `uPlot`; look at scripts/page.js')
  writeFileSync(join(to, 'uplot.js'), `${licence}${code}\nexport default uPlot\n`)
  writeFileSync(join(to, 'uplot.css'), `${licence}${readFileSync(join(UPLOT, 'dist/uPlot.min.css'), 'utf8').trim()}\n`)
}
