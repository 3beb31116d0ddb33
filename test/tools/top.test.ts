// `respool top` on real servers: what it sees, on a terminal and in a pipe, and what it says when it is refused or the
// server goes.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ConnectionPool, Redis } from '../../src/index.js'
import { readEndpoints } from '../../src/tools/pool-endpoint.js'
import { isReached, type TopOptions, watch } from '../../src/tools/top.js'
import { headOf, type ServerView, type TopDocument } from '../../src/tools/top-document.js'
import { startCli } from '../support/cli-process.js'
import { FakeServer } from '../support/fake-server.js'
import { freePort } from '../support/free-port.js'
import { PseudoTerminal, terminalSkip } from '../support/pseudo-terminal.js'
import { publish, TOKEN } from '../support/published.js'
import { liveSkip, RedisProcess, tlsSkip } from '../support/redis-process.js'

const CLI = fileURLToPath(new URL('../../src/tools/cli.js', import.meta.url))
const [ENTER, LEAVE] = ['\u001B[?1049h', '\u001B[?1049l']

/** Watches until a moment is as it should be, and gives it. */
async function moment(options: Partial<TopOptions>, isIt: (document: TopDocument) => boolean): Promise<TopDocument> {
  const ending = new AbortController()
  const bound = setTimeout(() => ending.abort(), 10_000)
  let found: TopDocument | undefined
  const preset = { url: undefined, endpoints: [], interval: 100, sort: 'count', once: false } as const
  await watch({ ...preset, signal: ending.signal, ...options }, (document) => {
    if (!isIt(document)) return
    found = document
    ending.abort()
  })
  clearTimeout(bound)
  return found ?? assert.fail('no such moment within 10 s')
}

const there = ({ server }: TopDocument): ServerView & { state: 'there' } =>
  server?.state === 'there' ? server : assert.fail(`no server: ${JSON.stringify(server)}`)

