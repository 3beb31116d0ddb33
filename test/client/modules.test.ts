// Commands of modules: their arguments are node-redis's, they run where they may, and their replies are transformed.
// On a server that has modules some run for real.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, it } from 'node:test'
import bloom from '@redis/bloom'
import json from '@redis/json'
import search from '@redis/search'
import timeSeries from '@redis/time-series'
import { CommandArguments, parseArguments } from '../../src/command/arguments.js'
import type { CommandDefinition, CommandParser, RedisArgument } from '../../src/command/definitions.js'
import { orderingKeyOf } from '../../src/command/ordering.js'
import { blockingTimeoutOf, routeOf, sessionEffectOf } from '../../src/command/routing.js'
import { openRedis, RESP_TYPES, type Redis } from '../../src/index.js'
import { FakeServer } from '../support/fake-server.js'
import { liveRedis } from '../support/live-redis.js'
import { liveSkip } from '../support/redis-process.js'
import { OK, Simple, type Wire } from '../support/resp.js'
import { MODULE_SAMPLES } from './module-samples.js'

const MODULES = { ...bloom.default, json: json.default, ft: search.default, ts: timeSeries.default }

interface Metadata {
  readonly flags?: readonly string[]
}

const require = createRequire(import.meta.url)
const peer: {
  BasicCommandParser: new (keyPrefix?: RedisArgument) => CommandParser
} = require('@redis/client/dist/lib/client/parser.js')
const {
  COMMAND_METADATA,
}: {
  COMMAND_METADATA: Readonly<Record<string, Readonly<Record<string, Metadata>>>>
} = require('@redis/client/dist/lib/command-metadata/index.js')

interface Sample {
  readonly name: string
  readonly definition: CommandDefinition
  readonly calls: readonly (readonly unknown[])[]
}

/** Every definition once, under the first of its names. */
function samples(): Sample[] {
  return Object.entries(MODULES).flatMap(([module, commands]) => {
    const byDefinition = new Map<CommandDefinition, string>()
    for (const [method, definition] of Object.entries<CommandDefinition>(commands)) {
      if (!byDefinition.has(definition)) byDefinition.set(definition, method)
    }
    return [...byDefinition].map(([definition, method]) => {
      return { name: `${module}.${method}`, definition, calls: MODULE_SAMPLES[module]?.[method] ?? [] }
    })
  })
}

function outcomeOf(parser: CommandParser, { definition }: Sample, call: readonly unknown[]) {
  definition.parseCommand(parser, ...call)
  const { redisArgs, keys, firstKey, preserve } = parser
  return { redisArgs: [...redisArgs], keys: [...keys], firstKey, preserve }
}

describe('every command of a module', () => {
  it('has a sample', () => {
    assert.ok(samples().length > 140)
    assert.deepEqual(
      samples()
        .filter(({ calls }) => calls.length === 0)
        .map(({ name }) => name),
      [],
    )
  })

  for (const [label, prefix] of [
    ['without a key prefix', undefined],
    ['with a key prefix', 'p:'],
    ['with a Buffer as key prefix', Buffer.from([255, 58])],
  ] as const) {
    it(`sends what it sends with node-redis's parser, ${label}`, () => {
      for (const sample of samples()) {
        for (const call of sample.calls) {
          const ours = outcomeOf(new CommandArguments(prefix), sample, call)
          const theirs = outcomeOf(new peer.BasicCommandParser(prefix), sample, call)
          assert.deepEqual(ours, theirs, sample.name)
        }
      }
    })
  }

  it('passes the check of its arguments, null and all', () => {
    for (const { name, definition, calls } of samples()) {
      for (const call of calls) assert.doesNotThrow(() => parseArguments(definition, name, call), name)
    }
    assert.throws(() => parseArguments(MODULES.ts.ADD, 'ts.ADD', ['key', '*', Number.NaN]), /cannot send NaN/)
    assert.throws(() => parseArguments(MODULES.json.SET, 'json.SET', ['key', '$', undefined]), /cannot send undefined/)
  })

  it('orders by the key that raw arguments show, when it has one', () => {
    for (const { name, definition, calls } of samples()) {
      for (const call of calls) {
        const { redisArgs, orderingKey } = parseArguments(definition, name, call)
        if (orderingKey === undefined || /^ts\.N/.test(name)) continue
        assert.equal(orderingKeyOf(redisArgs), orderingKey, name)
      }
    }
  })

  it('shares its connection, but for TS.READ with BLOCK, and changes no session', () => {
    const blocking: unknown[] = []
    for (const { name, definition, calls } of samples()) {
      for (const call of calls) {
        const { redisArgs } = parseArguments(definition, name, call)
        const route = routeOf(redisArgs)
        if (route === 'blocking') blocking.push([name, blockingTimeoutOf(redisArgs)])
        else assert.deepEqual([route, blockingTimeoutOf(redisArgs)], ['shared', undefined], name)
        assert.equal(sessionEffectOf(redisArgs), 'none', name)
      }
    }
    assert.deepEqual(blocking, [['ts.READ', 100]])
    assert.equal(blockingTimeoutOf(['TS.READ', 'key', '$', 'BLOCK', '0', '1']), Number.POSITIVE_INFINITY)
  })

  it('that blocks is not known to the metadata of node-redis either', () => {
    const flagged = Object.entries(COMMAND_METADATA).flatMap(([module, commands]) =>
      Object.entries(commands).flatMap(([name, { flags }]) =>
        module !== 'std' && flags?.includes('blocking') ? [`${module}.${name}`] : [],
      ),
    )
    assert.deepEqual(flagged, [])
  })
})

