// What the doctor finds in pools that publish their figures: each cause planted in a live pool, and endpoints that do
// not say what they should.

import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ConnectionPool, type ConnectionPoolOptions, Redis } from '../../src/index.js'
import { serveDashboard } from '../../src/tools/dashboard.js'
import { type DoctorDocument, doctor } from '../../src/tools/doctor.js'
import type { Finding } from '../../src/tools/doctor-finding.js'
import { poolFindings } from '../../src/tools/doctor-pools.js'
import { readEndpoints } from '../../src/tools/pool-endpoint.js'
import { startCli } from '../support/cli-process.js'
import { freePort } from '../support/free-port.js'
import { publish, publishText, TOKEN } from '../support/published.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'

const CHILD = fileURLToPath(new URL('../support/published-child.js', import.meta.url))
const TMP = mkdtempSync(join(tmpdir(), 'respool-doctor-test-'))
after(() => rmSync(TMP, { recursive: true, force: true }))

function look(...urls: string[]): Promise<DoctorDocument> {
  const endpoints = readEndpoints({ lists: new Map([['pool', urls]]) }, { RESPOOL_TOKEN: TOKEN })
  return doctor({ patient: undefined, fleet: undefined, endpoints, signal: new AbortController().signal })
}

const causeIn = ({ findings }: DoctorDocument): Finding =>
  findings.find(({ topic }) => topic === 'cause') ?? assert.fail(JSON.stringify(findings))

