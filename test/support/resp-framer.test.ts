// Frame boundaries are found in every type of RESP2 and RESP3, at every split, and pushes are told apart from replies.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { between, seeded } from './random.js'
import { encodeCommand, encodePush, encodeReply, OK } from './resp.js'
import { RespFramer } from './resp-framer.js'

const FRAMES: readonly string[] = [
  '+OK\r\n',
  '-ERR no\r\n',
  ':-12\r\n',
  '$5\r\nhello\r\n',
  '$0\r\n\r\n',
  '$-1\r\n',
  '$7\r\na\r\n$9\r\n\r\n',
  '*0\r\n',
  '*-1\r\n',
  '*2\r\n*1\r\n:1\r\n*2\r\n$1\r\nx\r\n*-1\r\n',
  '_\r\n',
  '#t\r\n',
  ',1.5\r\n',
  '(123456789012345678901234567890\r\n',
  '!9\r\nERR\r\n bad\r\n',
  '=8\r\ntxt:a\r\nb\r\n',
  '%2\r\n+a\r\n:1\r\n+b\r\n%0\r\n',
  '~2\r\n:1\r\n~1\r\n:2\r\n',
  '|1\r\n+ttl\r\n:5\r\n$1\r\nv\r\n',
  '*2\r\n|1\r\n+ttl\r\n*1\r\n:5\r\n:1\r\n:2\r\n',
  '|0\r\n+OK\r\n',
  '$?\r\n;3\r\nab\n\r\n;1\r\nc\r\n;0\r\n',
  '*?\r\n:1\r\n*?\r\n.\r\n%?\r\n+a\r\n:1\r\n.\r\n.\r\n',
  `+${'long '.repeat(40)}$9\r\n`,
  'PING inline\r\n',
  '.\r\n',
  `${'*1\r\n'.repeat(500)}:1\r\n`,
]
const PUSHES: readonly string[] = ['>2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n', '>1\r\n>1\r\n:1\r\n']

interface Found {
  readonly text: string
  readonly kind: string
}

function framesOf(chunks: readonly Buffer[]): Found[] {
  const framer = new RespFramer()
  const found: Found[] = []
  let text = ''
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const end = framer.advance(chunk, at)
      text += chunk.toString('latin1', at, end)
      at = end
      if (!framer.between) continue
      found.push({ text, kind: framer.kind })
      text = ''
    }
  }
  assert.equal(text, '')
  return found
}

const expected: readonly Found[] = FRAMES.flatMap((text, index) => [
  { text, kind: 'reply' },
  { text: PUSHES[index % PUSHES.length] ?? '', kind: 'push' },
])
const stream = Buffer.from(expected.map(({ text }) => text).join(''), 'latin1')

describe('the framer', () => {
  it('finds every frame and tells what it is, whole and byte by byte', () => {
    assert.deepEqual(framesOf([stream]), expected)
    assert.deepEqual(framesOf([...stream].map((byte) => Buffer.of(byte))), expected)
  })

  it('finds the same at every single split', () => {
    const short = stream.subarray(0, 700)
    const whole = framesOf([stream]).map(({ text }) => text)
    for (let at = 0; at <= short.length; at++) {
      const split = framesOf([stream.subarray(0, at), stream.subarray(at)])
      assert.deepEqual(
        split.map(({ text }) => text),
        whole,
      )
    }
  })

  it('finds the same at random splits', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = seeded(seed)
      const chunks: Buffer[] = []
      for (let at = 0; at < stream.length; ) {
        const end = at + between(random, 1, 30)
        chunks.push(stream.subarray(at, end))
        at = end
      }
      assert.deepEqual(framesOf(chunks), expected, `seed ${seed}`)
    }
  })

  it('agrees with the encoder of the tests', () => {
    const frames = [
      encodeReply(OK),
      encodeReply([1, null, 'text', [true, 1.5]]),
      encodeReply(new Map([['a', 1]])),
      encodePush(['message', 'channel', 'text']),
      encodeCommand(['SET', 'key', Buffer.from([13, 10, 42])]),
    ]
    assert.deepEqual(
      framesOf([Buffer.concat(frames)]).map(({ text }) => text),
      frames.map((frame) => frame.toString('latin1')),
    )
  })

  it('knows whether a frame is under way', () => {
    const framer = new RespFramer()
    assert.equal(framer.between, true)
    framer.advance(Buffer.from('>1\r\n'))
    assert.deepEqual([framer.between, framer.kind], [false, 'push'])
    framer.advance(Buffer.from(':1\r\n'))
    assert.equal(framer.between, true)
  })
})