describe('top', { skip: liveSkip }, () => {
  it('sees the clients of a server by name, without itself, and how busy it is', async () => {
    await using server = await RedisProcess.start()
    const redis = new Redis(server.url, { clientName: 'shop' })
    try {
      await redis.set('key', 'value')
      const busy = setInterval(() => {
        for (let n = 0; n < 50; n++) redis.get(n % 2 === 0 ? 'key' : 'no key').catch(() => {})
      }, 10)
      const document = await moment({ url: server.url }, ({ server: view }) => {
        const { opsPerSecond = 0, hitRate = null } = (view?.state === 'there' && view.head) || {}
        return opsPerSecond > 1_000 && hitRate !== null
      })
      clearInterval(busy)
      const { head, groups } = there(document)
      assert.deepEqual(
        groups?.map(({ name, from, command }) => [name, from, command]),
        [['shop', '127.0.0.1', 'get']],
      )
      assert.match(head?.engine ?? '', /^(redis|valkey) \d/)
      assert.ok(Math.abs((head?.hitRate ?? 0) - 0.5) < 0.1, String(head?.hitRate))
      assert.ok((head?.maxClients ?? 0) > 0 && (head?.usedMemory ?? 0) > 0)
    } finally {
      redis.destroy()
    }
    assert.deepEqual(await server.clientList(), [])
  })

  it('has no rate of the last seconds without an earlier look', () => {
    const mark = (at: number, hits: number) => {
      const info = { total_commands_processed: 10, keyspace_hits: hits, keyspace_misses: 9, evicted_keys: hits }
      return { at, asked: 0, info: new Map(Object.entries(info).map(([name, value]) => [name, String(value)])) }
    }
    const first = headOf(mark(1_000, 50), undefined)
    assert.deepEqual([first.hitRate, first.evictedPerSecond], [null, null])
    const second = headOf(mark(3_000, 60), mark(1_000, 50))
    assert.deepEqual([second.hitRate, second.evictedPerSecond], [1, 5])
  })

  it('compares two looks where only one moment is asked for', async () => {
    await using server = await RedisProcess.start()
    const pool = new ConnectionPool(server.url, { name: 'orders', maxConnections: 2 })
    const redis = new Redis({ pool })
    await using published = await publish([pool])
    const endpoints = readEndpoints({ lists: new Map([['pool', [published.url]]]) }, { RESPOOL_TOKEN: TOKEN })
    try {
      await redis.get('no key')
      const document = await moment({ url: server.url, endpoints, once: true }, () => true)
      const { head } = there(document)
      assert.deepEqual([head?.hitRate, head?.evictedPerSecond], [null, 0])
      const [first] = document.pools
      assert.ok(first !== undefined && 'pools' in first)
      assert.equal(first.pools[0]?.callsPerSecond, 0)
    } finally {
      pool.destroy()
      redis.destroy()
    }
  })

  it('waits for a server that goes away, and sees it come back', async () => {
    await using server = await RedisProcess.start()
    const seen: string[] = []
    let restarted: Promise<void> | undefined
    await moment({ url: server.url }, ({ server: view }) => {
      const state = view?.state ?? 'none'
      if (seen.at(-1) !== state) seen.push(state)
      if (state === 'there' && seen.length === 1) server.kill('SIGKILL')
      if (state === 'gone') {
        assert.match(view?.state === 'gone' ? view.because : '', /ECONNREFUSED|closed the connection|broke|ECONNRESET/)
        restarted ??= server.restart()
      }
      return state === 'there' && seen.length > 1
    })
    await restarted
    assert.deepEqual(seen, ['there', 'gone', 'there'])
  })

  it('does not wait for ever for a server that hangs', async () => {
    await using server = await RedisProcess.start()
    let stopped = false
    const document = await moment({ url: server.url }, ({ server: view }) => {
      if (view?.state === 'there' && !stopped) {
        stopped = true
        server.kill('SIGSTOP')
      }
      return view?.state === 'gone'
    })
    await server.kill('SIGCONT')
    const { server: view } = document
    assert.match(view?.state === 'gone' ? view.because : '', /no reply within 2000 ms|did not answer|waited/)
  })

  it('trusts the authority that it is given', { skip: tlsSkip() }, async () => {
    await using server = await RedisProcess.start({ tls: true })
    const { code, stdout } = await startCli(['top', '--once', '--url', server.url, '--ca', server.tls?.ca ?? '']).done
    assert.equal(code, 0, stdout)
    assert.equal((await startCli(['top', '--once', '--url', server.url]).done).code, 69)
  })

  it('says what is refused, and shows the rest', async () => {
    await using server = await RedisProcess.start({
      acl: ['user noclients on >secret +@all -client|list', 'user noinfo on >secret +@all -info'],
    })
    const as = (user: string) =>
      moment({ url: `redis://${user}:secret@127.0.0.1:${server.port}`, once: true }, () => true)
    const noClients = there(await as('noclients'))
    assert.equal(noClients.groups, null)
    assert.ok(noClients.head !== null)
    assert.match(noClients.refused.join(), /^CLIENT LIST could not be asked, .*NOPERM.*\+client\|list/)
    const noInfo = there(await as('noinfo'))
    assert.equal(noInfo.head, null)
    assert.deepEqual(noInfo.groups, [])
    assert.match(noInfo.refused.join(), /^INFO could not be asked, .*\+info/)
  })

  it('sees pools that publish their figures, and what ails them', async () => {
    await using server = await RedisProcess.start()
    const pool = new ConnectionPool(server.url, { name: 'orders', maxConnections: 2, leakThreshold: 20 })
    const redis = new Redis({ pool })
    await using published = await publish([pool])
    const urls = [published.url, `http://127.0.0.1:${await freePort()}/`]
    const endpoints = readEndpoints({ lists: new Map([['pool', urls]]) }, { RESPOOL_TOKEN: TOKEN })
    try {
      await redis.lease({ label: 'forgotten' })
      redis.lease().catch(() => {})
      const document = await moment({ endpoints }, ({ pools: [first] }) => {
        const [orders] = first !== undefined && 'pools' in first ? first.pools : []
        return orders?.cause === 'leak' && orders.callsPerSecond !== null
      })
      assert.equal(document.server, null)
      const [first, second] = document.pools
      assert.ok(first !== undefined && 'pools' in first && first.pools[0]?.name === 'orders')
      assert.ok(second !== undefined && 'because' in second)
      assert.match(second.because, /nobody listens there/)
      assert.equal(isReached(document), true)
    } finally {
      pool.destroy()
      redis.destroy()
    }
  })
})

