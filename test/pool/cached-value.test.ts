// Names, sizes and copies of kept replies.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { ReplyError } from '../../src/base/errors.js'
import { copyOf, idOf, nameOf, sizeOf } from '../../src/pool/cached-value.js'
import { RESP_TYPES, type Reply, VerbatimString } from '../../src/resp/types.js'

const record = (entries: Record<string, Reply>): Reply => Object.assign(Object.create(null), entries)

describe('the name of an argument', () => {
  it('is the same for a text and for the Buffer of its bytes', () => {
    for (const text of ['', 'key', 'ключ', 'k\u00e9y', '\ud83d\ude00', 'a\0b']) {
      assert.equal(nameOf(text), nameOf(Buffer.from(text)), JSON.stringify(text))
    }
  })

  it('tells bytes apart that are no text', () => {
    assert.notEqual(nameOf(Buffer.from([0xff])), nameOf(Buffer.from([0xfe])))
    assert.notEqual(nameOf(Buffer.from([0xe9])), nameOf('\u00e9'))
  })
})

describe('what a read is called', () => {
  it('tells apart arguments that are cut in other places', () => {
    const ids = [
      ['GET', 'ab', 'c'],
      ['GET', 'a', 'bc'],
      ['GET', 'abc'],
      ['GET', '2:ab', 'c'],
    ].map((args) => idOf(args, undefined))
    assert.equal(new Set(ids).size, ids.length)
  })

  it('takes the content of a type mapping into account, whichever object holds it', () => {
    const mapped = (mapping?: object): string => idOf(['GET', 'k'], mapping)
    assert.equal(mapped(), mapped({}))
    assert.equal(mapped({ [RESP_TYPES.BLOB_STRING]: Buffer }), mapped({ [RESP_TYPES.BLOB_STRING]: Buffer }))
    assert.notEqual(mapped({ [RESP_TYPES.BLOB_STRING]: Buffer }), mapped())
    assert.notEqual(mapped({ [RESP_TYPES.MAP]: Map }), mapped({ [RESP_TYPES.MAP]: Array }))
    assert.notEqual(mapped({ [RESP_TYPES.MAP]: Map }), mapped({ [RESP_TYPES.SET]: Map }))
  })
})

describe('a copy of a reply', () => {
  it('is equal and shares nothing that can be changed', () => {
    const original: Reply = [
      'text',
      7,
      7n,
      null,
      true,
      Buffer.from('bytes'),
      [['deep']],
      new Set<Reply>(['member']),
      new Map<Reply, Reply>([['field', ['value']]]),
      record({ field: Buffer.from('x') }),
      new VerbatimString('txt', 'verbatim'),
    ]
    const copy = copyOf(original)
    assert.deepEqual(copy, original)
    const seen = new Set<unknown>()
    const collect = (value: unknown, into: (each: object) => void): void => {
      if (typeof value !== 'object' || value === null) return
      into(value)
      if (Buffer.isBuffer(value) || value instanceof String) return
      const items = value instanceof Map || value instanceof Set ? [...value].flat() : Object.values(value)
      for (const item of items) collect(item, into)
    }
    collect(original, (each) => seen.add(each))
    assert.ok(seen.size > 8)
    collect(copy, (each) => assert.ok(!seen.has(each), `shared: ${inspect(each)}`))
  })

  it('has a field called __proto__ as data', () => {
    const copy = copyOf(JSON.parse('{"__proto__": "x"}'))
    assert.deepEqual(Object.keys(Object(copy)), ['__proto__'])
  })

  it('has bytes of its own, not a part of a larger block', () => {
    const copy = copyOf(Buffer.from('small'))
    assert.ok(Buffer.isBuffer(copy) && copy.buffer.byteLength === 5)
  })
})

describe('the size of a reply', () => {
  it('grows with what is in it', () => {
    const [none = 0, text = 0, longer = 0, list = 0] = [null, 'a', 'a'.repeat(100), ['a', 'a'.repeat(100)]].map(sizeOf)
    assert.ok(none < text && text < longer && longer < list)
  })

  it('is not known where an error is in it, which is not kept', () => {
    assert.equal(sizeOf(['a', [new ReplyError('ERR no')]]), undefined)
  })
})
