// Finds a real redis-server for the live tests. Where there is none, on Debian and Ubuntu with root or password-less
// sudo, it installs the distribution's package, without letting the package start a server on 6379.

import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installPackage } from './debian.js'

const NAME = 'redis-server'
const USUAL = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']

export const HOW_TO_GET_IT = 'Debian, Ubuntu: sudo apt-get install redis-server; macOS: brew install redis'

/** @typedef {{ binary: string, version: string }} Found */

/** @returns {Found | undefined} */
export function findRedisServer() {
  const named = process.env.REDIS_SERVER_BIN
  if (named) {
    const found = describe(named)
    if (!found) throw new Error(`REDIS_SERVER_BIN is '${named}', which is no redis-server that runs here`)
    return found
  }
  for (const folder of [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...USUAL]) {
    const binary = join(folder, NAME)
    const found = executable(binary) ? describe(binary) : undefined
    if (found) return found
  }
  return undefined
}

/**
 * Installs redis-server where that needs no question, and else says why it does not.
 * @returns {string | undefined} what stood in the way
 */
export function installRedisServer() {
  return installPackage(NAME, { sudo: true })
}

function describe(binary) {
  const { status, stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8', timeout: 10_000 })
  const version = /\bv=(\S+)/.exec(stdout ?? '')?.[1]
  return status === 0 && version ? { binary, version } : undefined
}

function executable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
