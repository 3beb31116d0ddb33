// What a hostile server can put on the screen of whoever runs the command line: letters, and nothing that acts.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exhaustionLines, headLines } from '../../src/tools/demo-report.js'
import { printable, printableLines } from '../../src/tools/terminal.js'
import { startCli } from '../support/cli-process.js'
import { FakeServer } from '../support/fake-server.js'
import type { Wire } from '../support/resp.js'

/** Clears the screen, sets the title, colours, hides, rings, goes back, reorders; and the C1 form of an escape. */
const ATTACK = '\u001b[2J\u001b]0;owned\u0007\u001b[8mhid\u0008\u007f\u009b31m\u202etxt\u2066x\u200f\u061c\u2028'
const ACTS = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

function assertHarmless(text: string): void {
  assert.doesNotMatch(text.replaceAll('\n', ''), ACTS)
}

async function demo(fallback: (args: string[]) => Wire | undefined, ...words: string[]): Promise<string> {
  await using server = await FakeServer.start({ fallback })
  const { stdout, stderr, code } = await startCli(['demo', '--quick', '--url', server.url, ...words]).done
  assert.notEqual(code, 0)
  return stdout + stderr
}

describe('a hostile server', () => {
  it('that refuses the handshake shows its words, and nothing acts on the terminal', async () => {
    for (const words of [[], ['--json']]) {
      const text = await demo(([name]) => (name === 'HELLO' ? new Error(`ERR ${ATTACK}`) : undefined), ...words)
      assert.match(text, /did not accept the connection: ERR \\u001b\[2J/)
      assertHarmless(text)
    }
  })

  it('that lies about its version and refuses commands shows nothing else', async () => {
    for (const words of [[], ['--json']]) {
      const text = await demo(
        ([name]) => {
          if (name === 'INFO') return `redis_version:7${ATTACK.replaceAll('\u2028', '')}\r\n`
          return name === 'SET' ? new Error(`ERR ${ATTACK}`) : undefined
        },
        ...words,
      )
      assert.match(text, /cannot go on: ReplyError: ERR \\u001b\[2J/)
      if (words.length === 0) assert.match(text, /7\\u001b\[2J/)
      assertHarmless(text)
    }
  })

  it('that speaks no RESP is not quoted', async () => {
    await using server = await FakeServer.start()
    server.expect('HELLO').raw(`${ATTACK}\r\n`).always()
    const { stdout, stderr } = await startCli(['demo', '--url', server.url]).done
    assert.match(stderr, /broke the protocol: Unknown reply type 0x1b/)
    assertHarmless(stdout + stderr)
  })
})

describe('text from elsewhere', () => {
  const screen = { columns: 60, colour: false }

  it('is shown letter by letter where it could act', () => {
    assert.equal(printable('a\u001b[1m\r\nb\u202e'), 'a\\u001b[1m\\u000d\\u000ab\\u202e')
    assert.equal(printableLines('a\n\u009bb'), 'a\n\\u009bb')
    assert.equal(printable('ünïcode 😀 👩‍👧 عربي'), 'ünïcode 😀 👩‍👧 عربي')
  })

  it('in a JSON document keeps its value', () => {
    const text = printableLines(JSON.stringify({ engine: ATTACK }, null, 2))
    assertHarmless(text)
    assert.deepEqual(JSON.parse(text), { engine: ATTACK })
  })

  it('in a report is harmless, wherever it stands', () => {
    const machine = { respool: '1', node: '20', platform: 'linux', cpus: 1, engine: ATTACK }
    const error = { name: 'ConnectionPoolTimeoutError', code: 'x', message: `first ${ATTACK}\n  second ${ATTACK}` }
    const exhaustion = {
      maxConnections: 2,
      acquireTimeout: 1,
      error,
      verdict: 'leak',
      holders: [],
      waited: 1,
      servedAfter: 1,
    }
    for (const lines of [headLines(machine, screen), exhaustionLines(exhaustion, screen)])
      assertHarmless(lines.join('\n'))
  })
})
