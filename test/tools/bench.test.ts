// `respool bench` on a real server: what it measures, that it touches no key but its own, and what it says of peers.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { OptionError, type Redis } from '../../src/index.js'
import { BenchKeys } from '../../src/tools/bench-keys.js'
import { readBenchPlan } from '../../src/tools/bench-plan.js'
import { startCli } from '../support/cli-process.js'
import { liveRedis } from '../support/live-redis.js'
import { liveSkip } from '../support/redis-binary.js'
import { assertWellFormed } from '../support/svg-check.js'

const TMP = mkdtempSync(join(tmpdir(), 'respool-bench-test-'))
after(() => rmSync(TMP, { recursive: true, force: true }))

/** A project that has these packages, each standing on respool itself; one of them answers with the wrong value. */
function projectWith(): string {
  const folder = join(TMP, 'project')
  const respool = JSON.stringify(new URL('../../src/index.js', import.meta.url).href)
  const connected = `async function make(url) { const { Redis } = await import(${respool}); return new Redis(url) }`
  const packages = {
    redis: `${connected}
exports.createClient = ({ url }) => { let redis; return {
  on() {}, async connect() { redis = await make(url) }, destroy() { redis.destroy() },
  get: (key) => redis.get(key), set: (key, value) => redis.set(key, value),
} }`,
    ioredis: `exports.Redis = class { on() {} async connect() {} disconnect() {} async get() { return 'wrong' } async set() { return 'OK' } }`,
  }
  for (const [name, code] of Object.entries(packages)) {
    const home = join(folder, 'node_modules', name)
    mkdirSync(home, { recursive: true })
    writeFileSync(join(home, 'package.json'), JSON.stringify({ name, version: '9.9.9', main: 'index.js' }))
    writeFileSync(join(home, 'index.js'), code)
  }
  return folder
}

