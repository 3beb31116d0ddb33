// Fails when an upgrade of @redis/client moves something this layer relies on. What to do then: look at what moved,
// run scripts/generate-commands.js, add samples, and read the differences as a reviewer.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { CommandArguments } from '../../src/command/arguments.js'
import { CATALOG, CONTAINERS, OTHER_READS } from '../../src/command/catalog.js'
import type { CommandDefinition } from '../../src/command/definitions.js'
import { accessOf } from '../../src/command/names.js'
import { staticRouteOf } from '../../src/command/routing.js'
import { RESP_TYPES } from '../../src/resp/types.js'

interface Metadata {
  readonly flags?: readonly string[]
  readonly isKeyless: boolean
  readonly subcommands?: Readonly<Record<string, Metadata>>
}

interface MetadataModule {
  readonly COMMAND_METADATA: { readonly std: Readonly<Record<string, Metadata>> }
  readonly defaultCommandMetadata: {
    lookup(name: { command: string; subcommand: string | undefined }): Metadata | undefined
  }
  isReplicaSafe(metadata: Metadata | undefined, override: boolean | undefined): boolean
  isCacheable(metadata: Metadata | undefined, override: unknown): boolean
}

const LIB = '@redis/client/dist/lib'
const require = createRequire(import.meta.url)
const peer: { default: Record<string, CommandDefinition> } = require(`${LIB}/commands/index.js`)
const metadata: MetadataModule = require(`${LIB}/command-metadata/index.js`)
const parser: { BasicCommandParser: { prototype: object } } = require(`${LIB}/client/parser.js`)
const decoder: { RESP_TYPES: object } = require(`${LIB}/RESP/decoder.js`)
const version: { version: string } = require('@redis/client/package.json')

const DIRECTORY = dirname(require.resolve(`${LIB}/commands/index.js`))
const SOURCES = readdirSync(DIRECTORY)
  .filter((file) => file.endsWith('.js') && file !== 'index.js')
  .map((file) => [file, readFileSync(join(DIRECTORY, file), 'utf8')] as const)

function metadataOf(wire: string): Metadata | undefined {
  const [command = '', subcommand] = wire.split(' ')
  return metadata.defaultCommandMetadata.lookup({ command, subcommand })
}

function sorted(names: Iterable<string>): string[] {
  return [...names].sort()
}

