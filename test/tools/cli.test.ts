// The command line as a shell sees it: words in, streams and an exit code out, nothing left running.

import assert from 'node:assert/strict'
import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { VERSION } from '../../src/index.js'
import { nearest, readCommandLine } from '../../src/tools/command-line.js'
import { SPECS } from '../../src/tools/commands.js'
import { type CliOutcome, type CliRun, startCli } from '../support/cli-process.js'
import { freePort } from '../support/free-port.js'
import { findBinary, liveSkip } from '../support/redis-binary.js'

const TMP = mkdtempSync(join(tmpdir(), 'respool-cli-test-'))
after(() => rmSync(TMP, { recursive: true, force: true }))

const start = (words: readonly string[], env: NodeJS.ProcessEnv = {}): CliRun =>
  startCli(words, { TMPDIR: TMP, ...env })
const run = (words: readonly string[], env?: NodeJS.ProcessEnv): Promise<CliOutcome> => start(words, env).done

describe('respool', () => {
  it('prints its help on stdout, and lists only what there is', async () => {
    for (const words of [[], ['--help'], ['-h'], ['help']]) {
      const { code, stdout, stderr } = await run(words)
      assert.deepEqual([code, stderr], [0, ''], words.join(' '))
      assert.match(stdout, /^respool: .*\n\nUsage: respool <command>/)
      const commands = /\nCommands:\n([\s\S]*?)\n\n/.exec(stdout)?.[1] ?? ''
      assert.deepEqual(
        [...commands.matchAll(/^ {2}(\S+)/gm)].map(([, name]) => name),
        Object.keys(SPECS),
      )
    }
  })

  it('explains the options of demo, in lines that fit the screen', async () => {
    const { code, stdout } = await run(['demo', '--help'], { COLUMNS: '40' })
    assert.equal(code, 0)
    for (const option of ['--url', '--server-bin', '--json', '--quick']) assert.ok(stdout.includes(option), option)
    for (const line of stdout.split('\n')) assert.ok(line.length <= 40, line)
  })

  it('prints its version', async () => {
    assert.deepEqual(await run(['--version']), { code: 0, stdout: `${VERSION}\n`, stderr: '' })
  })

  it('says in one line what it does not know, and what was probably meant', async () => {
    const expected: [string[], string][] = [
      [['dmeo'], "respool: unknown command 'dmeo'; did you mean demo?"],
      [['demo', '--jsn'], "respool demo: unknown option '--jsn'; did you mean --json?"],
    ]
    for (const [words, complaint] of expected) {
      assert.deepEqual(await run(words), { code: 64, stdout: '', stderr: `${complaint}\n` })
    }
  })

  it('says within the connect timeout that no server answers, without a stack and without the password', async () => {
    const port = await freePort()
    const { code, stdout, stderr } = await run(['demo', '--json', '--url', `redis://app:hush@127.0.0.1:${port}`])
    assert.deepEqual([code, stdout], [69, ''])
    assert.match(stderr, new RegExp(`respool: cannot use redis://127.0.0.1:${port} \\(from --url\\): .*ECONNREFUSED`))
    assert.doesNotMatch(stderr, /hush|\n {4}at /)
  })

  it('says how to get a server when the one named is not there', async () => {
    const { code, stdout, stderr } = await run(['demo'], { REDIS_SERVER_BIN: '/no/such/server' })
    assert.deepEqual([code, stdout], [69, ''])
    assert.match(stderr, /REDIS_SERVER_BIN is '\/no\/such\/server', and there is no such program/)
  })

  it('calls a wrong URL wrong usage, and does not show it', async () => {
    const { code, stderr } = await run(['demo', '--url', 'redsi://:hush@localhost'])
    assert.equal(code, 64)
    assert.match(stderr, /expected redis:\/\//)
    assert.doesNotMatch(stderr, /hush/)
  })

  it('goes on where nobody reads its complaints and its progress', async () => {
    for (const [words, code, result] of [
      [['dmeo'], 64, /^$/],
      [['simulate', '--json'], 0, /^\{/],
    ] as const) {
      const { child, done } = start(words)
      child.stderr?.destroy()
      const outcome = await done
      assert.equal(outcome.code, code, words.join(' '))
      assert.match(outcome.stdout, result)
    }
  })
})

describe('the words after respool', () => {
  const complaintOf = (...words: string[]): string => {
    const line = readCommandLine(words, 80)
    return line.kind === 'wrong' ? line.complaint : line.kind
  }

  it('give a command with its options, in any order', () => {
    const line = readCommandLine(['--json', 'demo', '--url=redis://a', '--url', 'redis://b'], 80)
    assert.ok(line.kind === 'run')
    assert.deepEqual([...line.values.switches], ['json'])
    assert.deepEqual([...line.values.values], [['url', 'redis://b']])
  })

  it('may have a value several times, of which a command that wants one takes the last', () => {
    const line = readCommandLine(['top', '--pool', 'http://a', '--once', '--pool', 'http://b'], 80)
    assert.ok(line.kind === 'run')
    assert.deepEqual(line.values.lists.get('pool'), ['http://a', 'http://b'])
    assert.equal(line.values.values.get('pool'), 'http://b')
  })

  it('are refused when a value is missing, is too much, or has no place', () => {
    assert.equal(complaintOf('demo', '--url'), 'respool: --url needs a value: --url <URL>')
    assert.equal(complaintOf('demo', '--url', '--json'), 'respool: --url needs a value: --url <URL>')
    assert.equal(complaintOf('demo', '--url='), 'respool: --url needs a value: --url <URL>')
    assert.equal(complaintOf('demo', '--json=yes'), 'respool: --json takes no value')
    assert.equal(complaintOf('demo', 'again'), "respool demo: unexpected 'again'")
    assert.equal(complaintOf('--json'), "respool: unknown option '--json'; known: --help, --version")
    assert.equal(
      complaintOf('constructor'),
      `respool: unknown command 'constructor'; known: ${Object.keys(SPECS).join(', ')}`,
    )
    assert.equal(complaintOf('completions'), 'respool completions: expected a shell: bash, zsh, fish')
    assert.equal(
      complaintOf('completions', 'tcsh'),
      "respool completions: unknown shell 'tcsh'; known: bash, zsh, fish",
    )
    assert.equal(complaintOf('completions', 'bash', 'zsh'), "respool completions: unexpected 'zsh'")
    assert.equal(complaintOf('top', '--sort', 'x'), 'respool: --sort: expected one of count, age, idle, memory, name')
    assert.equal(complaintOf('demo', '--__proto__'), complaintOf('demo', '--toString').replace('toString', '__proto__'))
  })

  it('are not shown again when they could hold a password', () => {
    assert.equal(complaintOf('demo', 'redis://:hush@host'), "respool demo: unexpected '…'")
  })

  it('are matched by the fewest edits, or not at all', () => {
    assert.equal(nearest('--quikc', ['--quick', '--json']), '--quick')
    assert.equal(nearest('--server', ['--server-bin', '--url']), '--server-bin')
    assert.equal(nearest('--frobnicate', ['--quick', '--json']), undefined)
  })
})

describe('respool demo, interrupted', { skip: liveSkip }, () => {
  for (const [signal, expected] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`by ${signal} prints what there is, and leaves no server and no folder`, async () => {
      const { child, done } = start(['demo', '--json', '--quick'], { REDIS_SERVER_BIN: findBinary() })
      await saidOnStderr(child, 'measuring with 50 callers')
      child.kill(signal)
      const { code, stdout } = await done
      const document = JSON.parse(stdout)
      assert.equal(code, expected)
      assert.equal(document.interrupted, true)
      assert.ok(document.comparison.measured.length >= 3, 'the part that was done is missing')
      assert.equal(document.recovery, null)
      assertGone(document.machine.engine)
      assert.deepEqual(readdirSync(TMP), [])
    })
  }

  it('a second time ends at once, and still leaves no server', async () => {
    const { child, done } = start(['demo'], { REDIS_SERVER_BIN: findBinary() })
    await saidOnStderr(child, 'measuring with 1 caller')
    child.kill('SIGINT')
    child.kill('SIGINT')
    await saidOnStderr(child, 'ending').catch(() => {})
    child.kill('SIGINT')
    const { code, stdout } = await done
    assert.equal(code, 130)
    assertGone(stdout)
    assert.deepEqual(readdirSync(TMP), [])
  })

  it('by a reader who has seen enough ends quietly', async () => {
    const { child, done } = start(['demo', '--quick'], { REDIS_SERVER_BIN: findBinary() })
    const [head] = await once(child.stdout ?? assert.fail('no stdout'), 'data')
    child.stdout?.destroy()
    const { code, stderr } = await done
    assert.equal(code, 0)
    assert.doesNotMatch(stderr, /EPIPE|Error/)
    assertGone(String(head))
  })

  it('because its server went away says so, and ends', async () => {
    const { child, done } = start(['demo'], { REDIS_SERVER_BIN: findBinary() })
    const [head] = await once(child.stdout ?? assert.fail('no stdout'), 'data')
    process.kill(pidIn(String(head)), 'SIGKILL')
    const { code, stderr } = await done
    assert.equal(code, 69)
    assert.match(stderr, /respool: cannot go on: \w+Error: /)
    assert.doesNotMatch(stderr, /\n {4}at /)
  })
})

function saidOnStderr(child: ChildProcess, words: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stderr?.on('data', (chunk: string) => {
      text += chunk
      if (text.includes(words)) resolve()
    })
    child.once('close', () => reject(new Error(`it ended without saying '${words}':\n${text}`)))
  })
}

function pidIn(text: string): number {
  const [, pid = assert.fail(`no pid in: ${text}`)] = /\(own process, pid (\d+)\)/.exec(text) ?? []
  return Number(pid)
}

function assertGone(text: string): void {
  const pid = pidIn(text)
  // One that was killed may stay as a zombie until its new parent has collected it.
  const state = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim()
  assert.match(state, /^(Z.*)?$/, `the server with pid ${pid} still runs`)
}
