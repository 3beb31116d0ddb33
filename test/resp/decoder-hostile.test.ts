// Owns what the decoder promises for bytes that are not RESP or that break a limit.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ProtocolError } from '../../src/base/errors.js'
import { Decoder } from '../../src/resp/decoder.js'
import { RESP_TYPES } from '../../src/resp/types.js'
import { byteByByte, decode, FIXTURES, HOSTILE_FIXTURES, inTwo } from '../support/resp-fixtures.js'

const IGNORE = { onReply() {}, onErrorReply() {}, onPush() {}, replyMapping: () => undefined }

describe('a hostile frame', () => {
  it('is refused with a ProtocolError, whole, cut at every byte and byte by byte', () => {
    for (const { name, bytes, limits } of HOSTILE_FIXTURES) {
      const cuts = Array.from({ length: bytes.length + 1 }, (_, cut) => inTwo(bytes, cut))
      for (const parts of [[bytes], byteByByte(bytes), ...cuts]) {
        const { failure, events } = decode(parts, undefined, limits)
        assert.ok(failure !== undefined, `${name} in parts of ${parts.map((part) => part.length)}`)
        assert.deepStrictEqual(events, [], name)
      }
    }
  })

  it('is refused after the replies before it were delivered', () => {
    for (const { name, bytes, limits } of HOSTILE_FIXTURES) {
      const parts = [Buffer.concat([Buffer.from('+a\r\n:1\r\n'), bytes])]
      const { events, failure } = decode(parts, undefined, limits)
      assert.equal(events.length, 2, name)
      assert.ok(failure !== undefined, name)
    }
  })

  it('ends the decoder: every later write throws the same error', () => {
    const decoder = new Decoder(IGNORE)
    let first: unknown
    assert.throws(
      () => decoder.write(Buffer.from('@')),
      (error) => {
        first = error
        return error instanceof ProtocolError
      },
    )
    assert.throws(
      () => decoder.write(Buffer.from('+OK\r\n')),
      (error) => error === first,
    )
  })

  it('is not quoted in the error, because it may be a value', () => {
    for (const { bytes, limits } of HOSTILE_FIXTURES) {
      const { failure } = decode([bytes], undefined, limits)
      assert.match(failure?.message ?? '', /^[A-Z][\w ,;-]+$/)
    }
  })

  it('keeps what a handler threw before it as the cause', () => {
    const problem = new Error('of the user')
    const onReply = (): never => {
      throw problem
    }
    const decoder = new Decoder({ ...IGNORE, onReply })
    assert.throws(
      () => decoder.write(Buffer.from('+a\r\n@')),
      (error) => error instanceof ProtocolError && error.cause === problem,
    )
  })
})