describe('the contract with @redis/client', () => {
  it('is with one version', () => {
    assert.equal(version.version, '6.3.1')
  })

  it('has every method name, and no other', () => {
    assert.deepEqual(sorted(CATALOG.flatMap(({ methods }) => methods)), sorted(Object.keys(peer.default)))
  })

  it('loads for every name the very definition that node-redis has', () => {
    for (const { methods, load } of CATALOG) {
      for (const method of methods) assert.equal(load(), peer.default[method], method)
    }
  })

  it('blocks where the metadata say so', () => {
    const blocking = Object.entries(metadata.COMMAND_METADATA.std).filter(([, { flags }]) =>
      flags?.includes('blocking'),
    )
    const ours = Object.keys(metadata.COMMAND_METADATA.std).filter((name) => {
      const route = staticRouteOf(name.toUpperCase())
      return route === 'blocking' || route === 'by-arguments'
    })
    assert.deepEqual(sorted(ours), sorted(blocking.map(([name]) => name)))
  })

  it('treats as session commands what no script may call and no connection shares', () => {
    // Flags that only commands of a session have; the rest of the list is ours to keep.
    const flagged = Object.entries(metadata.COMMAND_METADATA.std)
      .filter(
        ([name, { flags }]) => flags?.includes('no_auth') || (flags?.includes('pubsub') && /subscribe$/.test(name)),
      )
      .map(([name]) => name.toUpperCase())
    for (const name of flagged) assert.equal(staticRouteOf(name), 'session', name)
  })

  it('knows every command that has subcommands', () => {
    const containers = Object.entries(metadata.COMMAND_METADATA.std).filter(([, { subcommands }]) => subcommands)
    assert.deepEqual(sorted(CONTAINERS), sorted(containers.map(([name]) => name.toUpperCase())))
  })

  it('never takes a write for a read', () => {
    const reads = [...CATALOG.filter(({ access }) => access === 'read').map(({ wire }) => wire), ...OTHER_READS]
    for (const wire of reads) assert.equal(metadataOf(wire)?.flags?.includes('write'), false, wire)
  })

  it('differs from what is safe on a replica only where this list says', () => {
    const differing = CATALOG.filter(({ wire, access, load }) => {
      return (access === 'read') !== metadata.isReplicaSafe(metadataOf(wire), load().IS_READ_ONLY)
    })
    assert.deepEqual(sorted(new Set(differing.map(({ wire, access }) => `${wire}: ${access}`))), [
      'ASKING: write',
      'AUTH: write',
      'CLIENT CACHING: write',
      'CLIENT NO-EVICT: write',
      'CLIENT NO-TOUCH: write',
      'CLIENT SETNAME: write',
      'CLIENT TRACKING: write',
      'LOLWUT: read',
      'PUBLISH: write',
      'READONLY: write',
      'SCRIPT DEBUG: write',
      'SPUBLISH: write',
      'TOUCH: read',
    ])
  })

  it('keeps replies of what node-redis keeps them, but for what this list says, and only of reads', () => {
    const theirs = CATALOG.filter(({ wire, load }) =>
      metadata.isCacheable(metadataOf(wire), Reflect.get(load(), 'CACHEABLE')),
    )
    const ours = CATALOG.filter(({ cacheable }) => cacheable)
    assert.ok(ours.length > 90 && ours.every((entry) => entry.access === 'read' && theirs.includes(entry)))
    assert.deepEqual(
      theirs.filter((entry) => !ours.includes(entry)).map(({ wire }) => wire),
      ['SORT_RO', 'XINFO GROUPS', 'XINFO STREAM'],
    )
  })

  it('judges raw arguments as it judges methods', () => {
    assert.equal(accessOf(['get', 'key']), 'read')
    assert.equal(accessOf([Buffer.from('JSON.GET'), 'key']), 'read')
    assert.equal(accessOf(['client', 'list']), 'read')
    assert.equal(accessOf(['SET', 'key', 'value']), 'write')
    assert.equal(accessOf(['EVAL', 'code', '0']), 'write')
    assert.equal(accessOf(['ACL', 'LOG', 'RESET']), 'write')
    assert.equal(accessOf(['FT.CURSOR', 'READ', 'index', '7']), 'write')
    assert.equal(accessOf(['NOSUCHCOMMAND']), 'write')
    assert.equal(accessOf([]), 'write')
  })

  it('has the types of RESP under the same numbers', () => {
    assert.deepEqual({ ...RESP_TYPES }, { ...decoder.RESP_TYPES })
  })

  it('has a parser with the members of node-redis', () => {
    // Used by its client, not by definitions.
    const unused = ['cacheKey', 'markRoutingKey']
    const theirs = Object.getOwnPropertyNames(parser.BasicCommandParser.prototype)
    const ours = new CommandArguments()
    for (const member of theirs) if (!unused.includes(member)) assert.ok(member in ours, member)
  })

  it('calls nothing on a parser but what pushes', () => {
    const called = new Set(
      SOURCES.flatMap(([, source]) => [...source.matchAll(/\bparser\.(\w+)/g)].map(([, name]) => name!)),
    )
    assert.deepEqual(sorted(called), [
      'preserve',
      'push',
      'pushKey',
      'pushKeys',
      'pushKeysLength',
      'pushVariadic',
      'pushVariadicNumber',
      'pushVariadicWithLength',
      'redisArgs',
    ])
  })

  it('needs nothing at run time that would clash with classes of ours', () => {
    const outside = SOURCES.flatMap(([, source]) =>
      [...source.matchAll(/require\("(\.\.\/[^"]+)"\)/g)].map(([, name]) => name!),
    )
    assert.deepEqual(sorted(new Set(outside)), [
      '../RESP/decoder',
      '../client/parser',
      '../command-metadata/policies-constants',
    ])
    for (const [file, source] of SOURCES) {
      for (const [, member] of source.matchAll(/\bdecoder_1\.(\w+)/g)) assert.equal(member, 'RESP_TYPES', file)
      for (const [, type] of source.matchAll(/\binstanceof ([\w.]+)/g)) {
        assert.ok(['Array', 'Buffer', 'Date', 'Map'].includes(type!), `${file} tests for ${type}`)
      }
    }
  })
})