describe('respool bench', { skip: liveSkip }, () => {
  let url = ''
  let redis: Redis
  liveRedis({}, (started) => {
    url = started.server.url
    redis = started.redis
  })
  const quick = ['--seconds', '0.1', '--rounds', '2', '--keys', '50']

  it('measures both loops, prints them in any width, and leaves no key', async () => {
    await redis.set('mine', 'untouched')
    for (const columns of [40, 80, 120]) {
      const words = ['bench', '--url', url, '--callers', '1,5', '--rate', '500', '--ops', 'get,set,mix', ...quick]
      const { code, stdout, stderr } = await startCli(words, { COLUMNS: String(columns) }).done
      assert.equal(code, 0, stderr)
      for (const line of stdout.split('\n')) assert.ok(line.length <= columns, `${line.length}: ${line}`)
      for (const heading of ['GET, 1 caller', 'SET, 5 callers', 'GET and SET, open loop, 500 calls/s']) {
        assert.ok(stdout.includes(`\n${heading}\n`), heading)
      }
    }
    assert.deepEqual(await redis.keys('*'), ['mine'])
    assert.equal(await redis.get('mine'), 'untouched')
  })

  it('gives one document with each round, how noisy they were and how late calls were made', async () => {
    const file = join(TMP, 'bench.svg')
    const words = [
      'bench',
      '--json',
      '--svg',
      file,
      '--url',
      url,
      '--callers',
      '5',
      '--rate',
      '500',
      '--ops',
      'mix',
      ...quick,
    ]
    const { code, stdout } = await startCli(words).done
    const { schemaVersion, command, machine, interrupted, cells } = JSON.parse(stdout)
    assert.deepEqual([code, schemaVersion, command, interrupted], [0, 1, 'bench', false])
    assert.match(machine.engine, /^redis \d+\.\d+\.\d+ at redis:\/\/127\.0\.0\.1:\d+ \(from --url\)$/)
    assert.equal(cells.length, 2)
    for (const cell of cells) {
      assert.equal(cell.rounds.length, 2)
      assert.equal(cell.errors, 0)
      assert.ok(cell.perSecond > 0 && cell.noise >= 0 && cell.loopUse > 0)
      assert.ok(cell.latency.p50 > 0 && cell.latency.p50 <= cell.latency.p99 && cell.latency.p99 <= cell.latency.max)
    }
    const [, open] = cells
    assert.equal(open.scenario.loop, 'open')
    assert.ok(open.lateP99 > 0)
    assertWellFormed(readFileSync(file, 'utf8'))
  })

  it('measures peers beside itself, and says which are not there, and which answer wrongly', async () => {
    const words = ['bench', '--json', '--url', url, '--callers', '5', '--ops', 'get', '--peers', 'all', ...quick]
    const { code, stdout } = await startCli(words, {}, projectWith()).done
    const { cells, missing, firstError } = JSON.parse(stdout)
    const byClient = new Map<string, { errors: number; ratio: number | null }>(
      cells.map((cell: { client: string; errors: number; ratio: number | null }) => [cell.client, cell]),
    )
    assert.deepEqual([...byClient.keys()].slice(1), [
      'redis 9.9.9',
      'ioredis 9.9.9',
      'ioredis 9.9.9, enableAutoPipelining',
    ])
    assert.equal(byClient.get('redis 9.9.9')?.errors, 0)
    assert.ok((byClient.get('redis 9.9.9')?.ratio ?? 0) > 0)
    assert.ok((byClient.get('ioredis 9.9.9')?.errors ?? 0) > 0)
    assert.deepEqual(missing, [
      { name: '@valkey/valkey-glide', reason: 'not installed here (npm install @valkey/valkey-glide)' },
    ])
    assert.equal(firstError, 'GET was answered with what is not there')
    assert.equal(code, 1)
    assert.deepEqual(await redis.keys('respool-bench:*'), [])
  })

  it('shows no secret of the URL, whatever a peer says', async () => {
    const folder = join(TMP, 'talkative')
    const home = join(folder, 'node_modules', 'redis')
    mkdirSync(home, { recursive: true })
    writeFileSync(join(home, 'package.json'), JSON.stringify({ name: 'redis', version: '9.9.9', main: 'index.js' }))
    const talk = "throw new Error('cannot use ' + url + ' with ' + decodeURIComponent(url))"
    writeFileSync(join(home, 'index.js'), `exports.createClient = ({ url }) => { ${talk} }`)
    await redis.aclSetUser('ada', ['on', '>hu%sh', '~*', '+@all'])
    const secret = `${url.replace('redis://', 'redis://ada:hu%25sh@')}?clientName=quiet`
    const words = ['bench', '--url', secret, '--callers', '1', '--ops', 'get', '--peers', 'redis', ...quick]
    const { code, stdout, stderr } = await startCli(words, {}, folder).done
    assert.equal(code, 0, stderr)
    assert.match(stdout, /redis is not measured: cannot use \[redacted\] with \[redacted\]\./)
    assert.doesNotMatch(stdout + stderr, /hu%|sh@|quiet/)
  })

  it('interrupted by Ctrl-C while a peer hangs prints what there is', async () => {
    const folder = join(TMP, 'hanging')
    const home = join(folder, 'node_modules', 'redis')
    mkdirSync(home, { recursive: true })
    writeFileSync(join(home, 'package.json'), JSON.stringify({ name: 'redis', version: '9.9.9', main: 'index.js' }))
    const hang = "() => { process.stderr.write('it hangs\\n'); return new Promise(() => {}) }"
    const client = `{ on() {}, async connect() {}, destroy() {}, get: ${hang}, set: ${hang} }`
    writeFileSync(join(home, 'index.js'), `exports.createClient = () => (${client})`)
    const words = ['bench', '--json', '--url', url, '--callers', '1', '--ops', 'get', '--peers', 'redis', ...quick]
    const { child, done } = startCli(words, {}, folder)
    await new Promise<void>((resolve) => {
      child.stderr?.on('data', (text: string) => {
        if (text.includes('it hangs')) resolve()
      })
    })
    const begin = performance.now()
    child.kill('SIGINT')
    const { code, stdout } = await done
    const { interrupted, cells } = JSON.parse(stdout)
    assert.deepEqual([code, interrupted, cells.length, cells[0].rounds.length], [130, true, 1, 1])
    assert.ok(performance.now() - begin < 8_000, 'it waited for the peer')
    assert.deepEqual(await redis.keys('respool-bench:*'), [])
  })

  it('writes no further key once it is interrupted, and deletes those that it has written', async () => {
    const ending = new AbortController()
    const keys = new BenchKeys(redis, 100_000, 10)
    const filled = keys.fill(ending.signal)
    let size = 0
    while (size < 501) size = await redis.dbSize()
    ending.abort()
    await filled
    const written = await redis.keys('respool-bench:*')
    assert.ok(written.length > 0 && written.length < 100_000, String(written.length))
    await keys.remove()
    assert.deepEqual(await redis.keys('respool-bench:*'), [])
  })

  it('interrupted by Ctrl-C prints what there is, and deletes its keys', async () => {
    const words = [
      'bench',
      '--json',
      '--url',
      url,
      '--callers',
      '2',
      '--ops',
      'get',
      '--seconds',
      '1',
      '--rounds',
      '100',
    ]
    const { child, done } = startCli(words)
    await new Promise<void>((resolve) => {
      child.stderr?.on('data', (text: string) => {
        if (text.includes('round 2')) resolve()
      })
    })
    child.kill('SIGINT')
    const { code, stdout } = await done
    const { interrupted, cells } = JSON.parse(stdout)
    assert.deepEqual([code, interrupted, cells[0].rounds.length], [130, true, 1])
    assert.deepEqual(await redis.keys('respool-bench:*'), [])
  })
})

describe('what is typed after respool bench', () => {
  const plan = (words: Record<string, string>) => readBenchPlan({ values: new Map(Object.entries(words)) })

  it('is read as it is meant', () => {
    const closed = plan({}).scenarios.map((each) => `${each.op} ${each.loop}`)
    assert.equal(closed.length, 6)
    assert.deepEqual(plan({ rate: '100,50', ops: 'mix' }).scenarios, [
      { loop: 'open', op: 'mix', rate: 50 },
      { loop: 'open', op: 'mix', rate: 100 },
    ])
    assert.equal(plan({ ratio: '3:1' }).getShare, 0.75)
    assert.equal(plan({ 'max-connections': '1' }).pool.lanes, 1)
  })

  it('is refused by the name of its option', () => {
    for (const [words, complaint] of [
      [{ ops: 'del' }, /^--ops: expected get, set or mix$/],
      [{ ratio: '0:0' }, /^--ratio: expected GETs to SETs/],
      [{ peers: 'lettuce' }, /^--peers: expected redis, ioredis or @valkey\/valkey-glide$/],
      [{ keys: '1000000', size: '1000000' }, /^--size: expected all values together to be at most 1 GiB$/],
      [{ seconds: '0' }, /^--seconds: expected a number from 0\.05/],
    ] as const) {
      assert.throws(
        () => plan(words),
        (error) => error instanceof OptionError && complaint.test(error.message),
      )
    }
  })
})
