// Owns what the decoder promises for frames that are RESP. Hostile ones and the comparison with a peer are elsewhere.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ReplyError } from '../../src/base/errors.js'
import { Decoder } from '../../src/resp/decoder.js'
import { PartialBulk } from '../../src/resp/partial.js'
import { RESP_TYPES, type Reply, type ReplyMapping } from '../../src/resp/types.js'
import { byteByByte, decode, FIXTURES, type Fixture, inTwo } from '../support/resp-fixtures.js'

function assertDecodes(fixture: Fixture, parts: Buffer[], how: string): void {
  const { events, failure, idle } = decode(parts, fixture.mapping)
  assert.equal(failure, undefined, `${fixture.name}, ${how}`)
  assert.deepStrictEqual(events, fixture.expected, `${fixture.name}, ${how}`)
  assert.equal(idle, true, `${fixture.name}, ${how}: nothing is held afterwards`)
}

describe('a frame', () => {
  for (const fixture of FIXTURES) {
    it(`decodes ${fixture.name}, whole, cut at every byte, byte by byte and three in one chunk`, () => {
      const { bytes, mapping, expected } = fixture
      assertDecodes(fixture, [bytes], 'whole')
      for (let cut = 0; cut <= bytes.length; cut++) assertDecodes(fixture, inTwo(bytes, cut), `cut at ${cut}`)
      assertDecodes(fixture, byteByByte(bytes), 'byte by byte')
      const { events } = decode([Buffer.concat([bytes, bytes, bytes])], mapping)
      assert.deepStrictEqual(events, [...expected, ...expected, ...expected])
    })
  }

  it('decodes the same when cut in three, wherever', () => {
    let cases = 0
    for (const fixture of FIXTURES.filter(({ bytes }) => bytes.length <= 64)) {
      const { bytes } = fixture
      for (let first = 1; first < bytes.length; first++) {
        for (let second = first + 1; second < bytes.length; second++) {
          const parts = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)]
          assertDecodes(fixture, parts, `cut at ${first} and ${second}`)
          cases++
        }
      }
    }
    assert.ok(cases > 10_000, `${cases} cases`)
  })

  it('is held until its last byte', () => {
    for (const { name, bytes, mapping, expected } of FIXTURES) {
      const { events, idle } = decode([bytes.subarray(0, -1)], mapping)
      assert.equal(events.length, expected.length - 1, name)
      assert.equal(idle, false, name)
    }
  })

  it('keeps its order in a stream of all frames, in chunks of any size', () => {
    const plain = FIXTURES.filter(({ mapping }) => mapping === undefined)
    const stream = Buffer.concat(plain.map(({ bytes }) => bytes))
    const expected = plain.flatMap((fixture) => fixture.expected)
    for (const size of [1, 2, 3, 5, 7, 11, 64, 100, 1000, stream.length]) {
      const parts: Buffer[] = []
      for (let at = 0; at < stream.length; at += size) parts.push(stream.subarray(at, at + size))
      assert.deepStrictEqual(decode(parts).events, expected, `chunks of ${size}`)
    }
  })
})

describe('a large bulk string', () => {
  const text = '0123456789abcdé😀'.repeat(150_000)
  const body = Buffer.from(text)
  const frame = Buffer.concat([Buffer.from(`*2\r\n$${body.length}\r\n`), body, Buffer.from('\r\n:1\r\n')])
  const parts: Buffer[] = []
  for (let at = 0; at < frame.length; at += 65_521) parts.push(frame.subarray(at, at + 65_521))

  it('is put together from many chunks, as string and as Buffer', () => {
    assert.deepStrictEqual(decode(parts).events, [{ kind: 'reply', value: [text, 1] }])
    const mapping = { [RESP_TYPES.BLOB_STRING]: Buffer }
    assert.deepStrictEqual(decode(parts, mapping).events, [{ kind: 'reply', value: [body, 1] }])
  })

  it('never takes more than twice the room of what has arrived, beyond 64 KiB', () => {
    const chunk = Buffer.alloc(10_000)
    const bulk = new PartialBulk(RESP_TYPES.BLOB_STRING, 3_000_002, 5)
    let copies = 0
    for (let room = bulk.bytes.length; bulk.received < bulk.size; ) {
      bulk.append(chunk, 0, chunk.length)
      assert.ok(bulk.bytes.length <= Math.max(65_536, bulk.received * 2))
      if (bulk.bytes.length !== room) copies++
      room = bulk.bytes.length
    }
    assert.equal(bulk.bytes.length, bulk.size)
    assert.ok(copies <= 7, `${copies} copies`)
  })
})

interface Recorder {
  decoder: Decoder
  replies: Reply[]
  asked: number
}

