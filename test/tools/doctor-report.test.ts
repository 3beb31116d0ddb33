// How findings read: the worst first, within any width, plain where there is no colour, harmless whatever a server says;
// and the exit code they give.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exitCodeOf, type Finding, found } from '../../src/tools/doctor-finding.js'
import { findingLines, headLines, summaryLine } from '../../src/tools/doctor-report.js'
import { cells } from '../../src/tools/terminal.js'
import { startCli } from '../support/cli-process.js'
import { FakeServer } from '../support/fake-server.js'

const ATTACK = '\u001b[2J\u001b]0;owned\u0007\u009b31m\u202etxt 漢字漢字'
const ACTS = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

const FINDINGS: readonly Finding[] = [
  found('version', 'ok', 'redis 7.0.15, up for 3 d'),
  found('memory', 'note', '1 MiB in use, and no maxmemory', {
    means: 'it grows until the system ends it',
    remedy: 'set it',
  }),
  found('clients', 'critical', '99 clients of at most 100 (99 %)', {
    means: 'when the last place is taken, new connections are refused',
    remedy: 'lower maxConnections of the largest group below, or raise maxclients',
  }),
  found('timeout', 'warning', 'the server closes connections that are idle for 5 s', { means: 'churn' }),
]

describe('a report', () => {
  it('has the worst first, and what is in order last, in 40 columns', () => {
    assert.deepEqual(findingLines(FINDINGS, { columns: 40, colour: false }), [
      '',
      'critical  server: clients',
      '  Seen: 99 clients of at most 100 (99 %)',
      '  Means: when the last place is taken,',
      '    new connections are refused',
      '  Do: lower maxConnections of the',
      '    largest group below, or raise',
      '    maxclients',
      '',
      'warning  server: timeout',
      '  Seen: the server closes connections',
      '    that are idle for 5 s',
      '  Means: churn',
      '',
      'note  server: memory',
      '  Seen: 1 MiB in use, and no maxmemory',
      '  Means: it grows until the system ends',
      '    it',
      '  Do: set it',
      '',
      'ok  server: version: redis 7.0.15, up',
      '  for 3 d',
    ])
    assert.equal(summaryLine(FINDINGS, { columns: 60, colour: false }), '1 critical, 1 warning, 1 note, 1 ok')
  })

  it('fits any width and acts on no terminal, whatever the texts', () => {
    const hostile = (severity: Finding['severity']): Finding => ({
      ...found('who', severity, `${ATTACK} ${'x'.repeat(5_000)}`, { means: ATTACK, remedy: ATTACK }),
      subject: `pool ${ATTACK}`,
    })
    for (let columns = 20; columns <= 100; columns += 7) {
      const screen = { columns, colour: false }
      const lines = [
        ...headLines([ATTACK], screen),
        ...findingLines([hostile('critical'), hostile('ok'), ...FINDINGS], screen),
      ]
      for (const line of lines) {
        assert.ok(cells(line) <= columns, `${cells(line)} > ${columns}: ${line}`)
        assert.doesNotMatch(line, ACTS)
      }
      assert.ok(lines.length < 400, 'a text without an end is cut')
    }
  })

  it('gives the exit code of the worst', () => {
    const codes = (['ok', 'note', 'warning', 'critical'] as const).map((severity) =>
      exitCodeOf([found('a', 'ok', ''), found('b', severity, '')], true),
    )
    assert.deepEqual(codes, [0, 0, 1, 2])
    assert.equal(exitCodeOf([found('a', 'critical', '')], false), 69)
    assert.equal(exitCodeOf([], true), 0)
  })
})

describe('respool doctor', () => {
  it('at a hostile server shows its words, and nothing acts on the terminal', async () => {
    await using server = await FakeServer.start({
      fallback: ([name = '', what = '']) => {
        if (name === 'INFO') return `redis_version:7${ATTACK}\r\nrole:${ATTACK}\r\nmaxclients:-1\r\nused_memory:x\r\n`
        if (name === 'CLIENT') return `id=1 addr=${ATTACK} name=${ATTACK} lib-name=${ATTACK} idle=9e99 flags=b\n`
        if (name === 'SLOWLOG') return [[1, 1, 500_000, [ATTACK, 'secret'], ATTACK, ATTACK], 'nonsense', [null]]
        return name === 'CONFIG' ? [what, ATTACK] : undefined
      },
    })
    for (const words of [[], ['--json']]) {
      const { code, stdout, stderr } = await startCli(['doctor', '--url', server.url, ...words], { COLUMNS: '40' }).done
      assert.ok(code === 0 || code === 1 || code === 2, `${code}: ${stderr}`)
      assert.match(stdout, /\\u001b\[2J/)
      assert.doesNotMatch((stdout + stderr).replaceAll('\n', ''), ACTS)
      assert.doesNotMatch(stdout, /secret/)
      if (words.length > 0) assert.equal(JSON.parse(stdout).schemaVersion, 1)
      else for (const line of stdout.split('\n')) assert.ok(cells(line) <= 40, line)
    }
  })

  it('says what it needs, and what it cannot read', async () => {
    const complaints: [string[], RegExp][] = [
      [['doctor'], /nothing to examine: give --url or REDIS_URL for a server, --pool for pools/],
      [['doctor', '--url', 'redis://x', '--processes', '0'], /--processes: expected a whole number/],
      [['doctor', '--url', 'redis://x', '--max-connections', '5'], /needs --processes/],
      [['doctor', '--url', 'redis://x', '--ca', '/no/such/file'], /--ca: needs a server at rediss:/],
      [['doctor', '--url', 'rediss://x', '--ca', '/no/such/file'], /--ca: the file cannot be read \(ENOENT\)/],
      [['doctor', '--pool', 'http://x/', '--token-file', '/no/such/file'], /--token-file: .* \(ENOENT\)/],
      [['doctor', '--url', 'redsi://:hush@x'], /expected redis:\/\//],
    ]
    for (const [words, complaint] of complaints) {
      const { code, stdout, stderr } = await startCli(words).done
      assert.deepEqual([code, stdout], [64, ''], words.join(' '))
      assert.match(stderr, complaint)
      assert.doesNotMatch(stderr, /hush|\n {4}at /)
    }
  })
})
