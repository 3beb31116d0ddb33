// What loading the command layer loads, and what only a first call does.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, it } from 'node:test'
import { CATALOG } from '../../src/command/catalog.js'
import { defineCommands } from '../../src/command/surface.js'

function loaded(): string[] {
  return Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('@redis'))
}

describe('loading the commands', () => {
  it('loads no definition before its first call, and then no other', () => {
    defineCommands({}, ({ load }) => load)
    assert.deepEqual(loaded(), [])
    CATALOG.find(({ wire }) => wire === 'GET')?.load()
    assert.equal(loaded().length, 1)
    assert.match(loaded()[0]!, /GET\.js$/)
  })
})