/** Bytes that `run` leaves allocated, outside of the heap too. Without --expose-gc it is an upper bound. */
function growth(run: () => unknown): number {
  const used = (): number => {
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  globalThis.gc?.()
  const before = used()
  const kept = run()
  const grown = used() - before
  assert.ok(kept !== undefined)
  return grown
}

describe('a memory bomb', () => {
  const MEBIBYTE = 2 ** 20

  it('of twenty arrays of 33 million elements costs nothing, refused or allowed', () => {
    const bomb = Buffer.from('*33000000\r\n'.repeat(20))
    assert.ok(growth(() => decode([bomb])) < MEBIBYTE * 8)
    const grown = growth(() => {
      const decoder = new Decoder(IGNORE, { maxElements: 2 ** 32 })
      decoder.write(bomb)
      assert.equal(decoder.idle, false)
      return decoder
    })
    assert.ok(grown < MEBIBYTE * 8, `${grown} bytes`)
  })

  it('of sets and maps of 16 million elements costs nothing, however they are mapped', () => {
    for (const target of [Map, Array, Object]) {
      const mapping = { [RESP_TYPES.SET]: Set, [RESP_TYPES.MAP]: target }
      const bomb = Buffer.from('*16000000\r\n~16000000\r\n%16000000\r\n+k\r\n'.repeat(20))
      assert.ok(growth(() => decode([bomb], mapping)) < MEBIBYTE * 8)
    }
  })

  it('of a bulk string of 512 MiB of which nothing comes costs 64 KiB', () => {
    const grown = growth(() => {
      const decoder = new Decoder(IGNORE)
      decoder.write(Buffer.from('$536870000\r\nx'))
      return decoder
    })
    assert.ok(grown < MEBIBYTE, `${grown} bytes`)
  })

  it('of a line without end is refused at 64 KiB', () => {
    const decoder = new Decoder(IGNORE)
    const chunk = Buffer.alloc(1024, 0x61)
    decoder.write(Buffer.from('+'))
    let written = 0
    assert.throws(() => {
      for (; written < MEBIBYTE; written += chunk.length) decoder.write(chunk)
    }, ProtocolError)
    assert.ok(written <= 65_536)
  })

  it('of one endless reply is refused at maxBuffered', () => {
    const decoder = new Decoder(IGNORE, { maxBuffered: 100_000 })
    const chunk = Buffer.from(':1\r\n'.repeat(1000))
    decoder.write(Buffer.from('*16000000\r\n'))
    let written = 0
    assert.throws(() => {
      for (; written < MEBIBYTE; written += chunk.length) decoder.write(chunk)
    }, ProtocolError)
    assert.ok(written > 90_000 && written <= 104_000, `${written}`)
  })

  it('of many small parts is refused before they cost more than a few times maxBuffered', () => {
    const limit = MEBIBYTE * 4
    const mapped = { [RESP_TYPES.SET]: Set, [RESP_TYPES.MAP]: Map, [RESP_TYPES.BLOB_STRING]: Buffer }
    for (const mapping of [undefined, mapped]) {
      for (const part of ['*0', '*1\r\n:1', '%0', '~0', '-', '!0\r\n', '$0\r\n', '(1', '$2\r\nab', ':1']) {
        const decoder = new Decoder({ ...IGNORE, replyMapping: () => mapping }, { maxBuffered: limit })
        const chunk = Buffer.from(`${part}\r\n`.repeat(1000))
        const grown = growth(() => {
          decoder.write(Buffer.from('*16000000\r\n'))
          assert.throws(() => {
            for (let written = 0; written < 2 * limit; written += chunk.length) decoder.write(chunk)
          }, /maxBuffered/)
          return decoder
        })
        assert.ok(grown < 12 * limit, `${JSON.stringify(part)} costs ${grown}`)
      }
    }
  })

  it('of errors is bound as lines are, however they are sent', () => {
    for (const bytes of ['!65537\r\n', `*1\r\n!536870912\r\n`, `-${'x'.repeat(65_537)}\r\n`]) {
      assert.match(decode([Buffer.from(bytes)]).failure?.message ?? '', /longer than maxLineLength/)
    }
    const longest = `!65536\r\n${'x'.repeat(65_536)}\r\n`
    assert.equal(decode([Buffer.from(longest)]).events.length, 1)
  })

  it('may be as large as two of the largest strings, and never less than 16 MiB', () => {
    for (const [maxReplySize, allowed] of [
      [1_000, 16],
      [MEBIBYTE * 20, 40],
    ] as const) {
      const decoder = new Decoder(IGNORE, { maxReplySize })
      const chunk = Buffer.from(`$1000\r\n${'x'.repeat(1000)}\r\n`.repeat(1000))
      decoder.write(Buffer.from('*16000000\r\n'))
      let written = 0
      assert.throws(() => {
        for (; written < MEBIBYTE * 100; written += chunk.length) decoder.write(chunk)
      }, /maxBuffered/)
      const received = written / MEBIBYTE
      assert.ok(received > allowed - 1 && received <= allowed, `${received} MiB of ${allowed}`)
    }
  })

  it('of a million nested arrays is refused at once, without using the call stack', () => {
    const started = performance.now()
    for (const header of ['*1\r\n', '%1\r\n+k\r\n', '~1\r\n', '|1\r\n+a\r\n']) {
      const { failure } = decode([Buffer.from(header.repeat(1_000_000))])
      assert.match(failure?.message ?? '', /maxDepth/)
    }
    assert.ok(performance.now() - started < 2000)
    const deep = Buffer.from(`${'*1\r\n'.repeat(100_000)}:1\r\n`)
    assert.equal(decode([deep], undefined, { maxDepth: 100_000 }).events.length, 1)
  })

  it('of a line that comes byte by byte is not read again for each byte', () => {
    const bytes = Buffer.from(`+${'x'.repeat(65_000)}\r\n`)
    const started = performance.now()
    assert.equal(decode(byteByByte(bytes)).events.length, 1)
    assert.ok(performance.now() - started < 1500)
  })
})

/** What may be compared between two ways to feed the same bytes. */
function outcome(parts: readonly Uint8Array[], mapping?: object): unknown {
  const { events, failure } = decode(parts, mapping, { maxElements: 1000, maxReplySize: 1000 })
  return { events, isRefused: failure !== undefined }
}

function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b)
  return [...places, bytes.length].map((end, index) => bytes.subarray(places[index - 1] ?? 0, end))
}

