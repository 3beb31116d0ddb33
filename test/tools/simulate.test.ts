// `respool simulate` as a shell sees it, what it reads, and what it says. That the model is right is shown elsewhere.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { OptionError, Redis } from '../../src/index.js'
import { readPlan } from '../../src/tools/simulate-plan.js'
import { holdOf, phasesOf } from '../../src/tools/simulate-recorded.js'
import { sweep } from '../../src/tools/simulate-sweep.js'
import { startCli } from '../support/cli-process.js'
import { World } from '../support/pool-harness.js'
import { liveSkip } from '../support/redis-binary.js'
import { RedisProcess } from '../support/redis-process.js'
import { assertWellFormed } from '../support/svg-check.js'

const TMP = mkdtempSync(join(tmpdir(), 'respool-simulate-test-'))
after(() => rmSync(TMP, { recursive: true, force: true }))

const plan = (words: Record<string, string>) =>
  readPlan({ values: new Map(Object.entries(words)) }, () => assert.fail('no file was named'))

const complaintOf = (words: Record<string, string>): string => {
  try {
    plan(words)
  } catch (error) {
    assert.ok(error instanceof OptionError)
    return error.message
  }
  return assert.fail('nothing was wrong')
}

const quietly = new AbortController().signal
const run = (words: Record<string, string>) => sweep(plan(words), quietly, () => {})

