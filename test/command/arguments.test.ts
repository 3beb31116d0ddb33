// What a call becomes on the wire, and what is refused before it gets there.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ArgumentError } from '../../src/base/errors.js'
import { CommandArguments, checkArguments, parseArguments } from '../../src/command/arguments.js'
import { definitionOf } from '../../src/command/definitions.js'

/** The error of a call, as a caller without types makes it. */
function refusalOf(method: string, ...call: unknown[]): ArgumentError {
  try {
    parseArguments(definitionOf(method), method, call)
  } catch (error) {
    assert.ok(error instanceof ArgumentError, String(error))
    assert.equal(error.command, method)
    assert.equal(error.outcome, 'not-sent')
    return error
  }
  throw new assert.AssertionError({ message: `${method} was not refused` })
}

describe('CommandArguments', () => {
  it('has no key, one key or several', () => {
    const args = new CommandArguments()
    assert.deepEqual([args.firstKey, args.keys], [undefined, []])
    args.pushKey('a')
    assert.deepEqual([args.firstKey, args.keys], ['a', ['a']])
    args.pushKeys(['b', 'c'])
    assert.deepEqual([args.firstKey, args.keys], ['a', ['a', 'b', 'c']])
  })

  it('orders by the first key, as it is sent', () => {
    const parsed = parseArguments(definitionOf('COPY'), 'COPY', ['from', 'to'], 'app:')
    assert.equal(parsed.orderingKey, 'app:from')
  })

  it('orders messages by their channel, which takes no prefix', () => {
    assert.equal(parseArguments(definitionOf('PUBLISH'), 'PUBLISH', ['c', 'm'], 'app:').orderingKey, 'c')
    assert.equal(parseArguments(definitionOf('SPUBLISH'), 'SPUBLISH', ['c', 'm'], 'app:').orderingKey, 'c')
  })

  it('orders nothing by a key that is not there', () => {
    assert.equal(parseArguments(definitionOf('PING'), 'PING', []).orderingKey, undefined)
  })
})

describe('parseArguments', () => {
  it('refuses what is missing, by its position', () => {
    assert.equal(refusalOf('GET').message, 'GET cannot send undefined as argument 1: pass a string or a Buffer')
    assert.match(refusalOf('SET', 'key', null).message, /^SET cannot send null as argument 2/)
    assert.match(refusalOf('HSET', 'key', { field: undefined }).message, /^HSET cannot send undefined as argument 3/)
  })

  it('refuses what is neither text nor bytes, by its type', () => {
    assert.match(refusalOf('SET', 'key', {}).message, /an object as argument 2/)
    assert.match(refusalOf('SET', 'key', true).message, /a boolean as argument 2/)
    assert.match(refusalOf('SET', 'key', new Date(0)).message, /an instance of Date as argument 2/)
    assert.match(refusalOf('SET', 'key', new Uint8Array(3)).message, /an instance of Uint8Array as argument 2/)
    assert.match(refusalOf('SET', 'key', 7n).message, /a bigint as argument 2/)
    assert.match(refusalOf('GET', 7).message, /a number as argument 1/)
  })

  it('refuses what a definition has made text of', () => {
    assert.match(refusalOf('SET', 'key', Number.NaN).message, /^SET cannot send NaN as argument 2/)
    assert.match(refusalOf('HSET', 'key', { field: Number.NaN }).message, /NaN as argument 3/)
    assert.match(refusalOf('EXPIRE', 'key', {}).message, /an object as argument 2/)
  })

  it('sends such text when the caller wrote it', () => {
    const sent = (method: string, ...call: unknown[]) => parseArguments(definitionOf(method), method, call).redisArgs
    assert.deepEqual(sent('SET', 'key', 'NaN'), ['SET', 'key', 'NaN'])
    assert.deepEqual(sent('SET', 'null', 'undefined'), ['SET', 'null', 'undefined'])
    assert.deepEqual(sent('HSET', 'key', { NaN: '[object Object]' }), ['HSET', 'key', 'NaN', '[object Object]'])
    assert.deepEqual(sent('HSET', 'key', new Map([['null', 'NaN']])), ['HSET', 'key', 'null', 'NaN'])
    assert.deepEqual(sent('DEL', ['undefined']), ['DEL', 'undefined'])
    assert.deepEqual(sent('XADD', 'key', '*', { field: 'NaN' }), ['XADD', 'key', '*', 'field', 'NaN'])
  })

  it('keeps what a definition throws as the cause', () => {
    const refusal = refusalOf('EXPIRE', 'key')
    assert.ok(refusal.cause instanceof TypeError)
    assert.match(refusal.message, /^EXPIRE cannot be called with/)
    assert.match(refusalOf('EXPIRE', 'key', undefined).message, /undefined as argument 2/)
    assert.ok(refusalOf('MSET', []).cause instanceof Error)
  })

  it('never shows a value', () => {
    const secret = 'hunter2'
    for (const refusal of [
      refusalOf('AUTH', { username: secret, password: { secret } }),
      refusalOf('SET', secret, { secret }),
      refusalOf('EXPIRE', secret),
    ]) {
      assert.doesNotMatch(
        JSON.stringify({ ...refusal, text: refusal.message, cause: String(refusal.cause) }),
        /hunter2/,
      )
    }
  })
})

describe('checkArguments', () => {
  it('lets text and bytes pass, empty ones too', () => {
    checkArguments(['SET', Buffer.from('key'), ''], 'SET')
  })

  it('refuses a command without a name', () => {
    assert.throws(() => checkArguments([], 'sendCommand'), ArgumentError)
  })

  it('refuses numbers in raw arguments instead of guessing their text', () => {
    assert.throws(() => checkArguments(['EXPIRE', 'key', 7], 'EXPIRE'), /a number as argument 2/)
  })
})