function record(mapping: ReplyMapping | undefined, onValue: (value: Reply | ReplyError) => void = () => {}): Recorder {
  const recorder: Recorder = {
    replies: [],
    asked: 0,
    decoder: new Decoder({
      onReply(value) {
        recorder.replies.push(value)
        onValue(value)
      },
      onErrorReply: onValue,
      onPush: onValue,
      replyMapping() {
        recorder.asked++
        return mapping
      },
    }),
  }
  return recorder
}

describe('a handler', () => {
  it('is asked for the mapping once per reply, in the order of the replies, however they arrive', () => {
    const bytes = Buffer.from('$3\r\nabc\r\n*2\r\n$1\r\nx\r\n*1\r\n:1\r\n+OK\r\n%1\r\n+a\r\n:1\r\n')
    for (const parts of [[bytes], byteByByte(bytes)]) {
      const recorder = record(undefined)
      for (const part of parts) recorder.decoder.write(part)
      assert.equal(recorder.replies.length, 4)
      assert.equal(recorder.asked, 4)
    }
  })

  it('may give each reply a mapping of its own', () => {
    const mappings = [{ [RESP_TYPES.BLOB_STRING]: Buffer }, undefined, { [RESP_TYPES.NUMBER]: String }]
    const replies: Reply[] = []
    const decoder = new Decoder({
      onReply: (value) => replies.push(value),
      onErrorReply: () => {},
      onPush: () => {},
      replyMapping: () => mappings.shift(),
    })
    decoder.write(Buffer.from('$1\r\na\r\n*1\r\n$1\r\na\r\n>1\r\n+p\r\n*1\r\n:1\r\n'))
    assert.deepStrictEqual(replies, [Buffer.from('a'), ['a'], ['1']])
  })

  it('that throws gets every later reply all the same, and the error comes out of write', () => {
    const bytes = Buffer.from('+a\r\n*1\r\n:1\r\n-ERR x\r\n>1\r\n+p\r\n$1\r\nb\r\n+c\r\n')
    for (const parts of [[bytes], byteByByte(bytes)]) {
      const problem = new Error('of the user')
      const recorder = record(undefined, () => {
        throw problem
      })
      const thrown = parts.flatMap((part) => {
        try {
          recorder.decoder.write(part)
          return []
        } catch (error) {
          return error instanceof AggregateError ? error.errors : [error]
        }
      })
      assert.deepStrictEqual(recorder.replies, ['a', [1], 'b', 'c'])
      assert.deepStrictEqual(thrown, Array(6).fill(problem))
      assert.equal(recorder.decoder.idle, true)
    }
  })

  it('that throws once has its own error thrown on', () => {
    const problem = new TypeError('of the user')
    const recorder = record(undefined, () => {
      throw problem
    })
    assert.throws(() => recorder.decoder.write(Buffer.from('+a\r\n')), problem)
    assert.doesNotThrow(() => recorder.decoder.write(Buffer.from('+')))
  })
})

describe('a decoded value', () => {
  it('shares no memory with the chunk it came in', () => {
    const mapping = { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.SIMPLE_STRING]: Buffer }
    const recorder = record(mapping)
    const chunk = Buffer.from('*2\r\n$3\r\nabc\r\n+de\r\n')
    recorder.decoder.write(chunk)
    chunk.fill(0)
    assert.deepStrictEqual(recorder.replies, [[Buffer.from('abc'), Buffer.from('de')]])
  })

  it('is read only up to the length given', () => {
    const recorder = record(undefined)
    recorder.decoder.write(Buffer.from('+a\r\n+b\r\ngarbage'), 6)
    recorder.decoder.write(Buffer.from('\r\n'), 2)
    recorder.decoder.write(Buffer.from('@@@'), 0)
    assert.deepStrictEqual(recorder.replies, ['a', 'b'])
    const frames = ['+OK\r\n', ':1\r\n', '$1\r\nx\r\n', '*1\r\n:1\r\n', '$-1\r\n']
    for (const bytes of frames.map((frame) => Buffer.from(frame))) {
      for (let length = 1; length < bytes.length; length++) {
        const cut = record(undefined)
        cut.decoder.write(bytes, length)
        assert.deepStrictEqual(cut.replies, [])
        cut.decoder.write(bytes.subarray(length))
        assert.equal(cut.replies.length, 1)
      }
    }
  })

  it('with the key __proto__ leaves every prototype as it was', () => {
    const before = Reflect.ownKeys(Object.prototype)
    const recorder = record(undefined)
    recorder.decoder.write(Buffer.from('%1\r\n+__proto__\r\n%1\r\n+polluted\r\n:1\r\n'))
    assert.deepStrictEqual(Reflect.ownKeys(Object.prototype), before)
    const [value] = recorder.replies
    assert.ok(value !== undefined && value !== null && typeof value === 'object')
    assert.deepStrictEqual(Object.keys(value), ['__proto__'])
    assert.equal(Object.getPrototypeOf(value), null)
  })
})