describe('respool simulate', () => {
  const words = ['--processes', '20', '--rate', '200', '--hold', '5ms,p99=40ms', '--seconds', '5']

  for (const columns of [40, 80, 120]) {
    it(`prints table, chart and answer in ${columns} columns`, async () => {
      const { code, stdout } = await startCli(['simulate', '--connections', '2-6', ...words], {
        COLUMNS: String(columns),
      }).done
      assert.equal(code, 0)
      for (const line of stdout.split('\n')) assert.ok(line.length <= columns, `${line.length}: ${line}`)
      assert.match(stdout, /p50 +p95 +p99/)
      assert.match(stdout, /^▸ 5 [▓░]+/m)
      assert.match(stdout.replaceAll('\n', ' '), /maxConnections 5 is the smallest that keeps to the 5 ms target/)
    })
  }

  it('prints what the README shows', async () => {
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
    const [, typed = '', shown = ''] = /^\$ npx respool (simulate .*)\n([\s\S]*?)^```$/m.exec(readme) ?? []
    const { stdout } = await startCli(typed.split(' '), { COLUMNS: '80' }).done
    assert.equal(stdout, shown)
  })

  it('searches for the smallest size, and draws it', async () => {
    const file = join(TMP, 'waits.svg')
    const { code, stdout, stderr } = await startCli(['simulate', '--json', '--svg', file, ...words]).done
    const document = JSON.parse(stdout)
    assert.deepEqual([code, document.schemaVersion, document.command, document.interrupted], [0, 1, 'simulate', false])
    const size = document.answer.maxConnections
    const at = (connections: number) =>
      document.sizes.find((each: { maxConnections: number }) => each.maxConnections === connections)
    assert.ok(at(size).targetedWait <= 5 && at(size - 1).targetedWait > 5, 'it is the smallest')
    assert.match(stderr, /simulating maxConnections/)
    const svg = readFileSync(file, 'utf8')
    assertWellFormed(svg)
    assert.ok(svg.includes(document.answer.sentence))
  })

  it('gives the same twice, and something else with another seed', async () => {
    const [one, again, other] = await Promise.all([
      run({ connections: '3', seconds: '5' }),
      run({ connections: '3', seconds: '5' }),
      run({ connections: '3', seconds: '5', seed: '2' }),
    ])
    assert.deepEqual(one, again)
    assert.notDeepEqual(one, other)
  })

  it('says so when no size will do, and exits with 1', async () => {
    const { code, stdout } = await startCli(['simulate', '--rate', '1000', '--hold', '10ms', '--connections', '2,4'])
      .done
    assert.equal(code, 1)
    assert.match(stdout, /None of the sizes keeps to the 5 ms target: with maxConnections 4 the p99 wait is/)
    assert.match(
      stdout,
      /Callers hold 10 connections on average in a process, and 3 can be lent: the\nline grows|the line grows/,
    )
    assert.match(stdout, /callers get ConnectionPoolTimeoutError after 5 s/)
  })

  it('interrupted by Ctrl-C prints the sizes that are done', async () => {
    const long = ['--processes', '1000', '--rate', '1000', '--seconds', '60']
    const { child, done } = startCli(['simulate', '--json', '--connections', '4,8', '--processes', '1', ...long])
    await new Promise<void>((resolve) => child.stderr?.once('data', () => resolve()))
    child.kill('SIGINT')
    const { code, stdout } = await done
    assert.equal(code, 130)
    const { interrupted, sizes, answer } = JSON.parse(stdout)
    assert.deepEqual([interrupted, sizes, answer.maxConnections], [true, [], null])
  })

  it('simulates thousands of processes in seconds', async () => {
    const began = performance.now()
    const [result] = await run({ processes: '5000', 'total-rate': '50000', connections: '4', seconds: '10' })
    assert.ok((result?.callers ?? 0) > 400_000)
    assert.ok(performance.now() - began < 20_000)
  })
})

describe('what is typed', () => {
  it('is read as it is meant', () => {
    const read = plan({
      hold: '1ms,slow=200ms:1%',
      'total-rate': '1000',
      processes: '10',
      arrivals: 'bursty:20',
      seconds: '2',
    })
    assert.deepEqual(read.phases, [
      { duration: 2_000, arrivalsPerSecond: 100, hold: { kind: 'two-point', usual: 1, slow: 200, share: 0.01 } },
    ])
    assert.deepEqual(read.pattern, { kind: 'bursty', size: 20 })
    assert.deepEqual(plan({ connections: '20,5,1-3,5' }).sizes, [1, 2, 3, 5, 20])
    assert.deepEqual(plan({ hold: '200us,constant' }).phases[0]?.hold, { kind: 'constant', mean: 0.2 })
    assert.deepEqual(plan({ hold: '1.5s' }).phases[0]?.hold, { kind: 'exponential', mean: 1_500 })
  })

  it('is refused by the name of its option', () => {
    const expected: [Record<string, string>, RegExp][] = [
      [{ hold: 'soon' }, /^--hold: expected a duration such as 200us/],
      [{ hold: '5ms,p99=1ms' }, /^--hold: expected a p99 above the mean/],
      [{ hold: '5ms,fast' }, /^--hold: expected 5ms, 5ms,constant/],
      [{ connections: '0' }, /^--connections: expected a whole number from 1/],
      [{ connections: '9-2' }, /^--connections: expected a whole number from 9/],
      [{ connections: '1-9999' }, /^--connections: expected at most 64 numbers/],
      [{ rate: 'x' }, /^--rate: expected a number/],
      [{ rate: '1', 'total-rate': '1' }, /^--total-rate: takes the place of --rate/],
      [{ arrivals: 'never' }, /^--arrivals: expected poisson/],
      [{ traffic: 'both' }, /^--traffic: expected leases or shared/],
      [{ commands: '2' }, /^--commands: expected --command-time with it/],
      [{ from: 'x.json', rate: '5' }, /^--rate: is what --from tells/],
    ]
    for (const [words, complaint] of expected) assert.match(complaintOf(words), complaint)
  })
})

describe('a recorded history', () => {
  const summary = (count: number, mean: number, p99: number) => ({ count, sum: 0, mean, p50: 0, p90: 0, p99, max: 0 })
  const point = (acquired: number, use: object) => ({
    span: 1_000,
    use,
    reply: summary(100, 1, 4),
    counters: { acquired, timedOut: 0, turnedAway: 0, calls: 500 },
  })

  it('is traffic, interval by interval', () => {
    const points = [point(100, summary(100, 5, 20)), point(0, summary(0, 0, 0)), point(300, summary(300, 10, 10))]
    assert.deepEqual(phasesOf(points, 'leases'), [
      { duration: 1_000, arrivalsPerSecond: 100, hold: { kind: 'lognormal', mean: 5, p99: 20 } },
      // Nothing ended in it: the mean of all, and the worst p99.
      { duration: 1_000, arrivalsPerSecond: 0, hold: { kind: 'lognormal', mean: 8.75, p99: 20 } },
      { duration: 1_000, arrivalsPerSecond: 300, hold: { kind: 'constant', mean: 10 } },
    ])
    assert.deepEqual(phasesOf({ points }, 'shared')[1]?.arrivalsPerSecond, 500)
  })

  it('may be a snapshot of a pool', async () => {
    const world = new World({ maxConnections: 3, pipelining: 1 })
    await world.warm()
    for (let turn = 0; turn < 10; turn++) {
      const loan = await world.leased()
      await world.run(20)
      loan.release()
    }
    const stats: unknown = JSON.parse(JSON.stringify(world.stats))
    const [phase] = phasesOf(stats, 'leases')
    assert.ok(phase !== undefined && phase.hold.kind !== 'two-point')
    assert.ok(phase.arrivalsPerSecond > 25 && phase.arrivalsPerSecond < 40, String(phase.arrivalsPerSecond))
    assert.ok(phase.hold.mean > 15 && phase.hold.mean < 35, String(phase.hold.mean))
    world.pool.destroy('destroyed')
    await world.assertNothingLeft()
  })

  it('may be what a pool recorded', { skip: liveSkip }, async () => {
    const server = await RedisProcess.start()
    await using redis = new Redis(server.url, { maxConnections: 3, pipelining: 1 })
    const recording = redis.pool.record({ interval: 50 })
    for (let turn = 0; turn < 20; turn++) await redis.lease(() => setTimeout(10))
    const phases = phasesOf(JSON.parse(JSON.stringify(recording.points())), 'leases')
    recording.stop()
    await server.stop()
    assert.ok(phases.length >= 3, `${phases.length} points`)
    const came = phases.reduce((sum, phase) => sum + (phase.arrivalsPerSecond * phase.duration) / 1_000, 0)
    assert.ok(Math.round(came) >= 10 && Math.round(came) <= 20, `${came} borrowed`)
    for (const { hold } of phases) assert.ok(hold.kind !== 'two-point' && hold.mean >= 9, hold.kind)
  })

  it('keeps mean and 99th percentile, however far apart they are', () => {
    const hold = holdOf(2, 150)
    assert.ok(hold.kind === 'two-point')
    assert.equal(hold.slow, 150)
    assert.ok(hold.share >= 0.01)
    assert.ok(Math.abs(hold.usual * (1 - hold.share) + hold.slow * hold.share - 2) < 1e-9)
  })

  it('that is none is refused, and nothing of it is shown', async () => {
    for (const [text, complaint] of [
      [
        '{"password":"hush"}',
        /--from: expected JSON of pool\.record\(\)\.points\(\), or of pool\.stats\(\); age is not a number/,
      ],
      ['hush', /--from: expected JSON .*; the file is no JSON/],
      ['[]', /--from: the history is empty/],
      [
        JSON.stringify([point(0, summary(0, 0, 0))]),
        /--from: nobody borrowed a connection in this history; try --traffic shared/,
      ],
    ] as const) {
      const file = join(TMP, 'history.json')
      writeFileSync(file, text)
      const { code, stdout, stderr } = await startCli(['simulate', '--from', file]).done
      assert.deepEqual([code, stdout], [64, ''])
      assert.match(stderr, complaint)
      assert.doesNotMatch(stderr, /hush/)
    }
    const { code, stderr } = await startCli(['simulate', '--from', join(TMP, 'none.json')]).done
    assert.equal(code, 64)
    assert.match(stderr, /--from: cannot read the file \(ENOENT\)/)
  })
})