describe('the doctor, at the pools of a process', { skip: liveSkip }, () => {
  async function examined(
    options: ConnectionPoolOptions,
    plant: (redis: Redis, server: RedisProcess) => Promise<unknown>,
  ): Promise<{ document: DoctorDocument; cause: Finding }> {
    await using server = await RedisProcess.start()
    const redis = new Redis({ pool: new ConnectionPool(server.url, { name: 'orders', ...options }) })
    await using published = await publish([redis.pool])
    try {
      await redis.connect()
      await plant(redis, server)
      const document = await look(published.url)
      return { document, cause: causeIn(document) }
    } finally {
      redis.pool.destroy()
      redis.destroy()
    }
  }

  it('finds nothing wrong where nothing is', async () => {
    const { document, cause } = await examined({}, (redis) => redis.set('a', 'b'))
    assert.deepEqual([cause.severity, cause.cause, document.exitCode], ['ok', undefined, 0])
    assert.equal(cause.subject, 'pool orders')
  })

  it('names a leak', async () => {
    const { document, cause } = await examined({ maxConnections: 2, leakThreshold: 50 }, async (redis) => {
      const leaked = once(redis.pool, 'leak')
      await redis.lease({ label: 'forgotten' })
      await leaked
      redis.lease().catch(() => {})
    })
    assert.equal(cause.cause, 'leak', cause.seen)
    assert.match(cause.remedy ?? '', /await using/)
    assert.deepEqual([cause.severity, document.exitCode], ['critical', 2])
  })

  it('names a server that a slow script keeps from answering', async () => {
    const { cause } = await examined({ maxConnections: 3 }, async (redis, server) => {
      const busy =
        "local t = redis.call('TIME') local e = t[1] + 3 repeat t = redis.call('TIME') until tonumber(t[1]) > e"
      server.cli('EVAL', busy, '0').catch(() => {})
      for (let round = 0; round < 20; round++) {
        for (let key = 0; key < 10; key++) redis.get(`key ${key}`).catch(() => {})
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    })
    assert.equal(cause.cause, 'slow-server', cause.seen)
    assert.match(cause.remedy ?? '', /slow commands and scripts/)
  })

  it('names a server that is dead', async () => {
    const { document, cause } = await examined({ maxConnections: 3 }, async (redis, server) => {
      await server.kill('SIGKILL')
      const failed = once(redis.pool, 'connectError')
      redis.get('key').catch(() => {})
      await failed
    })
    assert.equal(cause.cause, 'failing-dials', cause.seen)
    assert.match(cause.seen, /ECONNREFUSED/)
    assert.equal(document.exitCode, 2)
  })

  it('names a pool that is too small, and a size that would do', async () => {
    const ending = new AbortController()
    const hold = () => new Promise<void>((resolve) => setTimeout(resolve, 30))
    let work: Promise<unknown> = Promise.resolve()
    const { cause } = await examined({ maxConnections: 3, pipelining: 1 }, async (redis) => {
      const caller = async () => {
        while (!ending.signal.aborted) await redis.lease(hold)
      }
      work = Promise.allSettled(Array.from({ length: 20 }, caller))
    })
    ending.abort()
    await work
    assert.equal(cause.cause, 'too-small', cause.seen)
    assert.match(cause.remedy ?? '', /maxConnections: \d+ would do/)
    assert.equal(cause.severity, 'warning')
  })

  it('names an event loop that is blocked, now and then or for good', async () => {
    await using server = await RedisProcess.start()
    for (const [blocked, severity] of [
      ['600', 'warning'],
      ['8000', 'critical'],
    ] as const) {
      const child = fork(CHILD, [server.url, blocked], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
      try {
        const [url] = await once(child, 'message')
        child.send('block')
        const [begun] = await once(child, 'message')
        assert.equal(begun, 'blocking')
        const cause = causeIn(await look(String(url)))
        assert.equal(cause.cause, 'blocked-loop', cause.seen)
        assert.equal(cause.severity, severity, JSON.stringify(cause))
      } finally {
        const gone = once(child, 'exit')
        child.kill('SIGKILL')
        await gone
      }
    }
  })

  it('passes on what the pool advises, unless something else is wrong', async () => {
    const redis = new Redis()
    const stats = redis.pool.stats()
    redis.destroy()
    const options = [{ option: 'pipelining', advised: 500, because: 'more in flight' }]
    const advice = { maxConnections: 6, current: 10, verdict: 'larger-than-needed', because: 'few are used', options }
    const calm = poolFindings({ stats, advice }, undefined, 0)
    assert.deepEqual(
      calm.map(({ topic, severity, remedy }) => [topic, severity, remedy]),
      [
        ['cause', 'ok', undefined],
        ['advice', 'note', 'maxConnections: 6 instead of 10'],
        ['advice', 'note', 'set pipelining to 500'],
      ],
    )
    assert.deepEqual(
      poolFindings({ stats, advice }, undefined, 900).map(({ topic }) => topic),
      ['cause'],
    )
  })
})

describe('respool doctor and respool top', { skip: liveSkip }, () => {
  it('read the pools of a dashboard, with its token in the environment', async () => {
    await using server = await RedisProcess.start()
    const pool = new ConnectionPool(server.url, { name: 'orders', maxConnections: 2, leakThreshold: 50 })
    const redis = new Redis({ pool })
    const served = await serveDashboard({ pools: [pool] })
    try {
      const leaked = once(pool, 'leak')
      await redis.lease({ label: 'forgotten' })
      await leaked
      redis.lease().catch(() => {})
      const address = new URL(served.url)
      address.hash = ''
      const env = { RESPOOL_TOKEN: served.token }
      const doctored = await startCli(['doctor', '--json', '--pool', address.href], env).done
      assert.equal(doctored.code, 2, doctored.stderr)
      assert.equal(causeIn(JSON.parse(doctored.stdout)).cause, 'leak')
      const watched = await startCli(['top', '--once', '--pool', address.href], env).done
      assert.match(watched.stdout, /pool name=orders state=open connections=\d\/2 leased=1 .* waiting=1 /)
      assert.equal((await startCli(['top', '--once', '--pool', address.href]).done).code, 69)
    } finally {
      await served.close()
      pool.destroy()
      redis.destroy()
    }
  })
})

describe('the doctor, at an endpoint', () => {
  const seen = async (url: string): Promise<Finding> => {
    const document = await look(url)
    assert.equal(document.exitCode, 69)
    return document.findings[0] ?? assert.fail('nothing was found')
  }

  it('that is not there, or not what it should be, says so', async () => {
    assert.match((await seen(`http://127.0.0.1:${await freePort()}/`)).seen, /nobody listens there/)
    const texts: [string, RegExp][] = [
      ['<html>', /not what a dashboard of respool sends/],
      ['{"schemaVersion":2,"pools":[]}', /another version/],
      ['{"schemaVersion":1,"pools":[{"stats":{"name":"x"}}]}', /lack what this version reads/],
    ]
    for (const [text, expected] of texts) {
      await using published = await publishText(() => text)
      assert.match((await seen(published.url)).seen, expected)
      assert.match((await seen(new URL('/elsewhere/', published.url).href)).seen, /HTTP 404/)
    }
  })

  it('asks with the token of the file, and shows it nowhere', async () => {
    await using published = await publishText(() => '{"schemaVersion":1,"pools":[]}')
    const file = join(TMP, 'token')
    writeFileSync(file, `${TOKEN}\n`)
    const right = await startCli(['doctor', '--json', '--pool', published.url, '--token-file', file]).done
    assert.equal(right.code, 0, right.stdout + right.stderr)
    assert.deepEqual(published.asked, ['GET /respool/api/pools', 'GET /respool/api/pools'])
    writeFileSync(file, 'wrong-token')
    const wrong = await startCli(['doctor', '--pool', published.url, '--token-file', file]).done
    assert.equal(wrong.code, 69)
    assert.match(wrong.stdout.replace(/\s+/g, ' '), /it refused the token \(HTTP 401\)/)
    const none = await startCli(['doctor', '--pool', published.url]).done
    assert.match(none.stdout.replace(/\s+/g, ' '), /it wants a token \(HTTP 401\)/)
    for (const { stdout, stderr } of [right, wrong, none]) assert.doesNotMatch(stdout + stderr, /a-token|wrong-token/)
  })

  it('takes no token from the command line', () => {
    for (const url of ['http://:hush@127.0.0.1/', 'http://127.0.0.1/#token=hush', 'http://127.0.0.1/?token=hush']) {
      assert.throws(
        () => readEndpoints({ lists: new Map([['pool', [url]]]) }, {}),
        (error: Error) => {
          assert.match(error.message, /use --token-file or RESPOOL_TOKEN/)
          assert.doesNotMatch(error.message, /hush/)
          return true
        },
      )
    }
    assert.throws(() => readEndpoints({ lists: new Map([['pool', ['redis://x']]]) }, {}), /address of a dashboard/)
  })

  it('gives the first token to the first endpoint, and the last one to the rest', () => {
    const files = ['one', 'two'].map((name) => {
      writeFileSync(join(TMP, name), name)
      return join(TMP, name)
    })
    const lists = new Map([
      ['pool', ['http://a/', 'http://b/x', 'http://c/']],
      ['token-file', files],
    ])
    const endpoints = readEndpoints({ lists }, { RESPOOL_TOKEN: 'unused' })
    assert.deepEqual(
      endpoints.map(({ shown, token }) => [shown, token]),
      [
        ['http://a/', 'one'],
        ['http://b/x/', 'two'],
        ['http://c/', 'two'],
      ],
    )
  })
})
