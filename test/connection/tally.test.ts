// What became of calls, by command: each is counted once, with how long it took, and any name may be sent.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandTimeoutError, ReplyError } from '../../src/base/errors.js'
import { OTHER } from '../../src/command/names.js'
import { Tallies } from '../../src/connection/tally.js'
import { FakeClock } from '../support/fake-clock.js'

const tallies = (): Tallies => new Tallies(new FakeClock())

describe('tallies of commands', () => {
  it('are one for each name, in any case', () => {
    const all = tallies()
    assert.equal(all.of('GET'), all.of('get'))
    assert.equal(all.of('Get'), all.of('GET'))
    assert.notEqual(all.of('SET'), all.of('GET'))
    assert.deepEqual(
      [...all.all()].map(({ name }) => name),
      ['GET', 'SET'],
    )
  })

  it('show no name that is none, and stay bounded whatever is sent', () => {
    const all = tallies()
    for (const word of ['get secret', '__proto__', '', 'x'.repeat(40), Buffer.from('\u0000\u0001')]) {
      assert.equal(all.of(word).name, OTHER)
    }
    for (let count = 0; count < 10_000; count++) all.of(`FN${count}`).calls++
    const names = [...all.all()].map(({ name }) => name)
    assert.ok(names.length <= 257, `${names.length} names`)
    assert.ok(all.of('FN9999').calls > 9_000)
    assert.equal(all.of('FN3').calls, 1)
  })

  it('know names after any amount of junk, and take a Buffer by what it holds now', () => {
    const all = tallies()
    for (let count = 0; count < 2_000; count++) all.of(`junk ${count}`)
    assert.equal(all.of('GET').name, 'GET')
    const word = Buffer.from('SET')
    assert.equal(all.of(word).name, 'SET')
    word.write('GET')
    assert.equal(all.of(word).name, 'GET')
  })

  it('tell failures by kind, bounded too', () => {
    const clock = new FakeClock()
    const tally = new Tallies(clock).of('GET')
    tally.failed(new ReplyError('WRONGTYPE Operation against a key'), clock.now())
    tally.failed(new CommandTimeoutError(5, { command: 'GET', outcome: 'ambiguous' }), undefined)
    tally.failed(new DOMException('gone', 'AbortError'), undefined)
    tally.failed('anything', undefined)
    assert.deepEqual([...tally.failures.keys()], ['WRONGTYPE', 'ERR_COMMAND_TIMEOUT', 'aborted', OTHER])
    for (let count = 0; count < 100; count++) tally.failed(new ReplyError(`KIND${count} it is`), undefined)
    assert.equal(tally.failures.size, 16)
    assert.ok((tally.failures.get(OTHER)?.count ?? 0) > 80)
  })
})
