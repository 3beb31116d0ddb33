// A secret that the library was given shows in nothing that it gives back, throws, prints or leaves to print.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { Redis } from '../../src/index.js'
import { CANARY, Scanner } from '../support/canary.js'
import { FakeServer } from '../support/fake-server.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import * as secrets from '../support/secrets.js'

async function withoutHits(atLeast: number, run: (scanner: Scanner) => Promise<unknown>): Promise<void> {
  const scanner = new Scanner()
  await run(scanner)
  assert.deepEqual(scanner.hits, [])
  assert.ok(scanner.looked >= atLeast, `looked at ${scanner.looked} values only`)
}

describe('the scanner', () => {
  it('finds the secret wherever it is planted', () => {
    const hidden = Object.defineProperty(new Error('x'), Symbol('args'), { value: ['AUTH', CANARY], enumerable: false })
    const planted: unknown[] = [
      CANARY,
      CANARY.toUpperCase(),
      `redis://:${encodeURIComponent(CANARY)}@host`,
      Buffer.from(CANARY),
      Buffer.from(CANARY).toString('hex'),
      `Basic ${Buffer.from(`user:${CANARY}`).toString('base64')}`,
      new Error(`no: ${CANARY}`),
      new Error('x', { cause: new Error('y', { cause: { password: CANARY } }) }),
      new AggregateError([new Error('x'), new Error(CANARY)]),
      Object.assign(new Error('x'), { command: { args: ['AUTH', CANARY] } }),
      hidden,
      new Map([['k', CANARY]]),
      { toJSON: () => CANARY },
      {
        get password() {
          return CANARY
        },
      },
      { [inspect.custom]: () => CANARY },
      { deep: { deep: { deep: { deep: { deep: { deep: { CANARY } } } } } } },
      Array.from({ length: 200 }, (_, index) => (index === 150 ? CANARY : 'x')),
      () => {},
    ]
    const scanner = new Scanner()
    for (const [index, value] of planted.entries()) scanner.look(value, String(index))
    // All but the last, which has none.
    assert.deepEqual(
      scanner.hits.map((hit) => Number(hit.split(':')[0])),
      planted.slice(0, -1).map((_, index) => index),
    )
    assert.equal(scanner.looked, planted.length)
  })
})

describe('a secret', { skip: liveSkip }, () => {
  it('that logs in shows nowhere, in whatever way it was given', async () => {
    await using server = await RedisProcess.start({ password: CANARY })
    await withoutHits(100, async (scanner) => {
      for (const args of secrets.logins(server.port)) await secrets.lookAtLife(args, scanner)
    })
  })

  it('that does not log in shows nowhere, even where the server repeats it', async () => {
    await withoutHits(300, (scanner) => secrets.lookAtFailedLogins(scanner))
  })

  it('among the arguments of a command shows in no error of a real server', async () => {
    const config = { 'rename-command': ['MONITOR ""', 'DEBUG ""'] }
    await using server = await RedisProcess.start({ config })
    await using redis = new Redis(server.url)
    await withoutHits(200, (scanner) => secrets.lookAtArguments(redis, server.port, scanner))
  })

  it('among the arguments of a command that the server does not know, or repeats, is not repeated by us', async () => {
    const repeats = (args: string[]): Error =>
      new Error(`ERR you said '${args.join("' '")}', that is: ${args.join(' ')}`)
    const unknown = ([name, ...args]: string[]): Error =>
      new Error(`ERR unknown command '${name}', with args beginning with: '${args.join("' '")}' `)
    const known = ['AUTH', 'HELLO', 'ACL', 'CONFIG', 'MIGRATE']
    for (const answer of [repeats, unknown]) {
      const isTried = (name: string): boolean => answer === unknown || known.includes(name.toUpperCase())
      await using server = await FakeServer.start({
        fallback: (args) => {
          const [name = ''] = args
          if (args[1] === '3' && args.length <= 2) return undefined
          if (['MULTI', 'EXEC', 'DISCARD'].includes(name)) return new Error('ERR not here')
          return isTried(name) && args.join(' ').includes(CANARY) ? answer(args) : undefined
        },
      })
      await using redis = new Redis(server.url)
      await withoutHits(1, async (scanner) => {
        for (const command of secrets.secretCommands(server.port)) {
          if (!isTried(command[0] ?? '')) continue
          const lease = await redis.lease()
          await scanner.failure(() => lease.sendCommand(command), `${command[0]} on a lease`)
          lease.release()
        }
      })
    }
  })

  it('in a wrong option or URL is not shown by the error', async () => {
    await withoutHits(40, (scanner) => secrets.lookAtWrongOptions(scanner))
  })

  it('for a TLS key shows nowhere', async () => {
    await using server = await RedisProcess.start()
    await withoutHits(40, (scanner) => secrets.lookAtTls(server.port, 'no key', scanner))
  })

  it('held by those who exhaust a pool shows in no report of it', async () => {
    await using server = await RedisProcess.start({ password: CANARY })
    await withoutHits(8, (scanner) => secrets.lookAtExhaustion(server, scanner))
  })

  it('is not printed when the process ends by an uncaught error', async () => {
    await using server = await RedisProcess.start({ password: 'another one' })
    const url = `redis://127.0.0.1:${server.port}`
    const scanner = new Scanner()
    for (const way of secrets.WAYS_TO_CRASH) {
      const printed = await secrets.crash(url, way)
      assert.ok(printed.length > 100, `${way} printed nothing`)
      scanner.look(printed, way)
    }
    assert.deepEqual(scanner.hits, [])
    scanner.look(await secrets.crash(url, 'planted'), 'planted')
    assert.equal(scanner.hits.length, 1)
  })
})
