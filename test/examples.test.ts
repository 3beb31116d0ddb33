// Runs every example as a user would, in a process of its own against a real server, and reads what it prints.
// The examples import the package by its name, so what runs is dist/.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { liveSkip, RedisProcess } from './support/redis-process.js'

/** What each example prints on stdout, from its first to its last line. */
const OUTPUT: ReadonlyMap<string, RegExp> = new Map([
  [
    'advice',
    /^(?:too-small|right) \d+\n\d+ borrowings a second × [\d.]+ ms = [\d.]+ connections held on average, and \d+ let 99 % of them wait at most 5 ms; 1 for commands that share: \d+ connections in all\nheld for twice as long, \d+ connections would be needed instead of \d+\n$/,
  ],
  ['blocking-worker', /^job: first\njob: second\njob: third\nleft in the list: 0\n$/],
  [
    'exhaustion',
    /^GET waited \d+ ms for a connection and got none \(acquireTimeout 200 ms\)\n.*too-small: (?:.*\n)+.*held by nightly report for \d+ ms, cache warm-up for \d+ ms\nverdict: too-small 3\noutcome: not-sent\nserved again: PONG\n$/,
  ],
  ['http-server', /^\/books was asked for 1 times\n\nclosed\n$/],
  ['lease-watch', /^attempts: \d+, \d+, \d+\nbalance: 70\n$/],
  ['quickstart', /^greeting: hello\nvisits: 1000\nconnections: [1-9]\n$/],
  ['shared-pool', /^bytes: <Buffer 89 50 4e 47>\nin time: 1\nwithin the bound: true\nopen: false\n$/],
  [
    'stats-and-resize',
    /^before: orders has [12] of 2 .*\n {2}1 leased to report, 1 wait\nafter: orders has [234] of 4 .*\n {2}2 leased to report,import, 0 wait\nwaited: \d+ held: 2\n$/,
  ],
  ['transaction', /^sum: 11\npipeline: OK, word\nfailed: 1 replies: 2; ReplyError: ERR value is not an integer.*\n$/],
])

const MOST_LINES = 30
const ENDS_WITHIN = 10_000

const ROOT = findRoot(import.meta.dirname)
const COMPILED = join(import.meta.dirname, '..', 'examples')
const NAMES = readdirSync(join(ROOT, 'examples'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length))

describe('the examples', () => {
  it('are all run here', () => assert.deepEqual(NAMES.toSorted(), [...OUTPUT.keys()].toSorted()))

  for (const name of NAMES) {
    const text = readFileSync(join(ROOT, 'examples', `${name}.ts`), 'utf8')
    it(`${name} has at most ${MOST_LINES} lines and opens with what it shows`, () => {
      assert.ok(text.trimEnd().split('\n').length <= MOST_LINES, 'shorten it')
      assert.match(text, /^\/\/ .+\n/)
    })
    it(`${name} imports nothing that its reader would not have`, () => {
      const imports = [...text.matchAll(/ from '([^']+)'/g)].map(([, from = '']) => from)
      assert.ok(imports.includes('respool'))
      assert.deepEqual(
        imports.filter((from) => from !== 'respool' && !from.startsWith('node:')),
        [],
      )
    })
  }
})

describe('run against a real server', { skip: liveSkip }, () => {
  let server: RedisProcess
  before(async () => {
    server = await RedisProcess.start()
  })
  after(() => server.stop())

  for (const name of NAMES) {
    it(`${name} prints what it promises and ends by itself`, async () => {
      assert.ok(existsSync(join(ROOT, 'dist', 'index.js')), 'there is no dist/; `npm test` and `npm run build` make it')
      const { stdout, stderr, problem } = await run(name, server.url)
      assert.equal(problem, undefined, `${String(problem)}\n${stderr}`)
      assert.match(stdout, OUTPUT.get(name) ?? /^$/)
    })
  }

  it('exhaustion prints the very error that the README shows', async () => {
    const [, shown = ''] =
      /^```text\n(GET waited [\s\S]*?)^```$/m.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? []
    const { stdout } = await run('exhaustion', server.url)
    const [printed] = stdout.split('verdict:')
    const timeless = (text = '') => text.replace(/\b\d+ ms\b/g, '… ms')
    assert.equal(timeless(printed), timeless(shown))
  })

  it('they leave no connection on the server', async () => {
    // The server may be a moment behind.
    for (let look = 1; look < 50 && (await server.clientList()).length > 0; look++) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.deepEqual(await server.clientList(), [])
  })
})

interface Run {
  readonly stdout: string
  readonly stderr: string
  readonly problem: Error | undefined
}

function run(name: string, url: string): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(COMPILED, `${name}.js`)],
      { env: { ...process.env, REDIS_URL: url, NODE_V8_COVERAGE: '' }, timeout: ENDS_WITHIN, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => resolve({ stdout, stderr, problem: error ?? undefined }),
    )
  })
}

/** Up from the compiled test to the folder that holds the sources. */
function findRoot(from: string): string {
  return existsSync(join(from, 'tsconfig.json')) ? from : findRoot(join(from, '..'))
}
