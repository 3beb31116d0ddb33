// Finds a real redis-server for the live tests. Where there is none, on Debian and Ubuntu with root or password-less
// sudo, it installs the distribution's package, without letting the package start a server on 6379.

import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const NAME = 'redis-server'
const USUAL = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
const INSTALL_WITHIN = 300_000

export const HOW_TO_GET_IT = 'Debian, Ubuntu: sudo apt-get install redis-server; macOS: brew install redis'

// A package's start-up script asks policy-rc.d whether it may start its service; 101 means no. The file is ours
// only while we install, and an existing one is left alone. https://manpages.debian.org/policy-rc.d
const INSTALL = `
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' INT TERM HUP
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
wait='-o DPkg::Lock::Timeout=60'
apt-get $wait update -qq || echo 'apt-get update failed; trying with the lists there are' >&2
apt-get $wait install -y -qq --no-install-recommends redis-server
if [ -d /run/systemd/system ]; then systemctl disable --quiet redis-server || true; fi
`

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
  if (process.platform !== 'linux' || !existsSync('/etc/debian_version') || !runs('apt-get', ['--version'])) {
    return 'not on PATH, and this is not Debian or Ubuntu'
  }
  const root = process.getuid?.() === 0
  if (!root && !runs('sudo', ['-n', 'true'])) return 'not on PATH, and installing it needs a password'
  console.error('installing redis-server with apt-get, once; it is not started as a service …')
  const command = root ? ['sh', '-c', INSTALL] : ['sudo', '-n', 'sh', '-c', INSTALL]
  const result = spawnSync(command[0], command.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout: INSTALL_WITHIN,
  })
  if (result.status === 0) return undefined
  console.error(`${result.stdout ?? ''}${result.stderr ?? ''}`.trim().split('\n').slice(-10).join('\n'))
  return result.error ? `apt-get did not run: ${result.error.message}` : 'apt-get could not install it'
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

function runs(command, args) {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 10_000 }).status === 0
}
