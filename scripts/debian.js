// Installs a package of the distribution on Debian and Ubuntu where that needs no question, without letting it start a
// service.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Seconds. */
const DOWNLOADED_WITHIN = 300
/** What `timeout` ends with when it was too long. */
const TOO_LONG = 124

// A package's start-up script asks policy-rc.d whether it may start its service; 101 means no. The file is ours
// only while we install, and an existing one is left alone. https://manpages.debian.org/policy-rc.d
// What waits for the network is bounded; unpacking and configuring, once begun, must come to their end.
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
bounded='timeout --foreground -k 10 ${DOWNLOADED_WITHIN}'
$bounded apt-get $wait update -qq || echo 'apt-get update failed; trying with the lists there are' >&2
$bounded apt-get $wait install -y -qq --no-install-recommends --download-only "$1"
apt-get $wait install -y -qq --no-install-recommends "$1"
if [ -d /run/systemd/system ]; then systemctl disable --quiet "$1" 2>/dev/null || true; fi
`

/**
 * @param {string} name of the package
 * @param {{ sudo: boolean }} options whether password-less sudo may be used where this is not root
 * @returns {string | undefined} what stood in the way
 */
export function installPackage(name, { sudo }) {
  if (process.platform !== 'linux' || !existsSync('/etc/debian_version') || !runs('apt-get', ['--version'])) {
    return 'not on PATH, and this is not Debian or Ubuntu'
  }
  const root = process.getuid?.() === 0
  if (!root && !(sudo && runs('sudo', ['-n', 'true']))) {
    return `not on PATH, and installing it needs ${sudo ? 'a password' : 'root'}`
  }
  console.error(`installing ${name} with apt-get, once; it is not started as a service …`)
  const command = [...(root ? [] : ['sudo', '-n']), 'sh', '-c', INSTALL, 'sh', name]
  const result = spawnSync(command[0] ?? 'sh', command.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  })
  if (result.status === 0) return undefined
  console.error(`${result.stdout ?? ''}${result.stderr ?? ''}`.trim().split('\n').slice(-10).join('\n'))
  if (result.status === TOO_LONG) return `it could not be downloaded within ${DOWNLOADED_WITHIN} s`
  return result.error ? `apt-get did not run: ${result.error.message}` : 'apt-get could not install it'
}

function runs(command, args) {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 10_000 }).status === 0
}
