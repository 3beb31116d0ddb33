// A terminal that is taken and given back: after a quit, an end of the process and a stop, and never twice.

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it } from 'node:test'
import { FullScreen } from '../../src/tools/full-screen.js'

const [ENTER, LEAVE] = ['\u001B[?1049h\u001B[?25l', '\u001B[?25h\u001B[?1049l']

class FakeOutput extends EventEmitter {
  readonly isTTY = true
  columns = 80
  rows = 24
  text = ''

  write(text: string): void {
    this.text += text
  }
}

class FakeInput extends EventEmitter {
  readonly isTTY = true
  readonly modes: boolean[] = []
  isPaused = true

  setRawMode(raw: boolean): void {
    this.modes.push(raw)
  }

  resume(): void {
    this.isPaused = false
  }

  pause(): void {
    this.isPaused = true
  }
}

class FakeProcess extends EventEmitter {
  readonly pid = 4711
  readonly sent: string[] = []

  kill(pid: number, signal: string): void {
    this.sent.push(`${pid} ${signal}`)
  }
}

function started() {
  const [out, input, source] = [new FakeOutput(), new FakeInput(), new FakeProcess()]
  const keys: string[] = []
  let redraws = 0
  const full = new FullScreen(out, input, source, {
    key: (key) => keys.push(key),
    redraw: () => {
      redraws++
    },
  })
  full.start()
  return { out, input, source, full, keys, redraws: () => redraws }
}

describe('a full screen', () => {
  it('is entered and left once, and leaves no listener', () => {
    const { out, input, source, full } = started()
    assert.ok(out.text.startsWith(ENTER))
    full.draw(['one', 'two'])
    full.stop()
    full.stop()
    assert.ok(out.text.endsWith(LEAVE))
    assert.equal(out.text.split(LEAVE).length, 2)
    assert.deepEqual([input.modes, input.isPaused], [[true, false], true])
    for (const emitter of [out, input, source]) assert.deepEqual(emitter.eventNames(), [])
  })

  it('is left when the process ends without a word, as after a crash', () => {
    const { out, input, source } = started()
    source.emit('exit')
    assert.ok(out.text.endsWith(LEAVE))
    assert.deepEqual(input.modes, [true, false])
  })

  it('is left while the process is stopped, and entered and drawn again after', () => {
    const { out, source, full, redraws } = started()
    source.emit('SIGTSTP')
    assert.ok(out.text.endsWith(LEAVE))
    assert.deepEqual(source.sent, ['4711 SIGSTOP'])
    full.draw(['hidden'])
    assert.ok(!out.text.includes('hidden'))
    source.emit('SIGCONT')
    assert.ok(out.text.includes(LEAVE + ENTER.slice(0, 8)))
    assert.equal(redraws(), 1)
  })

  it('is left before a signal that ends the process at once does so', () => {
    for (const signal of ['SIGQUIT', 'SIGHUP']) {
      const { out, input, source } = started()
      source.emit(signal)
      assert.ok(out.text.endsWith(LEAVE), signal)
      assert.deepEqual(input.modes, [true, false])
      assert.deepEqual(source.sent, [`4711 ${signal}`])
      assert.deepEqual(source.eventNames(), [])
    }
  })

  it('writes a picture once, and anew in another size', () => {
    const { out, full } = started()
    full.draw(['same'])
    const { length } = out.text
    full.draw(['same'])
    assert.equal(out.text.length, length)
    out.emit('resize')
    full.draw(['same'])
    assert.ok(out.text.length > length)
  })

  it('makes signals of the keys that mean one, and hands the others over', () => {
    const { input, source, keys } = started()
    input.emit('data', Buffer.from('q\u0003m\u001a'))
    assert.deepEqual(keys, ['q', 'm'])
    assert.deepEqual(source.sent, ['4711 SIGINT', '4711 SIGTSTP'])
  })
})