describe('any bytes', () => {
  const cuts = fc.array(fc.nat(500), { maxLength: 6 })
  const mapping = fc.constantFrom(
    undefined,
    { [RESP_TYPES.SET]: Set, [RESP_TYPES.MAP]: Map, [RESP_TYPES.BLOB_STRING]: Buffer },
    { [RESP_TYPES.MAP]: Array, [RESP_TYPES.NUMBER]: String },
  )

  it('give values or a ProtocolError, the same however they are cut', () => {
    const alphabet = Array.from('+-:$*%~>|_#,(=!\r\n\r\n\r\n0123459-tfinae.?;X', (letter) => letter.charCodeAt(0))
    const bytes = fc.uint8Array({ maxLength: 60 })
    const tokens = fc
      .array(fc.oneof(fc.constantFrom(...alphabet), fc.nat(255)), { maxLength: 60 })
      .map((codes) => Uint8Array.from(codes))
    fc.assert(
      fc.property(fc.oneof(bytes, tokens), cuts, mapping, (input, places, types) => {
        assert.deepStrictEqual(outcome(cutAt(input, places), types), outcome([input], types))
      }),
      { numRuns: 10_000 },
    )
  })

  it('made of frames that were damaged give values or a ProtocolError, the same however they are cut', () => {
    const frame = fc.constantFrom(...[...FIXTURES, ...HOSTILE_FIXTURES].map(({ bytes }) => bytes.subarray(0, 200)))
    const damage = fc.record({
      kind: fc.constantFrom('none', 'replace', 'delete', 'insert', 'repeat', 'truncate'),
      at: fc.nat(600),
      byte: fc.oneof(fc.constantFrom(...Buffer.from('\r\n0919-*$%>|')), fc.nat(255)),
      length: fc.nat(12),
    })
    const apply = (
      bytes: Uint8Array,
      { kind, at, byte, length }: { kind: string; at: number; byte: number; length: number },
    ): Uint8Array => {
      const place = at % (bytes.length + 1)
      const [head, tail] = [bytes.subarray(0, place), bytes.subarray(place)]
      switch (kind) {
        case 'replace':
          return Buffer.concat([head, Buffer.from([byte]), tail.subarray(1)])
        case 'delete':
          return Buffer.concat([head, tail.subarray(length)])
        case 'insert':
          return Buffer.concat([head, Buffer.from([byte]), tail])
        case 'repeat':
          return Buffer.concat([head, tail.subarray(0, length), tail])
        case 'truncate':
          return head
        default:
          return bytes
      }
    }
    const input = fc
      .tuple(fc.array(frame, { minLength: 1, maxLength: 4 }), fc.array(damage, { maxLength: 3 }))
      .map(([frames, damages]) => damages.reduce(apply, Buffer.concat(frames)))
    fc.assert(
      fc.property(input, cuts, mapping, (bytes, places, types) => {
        assert.deepStrictEqual(outcome(cutAt(bytes, places), types), outcome([bytes], types))
      }),
      { numRuns: 10_000 },
    )
  })
})
