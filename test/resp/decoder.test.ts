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

  it('takes up to four times the room of what has arrived, and all of it once a 32nd has', () => {
    const chunk = Buffer.alloc(10_000)
    const bulk = new PartialBulk(RESP_TYPES.BLOB_STRING, 30_000_002, 5, false)
    let copied = 0
    for (let received = 0; !bulk.isWhole; ) {
      const room = bulk.bytes.length
      received += bulk.append(chunk, 0, chunk.length)
      if (bulk.bytes.length !== room) copied += received - chunk.length
      if (received * 32 < bulk.size) assert.ok(bulk.bytes.length <= Math.max(65_536, received * 4))
    }
    assert.equal(bulk.bytes.length, bulk.size)
    assert.ok(copied < bulk.size / 16, `${copied} bytes copied`)
  })

  it('as text is decoded piece by piece, whatever its characters and wherever they are cut', () => {
    const units = ['a', 'é', '€', '😀', '\r\n', '\u0000']
    const invalid = Buffer.from('80808080c3e282f09f98edb080fff5', 'hex')
    const parts: Buffer[] = []
    for (let size = 0, at = 0; size < 3_500_000; at++) {
      const part = at % 7 === 0 ? invalid.subarray(at % 11) : Buffer.from((units[at % 6] ?? '').repeat(at % 1000))
      parts.push(part)
      size += part.length
    }
    const long = Buffer.concat(parts)
    const frame = Buffer.concat([Buffer.from(`*2\r\n$${long.length}\r\n`), long, Buffer.from('\r\n:1\r\n')])
    for (const size of [1_000, 65_536, 65_537, 1_048_575, 2_500_000]) {
      const chunks = Array.from({ length: Math.ceil(frame.length / size) }, (_, n) =>
        frame.subarray(n * size, (n + 1) * size),
      )
      const { events, failure } = decode(chunks)
      const [event] = events
      assert.ok(failure === undefined && event?.kind === 'reply' && Array.isArray(event.value))
      assert.ok(event.value[0] === long.toString(), `in chunks of ${size}`)
      assert.equal(event.value[1], 1)
    }
  })

  it('as text keeps no bytes of what it has decoded', () => {
    const chunk = Buffer.alloc(65_536, 'é')
    const bulk = new PartialBulk(RESP_TYPES.BLOB_STRING, 32 * 2 ** 20, 10, true)
    let most = 0
    while (!bulk.isWhole) {
      bulk.append(chunk, 0, chunk.length)
      most = Math.max(most, bulk.bytes.length)
    }
    assert.ok(most <= 2 ** 20, `${most} bytes`)
    assert.ok(bulk.text.length + bulk.bytes.subarray(0, bulk.length).toString().length === 16 * 2 ** 20)
  })

  it('as text must end in CRLF like any other', () => {
    const long = Buffer.alloc(2 ** 20 - 1, 0x61)
    for (const end of ['\rX', 'X\n', '\n\r']) {
      const frame = Buffer.concat([Buffer.from(`$${long.length}\r\n`), long, Buffer.from(end)])
      const parts = [frame.subarray(0, 500_000), frame.subarray(500_000, -1), frame.subarray(-1)]
      assert.match(decode(parts).failure?.message ?? '', /does not end in CRLF/)
    }
  })

  it('as text longer than a string can be is refused by its header', () => {
    const header = Buffer.from('$536870912\r\n')
    assert.match(decode([header]).failure?.message ?? '', /longer than a string can be; map it to Buffer/)
    assert.equal(decode([header], { [RESP_TYPES.BLOB_STRING]: Buffer }).failure, undefined)
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
