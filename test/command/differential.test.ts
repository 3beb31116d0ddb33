// Compares what every definition does with our parser and with node-redis's own.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, it } from 'node:test'
import { CommandArguments, checkAllSent, parseArguments } from '../../src/command/arguments.js'
import { CATALOG } from '../../src/command/catalog.js'
import { type CommandParser, definitionOf, type RedisArgument } from '../../src/command/definitions.js'
import { wireNameOf } from '../../src/command/names.js'
import { orderingKeyOf } from '../../src/command/ordering.js'
import { blockingTimeoutOf, routeOf, staticRouteOf } from '../../src/command/routing.js'
import { SAMPLES } from './samples.js'

const peer: { BasicCommandParser: new (keyPrefix?: RedisArgument) => CommandParser } = createRequire(import.meta.url)(
  '@redis/client/dist/lib/client/parser.js',
)

const CALLS: readonly [method: string, calls: readonly (readonly unknown[])[]][] = Object.entries(SAMPLES)

/** What a parser holds after a definition ran; one more run than one for definitions that change what they are given. */
function outcomeOf(parser: CommandParser, method: string, call: readonly unknown[]) {
  definitionOf(method).parseCommand(parser, ...call)
  const { redisArgs, keys, firstKey, preserve, commandIdentifier } = parser
  return { redisArgs: [...redisArgs], keys: [...keys], firstKey, preserve, commandIdentifier }
}

describe('every definition', () => {
  it('has a sample', () => {
    assert.deepEqual(CALLS.map(([method]) => method).sort(), CATALOG.map(({ methods }) => methods[0]).sort())
  })

  for (const [label, prefix] of [
    ['without a key prefix', undefined],
    ['with an empty key prefix', ''],
    ['with a text as key prefix', 'p:'],
    ['with a Buffer as key prefix', Buffer.from([255, 58])],
  ] as const) {
    it(`sends what it sends with node-redis's parser, ${label}`, () => {
      for (const [method, calls] of CALLS) {
        for (const call of calls) {
          const ours = outcomeOf(new CommandArguments(prefix), method, call)
          const theirs = outcomeOf(new peer.BasicCommandParser(prefix), method, call)
          assert.deepEqual(ours, theirs, method)
        }
      }
    })
  }

  it('passes the check of its arguments, is known by its name, and orders by the key that raw arguments show', () => {
    for (const entry of CATALOG) {
      for (const [method, calls] of CALLS.filter(([method]) => method === entry.methods[0])) {
        for (const call of calls) {
          const parsed = parseArguments(entry.load(), method, call)
          assert.equal(wireNameOf(parsed.redisArgs), entry.wire, method)
          assert.equal(orderingKeyOf(parsed.redisArgs), parsed.orderingKey, method)
          checkAllSent(parsed.redisArgs, entry.wire, call)
        }
      }
    }
  })

  it('runs where its name says it runs, unless its arguments decide', () => {
    for (const { methods, wire, load } of CATALOG) {
      for (const [method, calls] of CALLS.filter(([method]) => method === methods[0])) {
        for (const call of calls) {
          const { redisArgs } = parseArguments(load(), method, call)
          const route = staticRouteOf(wire)
          if (route !== 'by-arguments') assert.equal(routeOf(redisArgs), route, method)
          assert.equal(blockingTimeoutOf(redisArgs) !== undefined, routeOf(redisArgs) === 'blocking', method)
        }
      }
    }
  })
})
