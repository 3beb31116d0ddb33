// Finds a Chromium for the tests of the dashboard's page. Where there is none, on Debian and as root, it installs the
// distribution's package: that is what a container of a CI is.

import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installPackage } from './debian.js'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const USUAL = ['/usr/bin', '/usr/local/bin', '/Applications/Google Chrome.app/Contents/MacOS']

const HOW_TO_GET_IT = 'Debian: sudo apt-get install chromium; or set CHROMIUM_BIN'

/** @returns {{ binary: string, version: string } | { obstacle: string }} one that runs, or why there is none */
export function lookAfterChromium() {
  let found = find()
  const obstacle = found ? undefined : installPackage('chromium', { sudo: false })
  if (!found && !obstacle) found = find()
  return (
    found ?? { obstacle: `Chromium is ${obstacle ?? 'installed, but it does not run'}. To get it: ${HOW_TO_GET_IT}` }
  )
}

function find() {
  const named = process.env.CHROMIUM_BIN
  if (named) return describe(named)
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...USUAL]
  for (const binary of folders.flatMap((folder) => NAMES.map((name) => join(folder, name)))) {
    const found = isExecutable(binary) ? describe(binary) : undefined
    if (found) return found
  }
  return undefined
}

/** Ubuntu has a file of that name that only tells to install something else. */
function describe(binary) {
  const { status, stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8', timeout: 20_000 })
  const version = /\b(\d+\.\d+\.\d+\.\d+)\b/.exec(stdout ?? '')?.[1]
  return status === 0 && version ? { binary, version } : undefined
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
