// Finds the redis-server that the live tests run, and tells what it can do. Starts none.

import { spawnSync } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const MISSING = 'no redis-server (REDIS_SERVER_BIN, PATH)'

export function findBinary(): string | undefined {
  const named = process.env.REDIS_SERVER_BIN
  if (named) return named
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/bin', '/usr/local/bin']
  return folders.map((folder) => join(folder, 'redis-server')).find(executable)
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

let version: readonly [number, number] | undefined

export function versionAtLeast(major: number, minor: number): boolean {
  if (!version) {
    const { stdout } = spawnSync(findBinary() ?? 'redis-server', ['--version'], { encoding: 'utf8', timeout: 5_000 })
    const [, first = '0', second = '0'] = /v=(\d+)\.(\d+)/.exec(stdout ?? '') ?? []
    version = [Number(first), Number(second)]
  }
  return version[0] > major || (version[0] === major && version[1] >= minor)
}

/** What a live suite passes as `skip`: false, or in words why there is nothing to run against. */
export const liveSkip: false | string = findBinary() ? false : MISSING

/** What a suite over TLS passes as `skip`. */
export function tlsSkip(): false | string {
  if (liveSkip) return liveSkip
  if (spawnSync('openssl', ['version']).status !== 0) return 'no openssl to make certificates with'
  const binary = findBinary() ?? 'redis-server'
  const dir = mkdtempSync(join(tmpdir(), 'respool-tls-'))
  // A build without TLS does not know the setting and says so at once.
  const { stdout } = spawnSync(binary, ['--port', '0', '--tls-port', 'x'], {
    cwd: dir,
    encoding: 'utf8',
    timeout: 5_000,
  })
  rmSync(dir, { recursive: true, force: true })
  return /Bad directive|wrong number/.test(stdout) ? 'this redis-server was built without TLS' : false
}
