// A field called __proto__ is data, through every transform that makes an object of it.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasNamesFromData, keepingNames } from '../../src/command/field-names.js'

/** As definitions do it. */
function toObject(reply: unknown): unknown {
  const object: { [name: string]: unknown } = {}
  assert.ok(Array.isArray(reply))
  for (let at = 0; at < reply.length; at += 2) object[String(reply[at])] = reply[at + 1]
  return object
}

const fieldOf = (object: unknown, name: string): unknown => Object.getOwnPropertyDescriptor(Object(object), name)?.value

describe('a field called __proto__', () => {
  it('is lost by a plain transform, and kept by this one, with its value and its neighbours', () => {
    const reply = ['a', '1', '__proto__', 'value', 'b', '__proto__']
    assert.equal(fieldOf(toObject(reply), '__proto__'), undefined)
    const kept = keepingNames(reply, toObject)
    assert.equal(fieldOf(kept, '__proto__'), 'value')
    assert.deepEqual(Object.keys(Object(kept)), ['a', '__proto__', 'b'])
    assert.equal(fieldOf(kept, 'b'), '__proto__')
    assert.deepEqual(reply, ['a', '1', '__proto__', 'value', 'b', '__proto__'])
  })

  it('as bytes, deep inside, in a Map or in a map of RESP3 is kept too', () => {
    const name = Buffer.from('__proto__')
    assert.equal(fieldOf(keepingNames([name, 'x'], toObject), '__proto__'), 'x')
    assert.deepEqual(fieldOf(keepingNames(['a', name, '__proto__', ''], toObject), 'a'), name)
    const deep = keepingNames([['id', ['__proto__', 'x']]], (reply) => {
      assert.ok(Array.isArray(reply))
      return reply.map(([id, fields]) => ({ id, message: toObject(fields) }))
    })
    assert.equal(fieldOf(fieldOf(fieldOf(deep, '0'), 'message'), '__proto__'), 'x')
    const map = keepingNames(new Map([['__proto__', 1]]), (reply) => reply)
    assert.deepEqual(map, new Map([['__proto__', 1]]))
    const own: object = Object.create(null)
    Object.defineProperty(own, '__proto__', { value: ['x'], enumerable: true })
    assert.deepEqual(
      fieldOf(
        keepingNames(own, (reply) => reply),
        '__proto__',
      ),
      ['x'],
    )
  })

  it('whose value is no text does not become a prototype', () => {
    const kept = keepingNames(['__proto__', ['polluted']], toObject)
    assert.deepEqual(fieldOf(kept, '__proto__'), ['polluted'])
    assert.equal(Object.getPrototypeOf(kept), Object.prototype)
  })

  it('that is not there costs no copy', () => {
    const reply = ['a', Buffer.from('b'), 'c', null]
    keepingNames(reply, (same) => assert.equal(same, reply))
  })

  it('is looked for where names are data, and nowhere else', () => {
    assert.deepEqual(['HGETALL', 'XRANGE', 'GET', 'LRANGE'].map(hasNamesFromData), [true, true, false, false])
  })
})