describe('top, in a pipe', () => {
  it('prints JSON documents, one a line, and ends with its reader', { skip: liveSkip }, async () => {
    await using server = await RedisProcess.start()
    const { child, done } = startCli(['top', '--json', '--interval', '100ms', '--url', server.url])
    let text = ''
    await new Promise<void>((resolve) =>
      child.stdout?.on('data', (chunk: string) => {
        text += chunk
        if (text.split('\n').length > 3) resolve()
      }),
    )
    child.kill('SIGTERM')
    const { code, stdout } = await done
    assert.equal(code, 143)
    const documents = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.ok(documents.length >= 3)
    for (const document of documents) assert.deepEqual([document.schemaVersion, document.command], [1, 'top'])
  })

  it('prints one moment in lines without any escape, or says that there is none', { skip: liveSkip }, async () => {
    await using server = await RedisProcess.start()
    const { code, stdout } = await startCli(['top', '--once'], { REDIS_URL: server.url }).done
    assert.equal(code, 0)
    assert.match(stdout, /^\d\d:\d\d:\d\d server address=127\.0\.0\.1:\d+ engine="redis [\d.]+" ops\/s=\d/)
    assert.ok(!stdout.includes('\u001B'))
    const none = await startCli(['top', '--once', '--url', `redis://127.0.0.1:${await freePort()}`]).done
    assert.equal(none.code, 69)
    assert.match(none.stdout, /gone="cannot connect to .*ECONNREFUSED/)
  })

  it('refuses what it cannot do', async () => {
    assert.deepEqual(await startCli(['top']).done, {
      code: 64,
      stdout: '',
      stderr: 'respool: nothing to watch: give --url or REDIS_URL for a server, --pool for pools\n',
    })
    for (const interval of ['0', '50ms', 'soon', '1h', '-1']) {
      const { code } = await startCli(['top', `--interval=${interval}`, '--url', 'redis://x']).done
      assert.equal(code, 64, interval)
    }
    assert.equal((await startCli(['top', '--sort', 'colour', '--url', 'redis://x']).done).code, 64)
  })

  it('shows nothing that acts, whatever a server says', async () => {
    const attack = '\u001b[2J\u009b31m\u202e'
    await using server = await FakeServer.start({
      fallback: ([name]) => {
        if (name === 'INFO') return `redis_version:7${attack}\r\nmaxclients:${attack}\r\n`
        return name === 'CLIENT' ? `id=1 addr=${attack} name=${attack} cmd=${attack} age=x idle=9e999\n=\n` : undefined
      },
    })
    for (const words of [['--json'], []]) {
      const { code, stdout } = await startCli(['top', '--once', '--url', server.url, ...words]).done
      assert.equal(code, 0)
      assert.match(stdout, /\\u001b\[2J/)
      assert.doesNotMatch(stdout.replaceAll('\n', ''), /[\p{Cc}\p{Bidi_Control}]/u)
    }
  })
})

describe('top, on a terminal', { skip: liveSkip || terminalSkip() }, () => {
  async function onTerminal(work: (terminal: PseudoTerminal, server: RedisProcess) => Promise<void>): Promise<void> {
    await using server = await RedisProcess.start()
    await using terminal = new PseudoTerminal([process.execPath, CLI, 'top', '--url', server.url], 80, 20)
    await terminal.until(({ output }) => output.includes('clients 1/'), 'a first picture')
    await work(terminal, server)
    assert.ok(terminal.output.includes(ENTER) && terminal.output.includes('\u001B[?25l'))
    const last = terminal.output.lastIndexOf(LEAVE)
    assert.ok(last > terminal.output.lastIndexOf(ENTER), 'it did not leave the other screen')
    assert.ok(terminal.output.lastIndexOf('\u001B[?25h') > terminal.output.lastIndexOf('\u001B[?25l'), 'no cursor')
  }

  it('draws until q, and gives the terminal back', () =>
    onTerminal(async (terminal) => {
      terminal.type('m')
      await terminal.until(({ output }) => output.includes('(memory)'), 'another order')
      terminal.type('q')
      assert.deepEqual(await terminal.end(), { code: 0, restored: true })
    }))

  for (const [how, end, code] of [
    ['Ctrl-C', (terminal: PseudoTerminal) => terminal.type('\u0003'), 130],
    ['SIGTERM', (terminal: PseudoTerminal) => terminal.signal('SIGTERM'), 143],
    ['Ctrl-\\', (terminal: PseudoTerminal) => terminal.type('\u001C'), 131],
    ['SIGHUP', (terminal: PseudoTerminal) => terminal.signal('SIGHUP'), 129],
  ] as const) {
    it(`gives the terminal back after ${how}`, () =>
      onTerminal(async (terminal) => {
        end(terminal)
        assert.deepEqual(await terminal.end(), { code, restored: true })
      }))
  }

  it('gives it back while it is stopped by Ctrl-Z, and takes it again', () =>
    onTerminal(async (terminal) => {
      terminal.type('\u001A')
      await terminal.until(({ output, isStopped }) => output.includes(LEAVE) && isStopped, 'a stop')
      terminal.signal('SIGCONT')
      await terminal.until(
        ({ output }) => output.lastIndexOf(ENTER) > output.lastIndexOf(LEAVE),
        'it being entered again',
      )
      await terminal.until(({ picture }) => picture.join().includes('clients 1/'), 'a picture after that')
      terminal.type('q')
      assert.deepEqual(await terminal.end(), { code: 0, restored: true })
    }))

  it('draws on a terminal that does not know how many lines it has', async () => {
    await using server = await RedisProcess.start()
    await using terminal = new PseudoTerminal([process.execPath, CLI, 'top', '--url', server.url], 80, 0)
    await terminal.until(({ output }) => output.includes('clients 1/'), 'a picture')
    terminal.type('q')
    assert.deepEqual(await terminal.end(), { code: 0, restored: true })
  })

  it('follows the size of the terminal, and a server that goes', () =>
    onTerminal(async (terminal, server) => {
      terminal.resize(40, 12)
      await terminal.until(
        ({ picture }) => /^respool top {2}127\.0\.0\.1:\d+\S*$/.test(plain(picture[0])),
        '40 columns',
      )
      for (const line of terminal.picture) assert.ok(plain(line).length <= 40, line)
      await server.kill('SIGKILL')
      await terminal.until(
        ({ picture }) => picture.map(plain).join(' ').includes('The server cannot be used'),
        'it being gone',
      )
      await server.restart()
      await terminal.until(({ picture }) => picture.join().includes('clients 1/'), 'it being back')
      terminal.type('q')
      assert.deepEqual(await terminal.end(), { code: 0, restored: true })
    }))
})

const SEQUENCE = new RegExp(`${'\u001B'}\\[[\\d?]*[a-zA-Z]`, 'g')

/** Without the sequences that colour and clear. */
const plain = (line = ''): string => line.replace(SEQUENCE, '')