const BYTES = { [RESP_TYPES.BLOB_STRING]: Buffer } as const

for (const protocol of [3, 2] as const) {
  describe(`commands of modules over the wire, RESP${protocol}`, () => {
    it('go out, and their replies are transformed', async () => {
      await using server = await FakeServer.start()
      server.expect('JSON.SET', 'doc', '$', '{"a":[1,null]}').reply(OK)
      server.expect('JSON.SET', 'doc', '$.a', 'null').reply(OK)
      server.expect('JSON.GET', 'doc').reply('{"a":null}', '{"a":null}')
      server.expect('JSON.NUMINCRBY', 'doc', '$.n', '2').reply(protocol === 2 ? '[4]' : [4])
      server.expect('BF.ADD', 'filter', 'x').reply(true)
      server.expect('BF.MEXISTS', 'filter', 'x', 'y').reply([true, false])
      server.expect('TS.RANGE', 'series', '-', '+').reply([
        [1, protocol === 2 ? new Simple('1.5') : 1.5],
        [2, protocol === 2 ? new Simple('2.5') : 2.5],
      ])
      server.expect('CMS.QUERY', 'sketch', 'x').reply([7])
      const redis = openRedis({ url: server.url, protocol, maxConnections: 1 }, { modules: MODULES })
      try {
        assert.equal(await redis.json.set('doc', '$', { a: [1, null] }), 'OK')
        assert.equal(await redis.json.set('doc', '$.a', null), 'OK')
        assert.deepEqual(await redis.json.get('doc'), { a: null })
        assert.deepEqual(await redis.json.numIncrBy('doc', '$.n', 2), [4])
        assert.equal(await redis.bf.add('filter', 'x'), true)
        assert.deepEqual(await redis.bf.mExists('filter', ['x', 'y']), [true, false])
        assert.deepEqual(await redis.ts.range('series', '-', '+'), [
          { timestamp: 1, value: 1.5 },
          { timestamp: 2, value: 2.5 },
        ])
        assert.deepEqual(await redis.cms.query('sketch', 'x'), [7])
        server.verify()
      } finally {
        redis.destroy()
      }
    })

    it('search: documents and fields, one of them called __proto__', async () => {
      await using server = await FakeServer.start()
      const fields = ['title', 'x', '__proto__', 'y']
      const reply = [1, 'doc', fields]
      const document = new Map<Wire, Wire>([
        ['id', 'doc'],
        ['extra_attributes', fields],
      ])
      const asMap = new Map<Wire, Wire>([
        ['total_results', 1],
        ['results', [document]],
      ])
      server.expect('FT.SEARCH', 'index', '*').reply(protocol === 2 ? reply : asMap)
      const redis = openRedis({ url: server.url, protocol }, { modules: MODULES })
      try {
        const found = await redis.ft.search('index', '*')
        assert.equal(found.total, 1)
        const [first] = found.documents
        assert.equal(first?.id, 'doc')
        assert.deepEqual(Object.entries(Object(first?.value)), [
          ['title', 'x'],
          ['__proto__', 'y'],
        ])
      } finally {
        redis.destroy()
      }
    })

    it('follow type mappings, leases and transactions', async () => {
      await using server = await FakeServer.start()
      server.expect('TOPK.LIST', 'top').always().reply(['a', 'b'])
      server.expect('MULTI').reply(OK)
      server.expect('JSON.GET', 'doc').reply(new Simple('QUEUED'))
      server.expect('BF.ADD', 'filter', 'x').reply(new Simple('QUEUED'))
      server.expect('EXEC').reply(['{"a":1}', true])
      const redis = openRedis({ url: server.url, protocol }, { modules: MODULES })
      try {
        assert.deepEqual(await redis.withTypeMapping(BYTES).topK.list('top'), [Buffer.from('a'), Buffer.from('b')])
        assert.deepEqual(await redis.topK.list('top'), ['a', 'b'], 'a view does not change what it was made of')
        assert.deepEqual(await redis.lease((connection) => connection.topK.list('top')), ['a', 'b'])
        assert.deepEqual(await redis.multi().json.get('doc').bf.add('filter', 'x').execTyped(), [{ a: 1 }, true])
        server.verify()
      } finally {
        redis.destroy()
      }
    })
  })
}

describe('TS.READ with BLOCK', () => {
  it('waits on a connection of its own', async () => {
    await using server = await FakeServer.start()
    server.expect('TS.READ').stall()
    const redis = openRedis({ url: server.url, maxConnections: 3 }, { modules: MODULES })
    const controller = new AbortController()
    try {
      const view = redis.withAbortSignal(controller.signal)
      const read = view.ts.read('series', '$', { BLOCK: { milliseconds: 0 } })
      const settled = assert.rejects(read)
      await server.until('TS.READ')
      assert.equal(await redis.ping(), 'PONG')
      assert.equal(redis.pool.stats().connections.leased, 1)
      redis.destroy()
      await settled
    } finally {
      redis.destroy()
    }
  })
})

describe('modules on a real server', { skip: liveSkip }, () => {
  let redis: Redis
  let url: string
  liveRedis({}, (started) => {
    redis = started.redis
    url = started.server.url
  })

  it('are served', async (context) => {
    const listed: unknown = await redis.sendCommand(['MODULE', 'LIST'])
    if (!/rejson/i.test(JSON.stringify(listed))) return context.skip('this redis-server has no modules')
    const extended = openRedis({ url }, { modules: MODULES })
    try {
      await extended.json.set('doc', '$', { a: 1 })
      assert.deepEqual(await extended.json.get('doc', { path: '$.a' }), [1])
    } finally {
      await extended.close()
    }
  })
})
