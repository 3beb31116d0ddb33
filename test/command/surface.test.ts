// The methods of all commands on a prototype.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CATALOG } from '../../src/command/catalog.js'
import { definitionOf } from '../../src/command/definitions.js'
import { type CommandMethods, defineCommands, transformReplyOf } from '../../src/command/surface.js'

class Parent {
  inherited(): string {
    return 'parent'
  }
}

class Handle extends Parent {
  label = 'handle'
  quit(): string {
    return 'own'
  }
  get(): string {
    return 'own'
  }
}

defineCommands(
  Handle.prototype,
  ({ wire }) =>
    function (...args) {
      return [this.label, wire, ...args]
    },
)

function call(name: string, ...args: unknown[]): unknown {
  const method: unknown = Reflect.get(new Handle(), name)
  assert.ok(typeof method === 'function', name)
  return Reflect.apply(method, new Handle(), args)
}

describe('defineCommands', () => {
  it('gives every command its names, as one function', () => {
    const handle = new Handle()
    for (const { methods, wire } of CATALOG) {
      const [first, ...others] = methods.filter((name) => name !== 'get')
      for (const name of others) assert.equal(Reflect.get(handle, name), Reflect.get(handle, first!), name)
      assert.deepEqual(call(first!, 'x'), ['handle', wire, 'x'])
    }
  })

  it('leaves alone what the class and its parent define', () => {
    assert.equal(new Handle().get(), 'own')
    assert.equal(new Handle().inherited(), 'parent')
    assert.ok(new Handle() instanceof Parent)
    assert.equal('GET' in Parent.prototype, false)
  })

  it('shows nothing in a loop over an instance', () => {
    const names: string[] = []
    for (const name in new Handle()) names.push(name)
    assert.deepEqual(names, ['label'])
  })
})

describe('transformReplyOf', () => {
  it('is there only where a reply needs it, by protocol version', () => {
    assert.equal(transformReplyOf(definitionOf('GET'), 3), undefined)
    assert.equal(typeof transformReplyOf(definitionOf('HGETALL'), 2), 'function')
    assert.equal(transformReplyOf(definitionOf('HGETALL'), 3), undefined)
    assert.equal(typeof transformReplyOf(definitionOf('SCAN'), 3), 'function')
  })
})

describe('CommandMethods', () => {
  it('has the types that node-redis gives its commands', () => {
    // Never called: the compiler is the test.
    async function calls(redis: CommandMethods<3, Record<never, never>>): Promise<void> {
      const value: string | null = await redis.get('key')
      const all: Record<string, string> = await redis.hGetAll('key')
      const set: string | Buffer | null = await redis.SET('key', 7, { EX: 7 })
      void [value, all, set]
    }
    assert.equal(typeof calls, 'function')
  })
})
