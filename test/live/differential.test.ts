// Runs every command that the server has through respool and through node-redis, and compares what programs get.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CATALOG } from '../../src/command/catalog.js'
import { wireNameOf } from '../../src/command/names.js'
import type { CliReply } from '../support/ask.js'
import { versionAtLeast } from '../support/redis-binary.js'
import { liveSkip, RedisProcess } from '../support/redis-process.js'
import { GEO } from './samples/geo.js'
import { HASHES } from './samples/hashes.js'
import { KEYS } from './samples/keys.js'
import { LISTS } from './samples/lists.js'
import type { Sample } from './samples/sample.js'
import { SCRIPTING } from './samples/scripting.js'
import { ACL, CLUSTER, CONNECTION, SERVER } from './samples/server.js'
import { SETS } from './samples/sets.js'
import { SORTED_SETS } from './samples/sorted-sets.js'
import { STREAMS } from './samples/streams.js'
import { BIT_STRINGS, HYPERLOGLOGS, STRINGS } from './samples/strings.js'
import {
  Couple,
  comparable,
  type Outcome,
  type Resp,
  type Servers,
  startServers,
  withoutPrototypes,
} from './support-differential.js'

const FAMILIES: Readonly<Record<string, readonly Sample[]>> = {
  strings: STRINGS,
  'bit strings': BIT_STRINGS,
  HyperLogLogs: HYPERLOGLOGS,
  hashes: HASHES,
  lists: LISTS,
  sets: SETS,
  'sorted sets': SORTED_SETS,
  streams: STREAMS,
  geo: GEO,
  keys: KEYS,
  'scripts, functions and messages': SCRIPTING,
  server: SERVER,
  users: ACL,
  connections: CONNECTION,
}

const skip = liveSkip || (!versionAtLeast(7, 0) && 'it uses commands of redis-server 7.0')
const newer = versionAtLeast(7, 1) && 'the tables are of the commands of redis-server 7.0'

const OWN_TESTS = 'subscriptions are calls with a listener, with tests of their own'
const OF_REPLICAS = 'it turns the connection into that of a replica'

const LEFT_OUT: Readonly<Record<string, string>> = {
  'CLIENT REPLY': 'it takes away replies, and respool refuses it',
  DEBUG: 'servers forbid it unless it is switched on',
  MONITOR: 'it is a call with a listener, with tests of its own',
  PSUBSCRIBE: OWN_TESTS,
  PSYNC: OF_REPLICAS,
  PUNSUBSCRIBE: OWN_TESTS,
  QUIT: 'it ends the connection; clients have close() for that',
  REPLCONF: OF_REPLICAS,
  SHUTDOWN: 'it ends the server',
  SSUBSCRIBE: OWN_TESTS,
  SUBSCRIBE: OWN_TESTS,
  SUNSUBSCRIBE: OWN_TESTS,
  SYNC: OF_REPLICAS,
  UNSUBSCRIBE: OWN_TESTS,
}

describe('as with node-redis, on one server and', { skip }, () => {
  let servers: Servers
  before(async () => {
    servers = await startServers({ acl: ['user default on nopass ~* &* +@all'] })
  })
  after(async () => {
    await Promise.all([servers.ours.stop(), servers.theirs.stop()])
  })

  for (const resp of [2, 3] as const) {
    for (const [family, samples] of Object.entries(FAMILIES)) {
      it(`RESP ${resp}: ${family}`, (t) => compare(servers, resp, samples, (text) => t.diagnostic(text)))
    }
  }
})

describe('the samples of the live comparison', { skip: skip || newer }, () => {
  let known: ReadonlySet<string>
  before(async () => {
    await using server = await RedisProcess.start()
    known = new Set(namesOf(await server.cli('COMMAND')))
  })
  const sampled = new Set([...Object.values(FAMILIES), CLUSTER].flat().map(nameOf))

  it('are of every command that the server has, but for those that are left out by name', (t) => {
    const missing = [...known].filter((name) => !sampled.has(name) && !(name in LEFT_OUT))
    assert.deepEqual(missing.sort(), [])
    assert.deepEqual(
      Object.keys(LEFT_OUT).filter((name) => sampled.has(name) || !known.has(name)),
      [],
      'these are left out, though they have a sample or the server has no such command',
    )
    t.diagnostic(`${known.size} commands of the server, ${Object.keys(LEFT_OUT).length} of them left out`)
  })

  it('are of every definition whose command the server has', (t) => {
    const called = new Set([...Object.values(FAMILIES), CLUSTER].flat().map(({ method }) => method))
    const here = CATALOG.filter(({ wire }) => known.has(wire) || wire === 'COMMAND')
    const missing = here.filter(({ methods }) => !methods.some((method) => called.has(method)))
    assert.deepEqual(
      missing.map(({ methods }) => methods[0]),
      [],
    )
    t.diagnostic(`${here.length} of ${CATALOG.length} definitions; the others are of newer servers`)
  })
})

