// How text is fitted to a screen: width, colour, progress.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bar, number, paint, type Sink, screenOf, Terminal, wrap } from '../../src/tools/terminal.js'

class FakeSink implements Sink {
  readonly isTTY: boolean
  readonly columns: number
  text = ''

  constructor(columns?: number) {
    this.isTTY = columns !== undefined
    this.columns = columns ?? 0
  }

  write(text: string): void {
    this.text += text
  }
}

describe('a screen', () => {
  it('is as wide as its terminal, but not so wide that lines are hard to read', () => {
    assert.equal(screenOf(new FakeSink(40), {}).columns, 40)
    assert.equal(screenOf(new FakeSink(300), {}).columns, 100)
    assert.equal(screenOf(new FakeSink(), {}).columns, 100)
    assert.equal(screenOf(new FakeSink(), { COLUMNS: '60' }).columns, 60)
    assert.equal(screenOf(new FakeSink(0), { COLUMNS: 'wide' }).columns, 100)
  })

  it('has colour on a terminal only, and not where NO_COLOR or TERM=dumb asks for none', () => {
    assert.equal(screenOf(new FakeSink(80), {}).colour, true)
    assert.equal(screenOf(new FakeSink(), {}).colour, false)
    assert.equal(screenOf(new FakeSink(80), { NO_COLOR: '1' }).colour, false)
    assert.equal(screenOf(new FakeSink(80), { NO_COLOR: '' }).colour, true)
    assert.equal(screenOf(new FakeSink(80), { TERM: 'dumb' }).colour, false)
  })

  it('gets escape sequences only when it has colour', () => {
    assert.equal(paint({ columns: 80, colour: false }, 'red', 'text'), 'text')
    assert.equal(paint({ columns: 80, colour: true }, 'red', 'text'), '\u001B[31mtext\u001B[39m')
  })
})

describe('wrap', () => {
  it('breaks at spaces and indents what follows', () => {
    assert.deepEqual(wrap('one two three four', 9, '  '), ['one two', '  three', '  four'])
  })

  it('breaks a word that no line can hold', () => {
    assert.deepEqual(wrap('a abcdefghij b', 4), ['a', 'abcd', 'efgh', 'ij b'])
  })

  it('never exceeds the width, whatever the text', () => {
    const text = 'redis://a-very-long-host-name.example:6379 answers after 12 ms or not at all'
    for (let width = 10; width < 90; width++) {
      for (const line of wrap(text, width, '    '))
        assert.ok(line.length <= width, `${line.length} > ${width}: ${line}`)
      assert.equal(wrap(text, width).join('').replaceAll(' ', ''), text.replaceAll(' ', ''))
    }
  })
})

describe('figures', () => {
  it('are grouped when large and precise when small', () => {
    assert.deepEqual([0, 0.1234, 9.876, 12.34, 123.4, 1234, 1_234_567].map(number), [
      '0',
      '0.12',
      '9.88',
      '12.3',
      '123',
      '1,234',
      '1,234,567',
    ])
  })

  it('become bars that are full at the most and never invisible', () => {
    assert.equal(bar(10, 10, 4), '████')
    assert.equal(bar(5, 10, 4), '██')
    assert.equal(bar(1, 1_000, 4), '▏')
    assert.equal(bar(0, 10, 4), '')
    assert.equal(bar(0, 0, 4), '')
  })
})

describe('progress', () => {
  it('is one line on a terminal, cut to its width, and taken back before anything else is written', () => {
    const [out, err] = [new FakeSink(20), new FakeSink(20)]
    const terminal = new Terminal(out, err, { NO_COLOR: '1' })
    terminal.progress('measuring something', 'that takes long')
    terminal.result('done')
    assert.equal(err.text, '\r\u001B[2Kmeasuring something\r\u001B[2K')
    assert.equal(out.text, 'done\n')
  })

  it('is a line per step elsewhere, without details and without escape sequences', () => {
    const [out, err] = [new FakeSink(), new FakeSink()]
    const terminal = new Terminal(out, err, {})
    for (const detail of ['1 of 2', '2 of 2']) terminal.progress('measuring', detail)
    terminal.progress('checking')
    terminal.clear()
    assert.equal(err.text, 'measuring\nchecking\n')
    assert.equal(out.text, '')
  })
})