describe('the live comparison bites:', () => {
  const sample: Sample = { args: [] }
  const differ = (ours: unknown, theirs: unknown): void => {
    assert.notEqual(differenceOf(sample, { value: ours }, aligned({ value: theirs }, { value: ours })), '')
  }

  it('another type, another class, an object where there was none before, a lost field', () => {
    differ(1, '1')
    differ(['a'], [Buffer.from('a')])
    differ(null, undefined)
    differ(new Map([['a', 1]]), { a: 1 })
    differ({ a: 1 }, Object.assign(Object.create(null), { a: 1 }))
    differ([{ a: { b: 1 } }], [{ a: { b: 1, c: 2 } }])
    differ(Object.create(null), [])
    assert.notEqual(differenceOf(sample, { value: 'ERR' }, { error: 'ERR' }), '')
    assert.notEqual(differenceOf(sample, { error: 'ERR one' }, { error: 'ERR other' }), '')
  })

  it('and only the one difference that is meant is let through', () => {
    const ours: unknown = Object.assign(Object.create(null), { a: [Object.create(null)] })
    assert.equal(differenceOf(sample, { value: ours }, aligned({ value: { a: [{}] } }, { value: ours })), '')
    assert.notEqual(differenceOf(sample, { value: ours }, { value: { a: [{}] } }), '')
  })
})

/** Leaves of the tree that COMMAND gives: a command without subcommands, or `CONFIG GET`. */
function namesOf(commands: CliReply): string[] {
  assert.ok(Array.isArray(commands))
  return commands.flatMap((command) => {
    assert.ok(Array.isArray(command))
    const subcommands = command[9]
    if (Array.isArray(subcommands) && subcommands.length > 0) return namesOf(subcommands)
    return [String(command[0]).replace('|', ' ').toUpperCase()]
  })
}

function nameOf({ method, args }: Sample): string {
  if (method === undefined) return wireNameOf(args.map(String))
  return CATALOG.find(({ methods }) => methods.includes(method))?.wire ?? method.toUpperCase()
}

describe('as with node-redis, on a cluster of one and', { skip }, () => {
  for (const resp of [2, 3] as const) {
    it(`RESP ${resp}: cluster`, async (t) => {
      const servers = await startServers({ config: { 'cluster-enabled': 'yes' } })
      try {
        await compare(servers, resp, CLUSTER, (text) => t.diagnostic(text))
      } finally {
        await Promise.all([servers.ours.stop(), servers.theirs.stop()])
      }
    })
  }
})

async function compare(servers: Servers, resp: Resp, samples: readonly Sample[], tell: (text: string) => void) {
  await using couple = await Couple.connect(servers, resp)
  const differences: string[] = []
  let calls = 0
  const check = async (sample: Sample, where: 'run' | 'runInMulti'): Promise<void> => {
    await couple.prepare(sample)
    const [ours, theirs] = await couple[where](sample)
    calls++
    const difference = differenceOf(sample, ours, resp === 3 ? aligned(theirs, ours) : theirs)
    const name = `${sample.method ?? 'sendCommand'} ${JSON.stringify(sample.args)}, ${where}`
    if (difference === '' && sample.differs) differences.push(`${name}: does not differ, but its sample says so`)
    if (difference !== '' && !sample.differs) differences.push(`${name}: ${difference}`)
  }
  for (const sample of samples) {
    await check(sample, 'run')
    if (sample.inMulti ?? !sample.onLease) await check(sample, 'runInMulti')
  }
  assert.equal(differences.length, 0, differences.join('\n\n'))
  tell(`${calls} calls of ${samples.length} samples`)
}

function aligned(theirs: Outcome, ours: Outcome): Outcome {
  return 'value' in theirs && 'value' in ours ? { value: withoutPrototypes(theirs.value, ours.value) } : theirs
}

function differenceOf(sample: Sample, ours: Outcome, theirs: Outcome): string {
  try {
    assert.deepStrictEqual(comparable(ours, sample), comparable(theirs, sample))
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
